#include "cli/commands.h"

#include "cli/foreground.h"
#include "cli/upflags.h"

struct up_flags {
    struct create_flags create;
    bool detach, no_deps, no_start, always_recreate_deps, renew_anon_volumes;
    bool abort_on_exit, abort_on_failure, attach_dependencies;
    bool no_color, no_log_prefix, timestamps, wait, watch, menu, quiet_build;
    char **attach, **no_attach;
    char *exit_code_from;
    int64_t timeout, wait_timeout;
};
#define OPTIONS struct up_flags

static const struct flag flags[] = {
    CREATE_BUILD_FLAGS,
    CREATE_RECREATE_FLAGS,
    FLAG("abort-on-container-exit", 0, BOOL, abort_on_exit,
         "Stops all containers if any container was stopped. Incompatible with -d"),
    FLAG("abort-on-container-failure", 0, BOOL, abort_on_failure,
         "Stops all containers if any container exited with failure. Incompatible with -d"),
    FLAG("always-recreate-deps", 0, BOOL, always_recreate_deps,
         "Recreate dependent containers. Incompatible with --no-recreate."),
    FLAG("attach", 0, LIST, attach,
         "Restrict attaching to the specified services. Incompatible with --attach-dependencies.",
         .complete = "service"),
    FLAG("attach-dependencies", 0, BOOL, attach_dependencies,
         "Automatically attach to log output of dependent services"),
    FLAG("detach", 'd', BOOL, detach, "Detached mode: Run containers in the background"),
    FLAG("exit-code-from", 0, STRING, exit_code_from,
         "Return the exit code of the selected service container. Implies --abort-on-container-exit",
         .complete = "service"),
    FLAG("menu", 0, BOOL, menu, "Enable interactive shortcuts when running attached", .bits = FLAG_HIDDEN),
    FLAG("no-attach", 0, LIST, no_attach, "Do not attach (stream logs) to the specified services",
         .complete = "service"),
    FLAG("no-color", 0, BOOL, no_color, "Produce monochrome output"),
    FLAG("no-deps", 0, BOOL, no_deps, "Don't start linked services"),
    FLAG("no-log-prefix", 0, BOOL, no_log_prefix, "Don't print prefix in logs"),
    FLAG("no-start", 0, BOOL, no_start, "Don't start the services after creating them"),
    FLAG("quiet-build", 0, BOOL, quiet_build, "Suppress the build output"),
    FLAG("renew-anon-volumes", 'V', BOOL, renew_anon_volumes,
         "Recreate anonymous volumes instead of retrieving data from the previous containers"),
    FLAG("timeout", 't', INT, timeout,
         "Use this timeout in seconds for container shutdown when attached or when containers are already "
         "running",
         .fallback = "-1", .bits = FLAG_QUIET_DEFAULT),
    FLAG("timestamps", 0, BOOL, timestamps, "Show timestamps"),
    FLAG("wait", 0, BOOL, wait, "Wait for services to be running|healthy. Implies detached mode."),
    FLAG("wait-timeout", 0, INT, wait_timeout,
         "Maximum duration in seconds to wait for the project to be running|healthy", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("watch", 'w', BOOL, watch,
         "Watch source code and rebuild/refresh containers when files are updated."),
    FLAG_END,
};

static int check(const struct up_flags *f, struct error *err)
{
    bool attaches = f->attach_dependencies || f->attach,
         aborts = f->abort_on_exit || f->abort_on_failure || f->exit_code_from;
    const struct conflict conflicts[] = {
        {f->abort_on_exit && f->abort_on_failure,
         "--abort-on-container-failure cannot be combined with --abort-on-container-exit"                     },
        {f->attach && f->attach_dependencies,              "cannot combine --attach and --attach-dependencies"},
        {f->wait && (attaches || aborts || f->watch),
         "--wait cannot be combined with --abort-on-container-exit, "
         "--abort-on-container-failure, --attach, "
         "--attach-dependencies or --watch"                                                                   },
        {f->create.no_build && f->watch,                   "--no-build and --watch are incompatible"          },
        {f->detach && (attaches || aborts || f->watch),
         "--detach cannot be combined with --abort-on-container-exit, "
         "--abort-on-container-failure, --attach, "
         "--attach-dependencies or --watch"                                                                   },
        {f->renew_anon_volumes && f->create.no_recreate,
         "--no-recreate and --renew-anon-volumes are incompatible"                                            },
        {f->always_recreate_deps && f->create.no_recreate,
         "--always-recreate-deps and --no-recreate are incompatible"                                          },
        {f->wait_timeout < 0,                              "--wait-timeout must be a non-negative integer"    },
    };
    int r = create_flags_check(&f->create, err);
    return r < 0 ? r : conflicts_check(conflicts, ARRAY_SIZE(conflicts), err);
}

static int run_attached(struct session *session, const struct up_flags *f, struct up_options *up,
                        struct error *err)
{
    if (f->exit_code_from && !project_service(session->project, f->exit_code_from))
        return error_set(err, ENOENT, "no such service: %s", f->exit_code_from);
    const struct foreground_options options = {
        .logs = {.no_color = f->no_color,
                 .no_prefix = f->no_log_prefix,
                 .timestamps = f->timestamps,
                 .follow = true,
                 .tail = 0},
        .attach = f->attach,
        .no_attach = f->no_attach,
        .attach_dependencies = f->attach_dependencies,
        .abort_on_exit = f->abort_on_exit || (f->exit_code_from && !f->abort_on_failure),
        .abort_on_failure = f->abort_on_failure,
        .exit_code_from = f->exit_code_from,
        .timeout = f->timeout,
        .watch = f->watch,
    };
    return foreground_up(session, up, &options, err);
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct up_flags *f = data;
    struct session *session;
    struct up_options up = {
        .always_recreate_deps = f->always_recreate_deps,
        .renew_anonymous_volumes = f->renew_anon_volumes,
        .no_deps = f->no_deps,
        .no_start = f->no_start,
        .wait = f->wait,
        .wait_timeout = f->wait_timeout,
        .timeout = f->timeout,
    };
    int r = check(f, err);
    if (r == 0)
        r = session_open(app, &(struct session_options){.need = SESSION_PROJECT, .services = args}, &session,
                         err);
    if (r == 0 && f->watch)
        r = engine_watch_check(session->project, err);
    if (r == 0)
        r = create_flags_apply(&f->create, session, &up, err);
    if (r < 0)
        return r;
    if (!f->detach && !f->wait && !f->no_start && !app->globals.dry_run)
        return run_attached(session, f, &up, err);
    r = engine_up(session->engine, session->project, &up, err);
    session_finish(session);
    return r;
}

const struct command command_up = {
    .name = "up",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Create and start containers",
    .flags = flags,
    .options_size = sizeof(struct up_flags),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
