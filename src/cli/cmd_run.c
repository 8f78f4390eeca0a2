#include "cli/commands.h"

#include "cli/envflag.h"
#include "cli/runflags.h"
#include "cli/upflags.h"

#include "base/str.h"
#include "base/strv.h"

struct run_flags {
    bool build, detach, interactive, tty, no_tty, no_deps, quiet, quiet_build, quiet_pull, remove_orphans,
        remove;
    bool service_ports, use_aliases;
    char **cap_add, **cap_drop, **env, **env_files, **labels, **publish, **volumes;
    char *entrypoint, *name, *pull, *user, *workdir;
};
#define OPTIONS struct run_flags

static const struct flag flags[] = {
    FLAG("build", 0, BOOL, build, "Build image before starting container", .bits = FLAG_NOT_YET),
    FLAG("cap-add", 0, LIST, cap_add, "Add Linux capabilities", .metavar = "list"),
    FLAG("cap-drop", 0, LIST, cap_drop, "Drop Linux capabilities", .metavar = "list"),
    FLAG("detach", 'd', BOOL, detach, "Run container in background and print container ID"),
    FLAG("entrypoint", 0, STRING, entrypoint, "Override the entrypoint of the image"),
    FLAG("env", 'e', LIST, env, "Set environment variables"),
    FLAG("env-from-file", 0, LIST, env_files, "Set environment variables from file", .complete = "file"),
    FLAG("interactive", 'i', BOOL, interactive, "Keep STDIN open even if not attached", .fallback = "true"),
    FLAG("label", 'l', LIST, labels, "Add or override a label"),
    FLAG("name", 0, STRING, name, "Assign a name to the container"),
    FLAG("no-deps", 0, BOOL, no_deps, "Don't start linked services"),
    FLAG("no-tty", 'T', BOOL, no_tty, "Disable pseudo-TTY allocation (default: auto-detected)"),
    FLAG("publish", 'p', LIST, publish, "Publish a container's port(s) to the host"),
    FLAG("pull", 0, STRING, pull, "Pull image before running (\"always\"|\"missing\"|\"never\")",
         .choices = pull_choices, .fallback = "policy"),
    FLAG("quiet", 'q', BOOL, quiet, "Don't print anything to STDOUT"),
    FLAG("quiet-build", 0, BOOL, quiet_build, "Suppress progress output from the build process"),
    FLAG("quiet-pull", 0, BOOL, quiet_pull, "Pull without printing progress information"),
    FLAG("remove-orphans", 0, BOOL, remove_orphans,
         "Remove containers for services not defined in the Compose file"),
    FLAG("rm", 0, BOOL, remove, "Automatically remove the container when it exits"),
    FLAG("service-ports", 'P', BOOL, service_ports,
         "Run command with all service's ports enabled and mapped to the host"),
    FLAG("tty", 't', BOOL, tty, "Allocate a pseudo-TTY", .fallback = "true", .bits = FLAG_HIDDEN),
    FLAG("use-aliases", 0, BOOL, use_aliases,
         "Use the service's network useAliases in the network(s) the container connects to"),
    FLAG("user", 'u', STRING, user, "Run as specified username or uid"),
    FLAG("volume", 'v', LIST, volumes, "Bind mount a volume"),
    FLAG("workdir", 'w', STRING, workdir, "Working directory inside the container"),
    FLAG_END,
};

static struct run_options engine_options(const struct session *session, const struct run_flags *f, char **env,
                                         char *const *args)
{
    const struct app *app = session->app;
    return (struct run_options){
        .service = args[0],
        .command = args[1] ? args + 1 : NULL,
        .env = env,
        .labels = f->labels,
        .cap_add = f->cap_add,
        .cap_drop = f->cap_drop,
        .user = f->user,
        .workdir = f->workdir,
        .name = f->name,
        .remove = f->remove,
        .detach = f->detach,
        .no_deps = f->no_deps,
        .service_ports = f->service_ports || f->publish,
        .use_aliases = f->use_aliases,
        .interactive = f->interactive && !f->detach,
        .remove_orphans = f->remove_orphans,
        .quiet_pull = f->quiet_pull || f->quiet,
        .tty = !f->detach && wants_tty(app, f->no_tty || !f->tty),
        .pull = str_eq(f->pull, "policy") || str_eq(f->pull, "build") ? NULL : f->pull,
        .std = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
    };
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct run_flags *f = data;
    if (f->service_ports && f->publish)
        return error_set(err, EINVAL, "--service-ports and --publish are incompatible");
    if (f->quiet)
        app->globals.progress = mem_strdup(app->ctx, "quiet");
    char *const services[] = {args[0], NULL};
    struct session *session;
    const struct session_options open = {.need = SESSION_PROJECT, .services = services};
    const struct run_overrides overrides = {f->volumes, f->publish, f->entrypoint};
    int r = session_open(app, &open, &session, err);
    if (r == 0)
        r = run_overrides_apply(session, args[0], &overrides, err);
    if (r < 0)
        return r;
    char **env = env_resolve(session, app, f->env);
    r = env_add_files(session, app, f->env_files, &env, err);
    if (r < 0)
        return r;
    const struct run_options options = engine_options(session, f, env, args);
    int status = 0;
    char *id = NULL;
    r = engine_run(session, session->engine, session->project, &options, &status, &id, err);
    session_finish(session);
    if (r < 0)
        return r;
    if (f->detach && id)
        puts(id);
    return status;
}

const struct command command_run = {
    .name = "run",
    .args = "[OPTIONS] SERVICE [COMMAND] [ARGS...]",
    .summary = "Run a one-off command on a service",
    .flags = flags,
    .options_size = sizeof(struct run_flags),
    .min_args = 1,
    .max_args = -1,
    .complete = "service",
    .bits = COMMAND_STOP_AT_ARGUMENT,
    .run = run,
};
