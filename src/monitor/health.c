/*
 * Health checks, with Docker's timing: the first probe comes one interval after the start, each further one
 * an interval after the end of the one before; within start_period the interval is start_interval, and
 * failures do not count until a probe has succeeded. `retries` failures in a row make the container
 * unhealthy, one success healthy.
 *
 * A probe is a detached exec of the runtime, whose process becomes our child because we are its subreaper:
 * so its exit status comes without a further process in between, and a probe that takes too long can be
 * killed for certain.
 */
#include "monitor/monitor.h"

#include "sys/fd.h"
#include "sys/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

enum { SHOWN_OUTPUT = 500 };

static int on_timer(struct loop *loop, struct loop_source *source, uint32_t events, void *data,
                    struct error *err);

static bool in_start_period(const struct monitor *m)
{
    return m->status.health == HEALTH_STARTING && loop_now_ns() - m->started_at < m->conf.health_start_period;
}

static void schedule(struct monitor *m)
{
    int64_t wait = in_start_period(m) ? m->conf.health_start_interval : m->conf.health_interval;
    loop_timer(&m->loop, &m->health.timer, wait, on_timer, m, NULL);
}

static void read_output(struct monitor *m)
{
    struct health *h = &m->health;
    char rest[512];
    for (;;) {
        size_t room = sizeof(h->text) - h->text_size;
        ssize_t n =
            room ? read(h->output_fd, h->text + h->text_size, room) : read(h->output_fd, rest, sizeof(rest));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            loop_remove(&m->loop, &h->output);
        if (n <= 0)
            return;
        if (room)
            h->text_size += (size_t)n;
    }
}

static int on_output(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                     void *data, struct error *err UNUSED)
{
    read_output(data);
    return 0;
}

static void probe_close(struct monitor *m)
{
    struct health *h = &m->health;
    loop_remove(&m->loop, &h->output);
    cleanup_close_fn(&h->output_fd);
    cleanup_close_fn(&h->pidfd);
    h->output_fd = h->pidfd = -1;
    h->runtime_pid = h->pid = 0;
}

static void tell_health(struct monitor *m)
{
    char action[48], escaped[6 * sizeof(m->status.error)];
    const char *output = m->status.health == HEALTH_UNHEALTHY ? m->status.error : "";
    snprintf(action, sizeof(action), "health_status: %s", health_state_name(m->status.health));
    if (*output)
        record_event(m, action, "\"output\":\"%.*s\"", (int)json_escape(escaped, output, strlen(output)),
                     escaped);
    else
        record_event(m, action, "%s", "");
}

static void probe_result(struct monitor *m, int code)
{
    struct health *h = &m->health;
    enum health_state before = m->status.health;
    if (h->output_fd >= 0)
        read_output(m);
    bool counts = !in_start_period(m);
    if (code == 0 && !h->timed_out) {
        h->failures = 0;
        m->status.health = HEALTH_HEALTHY;
        m->status.error[0] = '\0';
    } else {
        if (counts && ++h->failures >= m->conf.health_retries)
            m->status.health = HEALTH_UNHEALTHY;
        if (h->timed_out)
            snprintf(m->status.error, sizeof(m->status.error), "health check exceeded its timeout");
        else
            snprintf(m->status.error, sizeof(m->status.error), "%.*s",
                     (int)(h->text_size < SHOWN_OUTPUT ? h->text_size : SHOWN_OUTPUT), h->text);
    }
    probe_close(m);
    schedule(m);
    if (m->status.health != before)
        tell_health(m);
    if (m->status.health != before || code != 0)
        record_status(m);
}

