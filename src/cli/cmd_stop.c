#include "cli/commands.h"

#include "cli/session.h"

struct stop_options {
    int64_t timeout;
};
#define OPTIONS struct stop_options

static const struct flag flags[] = {
    FLAG("timeout", 't', INT, timeout, "Specify a shutdown timeout in seconds", .fallback = "-1",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct stop_options *options = data;
    struct session *session;
    int r = session_open(
        app, &(struct session_options){.need = SESSION_RUNNING, .title = "Stopping", .services = args},
        &session, err);
    if (r < 0)
        return r;
    const struct select_options select = {.services = session->services, .timeout = options->timeout};
    r = engine_stop(session->engine, session->name, session->project, &select, err);
    session_finish(session);
    return r;
}

const struct command command_stop = {
    .name = "stop",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Stop services",
    .flags = flags,
    .options_size = sizeof(struct stop_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
