#pragma once
/* The plan of `up`: what the project wants against what is there. Pure: nothing is changed or asked of the
 * machine. */
#include "engine/plan.h"

/*
 * `image_ids` (service -> image ID, those that are here) decides whether an image changed. Containers of the
 * services in `only` (NULL: all of the project) are planned.
 */
int up_plan_make(const void *owner, struct engine *engine, const struct project *project,
                 struct actual *actual, const struct up_options *options, const struct omap *image_ids,
                 struct plan **ret, struct error *err);

/* Containers whose service the project does not know. */
bool actual_is_orphan(const struct actual_container *container, const struct project *project);

struct operation *plan_stop_container(struct plan *plan, struct actual_container *container, int64_t timeout,
                                      const char *reason);

/* Adds stop (when it runs) and remove; returns the removal. */
struct operation *plan_remove_container(struct plan *plan, struct actual_container *container,
                                        int64_t timeout, const char *reason);
