#pragma once
/*
 * Files and directories. Paths that a container or an image can influence are never handled here by
 * name: see fs_open_beneath, which stays inside a directory whatever links are there.
 */
#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <sys/stat.h>

enum { FS_ABSENT = 1 }; /* positive outcome: the file is not there */

int fs_mkdir_p(const char *path, mode_t mode, struct error *err);

/* The whole file as a NUL-ended talloc string; FS_ABSENT when there is none; EFBIG beyond `limit`. */
int fs_read_file(const void *owner, const char *path, size_t limit, char **ret, size_t *ret_size,
                 struct error *err);

/* Replaces a file by writing a temporary one beside it, fsync (when `durable`) and rename. */
int fs_write_file(const char *path, const void *data, size_t size, mode_t mode, bool durable,
                  struct error *err);

/* Removes a file or a directory tree without following links or crossing mounts; absent is fine. */
int fs_remove_tree(const char *path, struct error *err);
int fs_remove_tree_at(int dir_fd, const char *name, struct error *err);

/* openat2 with RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS and, unless `follow`, RESOLVE_NO_SYMLINKS. */
int fs_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, bool follow, int *ret_fd,
                    struct error *err);

/* openat2 with RESOLVE_IN_ROOT: links are followed as a process with that root would. */
int fs_open_in_root(int root_fd, const char *path, int flags, int *ret_fd, struct error *err);

int fs_open_dir(const char *path, int *ret_fd, struct error *err);
bool fs_exists(const char *path);

/* Names in a directory, sorted, without "." and ".."; an absent directory is empty. */
int fs_list(const void *owner, const char *path, char ***ret, struct error *err);

enum { LOCK_BUSY = 1 };

/* flock on `path`, which is made when absent. Without `wait`, LOCK_BUSY when someone else has it. Closing
 * unlocks. */
int fs_lock(const char *path, bool shared, bool wait, int *ret_fd, struct error *err);
