/*
 * The container's states, as its monitor drives them.
 *
 *   STARTING --runtime exits 0--> RUNNING --process ends--> WAITING --timer--> STARTING ...
 *      |                                        |              |
 *      +-- runtime fails -----------------------+--no restart--+--> ENDED
 *
 * "crun run --detach" is the only call of a start. Its process becomes our child because we are its
 * subreaper; so its end, however early, waits as a zombie until we have read the pid file, and no other child
 * is reaped before. An exit is worked off in this order: output, log, out-of-memory notice, status, attached
 * clients, the runtime's record; so whoever sees the status finds the whole log.
 *
 * Restarts: the delay starts at 100 ms, doubles up to a minute, and starts anew after a run of 10 s. A stop,
 * and a kill with SIGKILL or the stop signal, is the user's wish and suppresses them.
 */
#include "monitor/monitor.h"

#include "sys/fd.h"
#include "sys/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

static const int64_t ms_ns = 1000000;
enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 60000, BACKOFF_RESET_MS = 10000 };
enum { EXIT_TOOL = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

static void finish(struct monitor *m);

/* Calls the runtime to its end: --root R verb [option] ID [argument]. */
static int runtime_call(struct monitor *m, const char *verb, const char *option, const char *argument,
                        struct error *err)
{
    char root[PATH_MAX + 16], text[1024];
    const char *argv[8] = {m->conf.runtime, "--root", root, verb};
    int n = 4, status;
    snprintf(root, sizeof(root), "%s/runtime", m->conf.run);
    if (option)
        argv[n++] = option;
    argv[n++] = m->conf.id;
    if (argument)
        argv[n++] = argument;
    struct spawn spawn = {
        .argv = (char *const *)argv, .std = {-1, -1, -1},
               .oom_score_adj = m->conf.oom_score_adj
    };
    int r = spawn_run(&spawn, text, sizeof(text), &status, err);
    if (r == 0 && status != 0) {
        text[strcspn(text, "\n")] = '\0';
        r = error_set(err, EIO, "%s: %s", verb, text);
    }
    return r;
}

static int read_small(int dir_fd, const char *name, char *text, size_t size)
{
    cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    size_t got = 0;
    if (fd < 0 || fd_read_full(fd, text, size - 1, &got, NULL) < 0)
        got = 0;
    text[got] = '\0';
    return fd < 0 ? -1 : 0;
}

int container_run(struct monitor *m, struct error *err)
{
    char root[PATH_MAX + 16], bundle[PATH_MAX + 16], pid_file[PATH_MAX + 16], console[PATH_MAX + 16],
        log[PATH_MAX + 32];
    snprintf(root, sizeof(root), "%s/runtime", m->conf.run);
    snprintf(bundle, sizeof(bundle), "%s/bundle", m->conf.dir);
    snprintf(pid_file, sizeof(pid_file), "%s/pid", m->conf.run);
    snprintf(console, sizeof(console), "%s/console", m->conf.run);
    snprintf(log, sizeof(log), "--log=file:%s/runtime.log", m->conf.run);
    unlinkat(m->run_dir_fd, "pid", 0);
    unlinkat(m->run_dir_fd, "runtime.log", 0);

    m->exec_failure = 0;
    m->has_output = false;
    int std[3] = {-1, -1, -1};
    int r = stdio_open(m, std, &m->console_fd, err);
    if (r == 0) {
        const char *argv[16] = {m->conf.runtime, "--root",   root,   log,          "run",
                                "--detach",      "--bundle", bundle, "--pid-file", pid_file};
        int n = 10;
        if (m->conf.tty) {
            argv[n++] = "--console-socket";
            argv[n++] = console;
        }
        argv[n++] = m->conf.id;
        struct spawn spawn = {
            .argv = (char *const *)argv,
            .std = {std[0], std[1], std[2]},
            .oom_score_adj = m->conf.oom_score_adj
        };
        m->phase = PHASE_STARTING;
        r = spawn_start(&spawn, &m->runtime_pid, NULL, err);
    }
    for (int i = 0; i < 3; i++)
        cleanup_close_fn(&std[i]);
    return r;
}

static void start_failed(struct monitor *m, const char *text)
{
    char message[sizeof(m->status.error)];
    int exec_failure = status_exec_failure(text), code = exec_failure ? exec_failure : EXIT_TOOL;
    snprintf(message, sizeof(message), "%s%s%s%.360s", exec_failure ? "command '" : "",
             exec_failure ? m->conf.command : "", exec_failure ? "': " : "", text);
    stdio_close(m);
    runtime_call(m, "delete", "--force", NULL, NULL);
    m->status.pid = 0;
    m->status.exit_code = code;
    m->status.state = m->has_run ? STATE_EXITED : STATE_CREATED;
    m->status.finished = m->has_run ? wall_ns() : 0;
    memcpy(m->status.error, message, sizeof(message));
    char escaped[6 * sizeof(message)];
    record_event(m, "die", "\"exitCode\":\"%d\",\"error\":\"%.*s\"", code,
                 (int)json_escape(escaped, message, strlen(message)), escaped);
    record_status(m);
    record_report(m, code == EXIT_NOT_FOUND ? ENOENT : code == EXIT_NOT_EXECUTABLE ? EACCES : EIO, message);
    finish(m);
}

static void runtime_failed(struct monitor *m)
{
    char text[1024];
    read_small(m->run_dir_fd, "runtime.log", text, sizeof(text));
    /* The last line is the cause. Older runtimes put a time and a level in front. */
    size_t n = strlen(text);
    while (n && text[n - 1] == '\n')
        text[--n] = '\0';
    char *line = strrchr(text, '\n');
    start_failed(m, line ? line + 1 : *text ? text : "the OCI runtime failed without a message");
}

/* Opens the process that the runtime left us and learns its identity. */
static int open_process(struct monitor *m, struct error *err)
{
    char text[32];
    int64_t pid;
    if (read_small(m->run_dir_fd, "pid", text, sizeof(text)) < 0)
        return error_errno(err, "the runtime wrote no pid file");
    text[strspn(text, "0123456789")] = '\0';
    if (!str_to_i64(text, 1, INT32_MAX, &pid))
        return error_set(err, EPROTO, "the runtime wrote no pid");
    int r = pidfd_open_process((pid_t)pid, &m->pidfd, err);
    if (r == 0)
        r = process_start_time((pid_t)pid, &m->status.pid_start, err);
    if (r == 0)
        m->status.pid = (pid_t)pid;
    return r;
}

static void runtime_ended(struct monitor *m, int status)
{
    struct error err = ERROR_INIT;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        cleanup_close_fn(&m->console_fd);
        m->console_fd = -1;
        runtime_failed(m);
        return;
    }
    int r = open_process(m, &err);
    if (r == 0 && m->conf.tty)
        r = stdio_terminal(m, m->console_fd, &err);
    cleanup_close_fn(&m->console_fd);
    m->console_fd = -1;
    if (r == 0)
        r = stdio_watch(m, &err);
    if (r < 0) {
        start_failed(m, err.text);
        return;
    }
    m->phase = PHASE_RUNNING;
    m->has_run = true;
    m->started_at = loop_now_ns();
    m->status.state = STATE_RUNNING;
    m->status.started = wall_ns();
    m->status.exit_code = -1;
    m->status.error[0] = '\0';
    m->status.oom_killed = false;
    m->status.health = m->conf.health ? HEALTH_STARTING : HEALTH_NONE;
    m->stop_asked = false;
    record_event(m, "start", "%s", "");
    record_status(m);
    record_report(m, 0, NULL);
    record_note(m);
    health_start(m);
    if (m->stop_wanted)
        container_stop_request(m, m->stop_grace_asked, NULL);
}

