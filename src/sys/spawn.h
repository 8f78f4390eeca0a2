#pragma once
/*
 * Child processes. A child starts with every descriptor above 2 closed but those that it is given, default
 * signals, and its failure to exec comes back as an error in the parent. Needs libc only.
 */
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

enum { SPAWN_MAX_FDS = 8 };

struct spawn {
    char *const *argv; /* argv[0] is looked up in PATH when it has no slash */
    char *const *env;  /* NULL: as the parent's */
    int std[3];        /* descriptors for 0, 1, 2; -1: /dev/null; SPAWN_INHERIT: as the parent's */
    struct {
        int from, to; /* `to` above 2 */
    } fds[SPAWN_MAX_FDS];
    int fd_count;
    const char *cwd; /* or NULL */
    const char
        *oom_score_adj; /* what to write into the file of that name in /proc/self; NULL: as the parent's */
    bool new_session;   /* setsid */
    bool die_with_parent;
    bool hide_cgroup2; /* in a private mount namespace with /sys/fs/cgroup/unified unmounted: OCI runtimes
                          refuse hybrid hosts */
};

enum { SPAWN_INHERIT = -2 };

/* Starts the child; *ret_pid must be waited for. *ret_pidfd may be NULL. */
int spawn_start(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct error *err);

/* Waits; *ret_status is 0..255, or 128 + signal. */
int spawn_wait(pid_t pid, int *ret_status, struct error *err);

/*
 * Runs to the end. What it prints on its standard output and error goes to out[out_size] (cut, NUL-ended)
 * when `out` is given, else to nowhere. A status other than 0 is not an error here.
 */
int spawn_run(const struct spawn *spawn, char *out, size_t out_size, int *ret_status, struct error *err);

/* The full path of a program in PATH, or false. */
bool spawn_find(const char *name, char *path, size_t size);
