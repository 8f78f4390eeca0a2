#include "cli/commands.h"

#include "cli/transfer.h"

#include "base/path.h"
#include "base/str.h"

struct image_import_options {
    char *platform;
};
#define OPTIONS struct image_import_options

static const struct flag flags[] = {
    FLAG("platform", 0, STRING, platform, "Set platform of the image, as os/architecture"),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct image_import_options *options = data;
    struct session *session;
    struct image *image = NULL;
    int r = session_open(app, &(struct session_options){.need = SESSION_MACHINE, .title = "Importing"},
                         &session, err);
    if (r < 0)
        return r;
    const char *path = str_eq(args[0], "-") ? "-" : path_join(session, app->config.cwd, args[0]);
    r = transfer_run(session, TRANSFER_IMPORT, args[1], options->platform, path, &image, err);
    if (r == 0 && image)
        puts(image->id);
    return r;
}

const struct command command_image_import = {
    .name = "import",
    .args = "[OPTIONS] FILE|- REFERENCE",
    .summary = "Make an image from an archive of a root file system",
    .flags = flags,
    .options_size = sizeof(struct image_import_options),
    .min_args = 2,
    .max_args = 2,
    .complete = "file",
    .run = run,
};
