#pragma once
/* SERVICE=NUM arguments. */
#include "model/project.h"

#include "base/error.h"

/* *ret maps services to numbers as text; NULL when `words` is empty. Services must be in the project. */
int scale_parse(const void *owner, const struct project *project, char *const *words, struct omap **ret,
                struct error *err);
