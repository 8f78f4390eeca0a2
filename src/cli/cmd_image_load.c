#include "cli/commands.h"

#include "cli/transfer.h"

#include "base/path.h"
#include "base/str.h"

struct image_load_options {
    char *input, *platform;
    bool quiet;
};
#define OPTIONS struct image_load_options

static const struct flag flags[] = {
    FLAG("input", 'i', STRING, input, "Read from tar archive file, instead of STDIN", .complete = "file"),
    FLAG("platform", 0, STRING, platform, "Load only the given platform. Formatted as os/architecture"),
    FLAG("quiet", 'q', BOOL, quiet, "Suppress the load output"),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args UNUSED, struct error *err)
{
    const struct image_load_options *options = data;
    struct session *session;
    struct image *image = NULL;
    if (!options->input && app->config.in_tty) {
        error_set(err, EINVAL, "requested load from stdin, but stdin is a terminal");
        return error_hint(err, "name the archive with -i, or redirect standard input");
    }
    if (options->quiet)
        app->globals.progress = mem_strdup(app->ctx, "quiet");
    int r = session_open(app, &(struct session_options){.need = SESSION_MACHINE, .title = "Loading"},
                         &session, err);
    if (r < 0)
        return r;
    bool is_file = options->input && !str_eq(options->input, "-");
    const char *path = is_file ? path_join(session, app->config.cwd, options->input) : "-";
    r = transfer_run(session, TRANSFER_LOAD, NULL, options->platform, path, &image, err);
    for (char **name = r == 0 && image ? image->references : NULL; name && *name; name++)
        printf("Loaded image: %s\n", *name);
    return r;
}

const struct command command_image_load = {
    .name = "load",
    .args = "[OPTIONS]",
    .summary = "Load images from an archive (docker save, OCI layout)",
    .flags = flags,
    .options_size = sizeof(struct image_load_options),
    .run = run,
};
