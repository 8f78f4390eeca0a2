#pragma once
/*
 * What the commands on existing containers share: they begin with the project's lock, a snapshot and an empty
 * plan, choose containers of the snapshot, and order the operations on them by their dependencies.
 */
#include "engine/up_plan.h"

/* The plan belongs to `owner`; *ret_lock is closed by the caller. An unknown service is an error. */
int selection_begin(const void *owner, struct engine *engine, const char *name, const struct project *project,
                    char *const *services, int *ret_lock, struct plan **ret, struct error *err);

/* Whether `services` (NULL: all) name the container's. */
bool selection_has(const struct actual_container *c, char *const *services);

/* What the operations on a container are reported under. */
char *selection_id(const void *owner, const struct actual_container *c);

/* Operations on containers, beside the snapshot's: what orders them. */
struct chosen {
    struct plan *plan;
    struct operation **first, **last; /* per container of the snapshot; NULL where nothing is done */
};

struct chosen chosen_new(struct plan *plan);

/* A container goes down after those that depend on it (reverse), or comes up after those it depends on. */
void chosen_order(struct chosen *chosen, bool reverse);
