#pragma once
/* post_start and pre_stop: commands of the file that run in a container, beside the loop. */
#include "engine/plan.h"

struct hooks {
    const char *key; /* "post_start", for messages */
    const struct hook *list;
    size_t count;
};

/* Those of the container's service, as the project's files have it now; none for what `run` made. */
struct hooks hooks_post_start(const struct operation *op);
struct hooks hooks_pre_stop(const struct operation *op);

/*
 * Runs them one after the other and then calls `done` from the loop: with an error when one of them failed,
 * after which no other is run; a container that ends meanwhile is none. The process that runs them is a child
 * of this one.
 */
int hooks_run(struct operation *op, struct hooks hooks,
              void (*done)(struct operation *op, int result, const struct error *err), struct error *err);
