#include "cli/commands.h"

#include "cli/session.h"

struct restart_options {
    int64_t timeout;
    bool no_deps;
};
#define OPTIONS struct restart_options

static const struct flag flags[] = {
    FLAG("no-deps", 0, BOOL, no_deps, "Don't restart dependent services"),
    FLAG("timeout", 't', INT, timeout, "Specify a shutdown timeout in seconds", .fallback = "-1",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct restart_options *options = data;
    struct session *session;
    int r = session_open(
        app, &(struct session_options){.need = SESSION_RUNNING, .title = "Restarting", .services = args},
        &session, err);
    if (r < 0)
        return r;
    const struct select_options select = {
        .services = session->services, .timeout = options->timeout, .no_deps = options->no_deps};
    r = engine_restart(session->engine, session->name, session->project, &select, err);
    session_finish(session);
    return r;
}

const struct command command_restart = {
    .name = "restart",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Restart service containers",
    .flags = flags,
    .options_size = sizeof(struct restart_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
