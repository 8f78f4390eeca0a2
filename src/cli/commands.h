#pragma once
/* The rows of command_table; each is in the cmd_NAME.c of its name. */
#include "cli/flags.h"

extern const struct command command_complete, command_help_page, command_man, command_metadata,
    command_version;
