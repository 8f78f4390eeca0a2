#include "sys/fs.h"

#include "base/strv.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/syscall.h>

int fs_mkdir_p(const char *path, mode_t mode, struct error *err)
{
    char partial[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(partial))
        return error_set(err, ENAMETOOLONG, "directory name '%s'", path);
    if (mkdir(path, mode) == 0)
        return 0;
    if (errno == EEXIST) {
        struct stat st;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return 0;
        return error_set(err, ENOTDIR, "'%s' is not a directory", path);
    }
    if (errno != ENOENT)
        return error_errno(err, "make directory '%s'", path);
    memcpy(partial, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (partial[i] != '/' && partial[i] != '\0')
            continue;
        partial[i] = '\0';
        if (mkdir(partial, mode) < 0 && errno != EEXIST)
            return error_errno(err, "make directory '%s'", partial);
        partial[i] = i < n ? '/' : '\0';
    }
    return 0;
}

enum { PIPE_WAIT_MS = 2000 };

/*
 * A pipe with a name is waited for until somebody writes, but not for ever when nobody has it open for that:
 * a read that does not block meets the end then, and EAGAIN while there is a writer.
 */
static int wait_for_writer(int fd, const char *path, char *first, size_t *ret_got, struct error *err)
{
    struct pollfd input = {.fd = fd, .events = POLLIN};
    if (RETRY_EINTR(poll(&input, 1, PIPE_WAIT_MS)) != 0)
        return 0;
    ssize_t n = RETRY_EINTR(read(fd, first, 1));
    if (n == 0)
        return error_set(err, EPIPE, "'%s' is a pipe that nothing writes to", path);
    *ret_got = n > 0;
    return 0;
}

int fs_read_file(const void *owner, const char *path, size_t limit, char **ret, size_t *ret_size,
                 struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? FS_ABSENT : error_errno(err, "open '%s'", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "stat '%s'", path);
    if (S_ISDIR(st.st_mode))
        return error_set(err, EISDIR, "'%s' is a directory", path);

    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (st.st_size > 0 && (size_t)st.st_size > limit)
        return error_set(err, EFBIG, "'%s' is larger than %zu bytes", path, limit);
    /* Files of /proc and their like have no size. */
    size_t room = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096, used = 0;
    room = room > limit + 1 ? limit + 1 : room;
    char *data = mem_check(talloc_size(tmp, room));
    int r = S_ISFIFO(st.st_mode) ? wait_for_writer(fd, path, data, &used, err) : 0;
    if (r < 0)
        return r;
    if (fcntl(fd, F_SETFL, 0) < 0)
        return error_errno(err, "'%s'", path);
    for (;;) {
        size_t got;
        r = fd_read_full(fd, data + used, room - used, &got, err);
        if (r < 0)
            return error_wrap(err, "'%s'", path);
        used += got;
        if (used < room)
            break;
        if (room > limit)
            return error_set(err, EFBIG, "'%s' is larger than %zu bytes", path, limit);
        room = room * 2 > limit + 1 ? limit + 1 : room * 2;
        data = mem_grow(tmp, data, char, room);
    }
    data[used] = '\0';
    *ret = talloc_move(owner, &data);
    if (ret_size)
        *ret_size = used;
    return 0;
}

int fs_write_file(const char *path, const void *data, size_t size, mode_t mode, bool durable,
                  struct error *err)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path, getpid()) >= (int)sizeof(temporary))
        return error_set(err, ENAMETOOLONG, "file name '%s'", path);
    cleanup_close int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_errno(err, "create '%s'", temporary);
    int r = fd_write_all(fd, data, size, err);
    if (r == 0 && fchmod(fd, mode) < 0)
        r = error_errno(err, "chmod");
    if (r == 0 && durable && fsync(fd) < 0)
        r = error_errno(err, "fsync");
    if (r == 0 && rename(temporary, path) < 0)
        r = error_errno(err, "rename");
    if (r < 0) {
        unlink(temporary);
        return error_wrap(err, "write '%s'", path);
    }
    return 0;
}

/*
 * Removing a tree whose owner may wish that it cannot be removed: a container can nest directories deeper
 * than there are descriptors, or stack. What lies deeper than DEEP_MAX is moved up into the tree's top
 * directory, which is then gone through again.
 */
enum { DEEP_MAX = 64 };

struct removal {
    const char *path; /* for messages */
    dev_t device;
    int top_fd;
    unsigned moved; /* directories so far */
};

static int remove_entry(struct removal *removal, int dir_fd, const char *name, unsigned depth,
                        struct error *err);