/* v2 first, then v1; a counter above zero means that somebody in the container was killed. */
static bool oom_happened(const struct monitor *m)
{
    char path[PATH_MAX + 64], text[1024];
    for (int i = 0; i < 2; i++) {
        int n = i == 0 ? snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.events", m->conf.cgroup)
                       : snprintf(path, sizeof(path), "/sys/fs/cgroup/memory%s/memory.oom_control",
                                  m->conf.cgroup);
        if (n >= (int)sizeof(path) || read_small(AT_FDCWD, path, text, sizeof(text)) < 0)
            continue;
        const char *count = strstr(text, "oom_kill ");
        return count && strtol(count + strlen("oom_kill "), NULL, 10) > 0;
    }
    return false;
}

static bool restart_is_due(const struct monitor *m)
{
    if (m->stop_wanted || m->conf.auto_remove)
        return false;
    if (m->conf.restart_max > 0 && m->attempts >= m->conf.restart_max)
        return false;
    switch ((enum policy)m->conf.restart) {
    case POLICY_NO:
        return false;
    case POLICY_ALWAYS:
    case POLICY_UNLESS_STOPPED:
        return true;
    case POLICY_ON_FAILURE:
        return m->status.exit_code != 0;
    }
    return false;
}

static int on_restart(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                      struct error *err UNUSED)
{
    struct monitor *m = data;
    struct error problem = ERROR_INIT;
    loop_remove(loop, source);
    m->status.restart_count++;
    m->attempts++;
    if (container_run(m, &problem) < 0)
        start_failed(m, problem.text);
    return 0;
}

