#pragma once
/* The table of commands, and the way from an argument vector to one of them. */
#include "cli/app.h"

extern const struct command *const command_table[]; /* NULL-ended */
extern const char program_summary[];

/* Runs what `argv` (without the program's name) asks for: 0, negative with `err`, or the exit status. */
int command_dispatch(struct app *app, char *const *argv, struct error *err);

/* The row of `name` (or an alias of it) in a NULL-ended table, or NULL. */
const struct command *command_find(const struct command *const *table, const char *name);

/* Checks a number of arguments against the row, with docker's words. */
int command_check_args(const struct command *command, const char *path, char *const *args, struct error *err);

/* Prints the help page of the command that `words` lead to; of the program when there are none. */
int command_help(struct app *app, char *const *words, struct error *err);
