#include "sys/filetree.h"

#include "base/path.h"
#include "base/str.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <uthash.h>

enum { DEPTH_MAX = 200, ENTRIES_MAX = 1 << 20 };

struct stamp {
    dev_t device;
    ino_t inode;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    off_t size;
    struct timespec changed;
};

struct entry {
    char *name;
    struct entry *parent, *children;
    struct stamp stamp;
    int wd;       /* of a directory that is watched, else -1 */
    bool stirred; /* to be compared */
    bool seen;
    UT_hash_handle hh; /* among the parent's children, by name */
    UT_hash_handle by_wd;
};

/* The first entry is the directory that the path is in, and the path's name is all that is seen of it. */
struct filetree {
    struct filetree_options options;
    char *path, *base;
    const char *name;
    struct loop *loop;
    struct loop_source source;
    int inotify_fd, base_fd;
    struct entry *top, *watched;
    size_t count;
    bool overflow;
    filetree_visit *visit; /* while changes are told */
    void *data;
};

/* ---- entries ---- */

static struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){.device = st->st_dev,
                          .inode = st->st_ino,
                          .mode = st->st_mode,
                          .uid = st->st_uid,
                          .gid = st->st_gid,
                          .size = st->st_size,
                          .changed = st->st_ctim};
}

static bool is_same_inode(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* Of a directory only what it has itself: its content is compared entry by entry. */
static bool is_same(const struct stamp *a, const struct stamp *b)
{
    bool same = a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
    if (S_ISDIR(a->mode))
        return same;
    return same && is_same_inode(a, b) && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool is_directory(const struct entry *entry)
{
    return S_ISDIR(entry->stamp.mode);
}

/* Below the first entry, from the path's own name on; "." is that entry. */
static char *full_path(const void *owner, const struct entry *entry)
{
    char *path = mem_strdup(owner, entry->parent ? entry->name : ".");
    for (entry = entry->parent; entry && entry->parent; entry = entry->parent) {
        char *longer = mem_printf(owner, "%s/%s", entry->name, path);
        talloc_free(path);
        path = longer;
    }
    return path;
}

/* Below the tree's path. */
static const char *shown_path(const struct filetree *tree, const char *full)
{
    const char *rest = full + strlen(tree->name);
    return *rest ? rest + 1 : "";
}

static struct entry *child_find(const struct entry *parent, const char *name)
{
    struct entry *found;
    HASH_FIND_STR(parent->children, name, found);
    return found;
}

static int entry_destroy(struct entry *entry)
{
    HASH_CLEAR(hh, entry->children); /* the table; they are freed with their owner */
    return 0;
}

static struct entry *entry_new(const void *owner)
{
    struct entry *entry = mem_new(owner, struct entry);
    entry->wd = -1;
    talloc_set_destructor(entry, entry_destroy);
    return entry;
}

static struct entry *child_add(struct filetree *tree, struct entry *parent, const char *name,
                               const struct stat *st)
{
    struct entry *entry = entry_new(parent);
    entry->name = mem_strdup(entry, name);
    entry->parent = parent;
    entry->stamp = stamp_of(st);
    HASH_ADD_KEYPTR(hh, parent->children, entry->name, strlen(entry->name), entry);
    tree->count++;
    return entry;
}

static void tell(const struct filetree *tree, const struct entry *entry, bool removed)
{
    if (!tree->visit)
        return;
    char *full = full_path(NULL, entry);
    const char *shown = shown_path(tree, full);
    /* The directory that is followed is where things are, and not one of them. */
    if (*shown || !is_directory(entry))
        tree->visit(tree->data, &(struct filetree_entry){
                                    .path = shown, .is_directory = is_directory(entry), .removed = removed});
    talloc_free(full);
}

/* ---- watching ---- */

static void unwatch(struct filetree *tree, struct entry *entry)
{
    if (entry->wd < 0)
        return;
    HASH_DELETE(by_wd, tree->watched, entry);
    inotify_rm_watch(tree->inotify_fd, entry->wd);
    entry->wd = -1;
}

/* inotify gives an inode one number, also when it goes by another name now: then that has it from here on. */
static void adopt(struct filetree *tree, struct entry *entry, int wd)
{
    struct entry *other;
    HASH_FIND(by_wd, tree->watched, &wd, sizeof(wd), other);
    if (other == entry)
        return;
    unwatch(tree, entry);
    if (other) {
        HASH_DELETE(by_wd, tree->watched, other);
        other->wd = -1;
    }
    entry->wd = wd;
    HASH_ADD(by_wd, tree->watched, wd, sizeof(entry->wd), entry);
}

static int watch_failed(const char *path, struct error *err)
{
    if (errno != ENOSPC)
        return error_errno(err, "watch '%s'", path);
    error_set(err, ENOSPC, "watch '%s': this machine's limit of watched directories is reached", path);
    return error_hint(err, "raise it with 'sysctl fs.inotify.max_user_watches=1048576', "
                           "or ignore directories that need not be watched");
}

static int watch(struct filetree *tree, struct entry *entry, int fd, struct error *err)
{
    static const uint32_t mask = IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE |
                                 IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
                                 IN_EXCL_UNLINK;
    char name[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd); /* this very directory, whatever its name is now */
    int wd = inotify_add_watch(tree->inotify_fd, name, mask);
    if (wd < 0) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        int code = errno;
        char *path = path_join(tmp, tree->base, full_path(tmp, entry));
        errno = code;
        return watch_failed(path, err);
    }
    adopt(tree, entry, wd);
    return 0;
}

/* ---- comparing ---- */

/* The content first. */
static void drop(struct filetree *tree, struct entry *entry)
{
    struct entry *child, *next;
    HASH_ITER(hh, entry->children, child, next)
    drop(tree, child);
    tell(tree, entry, true);
    unwatch(tree, entry);
    HASH_DELETE(hh, entry->parent->children, entry);
    tree->count--;
    talloc_free(entry);
}

static bool is_seen(const struct filetree *tree, const struct entry *dir, const char *full,
                    const struct stat *st)
{
    if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode))
        return false;
    if (!dir->parent)
        return true; /* its one name */
    if (S_ISDIR(st->st_mode) && st->st_dev != dir->stamp.device)
        return false;
    return !tree->options.skips(tree->options.data, shown_path(tree, full), S_ISDIR(st->st_mode));
}

