#pragma once
/* What the file says about a volume, before and beside its making. */
#include "engine/internal.h"

/* The driver and its options: errors that are told before anything is made. */
int volume_check(const struct volume *volume, struct error *err);

/* Whether the project's volume was made from something else than the file says now. */
int volume_differs(struct engine *engine, const char *project, const struct volume *volume, bool *ret,
                   struct error *err);
