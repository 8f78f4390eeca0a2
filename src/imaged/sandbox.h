#pragma once
/*
 * Confinement of the three kinds of child that compote-image has. Each is entered once, in the child, after
 * everything that needs privileges or files is done.
 *
 * |          | user           | capabilities                | sees                        | system calls |
 * |----------|----------------|-----------------------------|-----------------------------|-----------------------|
 * | fetch    | nobody         | none                        | world-readable files, net   | all but a deny
 * list   | | inflate  | nobody         | none                        | its descriptors, empty net  | read,
 * write, memory   | | unpack   | root           | those that write ownership, | the layer's directory alone |
 * a list for files      | |          |                | modes and device nodes      | (nodev, nosuid), empty
 * net  |                       |
 *
 * All have no_new_privs, are not dumpable, and die with their parent. The filters are compiled once, before
 * the first child. Rootless (the program runs without privileges): the user stays; unpack maps it to root in
 * a user namespace of its own.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum sandbox_role { SANDBOX_FETCH, SANDBOX_INFLATE, SANDBOX_UNPACK, SANDBOX__COUNT };

struct sandbox; /* a talloc object */

int sandbox_new(const void *owner, struct sandbox **ret, struct error *err);
bool sandbox_is_rootless(const struct sandbox *sandbox);

/* In the child. For SANDBOX_UNPACK the directory `dir_fd` becomes its root and current directory. */
int sandbox_enter(const struct sandbox *sandbox, enum sandbox_role role, int dir_fd, struct error *err);

/* Starts a child, without a terminal, that keeps the `keep_count` descriptors and ends with main's return
 * value. */
int sandbox_fork(const int *keep, size_t keep_count, int (*main)(void *data), void *data, pid_t *ret_pid,
                 int *ret_pidfd, struct error *err);
