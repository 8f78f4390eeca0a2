#include "cli/commands.h"

#include "cli/configlist.h"
#include "cli/digests.h"
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
    FLAG("lock-image-digests", 0, BOOL, lock_digests, "Produces an override file with image digests"),
    FLAG("models", 0, BOOL, models, "Print the model names, one per line."),
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
    FLAG("resolve-image-digests", 0, BOOL, resolve_digests, "Pin image tags to digests"),
    FLAG("services", 0, BOOL, services, "Print the service names, one per line."),
    FLAG("variables", 0, BOOL, variables, "Print model variables and default values."),
    FLAG("volumes", 0, BOOL, volumes, "Print the volume names, one per line."),
    FLAG_END,
};

/* The lists, in the order in which docker compose looks for their flags: the first one counts. */
static const struct list {
    size_t wanted; /* offset of the flag */
    configlist_print *print;
    bool takes_services; /* arguments choose; else all active services count */
    bool needs_env;      /* env files are read; else they may be missing, and the hash has their names */
    bool raw;            /* variables stay */
    bool hushed;         /* --quiet silences it */
} lists[] = {
#define LIST(name, print_, ...)                                                                              \
    {                                                                                                        \
        .wanted = offsetof(struct config_options, name), .print = print_, __VA_ARGS__                        \
    }
    LIST(services, configlist_services),
    LIST(volumes, configlist_volumes),
    LIST(networks, configlist_networks),
    LIST(models, configlist_models),
    LIST(hash, configlist_hashes),
    LIST(profiles, configlist_profiles, .takes_services = true),
    LIST(images, configlist_images, .takes_services = true),
    LIST(variables, configlist_variables, .takes_services = true, .raw = true),
    LIST(environment, configlist_environment, .takes_services = true, .needs_env = true, .hushed = true),
};

static const struct list *find_list(const struct config_options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        const char *member = (const char *)options + lists[i].wanted;
        if (lists[i].print == configlist_hashes ? !str_is_empty(options->hash) : *(const bool *)member)
            return &lists[i];
    }
    return NULL;
}

static int load(struct app *app, const struct config_options *options, const struct list *list,
                char *const *args, struct project **ret, struct error *err)
{
    struct load_options load;
    session_load_options(app, &load);
    load.services = strv_len(args) && (!list || list->takes_services) ? (char **)args : NULL;
    load.no_interpolate = options->no_interpolate || (list && list->raw);
    load.no_normalize = options->no_normalize || app->globals.compatibility;
    load.no_path_resolution = options->no_path_resolution;
    load.no_consistency = options->no_consistency;
    load.no_env_resolution = options->no_env_resolution || (list && !list->needs_env);
    load.explain = options->explain;
    return session_load_project(app, &load, ret, err);
}

static int print_model(struct app *app, const struct config_options *options, struct project *project,
                       const char *key, struct error *err)
{
    enum config_format format = CONFIG_YAML;
    char *text;
    int r = 0;
    if (options->resolve_digests || options->lock_digests)
        r = digests_resolve(app, project, err);
    if (r < 0)
        return r;
    if (options->lock_digests)
        digests_keep(project);
    if (str_eq(options->format, "json"))
        format = CONFIG_JSON;
    else if (!str_is_empty(options->format) && !str_eq(options->format, "yaml"))
        return error_set(err, EINVAL, "unsupported format \"%s\"", options->format);
    if (options->explain && project_explain(app->ctx, project, key, format, &text, err) < 0)
        return -err->code;
    if (options->quiet)
        return 0;
    if (!options->explain)
        text = project_print(app->ctx, project, format);
    if (!text)
        return error_set(err, EFBIG, "the output is larger than %d MiB", BUFFER_MAX >> 20);
    if (!str_is_empty(options->output))
        return fs_write_file(options->output, text, strlen(text), 0666, false, err);
    fputs(text, stdout);
    return 0;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct config_options *options = data;
    const struct list *list = find_list(options);
    struct project *project;
    if (options->explain && strv_len(args) > 1)
        return error_set(err, EINVAL, "--explain takes one key: services.web.image");
    static char *const none[] = {NULL};
    int r = load(app, options, list, options->explain ? none : args, &project, err);
    if (r < 0)
        return r;
    if (!list)
        return print_model(app, options, project, args ? *args : NULL, err);
    if (options->quiet && list->hushed)
        return 0;
    return list->print(app->ctx, project, list->print == configlist_hashes ? options->hash : options->format,
                       err);
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
