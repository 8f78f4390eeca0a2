#pragma once
/* A rule of develop.watch: which files it is about, and what is done when they change. */
#include "engine/internal.h"
#include "sys/filetree.h"

enum watch_action {
    WATCH_SYNC = 1 << 0,
    WATCH_RESTART = 1 << 1,
    WATCH_EXEC = 1 << 2,
    WATCH_REBUILD = 1 << 3
};

struct watch_rule_state {
    const struct service *service;
    const struct watch_rule *rule;
    unsigned action;                        /* bits of enum watch_action */
    struct ignore *builtin, *own, *context; /* what is ignored; `context`: by the build context */
    struct ignore *include;                 /* empty: everything */
    char *context_path;                     /* NULL: there is none */
    char *path;                             /* without links */
    struct filetree *tree;
    /* Of the batch: paths below `path`, "" for a rule about a file. */
    char **changed, **removed;
    size_t changed_count, removed_count;
    struct ignore *unwanted; /* of the first synchronisation only */
    void (*stirred)(void *data);
    void *data;
};

/* Patterns are read; nothing is watched yet. */
int watch_rule_new(const void *owner, const struct service *service, const struct watch_rule *rule,
                   struct watch_rule_state **ret, struct error *err);

/* The path is a directory of the machine that the service's containers have anyway. */
bool watch_rule_is_mounted(const struct watch_rule_state *state);

int watch_rule_start(struct watch_rule_state *state, struct loop *loop, void (*stirred)(void *data),
                     void *data, struct error *err);

/* Fills the batch with what has changed, or with everything that is there. */
int watch_rule_collect(struct watch_rule_state *state, struct error *err);
int watch_rule_collect_all(struct watch_rule_state *state, struct error *err);
void watch_rule_forget(struct watch_rule_state *state); /* empties it */

/* Where a path of the batch is in a container. */
char *watch_rule_target(const void *owner, const struct watch_rule_state *state, const char *path);
