#pragma once
/* The one object that main makes and every command gets. */
#include "cli/config.h"
#include "cli/flags.h"

/* The flags that every command has; see globals.c for what each means. */
struct globals {
    char **files, **profiles, **env_files;
    char *project_name, *project_directory, *workdir;
    char *progress, *ansi, *root, *format, *docker_config, *log_level;
    int64_t parallel;
    bool dry_run, compatibility, all_resources, debug, verbose, no_ansi;
};

extern const struct flag global_flags[];

/* Lays what COMPOSE_* variables say over the defaults. */
int globals_from_environment(const void *owner, struct globals *globals, const struct config *config,
                             struct error *err);

struct app {
    TALLOC_CTX *ctx; /* lives as long as the command */
    struct config config;
    struct globals globals;
    const char *command_path; /* "compote up" */
};

/* Whether output to a terminal (`is_tty`) gets colours and cursor movements: --ansi and NO_COLOR. */
bool app_color(const struct app *app, bool is_tty);

/* Prints an error to standard error, once, in the form that --progress asks for. */
void app_report(const struct app *app, const struct error *err);
