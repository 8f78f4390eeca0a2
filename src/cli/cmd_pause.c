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
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (views[i]->status.state != (pause ? STATE_RUNNING : STATE_PAUSED))
            continue;
        r = engine_pause(session->engine, views[i], pause, err);
        if (r == 0)
            report(session, views[i], PROGRESS_DONE, pause ? "Paused" : "Unpaused");
        else
            report(session, views[i], PROGRESS_ERROR, "Error");
    }
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
