#include "cli/commands.h"

#include "cli/session.h"

#include "base/str.h"
#include "base/strv.h"

struct image_rm_options {
    bool force;
};
#define OPTIONS struct image_rm_options

static const struct flag flags[] = {
    FLAG("force", 'f', BOOL, force, "Remove the name also while containers use the image"),
    FLAG_END,
};

/* Containers keep what they need of an image: its layers stay. Only its name would be missed. */
static int check_use(struct session *session, const char *reference, char *const *used, struct error *err)
{
    struct image *image;
    int r = image_find(session, engine_images(session->engine), reference, NULL, &image, err);
    if (r < 0)
        return r;
    if (r == IMAGE_ABSENT)
        return error_set(err, ENOENT, "No such image: %s", reference);
    for (char **name = image->references; name && *name; name++)
        if (strv_contains(used, *name)) {
            error_set(err, EBUSY, "image %s is used by a container", reference);
            return error_hint(err, "remove the container first (compote down), or use --force");
        }
    return 0;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct image_rm_options *options = data;
    struct session *session;
    char **used, **layers;
    int r = session_open(app, &(struct session_options){.need = SESSION_MACHINE, .keep_signals = true},
                         &session, err);
    if (r == 0)
        r = engine_images_in_use(session, session->engine, &used, &layers, err);
    for (; r == 0 && *args; args++) {
        r = check_use(session, *args, options->force ? NULL : used, err);
        if (r == 0 && !app->globals.dry_run)
            r = image_remove(engine_images(session->engine), *args, layers, err);
        if (r == 0)
            printf("Untagged: %s\n", *args);
    }
    return r;
}

static const char *const aliases[] = {"remove", NULL};

const struct command command_image_rm = {
    .name = "rm",
    .aliases = aliases,
    .args = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Remove one or more images",
    .flags = flags,
    .options_size = sizeof(struct image_rm_options),
    .min_args = 1,
    .max_args = -1,
    .complete = "image",
    .run = run,
};
