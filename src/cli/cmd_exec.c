#include "cli/commands.h"

#include "cli/envflag.h"
#include "cli/session.h"

struct exec_flags {
    bool detach, no_tty, interactive, tty, privileged;
    char **env;
    int64_t index;
    char *user, *workdir;
};
#define OPTIONS struct exec_flags

static const struct flag flags[] = {
    FLAG("detach", 'd', BOOL, detach, "Detached mode: Run command in the background"),
    FLAG("env", 'e', LIST, env, "Set environment variables"),
    FLAG("index", 0, INT, index, "Index of the container if service has multiple replicas", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("interactive", 'i', BOOL, interactive, "Keep STDIN open even if not attached", .fallback = "true",
         .bits = FLAG_HIDDEN),
    FLAG("no-tty", 'T', BOOL, no_tty,
         "Disable pseudo-TTY allocation. By default 'compose exec' allocates a TTY."),
    FLAG("privileged", 0, BOOL, privileged, "Give extended privileges to the process"),
    FLAG("tty", 't', BOOL, tty, "Allocate a pseudo-TTY", .fallback = "true", .bits = FLAG_HIDDEN),
    FLAG("user", 'u', STRING, user, "Run the command as this user"),
    FLAG("workdir", 'w', STRING, workdir, "Path to workdir directory for this command"),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct exec_flags *f = data;
    struct session *session;
    int r = session_open(app, &(struct session_options){.need = SESSION_NAME, .keep_signals = true}, &session,
                         err);
    if (r < 0)
        return r;
    const struct exec_options exec = {
        .argv = (char **)args + 1,
        .env = env_resolve(session, app, f->env),
        .user = f->user,
        .cwd = f->workdir,
        .tty = !f->detach && wants_tty(app, f->no_tty || !f->tty),
        .privileged = f->privileged,
        .detach = f->detach,
        .std = {f->interactive && !f->detach ? STDIN_FILENO : -1, f->detach ? -1 : STDOUT_FILENO,
                f->detach ? -1 : STDERR_FILENO},
    };
    int status = 0;
    r = engine_exec(session->engine, session->name, args[0], (int)f->index, &exec, &status, err);
    return r < 0 ? r : status;
}

const struct command command_exec = {
    .name = "exec",
    .args = "[OPTIONS] SERVICE COMMAND [ARGS...]",
    .summary = "Execute a command in a running container",
    .flags = flags,
    .options_size = sizeof(struct exec_flags),
    .min_args = 2,
    .max_args = -1,
    .complete = "service",
    .bits = COMMAND_STOP_AT_ARGUMENT,
    .run = run,
};
