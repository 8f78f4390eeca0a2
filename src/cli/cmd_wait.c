#include "cli/commands.h"

#include "cli/session.h"

#include <stdio.h>

struct wait_options {
    bool down_project;
};
#define OPTIONS struct wait_options

static const struct flag flags[] = {
    FLAG("down-project", 0, BOOL, down_project, "Drops project when the first container stops"),
    FLAG_END,
};

struct wait {
    struct session *session;
    bool first_only;
    bool any;
    int code;
};

static void on_exit_of(void *data, const struct container_view *view, int code, bool restarting)
{
    struct wait *wait = data;
    if (restarting || (wait->any && wait->first_only))
        return;
    printf("container \"%s\" exited with status code %d\n", view->id, code);
    fflush(stdout);
    wait->any = true;
    wait->code = code < 0 ? 1 : code;
    if (wait->first_only)
        engine_cancel(wait->session->engine);
}

static int drop_project(struct session *session, struct error *err)
{
    const struct down_options down = {.timeout = -1};
    engine_cancel_clear(session->engine);
    int r = engine_down(session->engine, session->name, session->project, &down, err);
    session_finish(session);
    return r;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct wait_options *options = data;
    struct session *session;
    int r = session_open(app, &(struct session_options){.need = SESSION_NAME}, &session, err);
    if (r < 0)
        return r;
    struct container_view **views;
    size_t count;
    struct wait wait = {.session = session, .first_only = options->down_project};
    const struct container_filter filter = {.project = session->name, .services = args};
    r = engine_containers(session, session->engine, &filter, &views, &count, err);
    if (r == 0 && count == 0)
        return error_set(err, ESRCH, "no containers for project \"%s\"", session->name);
    if (r == 0)
        r = engine_wait_exit(session->engine, views, count, on_exit_of, &wait, err);
    if (r < 0 && !(wait.any && wait.first_only))
        return r;
    error_clear(err);
    r = options->down_project ? drop_project(session, err) : 0;
    return r < 0 ? r : wait.code;
}

const struct command command_wait = {
    .name = "wait",
    .args = "[OPTIONS] SERVICE [SERVICE...]",
    .summary = "Block until containers of all (or specified) services stop.",
    .flags = flags,
    .options_size = sizeof(struct wait_options),
    .min_args = 1,
    .max_args = -1,
    .complete = "service",
    .run = run,
};
