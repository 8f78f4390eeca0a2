#include "cli/commands.h"

#include "cli/session.h"
#include "cli/signame.h"

struct kill_options {
    char *signal;
    bool remove_orphans;
};
#define OPTIONS struct kill_options

static const struct flag flags[] = {
    FLAG("remove-orphans", 0, BOOL, remove_orphans,
         "Remove containers for services not defined in the Compose file"),
    FLAG("signal", 's', STRING, signal, "SIGNAL to send to the container", .fallback = "SIGKILL"),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct kill_options *options = data;
    int number;
    if (!signal_parse(options->signal, &number))
        return error_set(err, EINVAL, "invalid signal: %s", options->signal);
    struct session *session;
    const struct session_options open = {.need = SESSION_RUNNING, .title = "Killing", .services = args};
    int r = session_open(app, &open, &session, err);
    if (r < 0)
        return r;
    const struct select_options select = {.services = session->services,
                                          .timeout = -1,
                                          .signal = number,
                                          .remove_orphans = options->remove_orphans};
    r = engine_kill(session->engine, session->name, session->project, &select, err);
    session_finish(session);
    if (r == SELECTED_NOTHING) {
        fprintf(stderr, "No container to kill\n");
        return 0;
    }
    return r;
}

const struct command command_kill = {
    .name = "kill",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Force stop service containers",
    .flags = flags,
    .options_size = sizeof(struct kill_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
