#include "cli/commands.h"

#include "cli/upflags.h"

struct create_options {
    struct create_flags create;
};
#define OPTIONS struct create_options

static const struct flag flags[] = {
    CREATE_BUILD_FLAGS,
    CREATE_RECREATE_FLAGS,
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct create_options *options = data;
    struct session *session;
    struct up_options up = {.no_start = true, .timeout = -1};
    const struct session_options open = {.need = SESSION_PROJECT, .title = "Creating", .services = args};
    int r = create_flags_check(&options->create, err);
    if (r == 0)
        r = session_open(app, &open, &session, err);
    if (r == 0)
        r = create_flags_apply(&options->create, session, &up, err);
    if (r < 0)
        return r;
    r = engine_up(session->engine, session->project, &up, err);
    session_finish(session);
    return r;
}

const struct command command_create = {
    .name = "create",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Creates containers for a service",
    .flags = flags,
    .options_size = sizeof(struct create_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
