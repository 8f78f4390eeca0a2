#pragma once
/* What the parts of the engine share. Not for other folders. */
#include "base/str.h"
#include "engine/engine.h"
#include "network/network.h"
#include "state/state.h"

struct engine {
    char *root, *run, *libexec;
    char *const *environment;
    struct progress_sink *sink;
    bool dry_run, cancelled;
    int parallel;
    struct loop loop;
    struct state *state;
    struct image_store *images;
    struct runtime_dirs dirs;
    struct network_context network;
    char id[9]; /* hash of the root: goes into kernel objects' names, so that roots do not meet */
};

void engine_report(struct engine *engine, const char *id, enum progress_state state, const char *text,
                   const char *details);

/* The project's lock for the rest of the use case; *ret_fd is closed to release. */
int engine_lock(struct engine *engine, const char *project, int *ret_fd, struct error *err);

/* "cpt" or "cpv" + 10 digits, from the root and `text`. */
char *engine_interface_name(const void *owner, const struct engine *engine, const char *prefix,
                            const char *text);

char *engine_volume_path(const void *owner, const struct engine *engine, const char *volume);
char *engine_netns_path(const void *owner, const struct engine *engine, const char *project,
                        const char *container);

/* 64 random hexadecimal digits. */
char *engine_new_id(const void *owner);

int64_t engine_clock_ns(void); /* since the epoch */

/* SHA-256 of a text as 64 hexadecimal digits. */
char *engine_hash(const void *owner, const char *text);
