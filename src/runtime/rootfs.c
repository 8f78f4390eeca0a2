/*
 * The root file system of a container, mounted in the private mount namespace of its start.
 *
 * The overlay is, from the top: the container's own writable directory, our init layer, the image's layers.
 * The init layer is shared by all containers and never written: real directories at /dev, /proc, /sys and
 * real files at the paths that get mounts of ours, so that an image which has links there cannot lead the
 * runtime astray. Layers are given to the kernel as descriptor numbers relative to /proc/self/fd: three or
 * four bytes each, so that any number of layers fits into the page that mount(2) takes, and no character in
 * a path needs escaping.
 *
 * "volatile" leaves out all syncing, at the price that after an unclean boot the upper directory cannot be
 * trusted. The boot id is kept beside it, and an upper directory of another boot that was not unmounted
 * cleanly is emptied.
 */
#include "runtime/private.h"

#include "base/path.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { LAYER_MAX = 500 };

static const char *const init_dirs[] = {"dev", "dev/pts", "dev/shm", "proc", "sys", "etc"};
static const char *const init_files[] = {".dockerenv", "dev/console", "etc/hosts", "etc/hostname",
                                         "etc/resolv.conf"};

int rootfs_enter_namespace(struct error *err)
{
    if (unshare(CLONE_NEWNS) < 0)
        return error_errno(err, "make a mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return error_errno(err, "make mounts private");
    /* On a host with cgroup v1 and v2 the runtime refuses to start while it sees both. What it still writes
       below the name goes into a file system of this namespace. */
    if (access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0 &&
        (umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0 ||
         mount("tmpfs", "/sys/fs/cgroup/unified", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "size=64k") < 0))
        return error_errno(err, "hide cgroup v2");
    return 0;
}

/* Makes the shared init layer, once for each root. A finished one is known by its name. */
static int init_layer(const void *owner, const struct runtime_dirs *dirs, char **ret, struct error *err)
{
    char *path = mem_printf(owner, "%s/cache/init-1", dirs->root);
    *ret = path;
    if (fs_exists(path))
        return 0;
    char *temporary = mem_printf(owner, "%s.%d.tmp", path, getpid());
    int r = fs_mkdir_p(temporary, 0755, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(init_dirs); i++)
        r = fs_mkdir_p(mem_printf(owner, "%s/%s", temporary, init_dirs[i]), 0755, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(init_files); i++)
        r = fs_write_file(mem_printf(owner, "%s/%s", temporary, init_files[i]), "", 0, 0644, false, err);
    if (r == 0 && symlink("/proc/mounts", mem_printf(owner, "%s/etc/mtab", temporary)) < 0)
        r = error_errno(err, "make '%s/etc/mtab'", temporary);
    if (r == 0 && chmod(temporary, 0755) < 0)
        r = error_errno(err, "chmod '%s'", temporary);
    if (r == 0 && rename(temporary, path) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        r = error_errno(err, "rename '%s'", temporary);
    if (fs_exists(temporary))
        fs_remove_tree(temporary, NULL);
    return r;
}

static int boot_id(char *ret, size_t size, struct error *err)
{
    cleanup_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    size_t got;
    if (fd < 0)
        return error_errno(err, "read the boot id");
    int r = fd_read_full(fd, ret, size - 1, &got, err);
    ret[r < 0 ? 0 : got] = '\0';
    return r;
}

/* Empties an upper directory that an unclean boot may have damaged, and clears the marker of this one. */
static int upper_check(const void *owner, const struct container_paths *paths, struct error *err)
{
    char *marker = mem_printf(owner, "%s/work/work/incompat/volatile", paths->dir);
    char *record = mem_printf(owner, "%s/boot", paths->dir);
    char now[64], *before = NULL;
    int r = boot_id(now, sizeof(now), err);
    if (r < 0)
        return r;
    r = fs_read_file(owner, record, sizeof(now), &before, NULL, err);
    if (r < 0)
        return r;
    bool same_boot = r == 0 && str_eq(before, now);
    if (fs_exists(marker)) {
        static const char *const parts[] = {"work", "upper"};
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
            char *part = mem_printf(owner, "%s/%s", paths->dir, parts[i]);
            if (same_boot) {
                r = fs_remove_tree(marker, err);
            } else if ((r = fs_remove_tree(part, err)) == 0) {
                r = fs_mkdir_p(part, i == 1 ? 0755 : 0700, err);
            }
            if (r < 0)
                return r;
        }
    }
    return same_boot ? 0 : fs_write_file(record, now, strlen(now), 0600, false, err);
}

/* Appends the descriptor number of `path` to `options`; the descriptors close with the exec that follows. */
static int add_layer(char **options, const char *separator, const char *path, struct error *err)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_errno(err, "open layer '%s'", path);
    *options = mem_append_printf(*options, "%s%d", separator, fd);
    return fd;
}

