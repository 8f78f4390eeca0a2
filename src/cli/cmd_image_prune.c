#include "cli/commands.h"

#include "cli/ask.h"
#include "cli/human.h"
#include "cli/session.h"

struct image_prune_options {
    bool all, force;
};
#define OPTIONS struct image_prune_options

static const struct flag flags[] = {
    FLAG("all", 'a', BOOL, all, "Remove all unused images, not just dangling ones"),
    FLAG("force", 'f', BOOL, force, "Do not prompt for confirmation"),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args UNUSED, struct error *err)
{
    const struct image_prune_options *options = data;
    const char *question = options->all
                               ? "WARNING! This will remove all images without at least one container "
                                 "associated to them.\nAre you sure you want to continue?"
                               : "WARNING! This will remove all dangling images.\nAre you sure you want to "
                                 "continue?";
    if (app->globals.dry_run)
        return error_set(err, ENOTSUP, "image prune has no dry run");
    if (!options->force && !ask(app, question))
        return 0;
    struct session *session;
    char **used, **layers;
    int64_t bytes = 0;
    int r = session_open(app, &(struct session_options){.need = SESSION_MACHINE, .keep_signals = true},
                         &session, err);
    if (r == 0)
        r = engine_images_in_use(session, session->engine, &used, &layers, err);
    if (r == 0)
        r = image_prune(engine_images(session->engine), options->all, used, layers, &bytes, err);
    if (r < 0)
        return r;
    char size[HUMAN_TEXT];
    human_size(bytes, 4, size);
    printf("Total reclaimed space: %s\n", size);
    return 0;
}

const struct command command_image_prune = {
    .name = "prune",
    .args = "[OPTIONS]",
    .summary = "Remove unused images",
    .flags = flags,
    .options_size = sizeof(struct image_prune_options),
    .run = run,
};
