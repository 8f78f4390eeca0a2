#include "cli/commands.h"

#include "cli/session.h"

struct watch_flags {
    bool no_up, prune, quiet;
};
#define OPTIONS struct watch_flags

static const struct flag flags[] = {
    FLAG("no-up", 0, BOOL, no_up, "Do not build & start services before watching"),
    FLAG("prune", 0, BOOL, prune, "Prune dangling images on rebuild", .fallback = "true"),
    FLAG("quiet", 0, BOOL, quiet, "hide build output"),
    FLAG_END,
};

static void on_line(void *data UNUSED, const char *line)
{
    puts(line);
    fflush(stdout);
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct watch_flags *f = data;
    const struct up_options up = {.services = args[0] ? args : NULL, .timeout = -1, .quiet_pull = f->quiet};
    const struct watch_options watch = {
        .say = on_line, .warn = session_warn, .std = {-1, STDOUT_FILENO, STDERR_FILENO}
    };
    struct session *session;
    int r = session_open(app, &(struct session_options){.need = SESSION_PROJECT, .services = args}, &session,
                         err);
    if (r == 0)
        r = engine_watch_check(session->project, err);
    if (r == 0 && !f->no_up)
        r = engine_up(session->engine, session->project, &up, err);
    if (r < 0)
        return r;
    session_finish(session);
    r = engine_watch(session->engine, session->project, &watch, err);
    if (r < 0 && engine_is_cancelled(session->engine)) {
        error_clear(err);
        return 130;
    }
    return r;
}

const struct command command_watch = {
    .name = "watch",
    .args = "[SERVICE...]",
    .summary = "Watch build context for service and rebuild/refresh containers when files are updated",
    .flags = flags,
    .options_size = sizeof(struct watch_flags),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
