#include "imaged/tree.h"

#include "base/omap.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define ID_MAX 4294967294LL

enum { SPACE_CHECK_STEP = 32 << 20, SPACE_RESERVE = 64 << 20 };

struct dir_time {
    char *path;
    struct timespec mtime;
};

struct tree {
    int root_fd;
    struct tree_options options;
    /* The directory that the last entry went into. */
    int parent_fd; /* -1: none */
    char parent[TREE_PATH_MAX + 1];
    struct omap *opaque, *implied; /* path -> "" while it is so, NULL when it is no longer */
    struct dir_time *times;
    size_t time_count;
    int64_t entries, bytes, written, checked, xattr_bytes;
};

static int tree_destroy(struct tree *tree)
{
    cleanup_close_fn(&tree->parent_fd);
    return 0;
}

struct tree *tree_new(const void *owner, int root_fd, const struct tree_options *options)
{
    struct tree *tree = mem_new(owner, struct tree);
    tree->root_fd = root_fd;
    tree->options = *options;
    tree->parent_fd = -1;
    tree->opaque = omap_new(tree);
    tree->implied = omap_new(tree);
    talloc_set_destructor(tree, tree_destroy);
    return tree;
}

static void forget_parent(struct tree *tree)
{
    cleanup_close_fn(&tree->parent_fd);
    tree->parent_fd = -1;
}

/* The layer-relative form of a name: no leading, double or trailing slashes, no "."; "" is the root. */
static int name_clean(const char *name, char to[TREE_PATH_MAX + 1], struct error *err)
{
    size_t used = 0, depth = 0;
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        bool skip = n == 0 || (n == 1 && p[0] == '.');
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return error_set(err, EPERM, "'..' is not allowed in a name");
        if (n > NAME_MAX)
            return error_set(err, ENAMETOOLONG, "a part of the name has %zu bytes", n);
        if (!skip) {
            if (++depth > TREE_DEPTH_MAX)
                return error_set(err, ENAMETOOLONG, "the name has more than %d parts", TREE_DEPTH_MAX);
            if (used + n + 2 > TREE_PATH_MAX)
                return error_set(err, ENAMETOOLONG, "the name has more than %d bytes", TREE_PATH_MAX);
            if (used)
                to[used++] = '/';
            memcpy(to + used, p, n);
            used += n;
        }
        p += n;
        p += *p == '/';
    }
    to[used] = '\0';
    return 0;
}

