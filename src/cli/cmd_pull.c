#include "cli/commands.h"

#include "cli/session.h"

struct pull_flags {
    bool ignore_buildable, ignore_failures, include_deps, quiet, no_parallel;
    char *policy;
};
#define OPTIONS struct pull_flags

static const char *const policies[] = {"missing", "always", NULL};

static const struct flag flags[] = {
    FLAG("ignore-buildable", 0, BOOL, ignore_buildable, "Ignore images that can be built"),
    FLAG("ignore-pull-failures", 0, BOOL, ignore_failures,
         "Pull what it can and ignores images with pull failures"),
    FLAG("include-deps", 0, BOOL, include_deps, "Also pull services declared as dependencies"),
    FLAG("no-parallel", 0, BOOL, no_parallel, "use --parallel 1 before the command", .bits = FLAG_DEPRECATED),
    FLAG("policy", 0, STRING, policy, "Apply pull policy (\"missing\"|\"always\")", .choices = policies),
    FLAG("quiet", 'q', BOOL, quiet, "Pull without printing progress information"),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct pull_flags *options = data;
    struct session *session;
    if (options->quiet)
        app->globals.progress = mem_strdup(app->ctx, "quiet");
    const struct session_options open = {.need = SESSION_PROJECT, .title = "Pulling", .services = args};
    int r = session_open(app, &open, &session, err);
    if (r < 0)
        return r;
    const struct pull_options pull = {.services = session->services,
                                      .include_deps = options->include_deps,
                                      .ignore_failures = options->ignore_failures,
                                      .quiet = options->quiet,
                                      .policy = options->policy};
    r = engine_pull(session->engine, session->project, &pull, err);
    session_finish(session);
    return r;
}

const struct command command_pull = {
    .name = "pull",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Pull service images",
    .flags = flags,
    .options_size = sizeof(struct pull_flags),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
