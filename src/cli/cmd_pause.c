/* `pause` and `unpause`. */
#include "cli/commands.h"

#include "cli/session.h"

static void report(struct session *session, const struct container_view *view, enum progress_state state,
                   const char *text)
{
    struct progress_sink *sink = &session->renderer->sink;
    char *id = mem_printf(session, "Container %s", view->name);
    sink->event(sink, &(struct progress_event){.id = id, .state = state, .text = text});
}

/* All are tried; the first error is the command's. */
static int apply_to(struct session *session, struct container_view *const *views, size_t count, bool pause,
                    struct error *err)
{
    int result = 0;
    for (size_t i = 0; i < count; i++) {
        struct error problem = ERROR_INIT;
        enum container_state state = views[i]->status.state;
        if (state != STATE_RUNNING && state != STATE_PAUSED)
            continue;
        int r = engine_pause(session->engine, views[i], pause, &problem);
        report(session, views[i], r < 0 ? PROGRESS_ERROR : PROGRESS_DONE,
               r < 0   ? "Error"
               : pause ? "Paused"
                       : "Unpaused");
        if (r < 0 && result == 0) {
            *err = problem;
            result = error_wrap(err, "container %s", views[i]->name);
        }
    }
    return result;
}

static int apply(struct app *app, char *const *args, bool pause, struct error *err)
{
    struct session *session;
    struct container_view **views;
    size_t count;
    const struct session_options open = {.need = SESSION_RUNNING,
                                         .title = pause ? "Pausing" : "Unpausing",
                                         .services = args,
                                         .keep_signals = true};
    int r = session_open(app, &open, &session, err);
    if (r < 0)
        return r;
    const struct container_filter filter = {.project = session->name, .services = session->services};
    r = engine_containers(session, session->engine, &filter, &views, &count, err);
    if (r == 0)
        r = apply_to(session, views, count, pause, err);
    session_finish(session);
    return r;
}

static int run_pause(struct app *app, const void *options UNUSED, char *const *args, struct error *err)
{
    return apply(app, args, true, err);
}

static int run_unpause(struct app *app, const void *options UNUSED, char *const *args, struct error *err)
{
    return apply(app, args, false, err);
}

const struct command command_pause = {
    .name = "pause",
    .args = "[SERVICE...]",
    .summary = "Pause services",
    ANY_ARGS,
    .complete = "service",
    .run = run_pause,
};

const struct command command_unpause = {
    .name = "unpause",
    .args = "[SERVICE...]",
    .summary = "Unpause services",
    ANY_ARGS,
    .complete = "service",
    .run = run_unpause,
};