static void tell_end(struct monitor *m, int signal, int64_t lasted)
{
    char by_signal[48] = "";
    if (m->status.oom_killed)
        record_event(m, "oom", "%s", "");
    if (signal)
        snprintf(by_signal, sizeof(by_signal), ",\"signal\":\"%d\"", signal);
    record_event(m, "die", "\"exitCode\":\"%d\",\"execDuration\":\"%lld\"%s", m->status.exit_code,
                 (long long)(lasted / ms_ns / 1000), by_signal);
    if (m->stop_asked)
        record_event(m, "stop", "%s", "");
}

/* `signal`: what ended it, 0 when it ended itself or nobody knows. */
static void process_ended(struct monitor *m, int exit_code, int signal)
{
    int64_t lasted = loop_now_ns() - m->started_at;
    loop_remove(&m->loop, &m->stop_timer);
    loop_remove(&m->loop, &m->adopted_exit);
    health_stop(m);
    stdio_drain(m);
    m->status.oom_killed = oom_happened(m);
    m->status.exit_code = exit_code == 1 && m->exec_failure ? m->exec_failure : exit_code;
    m->status.finished = wall_ns();
    m->status.pid = 0;
    m->status.pid_start = 0;
    m->status.health = HEALTH_NONE;
    cleanup_close_fn(&m->pidfd);
    m->pidfd = -1;
    if (m->conf.restart_window > 0 && lasted >= m->conf.restart_window)
        m->attempts = 0;
    bool restart = restart_is_due(m);
    m->status.state = restart ? STATE_RESTARTING : STATE_EXITED;
    tell_end(m, signal, lasted);
    record_status(m);
    if (!restart)
        clients_finish(m);
    stdio_close(m);
    if (!forget_container(m))
        runtime_call(m, "delete", "--force", NULL, NULL);
    m->adopted = false;
    if (!restart) {
        finish(m);
        return;
    }
    if (m->conf.restart_delay > 0)
        m->backoff = m->conf.restart_delay;
    else if (m->backoff == 0 || lasted >= BACKOFF_RESET_MS * ms_ns)
        m->backoff = BACKOFF_FIRST_MS * ms_ns;
    else
        m->backoff = m->backoff * 2 > BACKOFF_MAX_MS * ms_ns ? BACKOFF_MAX_MS * ms_ns : m->backoff * 2;
    m->phase = PHASE_WAITING;
    loop_timer(&m->loop, &m->restart_timer, m->backoff, on_restart, m, NULL);
}

static void finish(struct monitor *m)
{
    loop_remove(&m->loop, &m->restart_timer);
    loop_remove(&m->loop, &m->stop_timer);
    m->phase = PHASE_ENDED;
    clients_finish(m);
    if (!m->conf.auto_remove)
        record_durable(m);
    unlinkat(m->run_dir_fd, "control", 0);
    loop_stop(&m->loop);
}

static int exit_code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int signal_of(int status)
{
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void container_reap(struct monitor *m)
{
    int status;
    if (m->runtime_pid) {
        if (waitpid(m->runtime_pid, &status, WNOHANG) != m->runtime_pid)
            return; /* whoever else ended waits until we know who is who */
        m->runtime_pid = 0;
        runtime_ended(m, status);
    }
    bool unknown_children = m->runtime_pid || health_reap(m);
    if (m->status.pid > 0 && !m->adopted && waitpid(m->status.pid, &status, WNOHANG) == m->status.pid) {
        process_ended(m, exit_code_of(status), signal_of(status));
        return;
    }
    while (!unknown_children) {
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        if (pid == m->status.pid && !m->adopted) {
            process_ended(m, exit_code_of(status), signal_of(status));
            return;
        }
    }
}

/* The wait status in field 52 of /proc/PID/stat, which a process that ended has until it is reaped. */
static bool zombie_status(pid_t pid, uint64_t start, int *ret)
{
    char path[64], text[1024];
    uint64_t ticks;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_small(AT_FDCWD, path, text, sizeof(text)) < 0 || process_start_time(pid, &ticks, NULL) < 0 ||
        ticks != start)
        return false;
    char *p = strrchr(text, ')');
    if (!p || p[1] != ' ' || p[2] != 'Z')
        return false;
    for (int field = 2; p && field < 52; field++)
        p = strchr(p + 1, ' ');
    if (!p)
        return false;
    *ret = (int)strtol(p + 1, NULL, 10);
    return true;
}

/*
 * The exit status of a process that was not our child: as a zombie it shows it in /proc, and when it has
 * been reaped the pidfd knows it (PIDFD_GET_INFO of Linux 6.15). -1 when neither is so.
 */
static int adopted_exit_code(int pidfd, pid_t pid, uint64_t start)
{
    struct {
        uint64_t mask, cgroup_id;
        uint32_t ids[11];
        int32_t exit_code;
    } info = {.mask = 1 << 3 /* PIDFD_INFO_EXIT */};
    _Static_assert(sizeof(info) == 64, "struct pidfd_info, first version");
    int status;
    if (zombie_status(pid, start, &status))
        return exit_code_of(status);
    if (ioctl(pidfd, _IOWR(0xFF, 11, info), &info) == 0 && info.mask & 1 << 3)
        return exit_code_of(info.exit_code);
    return -1;
}

