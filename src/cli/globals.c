/* The global flags. They come before the command or after it, as long as the command has no flag of that
 * name. */
#include "cli/app.h"

#include "base/str.h"

static const char *const progress_choices[] = {"auto", "tty", "plain", "json", "quiet", NULL};
static const char *const ansi_choices[] = {"never", "always", "auto", NULL};

#define G(kind, member) kind##_AT(struct globals, member)

const struct flag global_flags[] = {
    {"all-resources",                                                                         0, G(BOOL, all_resources),
     .help = "Include all resources, even those not used by services"},
    {"ansi",                                                                                 0, G(STRING, ansi), .choices = ansi_choices, .fallback = "auto",
     .help = "Control when to print ANSI control characters (\"never\"|\"always\"|\"auto\")"},
    {"compatibility",                        0, G(BOOL, compatibility), .help = "Run compose in backward compatibility mode"},
    {"config",                                                                                  0, G(STRING, docker_config), .bits = FLAG_HIDDEN, .help = "Location of client config files",
     .complete = "dir"},
    {"debug",                                                                               'D', G(BOOL, debug), .help = "Show what is going on inside, on standard error"},
    {"dry-run",                                                                0, G(BOOL, dry_run), .help = "Execute command in dry run mode"},
    {"env-file", 0, G(LIST, env_files), .complete = "file", .help = "Specify an alternate environment file"},
    {"file",                                                                         'f', G(LIST, files), .complete = "file", .help = "Compose configuration files"},
    {"log-level",                                                                                 'l', G(STRING, log_level), .bits = FLAG_HIDDEN, .help = "Set the logging level"},
    {"no-ansi",                                   0, G(BOOL, no_ansi), .bits = FLAG_HIDDEN, .help = "Do not print ANSI control characters"},
    {"parallel",                                                                                0, G(INT, parallel), .fallback = "-1", .help = "Control max parallelism, -1 for unlimited"},
    {"profile",                                                                               0, G(LIST, profiles), .complete = "profile", .help = "Specify a profile to enable"},
    {"progress",                                                                    0, G(STRING, progress), .choices = progress_choices, .fallback = "auto",
     .bits = FLAG_QUIET_DEFAULT, .help = "Set type of progress output (auto, tty, plain, json, quiet)"},
    {"project-directory",                                                                       0, G(STRING, project_directory), .complete = "dir",
     .help =
         "Specify an alternate working directory (default: the path of the, first specified, Compose file)"},
    {"project-name",                                                                                 'p', G(STRING, project_name), .complete = "project", .help = "Project name"},
    {"root",                                                                                 0, G(STRING, root), .metavar = "dir", .complete = "dir",
     .help = "Keep images, volumes, containers and state below this directory"},
    {"verbose",                              0, G(BOOL, verbose), .bits = FLAG_HIDDEN, .help = "Show more output"},
    {"workdir",                                                                               0, G(STRING, workdir), .bits = FLAG_DEPRECATED, .help = "use --project-directory instead"},
    {0                                                                                },
};

/* Variables that act like a flag unless the flag is given. Those about files, profiles and names are the
 * loader's, because a project's .env can hold them too. */
static const struct {
    const char *variable, *flag;
} variables[] = {
    {"COMPOSE_ANSI",           "ansi"         },
    {"COMPOSE_COMPATIBILITY",  "compatibility"},
    {"COMPOSE_PARALLEL_LIMIT", "parallel"     },
    {"COMPOSE_PROGRESS",       "progress"     },
    {"COMPOTE_DEBUG",          "debug"        },
    {"COMPOTE_ROOT",           "root"         },
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
