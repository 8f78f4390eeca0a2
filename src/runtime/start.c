/*
 * The start of a container.
 *
 * container_start forks; everything that can be slow or that changes the process (mount namespace, image
 * content copied into volumes, the user's prepare function) happens in the child, several of which run side
 * by side. The child ends by becoming compote-monitor. One pipe carries the outcome back: the child writes it
 * when a step fails, the monitor when the container runs; a pipe that closes without a word means that one
 * of them was killed.
 *
 * The lock of the container is taken by the child and goes over to the monitor, which keeps it to its end:
 * there is never more than one of them. Whoever finds it taken looks at the status: a container that is up
 * needs no start, one whose monitor is about to end is waited for.
 *
 * What a killed monitor may have left is cleared first: a process that still runs is adopted (a new monitor
 * watches it), a half-made container of the OCI runtime is deleted.
 */
#include "runtime/private.h"

#include "monitor/proto.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>

enum { LOCK_ROUNDS = 4000, LOCK_ROUND_MS = 5 };

struct start {
    const struct runtime_dirs *dirs;
    const char *id;
    struct container_paths paths;
    struct container_spec *spec;
    int lock_fd, report_fd;
};

static bool status_is_up(const struct container_status *status)
{
    return status->state == STATE_RUNNING || status->state == STATE_PAUSED ||
           status->state == STATE_RESTARTING;
}

static int ensure_dirs(const struct start *start, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    int r = fs_mkdir_p(start->dirs->run, 0700, err);
    if (r == 0)
        r = fs_lock(mem_printf(tmp, "%s/cgroup.lock", start->dirs->run), true, true, &lock, err);
    if (r == 0)
        r = fs_mkdir_p(start->paths.runtime, 0700, err);
    return r;
}

enum { START_UP = 1 };

/* Becomes the only one who handles this container; START_UP when it is up already. */
static int take_lock(struct start *start, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = mem_printf(tmp, "%s/lock", start->paths.run);
    for (int round = 0; round < LOCK_ROUNDS; round++) {
        int r = fs_lock(path, false, false, &start->lock_fd, err);
        if (r <= 0)
            return r;
        struct container_status status;
        r = container_status_read(start->dirs, start->id, &status, err);
        if (r < 0)
            return r;
        if (r == 0 && status_is_up(&status))
            return START_UP;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_ROUND_MS * 1000000L}, NULL);
    }
    return error_set(err, EBUSY, "another start or removal of the container is under way");
}

static int make_bundle(struct start *start, struct error *err)
{
    cleanup_close int root = -1;
    struct user_ids user;
    struct bundle bundle = {.dirs = start->dirs, .paths = &start->paths, .spec = start->spec, .user = &user};
    int r = rootfs_open_checked(&start->paths, &root, err);
    if (r == 0)
        r = user_resolve(root, start->spec->user, start->spec->group_add, &user, err);
    if (r == 0)
        r = caps_make(start->spec->cap_add, start->spec->cap_drop, start->spec->privileged, &bundle.caps,
                      err);
    if (r == 0 && !str_is_empty(start->spec->cwd))
        r = rootfs_mkdir(root, start->spec->cwd, NULL, err);
    bundle.root_fd = root;
    if (r == 0)
        r = bundle_write(&bundle, err);
    if (r == 0)
        r = conf_write(&bundle, err);
    return r;
}

