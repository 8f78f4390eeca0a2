#include "cli/commands.h"

#include "cli/ask.h"
#include "cli/session.h"

struct rm_options {
    bool force, stop, volumes, all;
};
#define OPTIONS struct rm_options

static const struct flag flags[] = {
    FLAG("all", 'a', BOOL, all, "has no effect", .bits = FLAG_DEPRECATED),
    FLAG("force", 'f', BOOL, force, "Don't ask to confirm removal"),
    FLAG("stop", 's', BOOL, stop, "Stop the containers, if required, before removing"),
    FLAG("volumes", 'v', BOOL, volumes, "Remove any anonymous volumes attached to containers"),
    FLAG_END,
};

/* What rm would take: containers that do not run, or all with --stop. */
static int list(struct session *session, bool stop, char **ret, struct error *err)
{
    struct container_view **views;
    size_t count;
    const struct container_filter filter = {.project = session->name, .services = session->services};
    int r = engine_containers(session, session->engine, &filter, &views, &count, err);
    if (r < 0)
        return r;
    char *names = mem_strdup(session, "");
    for (size_t i = 0; i < count; i++) {
        enum container_state state = views[i]->status.state;
        if (stop || (state != STATE_RUNNING && state != STATE_PAUSED && state != STATE_RESTARTING))
            names = mem_append_printf(names, "%s%s", *names ? ", " : "", views[i]->name);
    }
    *ret = names;
    return 0;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct rm_options *options = data;
    struct session *session;
    char *names, **removed;
    const struct session_options open = {.need = SESSION_RUNNING, .title = "Removing", .services = args};
    int r = session_open(app, &open, &session, err);
    if (r == 0)
        r = list(session, options->stop, &names, err);
    if (r < 0)
        return r;
    if (!*names) {
        fprintf(stderr, "No stopped containers\n");
        return 0;
    }
    if (!options->force && !app->globals.dry_run) {
        char *question = mem_printf(session, "Going to remove %s\nAre you sure?", names);
        if (!ask(app, question))
            return 0;
    }
    const struct select_options select = {
        .services = session->services, .timeout = -1, .stop = options->stop, .volumes = options->volumes};
    r = engine_rm(session, session->engine, session->name, session->project, &select, &removed, err);
    session_finish(session);
    return r;
}

const struct command command_rm = {
    .name = "rm",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Removes stopped service containers",
    .flags = flags,
    .options_size = sizeof(struct rm_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
