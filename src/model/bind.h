#pragma once
/* From the normalized tree to the structs of model/project.h. */
#include "data/node.h"
#include "model/project.h"

/*
 * The project with its services, disabled services, networks, volumes, configs and secrets. `arena` is used
 * for intermediate trees; values of configs and secrets are looked up in `environment`.
 */
struct project *project_bind(const void *owner, const struct node *tree, const struct node *disabled,
                             struct arena *arena, const struct omap *environment);
