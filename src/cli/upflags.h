#pragma once
/* What `up` and `create` have in common: rows, checks, and the way to engine options. */
#include "cli/session.h"

struct create_flags {
    bool build, no_build, force_recreate, no_recreate, remove_orphans, quiet_pull, yes;
    char *pull;
    char **scale;
};

extern const char *const pull_choices[];

/* The rows, for a table whose OPTIONS has a member `create` of that type. */
#define CREATE_BUILD_FLAGS                                                                                   \
    FLAG("build", 0, BOOL, create.build, "Build images before starting containers", .bits = FLAG_NOT_YET),   \
        FLAG("no-build", 0, BOOL, create.no_build, "Don't build an image, even if it's policy"),             \
        FLAG("pull", 0, STRING, create.pull,                                                                 \
             "Pull image before running (\"always\"|\"missing\"|\"never\"|\"build\")",                       \
             .choices = pull_choices, .fallback = "policy"),                                                 \
        FLAG("quiet-pull", 0, BOOL, create.quiet_pull, "Pull without printing progress information")
#define CREATE_RECREATE_FLAGS                                                                                \
    FLAG("force-recreate", 0, BOOL, create.force_recreate,                                                   \
         "Recreate containers even if their configuration and image haven't changed"),                       \
        FLAG("no-recreate", 0, BOOL, create.no_recreate,                                                     \
             "If containers already exist, don't recreate them. Incompatible with --force-recreate."),       \
        FLAG("remove-orphans", 0, BOOL, create.remove_orphans,                                               \
             "Remove containers for services not defined in the Compose file"),                              \
        FLAG(                                                                                                \
            "scale", 0, LIST, create.scale,                                                                  \
            "Scale SERVICE to NUM instances. Overrides the `scale` setting in the Compose file if present.", \
            .metavar = "scale"),                                                                             \
        FLAG("yes", 'y', BOOL, create.yes,                                                                   \
             "Assume \"yes\" as answer to all prompts and run non-interactively")

int create_flags_check(const struct create_flags *flags, struct error *err);

/* After the session is open: fills the members of `ret` that these flags decide. */
int create_flags_apply(const struct create_flags *flags, struct session *session, struct up_options *ret,
                       struct error *err);

/* Rejects the first combination of the list that holds. */
struct conflict {
    bool holds;
    const char *text;
};
int conflicts_check(const struct conflict *conflicts, size_t count, struct error *err);
