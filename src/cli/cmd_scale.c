#include "cli/commands.h"

#include "cli/scale.h"
#include "cli/session.h"

struct scale_options {
    bool no_deps;
};
#define OPTIONS struct scale_options

static const struct flag flags[] = {
    FLAG("no-deps", 0, BOOL, no_deps, "Don't start linked services"),
    FLAG_END,
};

/* The services' names, without "=NUM". */
static char **names_of(const void *owner, char *const *words)
{
    char **names = NULL;
    for (; *words; words++)
        names = strv_addf(owner, names, "%.*s", (int)strcspn(*words, "="), *words);
    return names;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct scale_options *options = data;
    struct session *session;
    struct up_options up = {.no_deps = options->no_deps, .timeout = -1};
    const struct session_options open = {
        .need = SESSION_PROJECT, .title = "Scaling", .services = names_of(app->ctx, args)};
    int r = session_open(app, &open, &session, err);
    if (r == 0)
        r = scale_parse(session, session->project, args, &up.scale, err);
    if (r < 0)
        return r;
    up.services = session->services;
    r = engine_up(session->engine, session->project, &up, err);
    session_finish(session);
    return r;
}

const struct command command_scale = {
    .name = "scale",
    .args = "[SERVICE=REPLICAS...]",
    .summary = "Scale services",
    .flags = flags,
    .options_size = sizeof(struct scale_options),
    .min_args = 1,
    .max_args = -1,
    .complete = "service",
    .run = run,
};
