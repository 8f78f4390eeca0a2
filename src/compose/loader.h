#pragma once
/*
 * What the parts of the loader share. Not for other folders: they include compose/load.h.
 *
 * A loader works for one call of project_load. Its arena holds all trees and goes to the project in the end.
 * A scope is where a file is read from: which directory relative paths start from and which variables it
 * sees; the main files share one, an included file has its own, an extended file has its own directory.
 */
#include "base/strv.h"
#include "compose/load.h"
#include "data/arena.h"
#include "data/history.h"
#include "data/template.h"
#include "model/tables.h"

enum {
    LOAD_MAX_FILES = 1000,
    LOAD_MAX_DEPTH = 50,            /* of includes, and of extends */
    LOAD_MAX_ERRORS = 100,          /* that are worded; the others are counted */
    LOAD_MAX_WARNINGS = 1000,       /* the same */
    LOAD_MAX_MESSAGE = 2000,        /* bytes */
    LOAD_MAX_ENV_FILES = 256 << 20, /* bytes of .env, env_file and label_file with their values */
    LOAD_MAX_COPIES = 4 << 20,      /* values that extends may copy (node_weight) */
};

/* Where a variable's value stands. */
struct place {
    const char *file;           /* or what gave it; NULL: the process environment */
    unsigned line;              /* 0: no line */
    const struct place *beaten; /* a file's value that this one wins over */
};

/* A value that had variables in it. */
struct interpolated {
    const struct node *node;
    const char *raw;
    const struct omap *environment;
};

/* What a load leaves behind for explanations. */
struct load_record {
    struct arena *arena;
    struct history *history; /* NULL unless asked for */
    struct omap *places;     /* by the value's address */
    struct interpolated *items;
    size_t count;
};

struct loader {
    struct arena *arena;
    const struct load_options *options;
    const void *owner; /* of diagnostics */
    struct diagnostics *diagnostics;
    struct error *err; /* the first error */
    struct schema_report report;
    struct schema_pass pass;
    struct omap *told; /* problems that are said once */
    const char *cwd, *home;
    const char *working_dir; /* the project directory */
    char **files;            /* absolute paths, or "-" */
    char **env_files;
    struct omap *environment;
    struct load_record *record;
    struct history *history; /* the record's, and the pass's */
    char *name;
    const struct node *name_at; /* where the files say it; NULL: `name_why` */
    const char *name_why;
    unsigned file_count;
    bool refused;                            /* the document that is extended lacks what had errors */
    bool out_of_room;                        /* was said */
    size_t warning_count, copied, env_bytes; /* see the limits above */
};

struct scope {
    const char *dir;          /* relative paths start here */
    struct omap *environment; /* what interpolation sees */
    struct omap *extended;    /* path -> tree of a file that services extend from, in this environment */
    const struct scope *up;   /* the including file's, to find cycles */
    const char *file;         /* absolute path */
};

/* diagnose.c: problems become diagnostics; the first error goes to err. */
void loader_report_init(struct loader *loader);
void loader_report_end(struct loader *loader); /* says how many there were beyond those that are shown */
void loader_problem(struct loader *loader, const struct node *at, const char *path, bool is_error,
                    const char *hint, const char *fmt, ...) PRINTF_LIKE(6, 7);
/* A hint with the key of the map that comes nearest to `name`; NULL when none is near. */
const char *loader_nearest(struct loader *loader, const struct node *map, const char *name);
/* "line N: text" of an env file becomes "FILE:N: text". */
int loader_env_error(struct loader *loader, const char *path, struct error *err);
void loader_failed(struct loader *loader,
                   struct error *failed); /* an error value that has its text already */
/* Says once of each variable that it has no value. */
void loader_unset(struct loader *loader, const struct node *at, const char *path, const char *name);
/* 0, or the first error's code: whether anything was reported as an error. */
int loader_status(const struct loader *loader);
/* False, which is said once, when what was read and made of it takes too much memory to go on. */
bool loader_has_room(struct loader *loader, const struct node *at);

