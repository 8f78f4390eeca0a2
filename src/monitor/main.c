/*
 * compote-monitor start|adopt DIR LOCK REPORT
 *
 * Called by the start of a container (runtime/start.c) in the container's private mount namespace. DIR is the
 * container's directory, LOCK and REPORT are descriptor numbers: the container's lock, which is kept to the
 * end, and the start pipe.
 */
#include "monitor/monitor.h"

#include "sys/fd.h"
#include "sys/unit.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

static int on_signals(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED,
                      void *data, struct error *err UNUSED)
{
    struct monitor *m = data;
    struct signalfd_siginfo info;
    while (RETRY_EINTR(read(source->fd, &info, sizeof(info))) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            container_reap(m);
        else
            container_signal(m, (int)info.ssi_signo, NULL);
        if (source->fd < 0)
            break;
    }
    return 0;
}

static void init_sources(struct monitor *m)
{
    struct loop_source *sources[] = {&m->signals,       &m->restart_timer, &m->stop_timer,
                                     &m->adopted_exit,  &m->stdin_source,  &m->listener,
                                     &m->blocked_timer, &m->health.timer,  &m->health.output,
                                     &m->out[0],        &m->out[1]};
    int *fds[] = {&m->pidfd,        &m->out_fd[0], &m->out_fd[1],     &m->slave_fd,
                  &m->stdin_fd,     &m->listen_fd, &m->console_fd,    &m->health.output_fd,
                  &m->health.pidfd, &m->log.fd,    &m->log.forward.fd};
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        sources[i]->fd = -1;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        *fds[i] = -1;
    for (int i = 0; i < CLIENT_MAX; i++)
        m->clients[i].fd = m->clients[i].source.fd = -1;
}

static int load_status(struct monitor *m, struct error *err)
{
    char text[STATUS_TEXT_SIZE * 2];
    size_t got = 0;
    cleanup_close int fd = openat(m->run_dir_fd, "status", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_full(fd, text, sizeof(text) - 1, &got, NULL) < 0)
        got = 0;
    text[got] = '\0';
    if (!status_parse(text, &m->status))
        m->status = (struct container_status){.exit_code = -1, .created = wall_ns()};
    m->status.monitor_pid = getpid();
    return process_start_time(getpid(), &m->status.monitor_start, err);
}

static int watch_signals(struct monitor *m, struct error *err)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        sigaddset(&set, numbers[i]);
    signal(SIGPIPE, SIG_IGN);
    return loop_signals(&m->loop, &m->signals, &set, on_signals, m, err);
}

/* The last to be killed when memory runs out, where we may ask for that. What we start has the container's
 * score. */
static void protect(void)
{
    cleanup_close int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored UNUSED = write(fd, "-999", 4);
    }
}

static int set_up(struct monitor *m, const char *dir, struct error *err)
{
    char path[PATH_MAX + 16];
    if (snprintf(path, sizeof(path), "%s/monitor.conf", dir) >= (int)sizeof(path))
        return error_set(err, ENAMETOOLONG, "'%s'", dir);
    int r = conf_read(path, &m->conf, err);
    if (r < 0)
        return r;
    m->run_dir_fd = open(m->conf.run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->run_dir_fd < 0)
        return error_errno(err, "open '%s'", m->conf.run);
    r = load_status(m, err);
    if (r == 0)
        r = loop_init(&m->loop, err);
    if (r == 0)
        r = watch_signals(m, err);
    if (r == 0)
        r = logfile_open(&m->log, &m->conf, err);
    if (r == 0)
        r = clients_listen(m, err);
    return r;
}

int main(int argc, char **argv)
{
    static struct monitor monitor;
    struct monitor *m = &monitor;
    struct error err = ERROR_INIT;
    int64_t lock, report;
    if (argc != 5 || !str_to_i64(argv[3], 3, INT32_MAX, &lock) ||
        !str_to_i64(argv[4], 3, INT32_MAX, &report)) {
        fputs("compote-monitor is started by compote\n", stderr);
        return 2;
    }
    /* Nobody waits for us: the caller waits for this first process only. */
    pid_t pid = unit_fork_outside();
    if (pid != 0)
        _exit(pid < 0);
    init_sources(m);
    m->lock_fd = (int)lock;
    m->report_fd = (int)report;
    fcntl(m->lock_fd, F_SETFD, FD_CLOEXEC);
    fcntl(m->report_fd, F_SETFD, FD_CLOEXEC);
    if (setsid() < 0 || chdir("/") < 0)
        record_report(m, errno, "the monitor cannot leave its caller's session and directory");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    protect();
    int r = set_up(m, argv[2], &err);
    if (r == 0) {
        bool adopt = str_eq(argv[1], "adopt");
        if (!adopt)
            m->status.restart_count = 0;
        r = adopt ? container_take(m, &err) : container_run(m, &err);
    }
    if (r == 0)
        r = loop_run(&m->loop, &err);
    if (r < 0)
        record_report(m, err.code, err.text);
    return r < 0;
}
