#pragma once
/*
 * Confinement of the processes that handle what nobody vouches for. Each is entered once, in the child, after
 * everything that needs privileges or files is done; sandbox.c has the table of what each role keeps.
 *
 *   fetch       user nobody, no capabilities, world-readable files, the network; a list of denied calls
 *   inflate     user nobody, no capabilities, its descriptors; read, write, memory
 *   unpack      root with what writes ownership, modes and device nodes; one directory; calls for files
 *   place       the same, with what is mounted in the directory
 *   pack        root that can read everything; one directory, read-only, with what is mounted in it
 *   pack layer  the same without mounts, and with what reading overlayfs's marks needs
 *
 * Directories are mounted nodev and nosuid, so opening a device node in them does nothing. All have
 * no_new_privs, are not dumpable, and die with their parent. The filters are compiled once, before the first
 * child. Rootless (the program runs without privileges): the user stays; unpack maps it to root in a user
 * namespace of its own.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum sandbox_role {
    SANDBOX_FETCH,
    SANDBOX_INFLATE,
    SANDBOX_UNPACK,
    SANDBOX_PLACE,
    SANDBOX_PACK,
    SANDBOX_PACK_LAYER,
    SANDBOX__COUNT
};

struct sandbox; /* a talloc object */

/* Compiles the filters of the roles from `first` to `last`. */
int sandbox_new(const void *owner, enum sandbox_role first, enum sandbox_role last, struct sandbox **ret,
                struct error *err);
bool sandbox_is_rootless(const struct sandbox *sandbox);

/* In the child. The directory `dir_fd`, of the roles that have one, becomes its root and
 * current directory. */
int sandbox_enter(const struct sandbox *sandbox, enum sandbox_role role, int dir_fd, struct error *err);

/* Starts a child, without a terminal, that keeps the `keep_count` descriptors and ends with main's return
 * value. */
int sandbox_fork(const int *keep, size_t keep_count, int (*main)(void *data), void *data, pid_t *ret_pid,
                 int *ret_pidfd, struct error *err);
