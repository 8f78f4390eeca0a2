#pragma once
/* --help texts in docker compose's layout, made from the tables. */
#include "cli/flags.h"

/* `path` is the command as it is called ("compote up"); `inherited` are flags shown besides its own. */
char *help_command(const void *owner, const struct command *command, const char *path,
                   const struct flag *const *inherited, int width);

/* The program's own page: global flags and commands. */
char *help_program(const void *owner, const char *program, const char *summary, const struct flag *flags,
                   const struct command *const *commands, int width);

/* All flags of a table that are shown, sorted by name; NULL-ended. */
const struct flag **flags_sorted(const void *owner, const struct flag *flags);
