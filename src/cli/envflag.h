#pragma once
/* -e KEY[=VALUE] flags. */
#include "cli/app.h"

/* K=V for each; a key alone takes the value of compote's own environment, or is left out without one. */
char **env_resolve(const void *owner, const struct app *app, char *const *words);

/* Adds to `env` what files say, in their order; a name that is there already keeps its value. */
int env_add_files(const void *owner, const struct app *app, char *const *files, char ***env,
                  struct error *err);

/* A terminal is wanted: not switched off, and standard input and output both are one. */
bool wants_tty(const struct app *app, bool no_tty);
