#pragma once
/*
 * A node tree as YAML, in the style of Go's YAML library: block style, lists indented below their key,
 * strings plain where that is safe, otherwise quoted, texts of several lines as literal blocks.
 */
#include "data/buffer.h"
#include "data/node.h"

void yaml_write(struct buffer *out, const struct node *node);
