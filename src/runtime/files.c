/*
 * A program that works on the files of a container: cp, export, commit.
 *
 * It runs in a child with a mount namespace of its own, in which the container's root is mounted and is the
 * current directory; the program confines itself to it (src/imaged/copy.c). Where the root comes from:
 *
 *   a running container    its mounts are cloned, by a descriptor and not by a path: so volumes, tmpfs and
 * all that was mounted since are there, and what the container mounts later is not one that waits for     the
 * overlay is cloned from its monitor's namespace; volumes are mounted on it its restart any other the overlay
 * is mounted as for a start, under the container's lock, so that no start comes in between; volumes are
 * mounted on it
 *
 * The lock goes over to the program and ends with it, as do the mounts.
 */
#include "runtime/private.h"

#include "base/path.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

enum { LOCK_ROUNDS = 4000, LOCK_ROUND_MS = 5 };

struct work {
    const struct runtime_dirs *dirs;
    const char *id;
    const struct files_request *request;
    struct container_paths paths;
    struct container_spec *spec;
    int lock_fd; /* -1: the container is up */
};

/* Takes the lock, or finds that the container is up. What starts or ends is waited for. */
static int settle(struct work *work, struct container_status *status, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = mem_printf(tmp, "%s/lock", work->paths.run);
    int r = fs_mkdir_p(work->paths.run, 0700, err);
    for (int round = 0; r == 0 && round < LOCK_ROUNDS; round++) {
        r = fs_lock(path, false, false, &work->lock_fd, err);
        if (r <= 0)
            return r;
        r = container_status_read(work->dirs, work->id, status, err);
        if (r < 0)
            return r;
        if (r == 0 && (status->state == STATE_RUNNING || status->state == STATE_PAUSED ||
                       status->state == STATE_RESTARTING))
            return 0;
        r = 0;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_ROUND_MS * 1000000L}, NULL);
    }
    return r < 0 ? r : error_set(err, EBUSY, "another command starts or removes the container");
}

/* Clones what another process sees at `path` and mounts it where the container's root goes. */
static int clone_root(const struct work *work, pid_t pid, uint64_t start, const char *path, bool mounts,
                      struct error *err)
{
    cleanup_close int pidfd = -1;
    int r = pidfd_open_process(pid, &pidfd, err);
    if (r == 0 && !status_process_lives(pid, start))
        r = error_set(err, ESRCH, "the container ended");
    return r < 0 ? r : rootfs_take_mount(pidfd, path, work->paths.merged, mounts, err);
}

