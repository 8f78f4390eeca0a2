/*
 * What the docker command asks of a plugin: installed as docker-compose in a directory of CLI plugins, the
 * program is then `docker compose`. Source: docker/cli, cli-plugins/metadata.
 */
#include "cli/commands.h"

#include <stdio.h>

static int run(struct app *app UNUSED, const void *options UNUSED, char *const *args UNUSED,
               struct error *err UNUSED)
{
    puts("{\n"
         "     \"SchemaVersion\": \"0.1.0\",\n"
         "     \"Vendor\": \"compote\",\n"
         "     \"Version\": \"v" COMPOTE_VERSION "\",\n"
         "     \"ShortDescription\": \"compote\"\n"
         "}");
    return 0;
}

const struct command command_metadata = {
    .name = "docker-cli-plugin-metadata",
    .args = "",
    .summary = "Describe the program to the docker command",
    ANY_ARGS,
    .bits = COMMAND_HIDDEN | COMMAND_RAW,
    .run = run,
};
