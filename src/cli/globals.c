/* The global flags. They come before the command or after it, as long as the command has no flag of that
 * name. */
#include "cli/app.h"

#include "base/str.h"

static const char *const progress_choices[] = {"auto", "tty", "plain", "json", "quiet", NULL};
static const char *const ansi_choices[] = {"never", "always", "auto", NULL};

static const char *const format_choices[] = {"pretty", "json", NULL};

#define OPTIONS struct globals

const struct flag global_flags[] = {
    FLAG("all-resources", 0, BOOL, all_resources, "Include all resources, even those not used by services"),
    FLAG("ansi", 0, STRING, ansi,
         "Control when to print ANSI control characters (\"never\"|\"always\"|\"auto\")",
         .choices = ansi_choices, .fallback = "auto"),
    FLAG("compatibility", 0, BOOL, compatibility, "Run compose in backward compatibility mode"),
    FLAG("config", 0, STRING, docker_config, "Location of client config files", .bits = FLAG_HIDDEN),
    FLAG("debug", 'D', BOOL, debug, "Show what is going on inside, on standard error"),
    FLAG("dry-run", 0, BOOL, dry_run, "Execute command in dry run mode"),
    FLAG("env-file", 0, LIST, env_files, "Specify an alternate environment file", .complete = "file"),
    FLAG("file", 'f', LIST, files, "Compose configuration files", .complete = "file"),
    FLAG("format", 0, STRING, format, "With --dry-run: format of the plan. Values: [pretty | json]",
         .choices = format_choices, .fallback = "pretty", .bits = FLAG_QUIET_DEFAULT),
    FLAG("log-level", 'l', STRING, log_level, "Set the logging level", .bits = FLAG_HIDDEN),
    FLAG("no-ansi", 0, BOOL, no_ansi, "Do not print ANSI control characters", .bits = FLAG_HIDDEN),
    FLAG("parallel", 0, INT, parallel, "Control max parallelism, -1 for unlimited", .fallback = "-1"),
    FLAG("profile", 0, LIST, profiles, "Specify a profile to enable", .complete = "profile"),
    FLAG("progress", 0, STRING, progress, "Set type of progress output (auto, tty, plain, json, quiet)",
         .choices = progress_choices, .fallback = "auto", .bits = FLAG_QUIET_DEFAULT),
    FLAG("project-directory", 0, STRING, project_directory,
         "Specify an alternate working directory (default: the path of the, first specified, Compose file)",
         .complete = "dir"),
    FLAG("project-name", 'p', STRING, project_name, "Project name", .complete = "project"),
    FLAG("root", 0, STRING, root, "Keep images, volumes, containers and state below this directory",
         .metavar = "dir", .complete = "dir"),
    FLAG("verbose", 0, BOOL, verbose, "Show more output", .bits = FLAG_HIDDEN),
    FLAG("workdir", 0, STRING, workdir, "use --project-directory instead", .bits = FLAG_DEPRECATED),
    FLAG_END,
};

/* Variables that act like a flag unless the flag is given. Those about files, profiles and names are the
 * loader's, because a project's .env can hold them too. */
static const struct {
    const char *variable, *flag;
} variables[] = {
    {"COMPOSE_ANSI",           "ansi"    },
    {"COMPOSE_PARALLEL_LIMIT", "parallel"},
    {"COMPOSE_PROGRESS",       "progress"},
    {"COMPOTE_DEBUG",          "debug"   },
    {"COMPOTE_ROOT",           "root"    },
};

int globals_from_environment(const void *owner, struct globals *globals, const struct config *config,
                             struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
        const char *value = config_get(config, variables[i].variable);
        if (!value)
            continue;
        int r = flag_set(owner, flag_find(global_flags, variables[i].flag), globals, variables[i].variable,
                         value, err);
        if (r < 0)
            return r;
    }
    return 0;
}
