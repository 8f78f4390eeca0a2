#include "cli/commands.h"

#include "cli/session.h"

#include <fcntl.h>
#include <sys/stat.h>

struct export_options {
    int64_t index;
    char *output;
};
#define OPTIONS struct export_options

static const struct flag flags[] = {
    FLAG("index", 0, INT, index, "index of the container if service has multiple replicas.", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("output", 'o', STRING, output, "Write to a file, instead of STDOUT"),
    FLAG_END,
};

/* Beside its name, so that an archive that was cut off does not look whole. */
static int open_output(const void *owner, const char *path, char **ret_temporary, int *ret_fd,
                       struct error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "invalid output path: '%s' must be a regular file", path);
    char *temporary = mem_printf(owner, "%s.%d.tmp", path, getpid());
    *ret_fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*ret_fd < 0)
        return error_errno(err, "invalid output path: '%s'", path);
    *ret_temporary = temporary;
    return 0;
}

static int export_to_file(struct session *session, const char *service, const struct export_options *options,
                          struct error *err)
{
    char *temporary = NULL;
    cleanup_close int fd = -1;
    int r = open_output(session, options->output, &temporary, &fd, err);
    if (r < 0)
        return r;
    r = engine_export(session->engine, session->name, service, (int)options->index, fd, options->output, err);
    if (r == 0 && !session->app->globals.dry_run) {
        if (rename(temporary, options->output) == 0)
            return 0;
        r = error_errno(err, "rename '%s'", temporary);
    }
    unlink(temporary);
    return r;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct export_options *options = data;
    struct session *session;
    if (!options->output && app->config.out_tty)
        return error_set(err, EINVAL, "output option is required when exporting to terminal");
    int r = session_open(
        app, &(struct session_options){.need = SESSION_NAME, .title = "Exporting", .keep_signals = true},
        &session, err);
    if (r < 0)
        return r;
    r = options->output ? export_to_file(session, args[0], options, err)
                        : engine_export(session->engine, session->name, args[0], (int)options->index,
                                        STDOUT_FILENO, "standard output", err);
    session_finish(session);
    return r;
}

const struct command command_export = {
    .name = "export",
    .args = "[OPTIONS] SERVICE",
    .summary = "Export a service container's filesystem as a tar archive",
    .flags = flags,
    .options_size = sizeof(struct export_options),
    .min_args = 1,
    .max_args = 1,
    .complete = "service",
    .run = run,
};