static int mount_overlay(const char *target, const char *options, struct error *err)
{
    if (chdir("/proc/self/fd") < 0)
        return error_errno(err, "open '/proc/self/fd'");
    int mounted = mount("overlay", target, "overlay", 0, options);
    int saved = errno;
    if (chdir("/") < 0)
        return error_errno(err, "change to '/'");
    errno = saved;
    return mounted < 0 ? error_errno(err, "mount the file system of an image at '%s'", target) : 0;
}

int rootfs_mount(const struct runtime_dirs *dirs, const struct container_paths *paths,
                 const struct container_spec *spec, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    size_t count = strv_len(spec->layers);
    if (count == 0 || count > LAYER_MAX)
        return error_set(err, EINVAL, "an image of %zu layers (1 to %d can be used)", count, LAYER_MAX);
    char *init;
    int r = init_layer(tmp, dirs, &init, err);
    if (r == 0)
        r = upper_check(tmp, paths, err);
    if (r < 0)
        return r;

    char *options = mem_strdup(tmp, "");
    int last = add_layer(&options, "lowerdir=", init, err);
    for (size_t i = count; last >= 0 && i-- > 0;)
        last = add_layer(&options, ":", spec->layers[i], err);
    if (last >= 0)
        last = add_layer(&options, ",upperdir=", mem_printf(tmp, "%s/upper", paths->dir), err);
    if (last >= 0)
        last = add_layer(&options, ",workdir=", mem_printf(tmp, "%s/work", paths->dir), err);
    if (last < 0)
        return last;
    options = mem_append_str(options, ",volatile,index=off,metacopy=off");
    return mount_overlay(paths->merged, options, err);
}

int rootfs_mount_image(char *const *layers, const char *target, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    size_t count = strv_len(layers);
    if (count == 0 || count > LAYER_MAX)
        return error_set(err, EINVAL, "an image of %zu layers (1 to %d can be used)", count, LAYER_MAX);
    int last = fs_mkdir_p(target, 0700, err);
    if (count == 1 && last == 0) /* an overlay has two at least */
        return mount(layers[0], target, NULL, MS_BIND, NULL) < 0 ? error_errno(err, "mount '%s'", layers[0])
                                                                 : 0;
    char *options = mem_strdup(tmp, "");
    for (size_t i = count; last >= 0 && i-- > 0;)
        last = add_layer(&options, options[0] ? ":" : "lowerdir=", layers[i], err);
    return last < 0 ? last : mount_overlay(target, options, err);
}

/* With `mounts` also what is mounted below. Of a mount's root only, and not over links, which the container
 * may have put in the way. */
static int clone_mount(const char *path, bool mounts)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    struct statx stx;
    cleanup_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0)
        return -1;
    if (!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
        errno = ENOENT;
        return -1;
    }
    return (int)syscall(SYS_open_tree, fd, "",
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (mounts ? AT_RECURSIVE : 0));
}

