/*
 * Three stages: engine_up, which calls back before each start, so that no line of output is missed; then
 * waiting until all shown containers have ended; then, when something cut that short, stopping what runs.
 * SIGINT and SIGTERM lead from any stage to the last one, a second one there from stopping to killing.
 * Before the first container is started an interrupt just ends the command.
 */
#include "cli/foreground.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"

struct foreground {
    struct session *session;
    const struct foreground_options *options;
    struct attachment *attachment;
    struct error attach_error; /* of the callback, which cannot fail */
    char **names;              /* that will be shown */
    bool announced, aborted, stopping, killed;
    int abort_code;
};

static bool is_shown(const struct foreground *fg, const char *service, bool wants_attach)
{
    const struct foreground_options *options = fg->options;
    if (strv_contains(options->no_attach, service))
        return false;
    if (options->attach && !options->attach_dependencies)
        return strv_contains(options->attach, service);
    if (fg->session->services && !options->attach_dependencies)
        return strv_contains(fg->session->services, service);
    return wants_attach;
}

/* The names that the project's containers will have, as far as the files tell. */
static char **expected_names(const struct foreground *fg, const struct up_options *up)
{
    char **names = NULL;
    const struct project *project = fg->session->project;
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        uint64_t count = service->scale > 0 ? (uint64_t)service->scale : 0;
        (void)str_to_u64(omap_get(up->scale, e->key), 0, UINT32_MAX, &count);
        if (!is_shown(fg, e->key, service->attach))
            continue;
        for (uint64_t i = 1; i <= count; i++)
            names = service->container_name ? strv_add(fg->session, names, service->container_name)
                                            : strv_addf(fg->session, names, "%s-%d", e->key, (int)i);
    }
    return names;
}

static void announce(struct foreground *fg)
{
    struct session *session = fg->session;
    if (fg->announced)
        return;
    fg->announced = true;
    session_finish(session);
    if (fg->names) {
        strv_sort(fg->names);
        printf("Attaching to %s\n", strv_join(session, fg->names, ", "));
        fflush(stdout);
    }
    /* From here on the screen belongs to the containers' output. */
    renderer_mute(session->renderer, true);
}

static void on_attach(void *data, const struct container_view *view)
{
    struct foreground *fg = data;
    announce(fg);
    if (is_shown(fg, view->service, view->attach) && !error_is_set(&fg->attach_error))
        (void)attachment_add(fg->attachment, view, &fg->attach_error);
}

/* What is being stopped ends at once; that it did is told by the stop under way. */
static void kill_all(struct foreground *fg)
{
    struct session *session = fg->session;
    struct error err = ERROR_INIT;
    struct container_view **views;
    size_t count = 0;
    const struct container_filter filter = {.project = session->name, .services = session->services};
    int r = engine_containers(session, session->engine, &filter, &views, &count, &err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (views[i]->status.state == STATE_EXITED || views[i]->status.state == STATE_CREATED)
            continue;
        const struct progress_event event = {.id = mem_printf(session, "Container %s", views[i]->name),
                                             .state = PROGRESS_WORKING,
                                             .text = "Killing"};
        session->renderer->sink.event(&session->renderer->sink, &event);
        if (engine_signal(session->engine, views[i], SIGKILL, &err) < 0)
            log_debug("%s", err.text);
    }
    fg->killed = true;
}

static void on_interrupt(struct session *session, void *data)
{
    struct foreground *fg = data;
    if (fg->stopping) {
        kill_all(fg);
        return;
    }
    if (fg->announced)
        fprintf(stderr, "Gracefully Stopping... press Ctrl+C again to force\n");
    engine_cancel(session->engine);
}

static void on_exited(void *data, const struct container_view *view, int code, bool restarting)
{
    struct foreground *fg = data;
    const struct foreground_options *options = fg->options;
    attachment_exited(fg->attachment, view, code, restarting);
    if (restarting || fg->aborted)
        return;
    if (!options->abort_on_exit && !(options->abort_on_failure && code != 0))
        return;
    fg->aborted = true;
    fg->abort_code = code < 0 ? 1 : code;
    fprintf(stderr, "Aborting on container exit...\n");
    engine_cancel(fg->session->engine);
}