static int open_dir(const struct tree *tree, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    char full[2 * TREE_PATH_MAX + 2];
    if (tree->options.placing)
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    if (tree->options.below) {
        how.flags &= ~(unsigned long long)O_NOFOLLOW;
        how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
        if (snprintf(full, sizeof(full), "%s/%s", tree->options.below, path) >= (int)sizeof(full)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        path = full;
    }
    return (int)syscall(SYS_openat2, tree->root_fd, *path ? path : ".", &how, sizeof(how));
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static void mark(struct omap *map, const char *path, bool on)
{
    static char yes[] = "";
    if (on || omap_has(map, path))
        omap_set(map, path, on ? yes : NULL);
}

/* Removes what is at `name`, if anything; a directory goes with all that is in it. */
static int clear_way(int parent_fd, const char *name, struct error *err)
{
    if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    int r = fs_remove_tree_at(parent_fd, name, err);
    return r < 0 ? error_wrap(err, "replace") : 0;
}

/* What is not a directory may be in the way of what is not one either. */
static int make_way(struct tree *tree, const char *name, const char *path, struct error *err)
{
    struct stat st;
    if (tree->options.placing && fstatat(tree->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(st.st_mode))
        return error_set(err, EISDIR, "cannot overwrite directory '%s' with non-directory", path);
    return clear_way(tree->parent_fd, name, err);
}

/* Makes one directory on the way to an entry that had none. */
static int imply_dir(struct tree *tree, int fd, const char *name, const char *path, struct error *err)
{
    struct stat st;
    bool hides = false;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        if (!is_whiteout(&st))
            return error_set(err, ENOTDIR, "'%s' is %s in this layer, not a directory", path,
                             S_ISLNK(st.st_mode) ? "a symbolic link" : "a file");
        if (unlinkat(fd, name, 0) < 0)
            return error_errno(err, "replace '%s'", path);
        hides = true;
    }
    if (mkdirat(fd, name, 0755) < 0 || (!tree->options.rootless && fchownat(fd, name, 0, 0, 0) < 0) ||
        fchmodat(fd, name, 0755, 0) < 0)
        return error_errno(err, "make directory '%s'", path);
    mark(tree->implied, path, true);
    if (hides)
        mark(tree->opaque, path, true);
    return 0;
}

/* Opens `path` as a directory, making what is missing. */
static int make_dirs(struct tree *tree, char *path, int *ret_fd, struct error *err)
{
    cleanup_close int fd = open_dir(tree, "");
    if (fd < 0)
        return error_errno(err, "open the layer's directory");
    for (char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        char end = p[n];
        p[n] = '\0';
        int next = tree->options.below ? open_dir(tree, path) : -1;
        int r = next >= 0 ? 0 : imply_dir(tree, fd, p, path, err);
        if (r == 0 && next < 0)
            next = openat(fd, p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (r == 0 && next < 0)
            r = error_errno(err, "open directory '%s'", path);
        p[n] = end;
        if (r < 0)
            return r;
        close(fd);
        fd = next;
        p += n + (end == '/');
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Splits a clean name: *ret_fd is the directory it goes into (the tree's own, not to be closed). */
static int enter_parent(struct tree *tree, const char *path, const char **ret_name, struct error *err)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    *ret_name = slash ? slash + 1 : path;
    if (tree->parent_fd >= 0 && strlen(tree->parent) == n && memcmp(tree->parent, path, n) == 0)
        return 0;
    forget_parent(tree);
    memcpy(tree->parent, path, n);
    tree->parent[n] = '\0';
    int fd = open_dir(tree, tree->parent);
    if (fd < 0) {
        int r = make_dirs(tree, tree->parent, &fd, err);
        if (r < 0)
            return r;
    }
    tree->parent_fd = fd;
    return 0;
}

bool tree_xattr_is_wanted(const char *name)
{
    if (str_eq(name, "security.capability"))
        return true;
    return str_starts(name, "user.") && !str_starts(name, "user.overlay.");
}

static int set_xattrs(struct tree *tree, int fd, const struct tree_entry *entry, struct error *err)
{
    int64_t total = 0;
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct tree_xattr *x = &entry->xattrs[i];
        total += (int64_t)x->size + (int64_t)strlen(x->name);
        if (total > TREE_XATTR_ENTRY_MAX || tree->xattr_bytes + total > TREE_XATTR_LAYER_MAX)
            return error_set(err, E2BIG, "its extended attributes are too large");
        if (!tree_xattr_is_wanted(x->name) || fsetxattr(fd, x->name, x->value, x->size, 0) == 0)
            continue;
        /* Attributes of the user's are a nicety; without a file capability the program does not work. */
        if ((errno == EOPNOTSUPP || errno == EPERM) &&
            (tree->options.rootless || !str_eq(x->name, "security.capability")))
            continue;
        return error_errno(err, "set attribute '%.100s'", x->name);
    }
    tree->xattr_bytes += total;
    return 0;
}

static int check_ids(const struct tree_entry *entry, struct error *err)
{
    if (entry->uid < 0 || entry->uid > ID_MAX || entry->gid < 0 || entry->gid > ID_MAX)
        return error_set(err, ERANGE, "owner %lld:%lld is out of range", (long long)entry->uid,
                         (long long)entry->gid);
    return 0;
}

/* Owner, attributes and mode, in the order in which none undoes another. */
static int set_attributes(struct tree *tree, int fd, const struct tree_entry *entry, struct error *err)
{
    /* Even 0:0 is set: in a set-group-ID directory the group comes from there. */
    if (!tree->options.rootless && fchown(fd, (uid_t)entry->uid, (gid_t)entry->gid) < 0)
        return error_errno(err, "set owner");
    int r = set_xattrs(tree, fd, entry, err);
    if (r < 0)
        return r;
    mode_t mode = entry->mode & 07777;
    if (tree->options.rootless && entry->type == TREE_DIR)
        mode |= 0700;
    if ((entry->type == TREE_DIR || (mode & 07000)) && fchmod(fd, mode) < 0)
        return error_errno(err, "set mode");
    return 0;
}

static void times_of(const struct tree_entry *entry, struct timespec times[2])
{
    times[0] = times[1] = entry->mtime;
}

/* The directory's own descriptor becomes the current parent: its children come next. */
static int add_dir(struct tree *tree, const struct tree_entry *entry, const char *path, struct error *err)
{
    const char *name;
    struct stat st;
    int r = *path ? enter_parent(tree, path, &name, err) : 0;
    if (r < 0)
        return r;
    bool hides = false, there = !*path;
    if (there && tree->options.placing)
        return 0;
    if (*path && fstatat(tree->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        there = S_ISDIR(st.st_mode);
        hides = is_whiteout(&st);
        if (!there && tree->options.placing)
            return error_set(err, ENOTDIR, "cannot overwrite non-directory '%s' with directory", path);
        if (!there && (r = clear_way(tree->parent_fd, name, err)) < 0)
            return r;
    }
    if (!there && mkdirat(tree->parent_fd, name, 0700) < 0)
        return error_errno(err, "make directory");
    int fd = *path ? openat(tree->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                   : open_dir(tree, "");
    if (fd < 0)
        return error_errno(err, "open directory");
    forget_parent(tree);
    tree->parent_fd = fd;
    str_copy(tree->parent, sizeof(tree->parent), path);
    mark(tree->implied, path, false);
    if (hides)
        mark(tree->opaque, path, true);
    struct dir_time time = {.path = mem_strdup(tree, path), .mtime = entry->mtime};
    mem_append(tree, tree->times, tree->time_count, time);
    return set_attributes(tree, fd, entry, err);
}

static int make_whiteout(struct tree *tree, const char *name, const char *path, struct error *err)
{
    struct stat st;
    if (tree->options.lowest)
        return 0;
    if (fstatat(tree->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        /* The layer has its own: a file hides the one below anyway, a directory must be told to. */
        if (S_ISDIR(st.st_mode))
            mark(tree->opaque, path, true);
        return 0;
    }
    if (mknodat(tree->parent_fd, name, S_IFCHR, makedev(0, 0)) < 0)
        return error_errno(err, "make whiteout");
    return 0;
}

enum { NOT_WHITEOUT = 1 };

static int add_whiteout(struct tree *tree, const char *path, struct error *err)
{
    char target[TREE_PATH_MAX + 1];
    const char *name;
    int r = enter_parent(tree, path, &name, err);
    if (r < 0)
        return r;
    if (str_eq(name, WHITEOUT_OPAQUE)) {
        if (!tree->options.lowest)
            mark(tree->opaque, tree->parent, true);
        return 0;
    }
    if (str_starts(name, WHITEOUT_META))
        return 0; /* book-keeping of aufs */
    const char *hidden = str_after(name, WHITEOUT_PREFIX);
    if (!*hidden || str_eq(hidden, ".") || str_eq(hidden, ".."))
        return error_set(err, EINVAL, "the whiteout names nothing");
    /* The name without its prefix: shorter than the one that fitted. */
    size_t n = (size_t)(name - path);
    memcpy(target, path, n);
    str_copy(target + n, sizeof(target) - n, hidden);
    return make_whiteout(tree, hidden, target, err);
}

static int check_space(struct tree *tree, struct error *err)
{
    struct statfs fs;
    tree->checked = tree->written;
    if (fstatfs(tree->root_fd, &fs) < 0 || (int64_t)fs.f_bavail * fs.f_bsize > SPACE_RESERVE)
        return 0;
    error_set(err, ENOSPC, "the disk of the image store is full");
    return error_hint(err, "make room there, for example with 'compote image prune'");
}

static int no_space(const struct tree *tree, struct error *err, const char *what)
{
    bool is_full = !tree->options.placing && (errno == ENOSPC || errno == EDQUOT);
    error_errno(err, "%s", what);
    return is_full
               ? error_hint(err, "make room on the disk of the image store, for example with 'compote image "
                                 "prune'")
               : -err->code;
}

static int add_file(struct tree *tree, const struct tree_entry *entry, const char *name, const char *path,
                    int *ret_fd, struct error *err)
{
    if (entry->size < 0 || entry->size > tree->options.room - tree->bytes) {
        error_set(err, EFBIG, "it makes the layer larger than %lld MiB",
                  (long long)(tree->options.room >> 20));
        return error_hint(err, "this is how a decompression bomb looks; the image is not used");
    }
    tree->bytes += entry->size;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, r;
    int fd = openat(tree->parent_fd, name, flags, entry->mode & 0777);
    if (fd < 0 && errno == EEXIST) {
        r = make_way(tree, name, path, err);
        if (r < 0)
            return r;
        fd = openat(tree->parent_fd, name, flags, entry->mode & 0777);
    }
    if (fd < 0)
        return no_space(tree, err, "create");
    *ret_fd = fd;
    return 0;
}

static int add_hardlink(struct tree *tree, const struct tree_entry *entry, const char *name,
                        struct error *err)
{
    char target[TREE_PATH_MAX + 1], parent[TREE_PATH_MAX + 1];
    struct stat st;
    int r = name_clean(entry->link ? entry->link : "", target, err);
    if (r < 0)
        return error_wrap(err, "hard link to '%.200s'", entry->link);
    const char *slash = strrchr(target, '/'), *target_name = slash ? slash + 1 : target;
    str_copy(parent, sizeof(parent), target);
    parent[slash ? slash - target : 0] = '\0';
    cleanup_close int fd = open_dir(tree, parent);
    if (fd < 0 || !*target || fstatat(fd, target_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set(err, ENOENT, "hard link to '%.200s', which is not in this layer", entry->link);
    if (S_ISDIR(st.st_mode) || is_whiteout(&st))
        return error_set(err, EPERM, "hard link to '%.200s', which is not a file", entry->link);
    if (linkat(fd, target_name, tree->parent_fd, name, 0) < 0)
        return error_errno(err, "hard link to '%.200s'", entry->link);
    return 0;
}

static int add_symlink(struct tree *tree, const struct tree_entry *entry, const char *name, struct error *err)
{
    struct timespec times[2];
    if (str_is_empty(entry->link) || strlen(entry->link) > TREE_PATH_MAX)
        return error_set(err, EINVAL, "the symbolic link has no target, or one that is too long");
    if (symlinkat(entry->link, tree->parent_fd, name) < 0)
        return no_space(tree, err, "make symbolic link");
    if (!tree->options.rootless &&
        fchownat(tree->parent_fd, name, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "set owner");
    times_of(entry, times);
    utimensat(tree->parent_fd, name, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

static int add_node(struct tree *tree, const struct tree_entry *entry, const char *name, const char *path,
                    struct error *err)
{
    static const mode_t types[] = {[TREE_CHAR] = S_IFCHR, [TREE_BLOCK] = S_IFBLK, [TREE_FIFO] = S_IFIFO};
    struct timespec times[2];
    bool is_device = entry->type != TREE_FIFO;
    if (is_device && (entry->major < 0 || entry->major > 4095 || entry->minor < 0 || entry->minor > 1048575))
        return error_set(err, ERANGE, "device number %lld:%lld is out of range", (long long)entry->major,
                         (long long)entry->minor);
    dev_t device = is_device ? makedev((unsigned)entry->major, (unsigned)entry->minor) : 0;
    if (entry->type == TREE_CHAR && device == 0)
        return make_whiteout(tree, name, path, err); /* which is what overlayfs would take it for */
    if (is_device && tree->options.rootless)
        return 0;
    if (mknodat(tree->parent_fd, name, types[entry->type] | (entry->mode & 0777), device) < 0)
        return error_errno(err, "make device node");
    if (!tree->options.rootless &&
        fchownat(tree->parent_fd, name, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "set owner");
    times_of(entry, times);
    utimensat(tree->parent_fd, name, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

/* Everything but directories and whiteouts. */
static int add_other(struct tree *tree, const struct tree_entry *entry, const char *path, int *ret_fd,
                     struct error *err)
{
    const char *name;
    int r = enter_parent(tree, path, &name, err);
    if (r < 0)
        return r;
    /* Files are by far the most: they find out when they are made. */
    if (entry->type != TREE_FILE && (r = make_way(tree, name, path, err)) < 0)
        return r;
    switch (entry->type) {
    case TREE_FILE:
        return add_file(tree, entry, name, path, ret_fd, err);
    case TREE_HARDLINK:
        return add_hardlink(tree, entry, name, err);
    case TREE_SYMLINK:
        return add_symlink(tree, entry, name, err);
    case TREE_CHAR:
    case TREE_BLOCK:
    case TREE_FIFO:
    case TREE_DIR:
        break;
    }
    return add_node(tree, entry, name, path, err);
}

int tree_add(struct tree *tree, const struct tree_entry *entry, int *ret_fd, struct error *err)
{
    char path[TREE_PATH_MAX + 1];
    *ret_fd = -1;
    int r = name_clean(entry->path, path, err);
    if (r == 0 && ++tree->entries > TREE_ENTRIES_MAX)
        r = error_set(err, E2BIG, "the layer has more than %d entries", TREE_ENTRIES_MAX);
    if (r == 0)
        r = check_ids(entry, err);
    if (r < 0)
        return r;
    if (entry->type == TREE_DIR)
        return add_dir(tree, entry, path, err);
    if (!*path)
        return error_set(err, EPERM, "the root of the layer can only be a directory");
    const char *slash = strrchr(path, '/');
    if (!tree->options.literal && str_starts(slash ? slash + 1 : path, WHITEOUT_PREFIX))
        return add_whiteout(tree, path, err);
    return add_other(tree, entry, path, ret_fd, err);
}

int tree_write(struct tree *tree, int fd, const void *data, size_t size, int64_t offset, struct error *err)
{
    const char *p = data;
    while (size) {
        ssize_t n = RETRY_EINTR(pwrite(fd, p, size, offset));
        if (n < 0)
            return no_space(tree, err, "write");
        p += n;
        offset += n;
        size -= (size_t)n;
        tree->written += n;
    }
    return !tree->options.placing && tree->written - tree->checked > SPACE_CHECK_STEP ? check_space(tree, err)
                                                                                      : 0;
}

int tree_finish_file(struct tree *tree, int fd, const struct tree_entry *entry, struct error *err)
{
    struct timespec times[2];
    struct stat st;
    if (fstat(fd, &st) < 0 || (st.st_size < entry->size && ftruncate(fd, entry->size) < 0))
        return error_errno(err, "set size");
    int r = set_attributes(tree, fd, entry, err);
    if (r < 0)
        return r;
    times_of(entry, times);
    if (futimens(fd, times) < 0)
        return error_errno(err, "set times");
    return 0;
}

/* Below an opaque directory nothing is left to hide, and overlayfs would show the whiteouts as devices. */
static int drop_whiteouts(int dir_fd, struct error *err)
{
    int list_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
    int r = dir ? 0 : error_errno(err, "read directory");
    for (struct dirent *e; r == 0 && (e = readdir(dir));) {
        struct stat st;
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
            fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (is_whiteout(&st) && unlinkat(dir_fd, e->d_name, 0) < 0)
            return error_errno(err, "remove whiteout");
        if (S_ISDIR(st.st_mode)) {
            cleanup_close int fd = openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            r = fd < 0 ? error_errno(err, "open directory '%s'", e->d_name) : drop_whiteouts(fd, err);
        }
    }
    return r;
}

int tree_finish(struct tree *tree, struct error *err)
{
    forget_parent(tree);
    omap_foreach (e, tree->opaque) {
        cleanup_close int fd = e->value ? open_dir(tree, e->key) : -1;
        if (fd < 0) {
            e->value = NULL; /* replaced by something else later on */
            continue;
        }
        int r = drop_whiteouts(fd, err);
        if (r < 0)
            return error_wrap(err, "'%s'", e->key);
    }
    for (size_t i = 0; i < tree->time_count; i++) {
        cleanup_close int fd = open_dir(tree, tree->times[i].path);
        struct timespec times[2] = {tree->times[i].mtime, tree->times[i].mtime};
        if (fd >= 0 && futimens(fd, times) < 0)
            return error_errno(err, "set times of '%s'", tree->times[i].path);
    }
    return 0;
}

static void visit_marked(const struct omap *map, void (*visit)(void *data, const char *path), void *data)
{
    omap_foreach (e, map)
        if (e->value)
            visit(data, e->key);
}

void tree_foreach_opaque(const struct tree *tree, void (*visit)(void *data, const char *path), void *data)
{
    visit_marked(tree->opaque, visit, data);
}

void tree_foreach_implied(const struct tree *tree, void (*visit)(void *data, const char *path), void *data)
{
    visit_marked(tree->implied, visit, data);
}

int64_t tree_bytes(const struct tree *tree)
{
    return tree->bytes;
}
