#pragma once
/* --detach-keys: the keys that leave an attached container running. */
#include "base/error.h"

#include <stddef.h>

enum { DETACH_KEYS_MAX = 16 };

/* "ctrl-p,ctrl-q", "ctrl-a,d": single characters and ctrl- with a letter or one of @ [ \ ] ^ _, as bytes that
 * a terminal sends. */
int detach_keys_parse(const char *text, char keys[DETACH_KEYS_MAX], size_t *ret_count, struct error *err);