/* find.c: files, project directory and environment. LOAD_NO_FILE when there is no file. */
int loader_find(struct loader *loader, struct error *err);
/* The variables of .env files: `environment` is looked at first, new ones are added to it. */
int environment_add_files(struct omap *environment, char *const *files, struct loader *loader,
                          struct error *err);
/* Refuses what docker compose would fetch: git repositories and artifacts of registries. */
int loader_refuse_remote(const char *path, struct error *err);
bool environment_is_true(const struct omap *environment, const char *name);
int loader_find_name(struct loader *loader, struct node *const *documents, size_t count, struct error *err);
const char *environment_lookup(const struct template_scope *scope, const char *name); /* data: an omap */

/* origin.c: the places of variables and the references in values. */
struct variable {
    const char *name, *value; /* value NULL: not set */
    const struct place *place;
    bool operand; /* the reference's default or alternative stands for it */
};
void origin_set(struct load_record *record, const char *value, const char *file, unsigned line,
                const struct place *beaten);
const struct place *origin_of(const struct load_record *record, const char *value);
void origin_interpolated(struct load_record *record, const struct node *node, const char *raw,
                         const struct omap *environment);
/* The value that stands at the place of `at`, if it had variables in it. */
const struct interpolated *origin_find(const struct load_record *record, const struct node *at);
struct variable *origin_variables(const void *owner, const struct load_record *record,
                                  const struct interpolated *item, size_t *ret_count);
/* from "${LEVEL}"; LEVEL=debug from .env:3 */
char *origin_describe(const void *owner, const struct load_record *record, const struct interpolated *item);

/* interpolate.c: replaces variables in all strings of the tree. */
void loader_interpolate(struct loader *loader, struct node *tree, struct omap *environment);
/* One text, for the project's name. */
int interpolate_text(struct loader *loader, const char *text, char **ret, struct error *err);

/* layer.c: files to one merged canonical tree. */
int loader_read(struct loader *loader, const char *path, struct node **ret_documents, struct error *err);
/* How messages call a file: relative when it is below the current directory. */
char *loader_label(struct loader *loader, const char *path);
/* What relative paths of a file are joined to: its directory, without path resolution as seen from the
 * project's. */
const char *loader_base_dir(const struct loader *loader, const char *dir, bool is_main);
int loader_layer(struct loader *loader, const struct scope *scope, struct node *document, struct node **tree);
/* Checks what is merged so far, as each file must leave it valid; what files may still add waits when
 * `partial`. */
int loader_check(struct loader *loader, struct node *tree, bool partial);
/* include.c, extends.c */
/* Removes from `tree` the resources that `there` has, the same. */
void loader_drop_same(struct node *tree, const struct node *there);
void loader_add_included(struct loader *loader, struct node *included, struct node **tree);
void loader_include(struct loader *loader, const struct scope *scope, struct node *items, struct node **tree);
void loader_extend(struct loader *loader, const struct scope *scope, struct node *document);

/* envfile.c, normalize.c, consistency.c, select.c: passes over the merged tree. */
void loader_env_files(struct loader *loader, struct node *services);
void loader_fill(struct loader *loader, struct node *tree); /* what is done even without normalising */
void loader_fill_contexts(struct loader *loader, struct node *tree, const char *dir);
void loader_normalize(struct loader *loader, struct node *tree);
void loader_consistency(struct loader *loader, const struct node *tree, const struct node *disabled);
void loader_container_names(struct loader *loader, const struct node *tree); /* of the selected services */
/* Moves services whose profiles are not active, then those that are not selected, to `rest`. */
void loader_activate(struct loader *loader, struct node *tree, struct node *rest);
void loader_select(struct loader *loader, struct node *tree, struct node *rest);
/* Drops networks, volumes, configs, secrets and models that no service uses. */
void loader_prune(struct loader *loader, struct node *tree);

static inline struct node *tree_services(const struct node *tree)
{
    return node_get(tree, "services");
}
