#pragma once
/*
 * How the values of a tree became what they are: a record beside the tree, from nodes to the steps that made
 * them, kept only when somebody asks. Passes that replace, remove or make a value say so with one call; for a
 * NULL history every call does nothing, so that an ordinary load pays one test of a pointer for each.
 *
 * A step belongs to the node that came out of it. It may name the value that was there before, whose own
 * steps go on from there. What was removed is kept at the map that it was removed from. Positions of values
 * as they were written are kept with their text, because short forms, sizes and paths get another one.
 *
 * Everything belongs to the arena, and so do the nodes that are handed in.
 */
#include "data/node.h"

enum history_step {
    HISTORY_REPLACED, /* took the place of `before` */
    HISTORY_SAME,     /* `before` said the same once more and was dropped */
    HISTORY_BROUGHT,  /* came here with a larger part: include, extends */
    HISTORY_MADE,     /* stands in no file */
    HISTORY_REMOVED,  /* `before` was taken out */
};

struct history_event {
    const struct history_event *older;
    enum history_step step;
    const struct node *at;     /* the place that caused it; NULL: no place */
    const struct node *before; /* NULL: nothing was there */
    const char *why;           /* "extends service base"; NULL when the step says all */
};

struct history_removal {
    const struct history_removal *older;
    const char *key;
    struct history_event event;
};

struct history;

struct history *history_new(struct arena *arena);

/* The scalars of a tree as their file has them; before anything changes them. */
void history_written(struct history *history, const struct node *tree);
void history_replaced(struct history *history, const struct node *now, const struct node *before,
                      const char *why);
void history_same(struct history *history, const struct node *kept, const struct node *dropped);
void history_made(struct history *history, const struct node *made, const struct node *at, const char *fmt,
                  ...) PRINTF_LIKE(4, 5);
void history_removed(struct history *history, const struct node *map, const char *key,
                     const struct node *before, const struct node *at, const char *fmt, ...)
    PRINTF_LIKE(6, 7);
/* Every value of the tree came with `at`. */
void history_brought(struct history *history, const struct node *tree, const struct node *at, const char *fmt,
                     ...) PRINTF_LIKE(4, 5);
/* `to` is a deep copy of `from`. */
void history_copied(struct history *history, const struct node *from, const struct node *to);
/* `to` goes on where `from` was: its steps and what was removed from it. */
void history_moved(struct history *history, const struct node *from, const struct node *to);

const struct history_event *history_of(const struct history *history, const struct node *node);
const struct history_removal *history_removals(const struct history *history, const struct node *map);
/* What was written at the node's place; NULL when no scalar begins there. */
const char *history_text(const struct history *history, const struct node *node);
