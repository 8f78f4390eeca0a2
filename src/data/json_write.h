#pragma once
/* A node tree as JSON, in the form of Go's encoder: two blanks of indentation, < > & escaped. */
#include "data/buffer.h"
#include "data/node.h"

/* `compact` leaves out all blanks; otherwise there is no line feed after the last brace. */
void json_write(struct buffer *out, const struct node *node, bool compact);
