#pragma once
/*
 * Services that a program of another makes (`provider`): docker compose's protocol. They have no containers;
 * `up` and `down` call the program, and what it says about itself goes into the environment of the services
 * that depend on it.
 */
#include "engine/plan.h"

/* Whether any service of the project has a provider. */
bool providers_any(const struct project *project);

/* A copy of the project without the services that have one; the others may be changed. */
struct project *providers_without(const void *owner, const struct project *project);

/* Calls the programs, each after those it depends on, and sets their variables in the services of `rest`. */
int providers_up(struct engine *engine, const struct project *project, const struct up_options *options,
                 struct project *rest, struct error *err);

/* Plans the calls of `down` for the chosen services (NULL: all); each waits for the operations that are
 * planned already. */
void providers_plan_down(struct plan *plan, char *const *services);
