#pragma once
/*
 * From command-line options to a checked project: find files, read .env, parse, interpolate, include,
 * extend, merge, check, normalise, bind. Reads files and the environment it is given; changes nothing.
 */
#include "base/error.h"
#include "data/buffer.h"
#include "model/project.h"

struct load_options {
    char **files;             /* -f, in order; NULL: COMPOSE_FILE, else discovery */
    char *project_name;       /* -p */
    char *project_directory;  /* --project-directory */
    char **env_files;         /* --env-file */
    char **profiles;          /* --profile; NULL: COMPOSE_PROFILES */
    char **services;          /* selected on the command line: activates their profiles; NULL: all */
    bool with_dependencies;   /* keep what the selected services depend on (default for most commands) */
    char *const *environment; /* K=V, the process environment */
    const char *cwd;
    /* `config` flags */
    bool no_interpolate, no_normalize, no_path_resolution, no_consistency, no_env_resolution;
    bool explain;       /* keep what project_explain needs */
    bool compatibility; /* names with '_', as Compose 1 made them; or COMPOSE_COMPATIBILITY */
    bool all_resources; /* keep networks, volumes, configs, secrets and models that no service uses */
};

/* A list of independent problems; every line is "file:line:col: path: what" and may have a hint. */
struct diagnostics {
    struct diagnostic {
        char *text; /* complete, with position */
        bool is_error;
    } * items;
    size_t count, error_count;
};

enum { LOAD_NO_FILE = 1 }; /* no Compose file anywhere: commands that can work from state go on without */

/*
 * Loads the project as a child of `owner`. Warnings, and every error but the first, are in `diagnostics`
 * (owned by `owner`); with any error the result is negative and err holds the first one with its position.
 */
int project_load(const void *owner, const struct load_options *options, struct project **ret,
                 struct diagnostics *diagnostics, struct error *err);

/* Only the project's name, by the same rules, without looking into more than is needed: for commands on a
 * running project. */
int project_name_find(const void *owner, const struct load_options *options, char **ret, struct error *err);

/* A variable that the files name. Of several uses the first one with a default or an alternate counts. */
struct project_variable {
    char *name, *fallback, *alternate; /* texts as written; NULL: none */
    bool required;                     /* ${NAME:?...} or ${NAME?...} somewhere */
};

/* All variables of a project that was loaded with no_interpolate, sorted by name. */
int project_variables(const void *owner, const struct project *project, struct project_variable ***ret,
                      size_t *ret_count, struct error *err);

enum config_format { CONFIG_YAML, CONFIG_JSON };

/*
 * Where each value of a project came from, which was loaded with `explain`: `key` is a path such as
 * "services.web.ports[0]" and stands for all that is below it; NULL for everything. Values that are gone are
 * explained too. A key that is neither there nor gone is an error, with the nearest one as advice. The text
 * is for people, or with CONFIG_JSON a list of {path, value, removed, history: [{step, file, line, column,
 * value, text, variables, why}]}, newest step first.
 */
int project_explain(const void *owner, const struct project *project, const char *key,
                    enum config_format format, char **ret, struct error *err);

/* What `compote config` prints, as one talloc string, in docker compose's form; NULL when it is larger than
 * BUFFER_MAX. */
char *project_print(const void *owner, const struct project *project, enum config_format format);
