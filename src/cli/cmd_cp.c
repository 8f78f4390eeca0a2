#include "cli/commands.h"

#include "cli/session.h"

#include "base/path.h"
#include "base/str.h"

struct cp_options {
    bool all, archive, follow_link;
    int64_t index;
};
#define OPTIONS struct cp_options

static const struct flag flags[] = {
    FLAG("all", 0, BOOL, all, "Include containers created by the run command"),
    FLAG("archive", 'a', BOOL, archive, "Archive mode (copy all uid/gid information)"),
    FLAG("follow-link", 'L', BOOL, follow_link, "Always follow symbol link in SRC_PATH"),
    FLAG("index", 0, INT, index, "Index of the container if service has multiple replicas", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG_END,
};

/* "SERVICE:PATH"; what begins with a slash or a dot, or has no colon, is a path. */
static const char *split(const void *owner, const char *arg, char **ret_service)
{
    const char *colon = strchr(arg, ':');
    if (arg[0] == '/' || arg[0] == '.' || !colon)
        return arg;
    *ret_service = mem_strndup(owner, arg, (size_t)(colon - arg));
    return colon + 1;
}

/* Absolute, and what its end says about it stays. */
static char *local_path(const void *owner, const struct app *app, const char *path)
{
    if (str_eq(path, "-"))
        return mem_strdup(owner, path);
    const char *name = path_name(path);
    size_t n = strlen(path);
    bool has_dot = str_eq(name, "."), has_slash = n && path[n - 1] == '/';
    char *full = path_join(owner, app->config.cwd, path);
    return has_dot || has_slash ? mem_printf(owner, "%s%s", full, has_dot ? "/." : "/") : full;
}

static int read_arguments(const struct app *app, char *const *args, struct copy_options *ret,
                          struct error *err)
{
    char *from_service = NULL, *to_service = NULL;
    if (!*args[0] || !*args[1])
        return error_set(err, EINVAL, "%s can not be empty", *args[0] ? "destination" : "source");
    const char *from = split(app->ctx, args[0], &from_service), *to = split(app->ctx, args[1], &to_service);
    if (from_service && to_service)
        return error_set(err, EINVAL, "copying between services is not supported");
    if (!from_service && !to_service) {
        error_set(err, EINVAL, "unknown copy direction");
        return error_hint(err, "one of the two must be SERVICE:PATH");
    }
    ret->to_service = to_service != NULL;
    ret->service = to_service ? to_service : from_service;
    ret->inside = to_service ? to : from;
    ret->local = local_path(app->ctx, app, to_service ? from : to);
    if (!*ret->inside)
        ret->inside = "/";
    return 0;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct cp_options *options = data;
    struct copy_options copy = {
        .index = (int)options->index,
        .oneoffs = options->all,
        .follow = options->follow_link,
        .as_user = options->archive,
        .std = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
    };
    struct session *session;
    int r = read_arguments(app, args, &copy, err);
    if (r == 0)
        r = session_open(
            app, &(struct session_options){.need = SESSION_NAME, .title = "Copying", .keep_signals = true},
            &session, err);
    if (r < 0)
        return r;
    r = engine_copy(session->engine, session->name, &copy, err);
    session_finish(session);
    return r;
}

const struct command command_cp = {
    .name = "cp",
    .args = "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|- or SRC_PATH|- SERVICE:DEST_PATH",
    .summary = "Copy files/folders between a service container and the local filesystem",
    .flags = flags,
    .options_size = sizeof(struct cp_options),
    .min_args = 2,
    .max_args = 2,
    .complete = "service",
    .run = run,
};
