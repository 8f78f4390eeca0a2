#include "engine/hooks.h"

#include "sys/fd.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

struct report {
    int code; /* 0: all hooks ran */
    char text[512], hint[512];
};

struct hooks_child {
    struct operation *op;
    struct loop *loop;
    struct loop_source source;
    int fd;
    pid_t pid;
    void (*done)(struct operation *op, int result, const struct error *err);
};

static const struct service *service_of(const struct operation *op)
{
    const struct project *project = op->plan->project;
    const struct container_record *record = op->container->record;
    if (!project || record->oneoff)
        return NULL;
    const struct service *service = project_service(project, record->service);
    return service ? service : omap_get(project->disabled, record->service);
}

struct hooks hooks_post_start(const struct operation *op)
{
    const struct service *service = service_of(op);
    return (struct hooks){.key = "post_start",
                          .list = service ? service->post_start : NULL,
                          .count = service ? service->post_start_count : 0};
}

struct hooks hooks_pre_stop(const struct operation *op)
{
    const struct service *service = service_of(op);
    return (struct hooks){.key = "pre_stop",
                          .list = service ? service->pre_stop : NULL,
                          .count = service ? service->pre_stop_count : 0};
}

/* ---- in the child ---- */

/* The end of what the command said, as the hint of its failure. */
static void read_output(int fd, char *text, size_t size)
{
    off_t end = lseek(fd, 0, SEEK_END), from = end >= (off_t)size ? end - (off_t)size + 1 : 0;
    ssize_t n = end > 0 ? pread(fd, text, size - 1, from) : 0;
    text[n > 0 ? n : 0] = '\0';
    for (n--; n >= 0 && text[n] == '\n'; n--)
        text[n] = '\0';
}

static int run_hook(const struct operation *op, const char *key, const struct hook *hook, struct error *err)
{
    const struct container_record *record = op->container->record;
    cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cleanup_close int output = memfd_create("output", MFD_CLOEXEC);
    if (null < 0 || output < 0)
        return error_errno(err, "streams of a hook");
    struct exec_options exec = {
        .argv = hook->command,
        .env = hook->environment,
        .user = hook->user,
        .cwd = hook->working_dir,
        .privileged = hook->privileged,
        .std = {null, output, output}
    };
    int status;
    int r = container_exec(&op->plan->engine->dirs, record->id, &exec, &status, err);
    if (r == -ESRCH || r == -ENOENT)
        return 0;
    if (r < 0)
        return error_wrap(err, "%s", key);
    if (status == 0)
        return 0;
    char text[400];
    read_output(output, text, sizeof(text));
    error_set(err, ECHILD, "%s hook exited with status %d", record->service, status);
    return *text ? error_hint(err, "%s said: %s", key, text) : -ECHILD;
}

NORETURN static void child_main(const struct operation *op, struct hooks hooks, int fd)
{
    struct error err = ERROR_INIT;
    struct report report = {.code = 0};
    int r = setsid() < 0 ? error_errno(&err, "leave the session") : 0; /* Ctrl-C is not for them */
    for (size_t i = 0; r == 0 && i < hooks.count; i++)
        if (hooks.list[i].command && hooks.list[i].command[0])
            r = run_hook(op, hooks.key, &hooks.list[i], &err);
    if (r < 0) {
        report.code = err.code > 0 ? err.code : EINVAL;
        snprintf(report.text, sizeof(report.text), "%.*s", (int)sizeof(report.text) - 1, err.text);
        snprintf(report.hint, sizeof(report.hint), "%.*s", (int)sizeof(report.hint) - 1, err.hint);
    }
    fd_write_all(fd, &report, sizeof(report), NULL);
    _exit(0);
}

/* ---- in the command ---- */

static int child_destroy(struct hooks_child *child)
{
    loop_remove(child->loop, &child->source);
    cleanup_close_fn(&child->fd);
    return 0;
}

static int on_report(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                     void *data, struct error *ignored UNUSED)
{
    struct hooks_child *child = data;
    struct error err = ERROR_INIT;
    struct report report;
    size_t got;
    int r = fd_read_full(child->fd, &report, sizeof(report), &got, &err);
    if (r == 0 && got != sizeof(report))
        r = error_set(&err, ECHILD, "the process that runs the hooks was killed");
    else if (r == 0 && report.code)
        r = error_set(&err, report.code, "%s", report.text);
    if (r < 0 && got == sizeof(report) && report.hint[0])
        error_hint(&err, "%s", report.hint);
    RETRY_EINTR(waitpid(child->pid, NULL, 0));
    struct operation *op = child->op;
    void (*done)(struct operation *, int, const struct error *) = child->done;
    talloc_free(child);
    done(op, r, &err);
    return 0;
}

int hooks_run(struct operation *op, struct hooks hooks,
              void (*done)(struct operation *op, int result, const struct error *err), struct error *err)
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
    if (pid == 0)
        child_main(op, hooks, write_end);
    struct hooks_child *child = mem_new(op, struct hooks_child);
    *child = (struct hooks_child){.op = op,
                                  .loop = &op->plan->engine->loop,
                                  .source = LOOP_SOURCE_INIT,
                                  .fd = TAKE_FD(read_end),
                                  .pid = pid,
                                  .done = done};
    talloc_set_destructor(child, child_destroy);
    return loop_add(child->loop, &child->source, child->fd, EPOLLIN, on_report, child, err);
}