static int compare(struct filetree *tree, struct entry *dir, bool deep, int depth, struct error *err);

static int compare_child(struct filetree *tree, struct entry *dir, int fd, const char *name, bool deep,
                         int depth, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *full = dir->parent ? mem_printf(tmp, "%s/%s", full_path(tmp, dir), name) : mem_strdup(tmp, name);
    struct entry *entry = child_find(dir, name);
    struct stat st;
    if (strlen(full) >= PATH_MAX || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !is_seen(tree, dir, full, &st))
        return 0;
    struct stamp stamp = stamp_of(&st);
    if (entry && (entry->stamp.mode & S_IFMT) != (stamp.mode & S_IFMT)) {
        drop(tree, entry);
        entry = NULL;
    }
    bool is_new = !entry, is_other = is_new || !is_same_inode(&entry->stamp, &stamp),
         has_changed = is_new || !is_same(&entry->stamp, &stamp);
    if (is_new && tree->count >= ENTRIES_MAX) {
        error_set(err, E2BIG, "'%s' has more than %d files", tree->path, ENTRIES_MAX);
        return error_hint(err, "ignore directories that need not be watched");
    }
    if (is_new)
        entry = child_add(tree, dir, name, &st);
    entry->seen = true;
    entry->stamp = stamp;
    if (has_changed)
        tell(tree, entry, false);
    bool into = is_directory(entry) && (is_other || deep || entry->stirred);
    return into ? compare(tree, entry, is_other || deep, depth + 1, err) : 0;
}

static int compare_names(struct filetree *tree, struct entry *dir, int fd, bool deep, int depth,
                         struct error *err)
{
    if (!dir->parent)
        return compare_child(tree, dir, fd, tree->name, deep, depth, err);
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *names = copy < 0 ? NULL : fdopendir(copy);
    int r = 0;
    for (struct dirent *e; r == 0 && names && (e = readdir(names));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            r = compare_child(tree, dir, fd, e->d_name, deep, depth, err);
    return r;
}

/* `deep`: with everything below; else only what is directly in it. One that cannot be opened is left as it
 * was: when it is gone, the comparison of its parent finds that. */
static int compare(struct filetree *tree, struct entry *dir, bool deep, int depth, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int fd = -1;
    struct entry *child, *next;
    dir->stirred = false;
    if (depth > DEPTH_MAX)
        return error_set(err, ELOOP, "'%s' has more than %d directories within each other", tree->path,
                         DEPTH_MAX);
    if (fs_open_beneath(tree->base_fd, full_path(tmp, dir), O_RDONLY | O_DIRECTORY, 0, false, &fd, NULL) < 0)
        return 0;
    /* The watch comes first: what changes while we look wakes us again. */
    int r = watch(tree, dir, fd, err);
    HASH_ITER(hh, dir->children, child, next)
    child->seen = false;
    if (r == 0)
        r = compare_names(tree, dir, fd, deep, depth, err);
    if (r < 0)
        return r;
    HASH_ITER(hh, dir->children, child, next)
    if (!child->seen)
        drop(tree, child);
    return 0;
}

static struct entry *find(const struct filetree *tree, const char *full)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct entry *entry = tree->top;
    char *rest = mem_strdup(tmp, full);
    for (char *name; entry && !str_eq(full, ".") && (name = strsep(&rest, "/"));)
        entry = child_find(entry, name);
    return entry;
}

static int depth_of(const struct entry *entry)
{
    int depth = 0;
    for (; entry->parent; entry = entry->parent)
        depth++;
    return depth;
}

static int compare_stirred(struct filetree *tree, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **paths = NULL;
    size_t count = 0;
    struct entry *entry, *next;
    int r = 0;
    HASH_ITER(by_wd, tree->watched, entry, next)
    if (entry->stirred)
        mem_append(tmp, paths, count, full_path(tmp, entry));
    /* By path: comparing one may take others away, or compare them as well. */
    for (size_t i = 0; r == 0 && i < count; i++) {
        entry = find(tree, paths[i]);
        if (entry && entry->stirred)
            r = compare(tree, entry, false, depth_of(entry), err);
    }
    return r;
}

