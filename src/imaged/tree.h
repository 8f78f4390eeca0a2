#pragma once
/*
 * Writing one layer's tree, in overlayfs form, or files into a tree in use (`placing`), from entries of an
 * archive that nobody vouches for.
 *
 * Everything happens beneath the tree's root: names are cut into components, ".." is refused, and the
 * directory that an entry goes into is opened with RESOLVE_NO_SYMLINKS, so that no link of the layer leads
 * anywhere. What stands where an entry goes is removed first, unless both are directories. Hard links lead to
 * names of the same layer, resolved in the same way.
 *
 * Whiteouts (OCI image-spec, layer.md): ".wh.NAME" becomes the character device 0/0 that overlayfs takes for
 * a removed file, unless the layer itself has NAME; ".wh..wh..opq" and directories that replace a removed one
 * are reported as opaque, and the coordinator marks them: the attribute needs a privilege that must not be
 * here. The lowest layer hides nothing, so its whiteouts are dropped.
 *
 * Directories that have no entry of their own get mode 0755 and are reported as implied. Times of directories
 * are set at the end, when nothing changes them any more.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum {
    TREE_PATH_MAX = 4095,
    TREE_DEPTH_MAX = 200,
    TREE_ENTRIES_MAX = 4 << 20,
    TREE_XATTR_ENTRY_MAX = 1 << 20,
    TREE_XATTR_LAYER_MAX = 64 << 20,
};

struct tree_options {
    bool lowest;   /* whiteouts are dropped */
    bool literal;  /* not a layer: names that look like whiteouts are files */
    bool rootless; /* ownership and device nodes cannot be made and are left out */
    int64_t room;  /* most bytes that files may have together, holes included */
    /* Entries go into a tree that is in use: a directory gives way to nothing but a directory, and the other
     * way round; the tree's own directory stays as it is; mounts are crossed. */
    bool placing;
    const char *below; /* placing: the tree is at this path below root_fd, and links lead where they lead for
                          a process with that root; NULL: it is root_fd, and no link is followed */
};

/* Extended attributes that are copied; the others belong to the machine or to overlayfs. */
bool tree_xattr_is_wanted(const char *name);

enum tree_type { TREE_FILE, TREE_DIR, TREE_SYMLINK, TREE_HARDLINK, TREE_CHAR, TREE_BLOCK, TREE_FIFO };

struct tree_xattr {
    const char *name;
    const void *value;
    size_t size;
};

struct tree_entry {
    const char *path;
    enum tree_type type;
    mode_t mode; /* permission bits */
    int64_t uid, gid, size;
    int64_t major, minor;
    const char *link; /* of TREE_SYMLINK and TREE_HARDLINK */
    struct timespec mtime;
    const struct tree_xattr *xattrs;
    size_t xattr_count;
};

struct tree; /* a talloc object */

/* `root_fd` stays the caller's. */
struct tree *tree_new(const void *owner, int root_fd, const struct tree_options *options);

/* Makes an entry. For a file with content *ret_fd is open for writing until tree_finish_file; else -1. */
int tree_add(struct tree *tree, const struct tree_entry *entry, int *ret_fd, struct error *err);
int tree_write(struct tree *tree, int fd, const void *data, size_t size, int64_t offset, struct error *err);
int tree_finish_file(struct tree *tree, int fd, const struct tree_entry *entry, struct error *err);

/* After the last entry: times of directories, and whiteouts that an opaque directory makes needless. */
int tree_finish(struct tree *tree, struct error *err);

void tree_foreach_opaque(const struct tree *tree, void (*visit)(void *data, const char *path), void *data);
void tree_foreach_implied(const struct tree *tree, void (*visit)(void *data, const char *path), void *data);
int64_t tree_bytes(const struct tree *tree);
