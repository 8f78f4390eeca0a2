#pragma once
/* The rows of command_table; each is in the cmd_NAME.c of its name, those of later versions in cmd_later.c.
 */
#include "cli/flags.h"

extern const struct command command_attach;
extern const struct command command_autostart;
extern const struct command command_build;
extern const struct command command_commit;
extern const struct command command_complete;
extern const struct command command_config;
extern const struct command command_cp;
extern const struct command command_create;
extern const struct command command_doctor;
extern const struct command command_down;
extern const struct command command_events;
extern const struct command command_exec;
extern const struct command command_export;
extern const struct command command_help_page;
extern const struct command command_image;
extern const struct command command_image_import;
extern const struct command command_image_load;
extern const struct command command_image_ls;
extern const struct command command_image_prune;
extern const struct command command_image_rm;
extern const struct command command_images;
extern const struct command command_kill;
extern const struct command command_logs;
extern const struct command command_ls;
extern const struct command command_man;
extern const struct command command_metadata;
extern const struct command command_pause;
extern const struct command command_port;
extern const struct command command_ps;
extern const struct command command_publish;
extern const struct command command_pull;
extern const struct command command_push;
extern const struct command command_restart;
extern const struct command command_rm;
extern const struct command command_run;
extern const struct command command_scale;
extern const struct command command_start;
extern const struct command command_stats;
extern const struct command command_stop;
extern const struct command command_top;
extern const struct command command_unpause;
extern const struct command command_up;
extern const struct command command_version;
extern const struct command command_volumes;
extern const struct command command_wait;
extern const struct command command_watch;
