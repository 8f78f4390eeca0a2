/*
 * A new volume starts with what the image has at its mount point, owner and mode of the directory included.
 *
 * Both sides are walked by descriptor, one name at a time, without following links; the image's side is
 * entered as in a chroot. A copy that was interrupted is known by the marker beside the volume, and is
 * done again; the lock on the marker makes containers that start at the same time wait for each other.
 */
#include "runtime/private.h"

#include "sys/fd.h"
#include "sys/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { DEPTH_MAX = 256 };

static int copy_bytes(int from, int to, struct error *err)
{
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, 16 << 20, 0);
        if (n == 0)
            return 0;
        if (n < 0)
            break;
    }
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return error_errno(err, "copy");
    char buffer[65536];
    for (;;) {
        ssize_t n = RETRY_EINTR(read(from, buffer, sizeof(buffer)));
        if (n < 0)
            return error_errno(err, "read");
        if (n == 0)
            return 0;
        int r = fd_write_all(to, buffer, (size_t)n, err);
        if (r < 0)
            return r;
    }
}

/* Extended attributes that a container may rely on; those of overlayfs belong to the layer. */
static void copy_attributes(int from, int to)
{
    char names[4096], value[65536];
    ssize_t size = flistxattr(from, names, sizeof(names));
    for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
        if (!str_starts(name, "user.") && !str_eq(name, "security.capability") &&
            !str_starts(name, "system.posix_acl_"))
            continue;
        ssize_t n = fgetxattr(from, name, value, sizeof(value));
        if (n >= 0)
            fsetxattr(to, name, value, (size_t)n, 0);
    }
}

static int copy_metadata(int from, int to, const struct stat *st, struct error *err)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return error_errno(err, "set owner and mode");
    copy_attributes(from, to);
    return futimens(to, times) < 0 ? error_errno(err, "set times") : 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *st, struct error *err)
{
    char target[4096];
    ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);
    if (n < 0)
        return error_errno(err, "read link '%s'", name);
    target[n] = '\0';
    if (symlinkat(target, to_dir, name) < 0 ||
        fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "make link '%s'", name);
    return 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, struct error *err)
{
    struct stat st;
    cleanup_close int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) < 0)
        return error_errno(err, "open '%s'", name);
    if (!S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "'%s' changed while it was copied", name);
    cleanup_close int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return error_errno(err, "create '%s'", name);
    int r = copy_bytes(from, to, err);
    if (r == 0)
        r = copy_metadata(from, to, &st, err);
    return r < 0 ? error_wrap(err, "'%s'", name) : 0;
}

static int copy_entries(int from, int to, int depth, struct error *err);

static int copy_directory(int from_dir, int to_dir, const char *name, int depth, struct error *err)
{
    struct stat st;
    cleanup_close int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) < 0)
        return error_errno(err, "open directory '%s'", name);
    if (mkdirat(to_dir, name, 0700) < 0)
        return error_errno(err, "make directory '%s'", name);
    cleanup_close int to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return error_errno(err, "open directory '%s'", name);
    int r = copy_entries(from, to, depth + 1, err);
    return r < 0 ? r : copy_metadata(from, to, &st, err);
}

static int copy_entry(int from, int to, const char *name, int depth, struct error *err)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "stat '%s'", name);
    switch (st.st_mode & S_IFMT) {
    case S_IFREG:
        return copy_file(from, to, name, err);
    case S_IFDIR:
        return copy_directory(from, to, name, depth, err);
    case S_IFLNK:
        return copy_link(from, to, name, &st, err);
    case S_IFIFO:
    case S_IFCHR:
    case S_IFBLK:
        if (mknodat(to, name, st.st_mode & (S_IFMT | 0777), st.st_rdev) < 0 ||
            fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
            return error_errno(err, "make '%s'", name);
        return 0;
    default:
        return 0; /* sockets have no meaning without their process */
    }
}

static int copy_entries(int from, int to, int depth, struct error *err)
{
    if (depth > DEPTH_MAX)
        return error_set(err, ELOOP, "directories are nested too deeply");
    int list_fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
    if (!dir)
        return error_errno(err, "read directory");
    for (struct dirent *e; (e = readdir(dir));) {
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        int r = copy_entry(from, to, e->d_name, depth, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int copy_into(int root_fd, const char *target, const char *volume, struct error *err)
{
    struct stat st;
    struct error problem = ERROR_INIT;
    cleanup_close int from = -1;
    cleanup_close int to = -1;
    int r = fs_open_in_root(root_fd, target, O_RDONLY | O_DIRECTORY, &from, &problem);
    if (r < 0)
        return problem.code == ENOENT || problem.code == ENOTDIR
                   ? 0
                   : error_set(err, problem.code, "the image's %s", problem.text);
    r = fs_open_dir(volume, &to, err);
    if (r < 0)
        return r;
    if (fstat(from, &st) < 0)
        return error_errno(err, "stat '%s'", target);
    r = copy_entries(from, to, 0, err);
    return r < 0 ? r : copy_metadata(from, to, &st, err);
}

static int make_empty(const char *volume, char **names, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = 0;
    for (; r == 0 && names && *names; names++)
        r = fs_remove_tree(mem_printf(tmp, "%s/%s", volume, *names), err);
    return r;
}

int volume_copy_up(int root_fd, const char *target, const char *volume, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *marker = mem_printf(tmp, "%s.copying", volume), *lock_path = mem_printf(tmp, "%s.lock", volume);
    char **names;
    int r = fs_list(tmp, volume, &names, err);
    if (r < 0)
        return r;
    if (names && names[0] && !fs_exists(marker))
        return 0;
    cleanup_close int lock = -1;
    r = fs_lock(lock_path, false, true, &lock, err);
    if (r == 0)
        r = fs_list(tmp, volume, &names, err);
    if (r < 0)
        return r;
    bool interrupted = fs_exists(marker);
    if (names && names[0] && !interrupted)
        return 0;
    r = interrupted ? make_empty(volume, names, err) : fs_write_file(marker, "", 0, 0600, false, err);
    if (r == 0)
        r = copy_into(root_fd, target, volume, err);
    if (r < 0)
        return error_wrap(err, "fill the volume at '%s'", target);
    unlink(marker);
    return 0;
}
