#include "engine/hooks.h"

#include "engine/child.h"

#include <fcntl.h>
#include <sys/mman.h>

/* Of the operation, whose child it is. */
struct hooks_work {
    struct operation *op;
    struct hooks hooks;
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

static int run_all(void *data, struct error *err)
{
    const struct hooks_work *run = data;
    const struct hooks *hooks = &run->hooks;
    int r = 0;
    for (size_t i = 0; r == 0 && i < hooks->count; i++)
        if (hooks->list[i].command && hooks->list[i].command[0])
            r = run_hook(run->op, hooks->key, &hooks->list[i], err);
    return r;
}

/* ---- in the command ---- */

static void on_done(void *data, int result, const struct error *err)
{
    struct hooks_work run = *(struct hooks_work *)data;
    talloc_free(data);
    run.done(run.op, result, err);
}

int hooks_run(struct operation *op, struct hooks hooks,
              void (*done)(struct operation *op, int result, const struct error *err), struct error *err)
{
    struct hooks_work *run = mem_new(op, struct hooks_work);
    *run = (struct hooks_work){.op = op, .hooks = hooks, .done = done};
    struct child *child;
    return child_start(run, &op->plan->engine->loop, run_all, on_done, run, &child, err);
}
