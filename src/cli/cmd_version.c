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

/* Tools that call docker-compose read "Docker Compose version vN" and compare N. */
static int run(struct app *app, const void *data, char *const *args UNUSED, struct error *err UNUSED)
{
    const struct version_options *options = data;
    if (options->is_short)
        puts(COMPOTE_VERSION);
    else if (str_eq(options->format, "json"))
        puts("{\"version\":\"v" COMPOTE_VERSION "\"}");
    else
        printf("%s version v" COMPOTE_VERSION "\n", app->config.is_docker ? "Docker Compose" : "compote");
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