/* Becomes the monitor. Returns only with an error. */
static int exec_monitor(const struct start *start, bool adopt, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *program = mem_printf(tmp, "%s/compote-monitor", start->dirs->libexec);
    int lock = fcntl(start->lock_fd, F_DUPFD, 3), report = fcntl(start->report_fd, F_DUPFD, 3);
    if (lock < 0 || report < 0)
        return error_errno(err, "descriptors of the monitor");
    char **argv = strv_new(tmp, "compote-monitor", adopt ? "adopt" : "start", start->paths.dir, NULL);
    argv = strv_addf(tmp, argv, "%d", lock);
    argv = strv_addf(tmp, argv, "%d", report);
    char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        if (null < 0 || dup2(null, i) < 0)
            return error_errno(err, "open '/dev/null'");
    unsigned low = (unsigned)(lock < report ? lock : report),
             high = (unsigned)(lock < report ? report : lock);
    if (low > 3)
        close_range(3, low - 1, CLOSE_RANGE_CLOEXEC);
    if (high > low + 1)
        close_range(low + 1, high - 1, CLOSE_RANGE_CLOEXEC);
    close_range(high + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(program, argv, env);
    return error_errno(err, "start '%s'", program);
}

static int find_running(const struct start *start, int *ret_pidfd, struct error *err)
{
    struct container_status status;
    *ret_pidfd = -1;
    int r = status_load(&start->paths, &status, err);
    if (r != 0 || status.pid <= 0)
        return r < 0 ? r : 0;
    cleanup_close int pidfd = -1;
    if (pidfd_open_process(status.pid, &pidfd, NULL) == 0 &&
        status_process_lives(status.pid, status.pid_start))
        *ret_pidfd = TAKE_FD(pidfd);
    return 0;
}

static int clear_leftovers(const struct start *start, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (!fs_exists(mem_printf(tmp, "%s/%s", start->paths.runtime, start->id)))
        return 0;
    cgroup_kill(start->paths.cgroup);
    int r = ociruntime_delete(&start->paths, start->spec, start->id, err);
    cgroup_rmdir(start->paths.cgroup);
    return r;
}

/* With the IPC namespace of another container goes its /dev/shm. */
static int join_shm(const struct start *start, struct error *err)
{
    const char *mode = start->spec->ipc_mode;
    struct container_status status;
    cleanup_close int pidfd = -1;
    if (!mode || !str_starts(mode, "container:"))
        return 0;
    int r = joined_container(start->dirs, mode, &status, err);
    if (r == 0)
        r = pidfd_open_process(status.pid, &pidfd, err);
    if (r == 0 && !status_process_lives(status.pid, status.pid_start))
        r = error_set(err, ESRCH, "'%s' ended", mode);
    if (r == 0)
        r = fs_mkdir_p(start->paths.shm, 0700, err);
    return r < 0 ? r : rootfs_take_mount(pidfd, "/dev/shm", start->paths.shm, false, err);
}

/* All of the child's work; returns with an error, or START_UP. */
static int start_child(struct start *start, bool adopt_only, int (*prepare)(void *data, struct error *err),
                       void *data, struct error *err)
{
    int *trees = NULL, r = ensure_dirs(start, err);
    if (r == 0)
        r = take_lock(start, err);
    if (r != 0)
        return r;
    cleanup_close int pidfd = -1;
    r = find_running(start, &pidfd, err);
    if (r == 0 && (pidfd >= 0 || !adopt_only))
        r = shared_open(start->spec, &trees, err);
    if (r < 0)
        return r;
    if (pidfd >= 0) {
        r = rootfs_enter_namespace(err);
        if (r == 0)
            r = rootfs_take_mount(pidfd, "/", start->paths.merged, false, err);
        if (r == 0)
            r = join_shm(start, err);
        if (r == 0) {
            shared_place(&start->paths, start->spec, trees, NULL);
            volumes_take(start->dirs, start->spec, pidfd);
            places_take(&start->paths, start->spec);
        }
        return r < 0 ? r : exec_monitor(start, true, err);
    }
    if (adopt_only)
        return START_UP;
    r = clear_leftovers(start, err);
    if (r == 0 && prepare)
        r = prepare(data, err);
    if (r == 0)
        r = rootfs_enter_namespace(err);
    if (r == 0)
        r = rootfs_mount(start->dirs, &start->paths, start->spec, err);
    if (r == 0)
        r = shared_place(&start->paths, start->spec, trees, err);
    if (r == 0)
        r = volumes_mount(start->dirs, start->spec, err);
    if (r == 0)
        r = join_shm(start, err);
    if (r == 0)
        r = make_bundle(start, err);
    return r < 0 ? r : exec_monitor(start, false, err);
}

NORETURN static void child_main(struct start *start, bool adopt_only,
                                int (*prepare)(void *data, struct error *err), void *data)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    struct error error = ERROR_INIT;
    struct start_report report = {.code = 0};
    int r = start_child(start, adopt_only, prepare, data, &error);
    if (r < 0) {
        report.code = error.code > 0 ? error.code : EINVAL;
        snprintf(report.text, sizeof(report.text), "%.*s", (int)sizeof(report.text) - 1, error.text);
        snprintf(report.hint, sizeof(report.hint), "%.*s", (int)sizeof(report.hint) - 1, error.hint);
    }
    fd_write_all(start->report_fd, &report, sizeof(report), NULL);
    _exit(0);
}