static int remove_contents(struct removal *removal, int fd, unsigned depth, struct error *err)
{
    int list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
    if (!dir)
        return error_errno(err, "read directory '%s'", removal->path);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int r = remove_entry(removal, fd, e->d_name, depth, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int move_to_top(struct removal *removal, int dir_fd, const char *name, struct error *err)
{
    char to[32];
    int renamed;
    do {
        snprintf(to, sizeof(to), ".deep-%u", removal->moved++);
        renamed = renameat2(dir_fd, name, removal->top_fd, to, RENAME_NOREPLACE);
    } while (renamed < 0 && errno == EEXIST);
    if (renamed < 0 && errno != ENOENT)
        return error_errno(err, "move a deep directory up in '%s'", removal->path);
    return 0;
}

/* *ret_fd is -1 when the name is gone: it was no directory, or nothing. */
static int open_to_remove(int dir_fd, const char *name, const char *path, int *ret_fd, struct stat *st,
                          struct error *err)
{
    *ret_fd = -1;
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return error_errno(err, "remove '%s'", path);
    cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(err, "open directory '%s'", path);
    if (fstat(fd, st) < 0)
        return error_errno(err, "stat '%s'", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int remove_directory(int dir_fd, const char *name, const char *path, struct error *err)
{
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT
               ? error_errno(err, "remove directory '%s'", path)
               : 0;
}

static int remove_entry(struct removal *removal, int dir_fd, const char *name, unsigned depth,
                        struct error *err)
{
    struct stat st;
    cleanup_close int fd = -1;
    int r = open_to_remove(dir_fd, name, removal->path, &fd, &st, err);
    if (r < 0 || fd < 0)
        return r;
    if (st.st_dev != removal->device)
        return error_set(err, EXDEV, "'%s' is a mount point; not removing what is mounted there",
                         removal->path);
    if (depth == DEEP_MAX)
        return move_to_top(removal, dir_fd, name, err);
    r = remove_contents(removal, fd, depth + 1, err);
    return r < 0 ? r : remove_directory(dir_fd, name, removal->path, err);
}

int fs_remove_tree_at(int dir_fd, const char *name, struct error *err)
{
    struct stat st;
    cleanup_close int fd = -1;
    int r = open_to_remove(dir_fd, name, name, &fd, &st, err);
    if (r < 0 || fd < 0)
        return r;
    struct removal removal = {.path = name, .device = st.st_dev, .top_fd = fd};
    unsigned before;
    do {
        before = removal.moved;
        r = remove_contents(&removal, fd, 1, err);
    } while (r == 0 && removal.moved > before);
    return r < 0 ? r : remove_directory(dir_fd, name, name, err);
}

int fs_remove_tree(const char *path, struct error *err)
{
    return fs_remove_tree_at(AT_FDCWD, path, err);
}

static int open_resolved(int dir_fd, const char *path, int flags, mode_t mode, unsigned long long resolve,
                         int *ret_fd, struct error *err)
{
    struct open_how how = {.flags = (unsigned long long)(flags | O_CLOEXEC),
                           .mode = flags & O_CREAT ? mode : 0,
                           .resolve = resolve};
    int fd;
    do
        fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd < 0)
        return error_errno(err, "open '%s'", path);
    *ret_fd = fd;
    return 0;
}

int fs_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, bool follow, int *ret_fd,
                    struct error *err)
{
    return open_resolved(dir_fd, path, flags, mode,
                         RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (follow ? 0 : RESOLVE_NO_SYMLINKS), ret_fd,
                         err);
}

int fs_open_in_root(int root_fd, const char *path, int flags, int *ret_fd, struct error *err)
{
    return open_resolved(root_fd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, ret_fd, err);
}

int fs_open_dir(const char *path, int *ret_fd, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "open directory '%s'", path);
    *ret_fd = fd;
    return 0;
}

bool fs_exists(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int fs_list(const void *owner, const char *path, char ***ret, struct error *err)
{
    cleanup_dir DIR *dir = opendir(path);
    char **names = NULL;
    if (!dir && errno != ENOENT)
        return error_errno(err, "read directory '%s'", path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            names = strv_add(owner, names, e->d_name);
    strv_sort(names);
    *ret = names;
    return 0;
}

int fs_lock(const char *path, bool shared, bool wait, int *ret_fd, struct error *err)
{
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, "open lock '%s'", path);
    int operation = (shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
    if (RETRY_EINTR(flock(fd, operation)) < 0)
        return errno == EWOULDBLOCK ? LOCK_BUSY : error_errno(err, "lock '%s'", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