static int find_containers(struct foreground *fg, struct container_view ***ret, size_t *ret_count,
                           struct error *err)
{
    struct container_view **views;
    size_t found, count = 0;
    const struct container_filter filter = {.project = fg->session->name};
    int r = engine_containers(fg->session, fg->session->engine, &filter, &views, &found, err);
    for (size_t i = 0; r == 0 && i < found; i++)
        if (attachment_has(fg->attachment, views[i]->id) ||
            str_eq(views[i]->service, fg->options->exit_code_from))
            views[count++] = views[i];
    *ret = views;
    *ret_count = count;
    return r;
}

/* What the containers said while they were stopped, and how each ended. */
static int report_ends(struct foreground *fg, struct error *err)
{
    struct container_view **views;
    size_t count;
    int r = find_containers(fg, &views, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (views[i]->status.state == STATE_EXITED || views[i]->status.state == STATE_DEAD)
            attachment_exited(fg->attachment, views[i], views[i]->status.exit_code, false);
    return r;
}

static int stop_all(struct foreground *fg, struct error *err)
{
    struct session *session = fg->session;
    const struct select_options select = {.services = session->services, .timeout = fg->options->timeout};
    fg->stopping = true;
    engine_cancel_clear(session->engine);
    renderer_mute(session->renderer, false);
    renderer_set_title(session->renderer, "Stopping");
    int r = engine_stop(session->engine, session->name, session->project, &select, err);
    session_finish(session);
    if (r == 0)
        r = report_ends(fg, err);
    return r == 0 && fg->killed ? 130 : r;
}

/* The status that the flags ask for, once everything has ended. */
static int exit_status(struct foreground *fg, struct error *err)
{
    const char *service = fg->options->exit_code_from;
    if (!service)
        return fg->aborted && fg->options->abort_on_failure ? fg->abort_code : 0;
    struct container_view **views;
    size_t count;
    char *const services[] = {(char *)service, NULL};
    const struct container_filter filter = {.project = fg->session->name, .services = services};
    int r = engine_containers(fg->session, fg->session->engine, &filter, &views, &count, err);
    if (r < 0)
        return r;
    return count == 0 || views[0]->status.exit_code < 0 ? 1 : views[0]->status.exit_code;
}

static void on_watch_line(void *data, const char *line)
{
    const struct foreground *fg = data;
    attachment_notice(fg->attachment, line);
}

static int wait_for_end(struct foreground *fg, struct error *err)
{
    struct container_view **views;
    size_t count;
    int r = find_containers(fg, &views, &count, err);
    if (r < 0 || count == 0)
        return r;
    if (!fg->options->watch)
        return engine_wait_exit(fg->session->engine, views, count, on_exited, fg, err);
    const struct watch_options watch = {
        .say = on_watch_line,
        .warn = session_warn,
        .std = {-1, STDOUT_FILENO, STDERR_FILENO},
        .containers = views,
        .container_count = count,
        .exited = on_exited,
        .data = fg
    };
    return engine_watch(fg->session->engine, fg->session->project, &watch, err);
}

int foreground_up(struct session *session, struct up_options *up, const struct foreground_options *options,
                  struct error *err)
{
    struct foreground fg = {.session = session, .options = options, .attach_error = ERROR_INIT};
    int r = attachment_new(session, &options->logs, &fg.attachment, err);
    if (r < 0)
        return r;
    fg.names = expected_names(&fg, up);
    for (char **name = fg.names; name && *name; name++)
        attachment_reserve(fg.attachment, *name);
    up->attach = on_attach;
    up->data = &fg;
    session->on_interrupt = on_interrupt;
    session->data = &fg;
    r = engine_up(session->engine, session->project, up, err);
    if (r == 0)
        announce(&fg);
    if (r == 0 && error_is_set(&fg.attach_error)) {
        *err = fg.attach_error;
        r = -err->code;
    }
    if (r == 0)
        r = wait_for_end(&fg, err);
    if (r < 0 && !(engine_is_cancelled(session->engine) && attachment_count(fg.attachment) > 0))
        return r;
    if (r < 0) {
        error_clear(err);
        r = stop_all(&fg, err);
    }
    return r == 0 ? exit_status(&fg, err) : r;
}
