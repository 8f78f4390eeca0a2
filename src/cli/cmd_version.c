#include "cli/commands.h"

#include "cli/app.h"

#include "base/str.h"

struct version_options {
    char *format;
    bool is_short;
};

#define OPTIONS struct version_options

static const struct flag flags[] = {
    FLAG("format", 'f', STRING, format, "Format the output. Values: [pretty | json]. (Default: pretty)"),
    FLAG("short", 0, BOOL, is_short, "Shows only Compose's version number"),
    FLAG_END,
};

/* Tools that call docker-compose read "Docker Compose version vN" and compare N with what they need: it is
 * the version whose commands and files we follow. */
#define DOCKER_COMPOSE_VERSION "2.40.3"

static int run(struct app *app, const void *data, char *const *args UNUSED, struct error *err UNUSED)
{
    const struct version_options *options = data;
    const char *version = app->config.is_docker ? DOCKER_COMPOSE_VERSION : COMPOTE_VERSION;
    if (options->is_short)
        puts(version);
    else if (str_eq(options->format, "json"))
        printf("{\"version\":\"v%s\"}\n", version);
    else
        printf("%s version v%s\n", app->config.is_docker ? "Docker Compose" : "compote", version);
    return 0;
}

const struct command command_version = {
    .name = "version",
    .args = "[OPTIONS]",
    .summary = "Show the compote version information",
    .flags = flags,
    .options_size = sizeof(struct version_options),
    .run = run,
};
