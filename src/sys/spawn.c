#include "sys/spawn.h"

#include "base/str.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* What the child could not do, sent to the parent; a pipe that closes without it means that exec worked. */
struct failure {
    int code;
    char what[32];
};

NORETURN static void child_fail(int report_fd, const char *what)
{
    struct failure failure = {.code = errno};
    str_copy(failure.what, sizeof(failure.what), what);
    ssize_t ignored UNUSED = write(report_fd, &failure, sizeof(failure));
    _exit(127);
}

static int high_fd(int fd)
{
    return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 100);
}

/* Puts the descriptors into place. They first move out of the way, so that none overwrites another. */
static const char *child_descriptors(const struct spawn *spawn)
{
    int std[3], fds[SPAWN_MAX_FDS];
    for (int i = 0; i < 3; i++) {
        std[i] = spawn->std[i] == -1 ? open("/dev/null", O_RDWR | O_CLOEXEC) : spawn->std[i];
        if (std[i] != SPAWN_INHERIT && (std[i] = high_fd(std[i])) < 0)
            return "descriptors";
    }
    for (int i = 0; i < spawn->fd_count; i++)
        if ((fds[i] = high_fd(spawn->fds[i].from)) < 0)
            return "descriptors";
    for (int i = 0; i < 3; i++)
        if (std[i] != SPAWN_INHERIT && dup2(std[i], i) < 0)
            return "descriptors";
    for (int i = 0; i < spawn->fd_count; i++)
        if (dup2(fds[i], spawn->fds[i].to) < 0)
            return "descriptors";
    return NULL;
}

static const char *child_hide_cgroup2(void)
{
    if (access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) < 0)
        return NULL;
    if (unshare(CLONE_NEWNS) < 0)
        return "unshare";
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return "make mounts private";
    if (umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0)
        return "unmount cgroup v2";
    /* What a runtime still writes below that name stays in this namespace. */
    if (mount("tmpfs", "/sys/fs/cgroup/unified", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "size=64k") < 0)
        return "cover cgroup v2";
    return NULL;
}

/* Best effort: a value that we may not set leaves the parent's. */
static void child_oom_score(const char *value)
{
    cleanup_close int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored UNUSED = write(fd, value, strlen(value));
    }
}

NORETURN static void child_main(const struct spawn *spawn, int report_fd, pid_t parent)
{
    report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, 200);
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (spawn->die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
    }
    if (spawn->oom_score_adj)
        child_oom_score(spawn->oom_score_adj);
    if (spawn->new_session && setsid() < 0)
        child_fail(report_fd, "setsid");
    const char *failed = child_descriptors(spawn);
    if (!failed && spawn->hide_cgroup2)
        failed = child_hide_cgroup2();
    if (!failed && spawn->cwd && chdir(spawn->cwd) < 0)
        failed = "change directory";
    if (failed)
        child_fail(report_fd, failed);

    /* Everything else is close-on-exec already; this guards against what a library forgot. */
    int next = 3;
    for (int i = 0; i < spawn->fd_count; i++)
        next = spawn->fds[i].to >= next ? spawn->fds[i].to + 1 : next;
    close_range((unsigned)next, ~0u, CLOSE_RANGE_CLOEXEC);
    if (spawn->env)
        execvpe(spawn->argv[0], spawn->argv, spawn->env);
    else
        execvp(spawn->argv[0], spawn->argv);
    child_fail(report_fd, "");
}

int spawn_start(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct error *err)
{
    int report[2];
    int r = fd_pipe(report, err);
    if (r < 0)
        return r;
    cleanup_close int read_end = report[0];
    cleanup_close int write_end = report[1];
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(err, "start '%s': fork", spawn->argv[0]);
    if (pid == 0)
        child_main(spawn, write_end, parent);

    close(TAKE_FD(write_end));
    struct failure failure;
    size_t got;
    r = fd_read_full(read_end, &failure, sizeof(failure), &got, err);
    if (r < 0 || got == sizeof(failure)) {
        waitpid(pid, NULL, 0);
        if (r < 0)
            return r;
        errno = failure.code;
        return error_errno(err, "start '%s'%s%s", spawn->argv[0], failure.what[0] ? ": " : "", failure.what);
    }
    if (ret_pidfd) {
        r = pidfd_open_process(pid, ret_pidfd, err);
        if (r < 0)
            return r;
    }
    *ret_pid = pid;
    return 0;
}

int spawn_wait(pid_t pid, int *ret_status, struct error *err)
{
    int status;
    if (RETRY_EINTR(waitpid(pid, &status, 0)) < 0)
        return error_errno(err, "wait for process %d", (int)pid);
    *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return 0;
}

int spawn_run(const struct spawn *spawn, char *out, size_t out_size, int *ret_status, struct error *err)
{
    struct spawn child = *spawn;
    cleanup_close int read_end = -1;
    cleanup_close int write_end = -1;
    int r;
    if (out) {
        int ends[2];
        r = fd_pipe(ends, err);
        if (r < 0)
            return r;
        read_end = ends[0];
        write_end = ends[1];
        child.std[1] = child.std[2] = write_end;
    }
    pid_t pid;
    r = spawn_start(&child, &pid, NULL, err);
    if (r < 0)
        return r;
    if (out) {
        close(TAKE_FD(write_end));
        size_t got = 0;
        r = fd_read_full(read_end, out, out_size - 1, &got, err);
        out[got] = '\0';
        char rest[4096];
        while (r == 0 && RETRY_EINTR(read(read_end, rest, sizeof(rest))) > 0)
            ; /* what does not fit is read away, so that the child can end */
    }
    int waited = spawn_wait(pid, ret_status, err);
    return r < 0 ? r : waited;
}

bool spawn_find(const char *name, char *path, size_t size)
{
    const char *dirs = getenv("PATH");
    if (strchr(name, '/'))
        return str_copy(path, size, name) && access(path, X_OK) == 0;
    for (dirs = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin"; *dirs;) {
        size_t n = strcspn(dirs, ":");
        if (snprintf(path, size, "%.*s/%s", (int)n, dirs, name) < (int)size && access(path, X_OK) == 0)
            return true;
        dirs += n + (dirs[n] == ':');
    }
    return false;
}
