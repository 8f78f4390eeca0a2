#pragma once
/*
 * What the environment says, read once at the start: variables, the place of the program, the terminal.
 * Nothing else in the command line asks getenv or isatty.
 */
#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>

struct config {
    char **environment;    /* K=V, as the process got it */
    const char *program;   /* how messages call it: "compote", or "docker-compose" when started as that */
    bool is_docker;        /* started as docker-compose */
    char *cwd;             /* "/" when it cannot be told */
    char *libexec;         /* directory of the helper programs */
    char *docker_config;   /* directory with docker's config.json (credentials, psFormat) */
    char *registry_config; /* file with registry mirrors, or NULL when there is none */
    bool no_color;         /* NO_COLOR is set and not empty */
    bool out_tty, err_tty, in_tty;
};

void config_read(const void *owner, const char *argv0, char *const *environment, struct config *ret);

/* Value of a variable, or NULL when it is unset or empty. */
const char *config_get(const struct config *config, const char *name);

/* Whether a variable is set to something that docker compose takes for true. */
bool config_is_true(const char *value);

/*
 * Where compote keeps things. With --root DIR (or COMPOTE_ROOT): DIR and DIR/run. Else root's are
 * /var/lib/compote and /run/compote, other users' the XDG directories.
 */
void config_dirs(const void *owner, const struct config *config, const char *root, char **ret_data,
                 char **ret_run);

/* Columns and rows of the terminal behind `fd`; 80 x 24 when there is none. */
void terminal_size(int fd, int *ret_columns, int *ret_rows);
