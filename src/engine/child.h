#pragma once
/*
 * Work that blocks, done by a forked child, so that the loop goes on meanwhile: hooks, and what `watch`
 * copies and runs. The child has a copy of everything, and nothing that it changes in memory comes back but
 * how it ended.
 */
#include "engine/internal.h"

struct child; /* a talloc object; freeing it ends the waiting, not the child */

/* Starts `work` in a child in a session of its own, where Ctrl-C does not reach it. `done` is called once
 * from the loop, after the child is gone; the object is freed then. */
int child_start(const void *owner, struct loop *loop, int (*work)(void *data, struct error *err),
                void (*done)(void *data, int result, const struct error *err), void *data, struct child **ret,
                struct error *err);

/* Ends the child and all that it started, and frees the object: `done` is not called. */
void child_stop(struct child *child);