static int open_base(struct filetree *tree, struct error *err)
{
    cleanup_close_fn(&tree->base_fd);
    tree->base_fd = -1;
    return fs_open_dir(tree->base, &tree->base_fd, err);
}

int filetree_changes(struct filetree *tree, filetree_visit *visit, void *data, struct error *err)
{
    struct error gone = ERROR_INIT;
    struct entry *child, *next;
    bool overflow = tree->overflow;
    tree->visit = visit;
    tree->data = data;
    tree->overflow = false;
    int r = open_base(tree, &gone);
    if (r < 0) {
        HASH_ITER(hh, tree->top->children, child, next)
        drop(tree, child);
        r = 0;
    } else {
        r = overflow ? compare(tree, tree->top, true, 0, err) : compare_stirred(tree, err);
    }
    if (r < 0)
        tree->overflow = true; /* what was missed is found the next time */
    tree->visit = NULL;
    return r;
}

static void tell_all(struct filetree *tree, struct entry *entry)
{
    struct entry *child, *next;
    if (entry->parent)
        tell(tree, entry, false);
    HASH_ITER(hh, entry->children, child, next)
    tell_all(tree, child);
}

void filetree_foreach(struct filetree *tree, filetree_visit *visit, void *data)
{
    tree->visit = visit;
    tree->data = data;
    tell_all(tree, tree->top);
    tree->visit = NULL;
}

const char *filetree_path(const struct filetree *tree)
{
    return tree->path;
}

/* ---- events ---- */

static bool concerns(struct filetree *tree, struct entry *entry, const struct inotify_event *event)
{
    if (!event->len)
        return true;
    if (!entry->parent)
        return str_eq(event->name, tree->name);
    char *full = full_path(NULL, entry);
    char *path = mem_printf(full, "%s/%s", full, event->name);
    bool skipped =
        tree->options.skips(tree->options.data, shown_path(tree, path), (event->mask & IN_ISDIR) != 0);
    talloc_free(full);
    return !skipped;
}

static bool take(struct filetree *tree, const struct inotify_event *event)
{
    struct entry *entry;
    if (event->mask & IN_Q_OVERFLOW) {
        tree->overflow = true;
        return true;
    }
    HASH_FIND(by_wd, tree->watched, &event->wd, sizeof(event->wd), entry);
    if (!entry || !concerns(tree, entry, event))
        return false;
    if (event->mask & IN_IGNORED) {
        HASH_DELETE(by_wd, tree->watched, entry);
        entry->wd = -1;
        return false;
    }
    entry->stirred = true;
    return true;
}

static int on_events(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *err UNUSED)
{
    struct filetree *tree = data;
    char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool any = false;
    ssize_t n = RETRY_EINTR(read(source->fd, buffer, sizeof(buffer)));
    for (char *at = buffer; at < buffer + n;) {
        const struct inotify_event *event = (const struct inotify_event *)(void *)at;
        any |= take(tree, event);
        at += sizeof(*event) + event->len;
    }
    if (any)
        tree->options.stirred(tree->options.data);
    return 0;
}

static int filetree_destroy(struct filetree *tree)
{
    struct entry *entry, *next;
    HASH_ITER(by_wd, tree->watched, entry, next)
    HASH_DELETE(by_wd, tree->watched, entry);
    loop_remove(tree->loop, &tree->source);
    cleanup_close_fn(&tree->inotify_fd);
    cleanup_close_fn(&tree->base_fd);
    return 0;
}

static int start(struct filetree *tree, struct error *err)
{
    tree->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (tree->inotify_fd < 0) {
        error_errno(err, "inotify");
        return error_hint(err, "see fs.inotify.max_user_instances");
    }
    int r = open_base(tree, err);
    if (r == 0)
        r = compare(tree, tree->top, true, 0, err);
    return r < 0 ? r : loop_add(tree->loop, &tree->source, tree->inotify_fd, EPOLLIN, on_events, tree, err);
}

int filetree_new(const void *owner, struct loop *loop, const struct filetree_options *options,
                 struct filetree **ret, struct error *err)
{
    cleanup_malloc char *real = realpath(options->path, NULL);
    if (!real)
        return error_errno(err, "watch '%s'", options->path);
    if (str_eq(real, "/"))
        return error_set(err, EINVAL, "watch '/': the whole machine cannot be watched");
    struct filetree *tree = mem_new(owner, struct filetree);
    *tree = (struct filetree){
        .options = *options, .loop = loop, .source = LOOP_SOURCE_INIT, .inotify_fd = -1, .base_fd = -1};
    tree->path = mem_strdup(tree, real);
    tree->base = path_parent(tree, tree->path);
    tree->name = path_name(tree->path);
    tree->top = entry_new(tree);
    talloc_set_destructor(tree, filetree_destroy);
    int r = start(tree, err);
    if (r < 0) {
        talloc_free(tree);
        return r;
    }
    *ret = tree;
    return 0;
}