/* Forks; *ret_fd is where the report will come. */
static int fork_child(struct start *start, bool adopt_only, int (*prepare)(void *data, struct error *err),
                      void *data, pid_t *ret_pid, int *ret_fd, struct error *err)
{
    int ends[2];
    int r = fd_pipe(ends, err);
    if (r < 0)
        return r;
    cleanup_close int read_end = ends[0];
    cleanup_close int write_end = ends[1];
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(err, "fork");
    if (pid == 0) {
        close(TAKE_FD(read_end));
        start->report_fd = write_end;
        child_main(start, adopt_only, prepare, data);
    }
    *ret_pid = pid;
    *ret_fd = TAKE_FD(read_end);
    return 0;
}

static int start_open(const void *owner, const struct runtime_dirs *dirs, const char *id, struct start *ret,
                      struct error *err)
{
    *ret = (struct start){.dirs = dirs, .id = id, .lock_fd = -1, .report_fd = -1};
    int r = paths_make(owner, dirs, id, &ret->paths, err);
    if (r == 0)
        r = container_load(owner, dirs, id, &ret->spec, err);
    if (r == 0)
        paths_set_cgroup(owner, &ret->paths, ret->spec);
    return r;
}

/* Reads what the child or the monitor had to say. */
static int read_report(int fd, struct error *err)
{
    struct start_report report;
    size_t got;
    int r = fd_read_full(fd, &report, sizeof(report), &got, err);
    if (r < 0)
        return r;
    if (got != sizeof(report))
        return error_set(err, ECHILD, "the start was interrupted: the monitor ended without a report");
    if (report.code == 0)
        return 0;
    report.text[sizeof(report.text) - 1] = report.hint[sizeof(report.hint) - 1] = '\0';
    r = error_set(err, report.code, "%s", report.text);
    return report.hint[0] ? error_hint(err, "%s", report.hint) : r;
}

struct container_start {
    struct loop *loop;
    struct loop_source source;
    int fd;
    pid_t pid;
    void (*done)(void *data, int result, const struct error *err);
    void *data;
};

static int watch_destroy(struct container_start *watch)
{
    loop_remove(watch->loop, &watch->source);
    cleanup_close_fn(&watch->fd);
    if (watch->pid > 0)
        waitpid(watch->pid, NULL, WNOHANG);
    return 0;
}

static int watch_report(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                        struct error *err UNUSED)
{
    struct container_start *watch = data;
    struct error problem = ERROR_INIT;
    int r = read_report(watch->fd, &problem);
    loop_remove(loop, source);
    /* The child has ended, or ended when it handed over to the monitor. */
    RETRY_EINTR(waitpid(watch->pid, NULL, 0));
    watch->pid = 0;
    watch->done(watch->data, r, r < 0 ? &problem : NULL); /* may free the watch */
    return 0;
}

int container_start(const void *owner, const struct runtime_dirs *dirs, const char *id, struct loop *loop,
                    int (*prepare)(void *data, struct error *err),
                    void (*done)(void *data, int result, const struct error *err), void *data,
                    struct container_start **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct start start;
    int r = start_open(tmp, dirs, id, &start, err);
    if (r < 0)
        return r;
    struct container_start *watch = mem_new(owner, struct container_start);
    *watch = (struct container_start){
        .loop = loop, .source = LOOP_SOURCE_INIT, .fd = -1, .done = done, .data = data};
    talloc_set_destructor(watch, watch_destroy);
    r = fork_child(&start, false, prepare, data, &watch->pid, &watch->fd, err);
    if (r == 0)
        r = loop_add(loop, &watch->source, watch->fd, EPOLLIN, watch_report, watch, err);
    if (r < 0) {
        talloc_free(watch);
        return r;
    }
    *ret = watch;
    return 0;
}

int container_adopt(const struct runtime_dirs *dirs, const char *id, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct start start;
    int r = start_open(tmp, dirs, id, &start, err);
    if (r < 0)
        return r;
    struct container_status status;
    r = status_load(&start.paths, &status, err);
    if (r < 0)
        return r;
    if (r == CONTAINER_ABSENT || !status_is_up(&status) || monitor_lives(&start.paths) ||
        !status_process_lives(status.pid, status.pid_start))
        return 0;
    cleanup_close int fd = -1;
    pid_t pid;
    r = fork_child(&start, true, NULL, NULL, &pid, &fd, err);
    if (r < 0)
        return r;
    r = read_report(fd, err);
    RETRY_EINTR(waitpid(pid, NULL, 0));
    return r;
}
