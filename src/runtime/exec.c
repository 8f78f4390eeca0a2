/*
 * A further process in a running container. The runtime joins the namespaces and gives the process the
 * container's seccomp filter; who it runs as is looked up in the container's own files as they are now.
 */
#include "runtime/private.h"

#include "runtime/terminal.h"

#include "sys/fd.h"
#include "sys/fs.h"
#include "sys/spawn.h"
#include "sys/term.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

enum { SPEC_FD = 100, LOG_FD = 101, TERMINAL_FD = 102 };

static int memory_file(const char *name, int *ret_fd, struct error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "memfd");
    *ret_fd = fd;
    return 0;
}

static int open_root(const struct container_status *status, int *ret_fd, struct error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/root", (int)status->pid);
    cleanup_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !status_process_lives(status->pid, status->pid_start))
        return error_set(err, ESRCH, "the container ended");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int write_process(const struct bundle *shared, const struct exec_options *options,
                         const struct container_status *status, int fd, struct error *err)
{
    struct bundle bundle = *shared;
    const struct container_spec *spec = bundle.spec;
    struct user_ids user;
    cleanup_close int root = -1;
    int r = open_root(status, &root, err);
    if (r == 0)
        r = user_resolve(root, str_is_empty(options->user) ? spec->user : options->user, spec->group_add,
                         &user, err);
    if (r == 0)
        r = caps_make(spec->cap_add, spec->cap_drop, spec->privileged || options->privileged, &bundle.caps,
                      err);
    if (r < 0)
        return r;
    bundle.user = &user;
    cleanup_json json_t *process =
        bundle_process(&bundle, options->argv, options->env,
                       str_is_empty(options->cwd) ? spec->cwd : options->cwd, options->tty);
    int columns, rows;
    if (options->tty && term_size(options->std[0], &columns, &rows))
        json_object_set_new(process, "consoleSize",
                            json_pack("{s:i, s:i}", "height", rows, "width", columns));
    cleanup_malloc char *text = process ? json_dumps(process, JSON_COMPACT) : NULL;
    if (!text)
        return error_set(err, EINVAL, "the command or its environment is not valid UTF-8");
    return fd_write_all(fd, text, strlen(text), err);
}

/* The runtime's own failure, told apart from the command's status by what it logged. */
static int map_status(int log_fd, int status, int *ret_status, struct error *err)
{
    char text[1024];
    ssize_t n = status == 0 ? 0 : pread(log_fd, text, sizeof(text) - 1, 0);
    *ret_status = status;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    int failure = status_exec_failure(text);
    if (!failure)
        return error_set(err, EIO, "%s", text);
    *ret_status = failure;
    return 0;
}

int container_exec(const struct runtime_dirs *dirs, const char *id, const struct exec_options *options,
                   int *ret_status, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_paths paths;
    struct container_status status;
    struct container_spec *spec;
    cleanup_close int process_fd = -1;
    cleanup_close int log_fd = -1;
    int r = paths_make(tmp, dirs, id, &paths, err);
    if (r == 0)
        r = container_status_read(dirs, id, &status, err);
    if (r == 0)
        r = container_load(tmp, dirs, id, &spec, err);
    if (r != 0)
        return r < 0 ? r : error_set(err, ENOENT, "no container '%s'", id);
    if (status.state != STATE_RUNNING)
        return error_set(err, ESRCH, "container '%.12s' is %s", id,
                         status.state == STATE_PAUSED ? "paused" : "not running");
    r = memory_file("process", &process_fd, err);
    if (r == 0)
        r = memory_file("log", &log_fd, err);
    struct bundle bundle = {.dirs = dirs, .paths = &paths, .spec = spec, .root_fd = -1};
    if (r == 0)
        r = write_process(&bundle, options, &status, process_fd, err);
    if (r < 0)
        return r;

    char **argv = strv_new(tmp, ociruntime_name(spec), "--root", paths.runtime, NULL);
    argv = strv_addf(tmp, argv, "--log=file:/proc/self/fd/%d", LOG_FD);
    argv = strv_add(tmp, argv, "exec");
    argv = strv_addf(tmp, argv, "--process=/proc/self/fd/%d", SPEC_FD);
    if (options->detach)
        argv = strv_add(tmp, argv, "--detach");
    cleanup_close int listener = -1;
    cleanup_close int terminal = -1;
    if (options->tty) {
        r = terminal_listen(paths.run, &listener, &terminal, err);
        if (r < 0)
            return r;
        argv = strv_addf(tmp, argv, "--console-socket=/proc/self/fd/%d", TERMINAL_FD);
    }
    argv = strv_add(tmp, argv, id);
    char oom_score[16];
    snprintf(oom_score, sizeof(oom_score), "%d", bundle_oom_score(spec));
    struct spawn spawn = {
        .argv = argv,
        .std = {options->std[0],       options->std[1],  options->std[2]        },
        .fds = {{process_fd, SPEC_FD}, {log_fd, LOG_FD}, {terminal, TERMINAL_FD}},
        .fd_count = options->tty ? 3 : 2,
        .oom_score_adj = oom_score,
        .hide_cgroup2 = true,
    };
    if (options->tty)
        spawn.std[0] = spawn.std[1] = spawn.std[2] = -1;
    pid_t pid;
    cleanup_close int pidfd = -1;
    int exit_status, joined = 0;
    r = spawn_start(&spawn, &pid, &pidfd, err);
    if (r == 0 && options->tty)
        joined = terminal_run(TAKE_FD(listener), pidfd, options->std[0], options->std[1], err);
    if (joined < 0)
        pidfd_signal(pidfd, SIGKILL, NULL);
    if (r == 0)
        r = spawn_wait(pid, &exit_status, joined < 0 ? NULL : err);
    if (joined < 0)
        return joined;
    return r < 0 ? r : map_status(log_fd, exit_status, ret_status, err);
}