static int on_adopted_exit(struct loop *loop UNUSED, struct loop_source *source UNUSED,
                           uint32_t events UNUSED, void *data, struct error *err UNUSED)
{
    struct monitor *m = data;
    process_ended(m, adopted_exit_code(m->pidfd, m->status.pid, m->status.pid_start), 0);
    return 0;
}

int container_take(struct monitor *m, struct error *err)
{
    m->adopted = m->has_run = true;
    m->attempts = m->status.restart_count;
    int r = pidfd_open_process(m->status.pid, &m->pidfd, err);
    if (r == 0 && !status_process_lives(m->status.pid, m->status.pid_start))
        r = error_set(err, ESRCH, "the container ended");
    if (r == 0)
        r = stdio_reopen(m, err);
    if (r == 0)
        r = stdio_watch(m, err);
    if (r == 0)
        r = loop_add(&m->loop, &m->adopted_exit, m->pidfd, EPOLLIN, on_adopted_exit, m, err);
    if (r < 0)
        return r;
    m->phase = PHASE_RUNNING;
    m->started_at = loop_now_ns() - (wall_ns() - m->status.started);
    record_status(m);
    record_report(m, 0, NULL);
    health_start(m);
    return 0;
}

static int require_process(const struct monitor *m, struct error *err)
{
    return m->phase == PHASE_RUNNING && m->pidfd >= 0 ? 0
                                                      : error_set(err, ESRCH, "the container is not running");
}

/* Ends everybody: with a pid namespace of its own, the death of its first process is the death of all. */
static void kill_all(struct monitor *m)
{
    if (m->pidfd < 0)
        return;
    record_event(m, "kill", "\"signal\":\"%d\"", SIGKILL);
    pidfd_signal(m->pidfd, SIGKILL, NULL);
    if (!m->conf.private_pids)
        runtime_call(m, "kill", "--all", "KILL", NULL);
    if (m->status.state == STATE_PAUSED)
        runtime_call(m, "resume", NULL, NULL, NULL);
}

static int on_grace_over(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                         struct error *err UNUSED)
{
    loop_remove(loop, source);
    kill_all(data);
    return 0;
}

int container_signal(struct monitor *m, int number, struct error *err)
{
    /* Between two runs, and while the next one starts, nobody is there to get it; one that means the end ends
     * the restarts. */
    if (m->phase == PHASE_WAITING || m->phase == PHASE_STARTING)
        return number == SIGKILL || number == m->conf.stop_signal ? container_stop_request(m, 0, err) : 0;
    int r = require_process(m, err);
    if (r < 0)
        return r;
    if (number == SIGKILL || number == m->conf.stop_signal)
        m->stop_wanted = true;
    if (number == SIGKILL) {
        kill_all(m);
        return 0;
    }
    r = pidfd_signal(m->pidfd, number, err);
    if (r == 0)
        record_event(m, "kill", "\"signal\":\"%d\"", number);
    return r;
}

int container_stop_request(struct monitor *m, int64_t grace, struct error *err UNUSED)
{
    m->stop_wanted = true;
    if (grace < 0)
        grace = m->conf.stop_grace;
    m->stop_grace_asked = grace;
    if (m->phase == PHASE_WAITING) {
        m->status.state = STATE_EXITED;
        record_event(m, "stop", "%s", "");
        record_status(m);
        finish(m);
        return 0;
    }
    if (m->phase != PHASE_RUNNING)
        return 0;
    m->stop_asked = true;
    if (grace == 0) {
        kill_all(m);
        return 0;
    }
    record_event(m, "kill", "\"signal\":\"%d\"", (int)m->conf.stop_signal);
    pidfd_signal(m->pidfd, (int)m->conf.stop_signal, NULL);
    if (m->status.state == STATE_PAUSED)
        container_freeze(m, false, NULL);
    return loop_timer(&m->loop, &m->stop_timer, grace, on_grace_over, m, NULL);
}

int container_freeze(struct monitor *m, bool freeze, struct error *err)
{
    int r = require_process(m, err);
    if (r < 0)
        return r;
    if ((m->status.state == STATE_PAUSED) == freeze)
        return error_set(err, EALREADY, "the container is %s", freeze ? "paused already" : "not paused");
    r = runtime_call(m, freeze ? "pause" : "resume", NULL, NULL, err);
    if (r < 0)
        return r;
    m->status.state = freeze ? STATE_PAUSED : STATE_RUNNING;
    record_event(m, freeze ? "pause" : "unpause", "%s", "");
    record_status(m);
    return 0;
}
