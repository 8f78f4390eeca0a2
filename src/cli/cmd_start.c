#include "cli/commands.h"

#include "cli/session.h"

#include "base/str.h"
#include "base/strv.h"

struct start_options {
    bool wait;
    int64_t wait_timeout;
};
#define OPTIONS struct start_options

static const struct flag flags[] = {
    FLAG("wait", 0, BOOL, wait, "Wait for services to be running|healthy. Implies detached mode."),
    FLAG("wait-timeout", 0, INT, wait_timeout,
         "Maximum duration in seconds to wait for the project to be running|healthy", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG_END,
};

/* docker compose has nothing to start without containers, and says so. */
static int check_containers(struct session *session, struct error *err)
{
    struct container_view **views;
    size_t count;
    const struct container_filter filter = {.project = session->name};
    int r = engine_containers(session, session->engine, &filter, &views, &count, err);
    omap_foreach (e, r == 0 && session->project ? session->project->services : NULL) {
        const struct service *service = e->value;
        bool found = service->scale == 0 || (session->services && !strv_contains(session->services, e->key));
        for (size_t i = 0; i < count && !found; i++)
            found = str_eq(views[i]->service, e->key);
        if (!found)
            return error_set(err, ENOENT, "service \"%s\" has no container to start", e->key);
    }
    return r;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct start_options *options = data;
    struct session *session;
    int r = session_open(
        app, &(struct session_options){.need = SESSION_RUNNING, .title = "Starting", .services = args},
        &session, err);
    if (r == 0)
        r = check_containers(session, err);
    if (r < 0)
        return r;
    const struct select_options select = {.services = session->services,
                                          .timeout = -1,
                                          .wait = options->wait,
                                          .wait_timeout = options->wait_timeout};
    r = engine_start(session->engine, session->name, session->project, &select, err);
    session_finish(session);
    return r;
}

const struct command command_start = {
    .name = "start",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Start services",
    .flags = flags,
    .options_size = sizeof(struct start_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
