/* `image`: what docker's command of that name does, for the images that compote keeps. */
#include "cli/commands.h"

static const struct command *const children[] = {
    &command_image_import, &command_image_load, &command_image_ls,
    &command_image_prune,  &command_image_rm,   NULL,
};

const struct command command_image = {
    .name = "image",
    .args = "COMMAND",
    .summary = "Manage the images kept on this machine",
    ANY_ARGS,
    .children = children,
};
