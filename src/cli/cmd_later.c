/*
 * Commands of docker compose that are not there yet: known by name, so that a script gets a plain answer.
 * They take whatever arguments they are given and do nothing.
 */
#include "cli/commands.h"

#include "cli/app.h"

static int run(struct app *app, const void *options UNUSED, char *const *args UNUSED, struct error *err)
{
    return error_set(err, ENOTSUP, "'%s' is not available yet", app->command_path);
}

#define LATER(symbol, word, text)                                                                            \
    const struct command command_##symbol = {                                                                \
        .name = word,                                                                                        \
        .args = "[OPTIONS]",                                                                                 \
        .summary = text " (not available yet)",                                                              \
        ANY_ARGS,                                                                                            \
        .bits = COMMAND_RAW | COMMAND_HIDDEN,                                                                \
        .run = run,                                                                                          \
    }

LATER(build, "build", "Build or rebuild services");
LATER(publish, "publish", "Publish compose application");
LATER(push, "push", "Push service images");
