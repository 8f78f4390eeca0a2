#pragma once
/*
 * YAML to node trees. Accepts what docker compose's reader accepts: anchors, aliases and merge keys are
 * resolved here, so that the trees that come out are plain. Map keys must be strings and unique.
 *
 * Hostile input costs at most a constant times its size: nesting, the memory that values take and what
 * aliases may add to them are limited, and so is the size of a file.
 */
#include "base/error.h"
#include "data/node.h"

enum {
    YAML_MAX_SIZE = 128 << 20,      /* bytes in a file */
    YAML_MAX_DEPTH = 128,           /* nested maps and lists */
    YAML_MAX_TAG_DIRECTIVES = 100,  /* libyaml compares each with all */
    YAML_MAX_ALIAS_WEIGHT = 100000, /* that aliases may add beyond ten times what the file says itself */
};

/*
 * Reads all documents of `data` into *ret, a list node (empty documents are left out). `file` is what
 * messages call it and must live as long as the arena. Errors say file:line:col.
 */
int yaml_read(struct arena *arena, const char *file, const char *data, size_t size, struct node **ret,
              struct error *err);
