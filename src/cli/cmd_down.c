#include "cli/commands.h"

#include "cli/session.h"

struct down_flags {
    bool remove_orphans, volumes, volume;
    char *rmi;
    int64_t timeout;
};
#define OPTIONS struct down_flags

static const char *const rmi_choices[] = {"local", "all", NULL};

static const struct flag flags[] = {
    FLAG("remove-orphans", 0, BOOL, remove_orphans,
         "Remove containers for services not defined in the Compose file"),
    FLAG("rmi", 0, STRING, rmi,
         "Remove images used by services. \"local\" remove only images that don't have a custom tag "
         "(\"local\"|\"all\")",
         .choices = rmi_choices),
    FLAG("timeout", 't', INT, timeout, "Specify a shutdown timeout in seconds", .fallback = "-1",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("volume", 0, BOOL, volume, "use --volumes instead", .bits = FLAG_DEPRECATED),
    FLAG("volumes", 'v', BOOL, volumes,
         "Remove named volumes declared in the \"volumes\" section of the Compose file and anonymous volumes "
         "attached to containers"),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct down_flags *options = data;
    struct session *session;
    const struct session_options open = {.need = SESSION_RUNNING, .services = args};
    int r = session_open(app, &open, &session, err);
    if (r < 0)
        return r;
    bool orphans =
        options->remove_orphans || config_is_true(session_variable(session, "COMPOSE_REMOVE_ORPHANS"));
    const struct down_options down = {.services = session->services,
                                      .volumes = options->volumes || options->volume,
                                      .remove_orphans = orphans,
                                      .rmi = options->rmi,
                                      .timeout = options->timeout};
    r = engine_down(session->engine, session->name, session->project, &down, err);
    session_finish(session);
    return r;
}

const struct command command_down = {
    .name = "down",
    .args = "[OPTIONS] [SERVICES]",
    .summary = "Stop and remove containers, networks",
    .flags = flags,
    .options_size = sizeof(struct down_flags),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