static int probe_spawn(struct monitor *m, struct error *err)
{
    struct health *h = &m->health;
    char spec[PATH_MAX + 32], pid_file[PATH_MAX + 32], root[PATH_MAX + 16];
    snprintf(spec, sizeof(spec), "%s/bundle/health.json", m->conf.dir);
    snprintf(pid_file, sizeof(pid_file), "%s/health.pid", m->conf.run);
    snprintf(root, sizeof(root), "%s/runtime", m->conf.run);
    unlinkat(m->run_dir_fd, "health.pid", 0);
    char *argv[] = {m->conf.runtime,
                    (char[]){"--root"},
                    root,
                    (char[]){"exec"},
                    (char[]){"--detach"},
                    (char[]){"--pid-file"},
                    pid_file,
                    (char[]){"--process"},
                    spec,
                    m->conf.id,
                    NULL};
    int ends[2];
    int r = fd_pipe(ends, err);
    if (r < 0)
        return r;
    cleanup_close int write_end = ends[1];
    h->output_fd = ends[0];
    struct spawn spawn = {
        .argv = argv, .std = {-1, write_end, write_end},
             .oom_score_adj = m->conf.oom_score_adj
    };
    r = fd_set_nonblocking(h->output_fd, err);
    if (r == 0)
        r = loop_add(&m->loop, &h->output, h->output_fd, EPOLLIN, on_output, m, err);
    if (r == 0)
        r = spawn_start(&spawn, &h->runtime_pid, NULL, err);
    return r;
}

static int on_timer(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                    struct error *err UNUSED)
{
    struct monitor *m = data;
    struct health *h = &m->health;
    if (h->pid || h->runtime_pid) { /* the probe under way took too long */
        h->timed_out = true;
        if (h->pidfd >= 0)
            pidfd_signal(h->pidfd, SIGKILL, NULL);
        else if (h->runtime_pid)
            kill(h->runtime_pid, SIGKILL); /* our child, not reaped: the pid is its own */
        return 0;
    }
    if (m->phase != PHASE_RUNNING || m->status.state != STATE_RUNNING) {
        schedule(m);
        return 0;
    }
    h->text_size = 0;
    h->timed_out = false;
    struct error problem = ERROR_INIT;
    if (probe_spawn(m, &problem) < 0) {
        h->text_size = strlen(problem.text);
        memcpy(h->text, problem.text, h->text_size);
        probe_result(m, -1);
        return 0;
    }
    loop_timer(loop, source, m->conf.health_timeout, on_timer, m, NULL);
    return 0;
}

static pid_t read_pid(struct monitor *m)
{
    char text[32];
    int64_t pid = 0;
    cleanup_close int fd = openat(m->run_dir_fd, "health.pid", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    text[strspn(text, "0123456789")] = '\0';
    return str_to_i64(text, 1, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

bool health_reap(struct monitor *m)
{
    struct health *h = &m->health;
    int status;
    if (h->runtime_pid) {
        if (waitpid(h->runtime_pid, &status, WNOHANG) != h->runtime_pid)
            return true;
        h->runtime_pid = 0;
        h->pid = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? read_pid(m) : 0;
        if (h->pid == 0) {
            probe_result(m, -1);
            return false;
        }
        pidfd_open_process(h->pid, &h->pidfd, NULL);
        if (h->timed_out && h->pidfd >= 0)
            pidfd_signal(h->pidfd, SIGKILL, NULL);
    }
    if (h->pid) {
        pid_t got = waitpid(h->pid, &status, WNOHANG);
        if (got == h->pid)
            probe_result(m, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
        else if (got < 0)
            probe_result(m, -1);
        return h->pid != 0;
    }
    return false;
}

void health_start(struct monitor *m)
{
    if (!m->conf.health)
        return;
    m->health.failures = 0;
    schedule(m);
}

void health_stop(struct monitor *m)
{
    struct health *h = &m->health;
    if (h->pidfd >= 0)
        pidfd_signal(h->pidfd, SIGKILL, NULL);
    /* A runtime that went on would make its directory anew after the container is removed. */
    if (h->runtime_pid && kill(h->runtime_pid, SIGKILL) == 0)
        RETRY_EINTR(waitpid(h->runtime_pid, NULL, 0));
    probe_close(m);
    loop_remove(&m->loop, &h->timer);
}
