#pragma once
/* The manual page compote(1) in roff, made from the tables. */
#include "cli/flags.h"

char *man_page(const void *owner, const struct command *const *commands, const struct flag *globals);
