#pragma once
/*
 * A file or a directory tree that is followed: what has changed in it since it was last looked at.
 *
 * inotify only says in which directories to look; what has changed is found by comparing them with what was
 * there. So it makes no difference whether something was written, replaced, moved in or moved out, in which
 * order, and whether the kernel's queue was long enough: when it was not, every directory is compared.
 *
 * Links are entries and lead nowhere. Other file systems that are mounted in the tree, and entries that are
 * neither file, directory nor link, are not there for it. The path itself may be a link, may go, and may come
 * back.
 */
#include "base/error.h"
#include "base/mem.h"

#include "sys/loop.h"

#include <stdbool.h>

struct filetree; /* a talloc object; freeing it ends the following */

struct filetree_options {
    const char *path; /* absolute; must be there */
    /* What is not looked at, and in directories not looked into. Paths are below `path`; "" is it itself, for
     * which nobody asks. */
    bool (*skips)(void *data, const char *path, bool is_directory);
    void (*stirred)(void *data); /* something may have changed; called from the loop */
    void *data;
};

int filetree_new(const void *owner, struct loop *loop, const struct filetree_options *options,
                 struct filetree **ret, struct error *err);

struct filetree_entry {
    const char *path; /* below the tree's; "" for a tree that is a file */
    bool is_directory, removed;
};
typedef void filetree_visit(void *data, const struct filetree_entry *entry);

/* Tells each change since the last call: of what was removed the content before the directory, of what is new
 * the directory before its content. One that became something else is removed first. */
int filetree_changes(struct filetree *tree, filetree_visit *visit, void *data, struct error *err);

/* Everything that is there, as if it were new. */
void filetree_foreach(struct filetree *tree, filetree_visit *visit, void *data);

/* The tree's path with all links in it resolved, and the directory that it is in. */
const char *filetree_path(const struct filetree *tree);
