#pragma once
/*
 * Variables in texts, as Compose files and .env files write them (Compose specification, interpolation):
 * $NAME, ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?message}, ${NAME?message}, ${NAME:+text},
 * ${NAME+text}, and $$ for a dollar sign. Operands are expanded in turn, and only when they are used. A
 * dollar sign in front of anything else stands for itself.
 */
#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>

struct template_scope {
    const char *(*lookup)(const struct template_scope *scope, const char *name); /* NULL: not set */
    void (*unset)(const struct template_scope *scope,
                  const char *name); /* told of names without value; or NULL */
    /* Told of each reference: the value, NULL when not set, and whether the operand stands for it; or NULL.
     */
    void (*used)(const struct template_scope *scope, const char *name, const char *value, bool operand);
    void *data;
};

enum { TEMPLATE_MAX_DEPTH = 64, TEMPLATE_MAX_SIZE = 16 << 20 };

/* One use of a variable. `operand` is what follows the operation, as it is written. */
struct template_reference {
    const char *name;
    char operation; /* '-', '?', '+', or '\0' for the plain forms */
    const char *operand;
};

/* Calls `use` for each variable that the text names, those in operands included, whether used or not. */
int template_references(const char *text, void (*use)(void *data, const struct template_reference *reference),
                        void *data, struct error *err);

/* The expanded text as a child of `owner`. */
int template_expand(const void *owner, const char *text, const struct template_scope *scope, char **ret,
                    struct error *err);
