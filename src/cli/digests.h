#pragma once
/* `config --resolve-image-digests` and `--lock-image-digests`. */
#include "cli/app.h"

#include "model/project.h"

/* Pins the images of the project's services, in its tree, to the digests that their registries tell now. */
int digests_resolve(struct app *app, struct project *project, struct error *err);

/* Leaves nothing in the tree but the images of services. */
void digests_keep(struct project *project);
