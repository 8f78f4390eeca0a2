#pragma once
/* The rows of command_table; each is in the cmd_NAME.c of its name, those of later versions in cmd_later.c.
 */
#include "cli/flags.h"

extern const struct command command_complete, command_config, command_cp, command_create, command_doctor,
    command_down, command_exec, command_help_page, command_image, command_image_import, command_image_load,
    command_image_ls, command_image_prune, command_image_rm, command_images, command_kill, command_logs,
    command_ls, command_man, command_metadata, command_pause, command_unpause, command_port, command_ps,
    command_pull, command_restart, command_rm, command_run, command_scale, command_start, command_stop,
    command_top, command_up, command_version, command_wait;

extern const struct command command_attach, command_build, command_commit, command_events, command_export,
    command_publish, command_push, command_stats, command_volumes, command_watch;
