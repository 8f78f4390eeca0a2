#include "cli/commands.h"

#include "cli/command.h"
#include "cli/man.h"

static int run(struct app *app, const void *options UNUSED, char *const *args UNUSED,
               struct error *err UNUSED)
{
    fputs(man_page(app->ctx, command_table, global_flags), stdout);
    return 0;
}

const struct command command_man = {
    .name = "__man",
    .args = "",
    .summary = "Print the manual page's source",
    .bits = COMMAND_HIDDEN,
    .run = run,
};