static int mount_at(int root_fd, const struct mount_spec *m, int source, struct error *err)
{
    cleanup_close int target = -1;
    struct mount_attr attr = {.attr_set = m->read_only ? MOUNT_ATTR_RDONLY : 0};
    struct stat st;
    cleanup_close int tree = (int)syscall(SYS_open_tree, source, "",
                                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (tree < 0 || fstat(source, &st) < 0)
        return error_errno(err, "clone the mount for '%s'", m->target);
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        return error_errno(err, "mount for '%s'", m->target);
    int r = S_ISDIR(st.st_mode) ? rootfs_mkdir(root_fd, m->target, NULL, err) : 0;
    if (r < 0)
        return r;
    /* A file that was never mounted on has nothing there; the container's first start makes it. */
    if (fs_open_in_root(root_fd, m->target, O_PATH, &target, NULL) < 0)
        return 0;
    if (syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return error_errno(err, "mount '%s'", m->target);
    return 0;
}

/* Volumes and host directories of a container that has no mounts of its own at the moment. */
static int mount_volumes(const struct work *work, int root_fd, struct error *err)
{
    for (size_t i = 0; i < work->spec->mount_count; i++) {
        const struct mount_spec *m = &work->spec->mounts[i];
        cleanup_close int source = -1;
        struct error cause = ERROR_INIT;
        if (m->type == MOUNT_TMPFS || str_is_empty(m->source))
            continue;
        source = open(m->source, O_PATH | O_CLOEXEC);
        int r = source < 0 ? error_errno(&cause, "open '%s'", m->source) : 0;
        if (r == 0 && !str_is_empty(m->subpath)) {
            cleanup_close int volume = TAKE_FD(source);
            r = fs_open_beneath(volume, m->subpath, O_PATH, 0, false, &source, &cause);
        }
        if (r == -ENOENT)
            continue; /* which the next start would make, or complain about */
        if (r < 0)
            return error_set(err, cause.code, "mount for '%s': %s", m->target, cause.text);
        r = mount_at(root_fd, m, source, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int mount_root(struct work *work, struct error *err)
{
    struct container_status status = {.state = STATE_CREATED};
    int r = settle(work, &status, err);
    if (r == 0)
        r = rootfs_enter_namespace(err);
    if (r == 0 && work->lock_fd < 0 && status.pid > 0)
        return clone_root(work, status.pid, status.pid_start, "/", work->request->mounts, err);
    if (r == 0 && work->lock_fd < 0)
        r = clone_root(work, status.monitor_pid, status.monitor_start, work->paths.merged, false, err);
    else if (r == 0)
        r = rootfs_mount(work->dirs, &work->paths, work->spec, err);
    /* File systems that volumes are; who looks for one that has them mounted shall not wait for us. */
    if (r == 0 && work->request->mounts && (r = volumes_mount(work->dirs, work->spec, err)) == 0)
        volumes_forget(work->dirs, work->spec);
    cleanup_close int root = -1;
    if (r == 0)
        r = fs_open_dir(work->paths.merged, &root, err);
    if (r == 0 && work->request->mounts)
        r = mount_volumes(work, root, err);
    if (r == 0 && work->spec->read_only &&
        mount(NULL, work->paths.merged, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
        r = error_errno(err, "mount read-only");
    return r;
}

/* The user that the container's process has. */
static int owner_option(const void *owner, const struct work *work, char **ret, struct error *err)
{
    cleanup_close int root = -1;
    struct user_ids user;
    int r = fs_open_dir(work->paths.merged, &root, err);
    if (r == 0)
        r = user_resolve(root, work->spec->user, NULL, &user, err);
    if (r == 0)
        *ret = mem_printf(owner, "--owner=%u:%u", user.uid, user.gid);
    return r;
}

static int exec_program(const struct work *work, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **argv = strv_dup(tmp, work->request->argv), *owner = NULL;
    int r = work->request->as_user ? owner_option(tmp, work, &owner, err) : 0;
    if (r < 0)
        return r;
    if (work->request->as_user && !str_is_empty(work->spec->user))
        argv = strv_add(tmp, argv, owner);
    if (chdir(work->paths.merged) < 0)
        return error_errno(err, "enter the container's root");
    if (work->lock_fd >= 0 && fcntl(work->lock_fd, F_SETFD, 0) < 0)
        return error_errno(err, "hand on the lock");
    execv(argv[0], argv);
    return error_errno(err, "start '%s'", argv[0]);
}

NORETURN static void child_main(struct work *work, pid_t parent)
{
    struct error err = ERROR_INIT;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        dup2(work->request->std[i] >= 0 ? work->request->std[i] : null, i);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    umask(022);
    int r = mount_root(work, &err);
    if (r == 0)
        exec_program(work, &err);
    dprintf(STDERR_FILENO, "%s\n", err.text);
    _exit(1);
}

int container_files_run(const struct runtime_dirs *dirs, const char *id, const struct files_request *request,
                        pid_t *ret_pid, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct work work = {.dirs = dirs, .id = id, .request = request, .lock_fd = -1};
    int r = paths_make(tmp, dirs, id, &work.paths, err);
    if (r == 0)
        r = container_load(tmp, dirs, id, &work.spec, err);
    if (r < 0)
        return r;
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return error_errno(err, "fork");
    if (pid == 0)
        child_main(&work, parent);
    *ret_pid = pid;
    return 0;
}