int rootfs_take_mount(int pidfd, const char *path, const char *target, bool mounts, struct error *err)
{
    cleanup_close int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (own < 0)
        return error_errno(err, "open own mount namespace");
    /* While we stand in the container's namespace nothing there is run, and our process cannot be opened
       through /proc. */
    prctl(PR_SET_DUMPABLE, 0);
    if (setns(pidfd, CLONE_NEWNS) < 0)
        return error_errno(err, "enter the container's mount namespace");
    cleanup_close int tree = clone_mount(path, mounts);
    int saved = errno;
    if (setns(own, CLONE_NEWNS) < 0)
        return error_errno(err, "return from the container's mount namespace");
    errno = saved;
    if (tree < 0)
        return error_errno(err, "take over the mount at '%s' of the container", path);
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return error_errno(err, "mount '%s'", target);
    return 0;
}

int rootfs_open_tree(int fd, const char *path, bool recursive)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    return (int)syscall(SYS_open_tree, fd, path, flags);
}

int rootfs_mount_tree(int tree, const char *target, struct error *err)
{
    struct stat st;
    if (tree < 0 || fstat(tree, &st) < 0)
        return error_errno(err, "clone a mount");
    if (remove(target) < 0 && errno != ENOENT)
        return error_errno(err, "replace '%s'", target);
    if (S_ISDIR(st.st_mode) ? mkdir(target, 0700) < 0 : mknod(target, S_IFREG | 0600, 0) < 0)
        return error_errno(err, "make '%s'", target);
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return error_errno(err, "mount '%s'", target);
    return 0;
}

int rootfs_mount_opened(int fd, const char *target, bool recursive, struct error *err)
{
    cleanup_close int tree = rootfs_open_tree(fd, "", recursive);
    return rootfs_mount_tree(tree, target, err);
}

static int open_strict(int dir_fd, const char *path, int flags, int *ret_fd)
{
    struct open_how how = {.flags = (unsigned long long)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
    *ret_fd = fd;
    return fd < 0 ? -1 : 0;
}

int rootfs_open_checked(const struct container_paths *paths, int *ret_fd, struct error *err)
{
    static const char *const needed[] = {"dev", "proc", "sys"};
    cleanup_close int root = -1;
    int r = fs_open_dir(paths->merged, &root, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(needed); i++) {
        cleanup_close int fd = -1;
        if (open_strict(root, needed[i], O_PATH | O_DIRECTORY | O_NOFOLLOW, &fd) < 0)
            r = error_set(err, EPERM, "/%s in the container is not a real directory: refused", needed[i]);
    }
    if (r == 0)
        *ret_fd = TAKE_FD(root);
    return r;
}

int rootfs_mkdir(int root_fd, const char *path, const struct user_ids *user, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *partial = path_clean(tmp, path);
    /* From the root down: each step is resolved anew inside the root, made when it is not there. */
    for (char *slash = partial;;) {
        char *end = strchr(slash + 1, '/');
        if (end)
            *end = '\0';
        cleanup_close int fd = -1;
        struct error problem = ERROR_INIT;
        int r = fs_open_in_root(root_fd, partial, O_PATH | O_DIRECTORY, &fd, &problem);
        if (r < 0 && problem.code != ENOENT)
            return error_set(err, problem.code, "directory '%s' in the container: %s", path,
                             strerror(problem.code));
        if (r < 0) {
            cleanup_close int parent = -1;
            char *above = path_parent(tmp, partial);
            r = fs_open_in_root(root_fd, above, O_PATH | O_DIRECTORY, &parent, err);
            if (r < 0)
                return r;
            const char *name = path_name(partial);
            if (mkdirat(parent, name, 0755) < 0)
                return error_errno(err, "make directory '%s' in the container", path);
            if (user && (user->uid || user->gid) &&
                fchownat(parent, name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return error_errno(err, "set the owner of '%s' in the container", path);
        }
        if (!end)
            return 0;
        *end = '/';
        slash = end;
    }
}
