#pragma once
/* Instructions of a Dockerfile that change an image's configuration and nothing else: what `commit --change`
 * takes. */
#include "base/error.h"

#include <jansson.h>

/* Applies "INSTRUCTION arguments" to the `config` object of an image's configuration. */
int change_apply(json_t *config, const char *instruction, struct error *err);
