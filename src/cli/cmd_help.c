#include "cli/command.h"
#include "cli/commands.h"

static int run(struct app *app, const void *options UNUSED, char *const *args, struct error *err)
{
    return command_help(app, args, err);
}

const struct command command_help_page = {
    .name = "help",
    .args = "[COMMAND]",
    .summary = "Help about any command",
    ANY_ARGS,
    .complete = "command",
    .bits = COMMAND_HIDDEN | COMMAND_RAW,
    .run = run,
};
