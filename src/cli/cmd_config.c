#include "cli/commands.h"

#include "cli/configlist.h"
#include "cli/session.h"

#include "base/str.h"
#include "base/strv.h"
#include "sys/fs.h"

struct config_options {
    bool environment, images, models, networks, profiles, services, variables, volumes, quiet;
    bool no_consistency, no_env_resolution, no_interpolate, no_normalize, no_path_resolution;
    bool resolve_digests, lock_digests, explain;
    char *format, *hash, *output;
};
#define OPTIONS struct config_options

static const struct flag flags[] = {
    FLAG("environment", 0, BOOL, environment, "Print environment used for interpolation."),
    FLAG("explain", 0, BOOL, explain,
         "Tell of the values at KEY (services.web.ports[0]), or of all, where they come from"),
    FLAG("format", 0, STRING, format, "Format the output. Values: [yaml | json]", .bits = FLAG_QUIET_DEFAULT),
    FLAG("hash", 0, STRING, hash, "Print the service config hash, one per line."),
    FLAG("images", 0, BOOL, images, "Print the image names, one per line."),
    FLAG("lock-image-digests", 0, BOOL, lock_digests, "Produces an override file with image digests",
         .bits = FLAG_NOT_YET),
    FLAG("models", 0, BOOL, models, "Print the model names, one per line.", .bits = FLAG_NOT_YET),
    FLAG("networks", 0, BOOL, networks, "Print the network names, one per line."),
    FLAG("no-consistency", 0, BOOL, no_consistency,
         "Don't check model consistency - warning: may produce invalid Compose output"),
    FLAG("no-env-resolution", 0, BOOL, no_env_resolution, "Don't resolve service env files"),
    FLAG("no-interpolate", 0, BOOL, no_interpolate, "Don't interpolate environment variables"),
    FLAG("no-normalize", 0, BOOL, no_normalize, "Don't normalize compose model"),
    FLAG("no-path-resolution", 0, BOOL, no_path_resolution, "Don't resolve file paths"),
    FLAG("output", 'o', STRING, output, "Save to file (default to stdout)", .complete = "file"),
    FLAG("profiles", 0, BOOL, profiles, "Print the profile names, one per line."),
    FLAG("quiet", 'q', BOOL, quiet, "Only validate the configuration, don't print anything"),
    FLAG("resolve-image-digests", 0, BOOL, resolve_digests, "Pin image tags to digests",
         .bits = FLAG_NOT_YET),
    FLAG("services", 0, BOOL, services, "Print the service names, one per line."),
    FLAG("variables", 0, BOOL, variables, "Print model variables and default values.", .bits = FLAG_NOT_YET),
    FLAG("volumes", 0, BOOL, volumes, "Print the volume names, one per line."),
    FLAG_END,
};

static int load(struct app *app, const struct config_options *options, char *const *args,
                struct project **ret, struct error *err)
{
    struct load_options load;
    session_load_options(app, &load);
    load.services = strv_len(args) ? (char **)args : NULL;
    load.no_interpolate = options->no_interpolate;
    load.no_normalize = options->no_normalize;
    load.no_path_resolution = options->no_path_resolution;
    load.no_consistency = options->no_consistency;
    load.no_env_resolution = options->no_env_resolution;
    load.explain = options->explain;
    return session_load_project(app, &load, ret, err);
}

static int print_model(const struct app *app, const struct config_options *options,
                       const struct project *project, const char *key, struct error *err)
{
    enum config_format format = CONFIG_YAML;
    char *text;
    if (str_eq(options->format, "json"))
        format = CONFIG_JSON;
    else if (options->format && !str_eq(options->format, "yaml"))
        return error_set(err, EINVAL, "unsupported format \"%s\"", options->format);
    if (!options->explain)
        text = project_print(app->ctx, project, format);
    else if (project_explain(app->ctx, project, key, format, &text, err) < 0)
        return -err->code;
    if (options->quiet)
        return 0;
    if (options->output)
        return fs_write_file(options->output, text, strlen(text), 0666, false, err);
    fputs(text, stdout);
    return 0;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct config_options *options = data;
    const struct {
        bool wanted;
        void (*print)(const void *owner, const struct project *project);
    } lists[] = {
        {options->services,    configlist_services   },
        {options->volumes,     configlist_volumes    },
        {options->networks,    configlist_networks   },
        {options->profiles,    configlist_profiles   },
        {options->images,      configlist_images     },
        {options->environment, configlist_environment},
    };
    bool lists_names = false;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        lists_names |= lists[i].wanted;
    static char *const none[] = {NULL};
    struct project *project;
    if (options->explain && strv_len(args) > 1)
        return error_set(err, EINVAL, "--explain takes one key: services.web.image");
    int r = load(app, options, lists_names || options->hash || options->explain ? none : args, &project, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (lists[i].wanted) {
            lists[i].print(app->ctx, project);
            return 0;
        }
    if (options->hash)
        return configlist_hashes(app->ctx, project, options->hash, err);
    return print_model(app, options, project, args ? *args : NULL, err);
}

static const char *const aliases[] = {"convert", NULL};

const struct command command_config = {
    .name = "config",
    .aliases = aliases,
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Parse, resolve and render compose file in canonical format",
    .description =
        "With --explain the argument is a key of the result, such as services.web.environment.LEVEL, or a\n"
        "part such as services.web; without one all values are explained. Of each value come the place\n"
        "where it is written, the variables in it and where they are set, and what it replaced, newest\n"
        "first; values that were removed and values that stand in no file are explained too.",
    .flags = flags,
    .options_size = sizeof(struct config_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
