#include "cli/commands.h"

#include "cli/psview.h"
#include "cli/session.h"

#include "base/str.h"
#include "base/strv.h"
#include "sys/fs.h"

struct ps_options {
    bool all, no_trunc, orphans, quiet, services;
    char *filter, *format;
    char **status;
};
#define OPTIONS struct ps_options

static const char *const states[] = {"paused", "restarting", "removing", "running",
                                     "dead",   "created",    "exited",   NULL};

static const struct flag flags[] = {
    FLAG("all", 'a', BOOL, all, "Show all stopped containers (including those created by the run command)"),
    FLAG("filter", 0, STRING, filter, "Filter services by a property (supported filters: status)"),
    FLAG("format", 0, STRING, format,
         "Format output: 'table' (columns), 'json', or a Go template: 'table TEMPLATE' or 'TEMPLATE'",
         .fallback = "table"),
    FLAG("no-trunc", 0, BOOL, no_trunc, "Don't truncate output"),
    FLAG("orphans", 0, BOOL, orphans, "Include orphaned services (not declared by project)",
         .fallback = "true"),
    FLAG("quiet", 'q', BOOL, quiet, "Only display IDs"),
    FLAG("services", 0, BOOL, services, "Display services"),
    FLAG("status", 0, LIST, status,
         "Filter services by status. Values: [paused | restarting | removing | running | dead | created | "
         "exited]",
         .choices = states),
    FLAG_END,
};

#define DEFAULT_TABLE                                                                                        \
    "table {{.Name}}\t{{.Image}}\t{{.Command}}\t{{.Service}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}"

static int apply_filter(const void *owner, const struct ps_options *options, char ***statuses,
                        struct error *err)
{
    *statuses = options->status;
    if (!options->filter)
        return 0;
    const char *status = str_after(options->filter, "status=");
    if (!status)
        return error_set(err, EINVAL, "unknown filter %.*s", (int)strcspn(options->filter, "="),
                         options->filter);
    *statuses = strv_add(owner, *statuses, status);
    return 0;
}

static bool is_shown(const struct session *session, const struct ps_options *options, char *const *statuses,
                     const struct container_view *view)
{
    enum container_state state = view->status.state;
    if (!options->orphans && session->project && !omap_has(session->project->services, view->service) &&
        !omap_has(session->project->disabled, view->service))
        return false;
    if (statuses)
        return strv_contains(statuses, ps_state(view));
    return options->all || state == STATE_RUNNING || state == STATE_PAUSED || state == STATE_RESTARTING;
}

/* The psFormat of docker's config.json stands in for --format. */
static char *configured_format(const void *owner, const struct app *app)
{
    if (!app->config.docker_config)
        return NULL;
    char *text = NULL;
    size_t size;
    char *path = mem_printf(owner, "%s/config.json", app->config.docker_config);
    if (fs_read_file(owner, path, 1 << 20, &text, &size, NULL) != 0)
        return NULL;
    json_t *config = json_loads(text, 0, NULL);
    char *format = mem_strdup(owner, json_string_value(json_object_get(config, "psFormat")));
    json_decref(config);
    return str_is_empty(format) ? NULL : format;
}

static int print_rows(const void *owner, const char *format, const struct template_row *rows, size_t count,
                      struct error *err)
{
    if (str_eq(format, "json")) {
        for (size_t i = 0; i < count; i++) {
            cleanup_malloc char *text = json_dumps(rows[i].fields, JSON_COMPACT);
            puts(text ? text : "{}");
        }
        return 0;
    }
    struct template *template;
    bool standard = str_eq(format, "table") || str_eq(format, "pretty");
    int r = template_parse(owner, standard ? DEFAULT_TABLE : format, ps_fields, &template, err);
    if (r == 0)
        fputs(template_print(owner, template, rows, count), stdout);
    return r;
}

static void print_ids(struct container_view *const *views, size_t count)
{
    for (size_t i = 0; i < count; i++)
        puts(views[i]->id);
}

static void print_services(const void *owner, struct container_view *const *views, size_t count)
{
    char **seen = NULL;
    for (size_t i = 0; i < count; i++)
        if (!strv_contains(seen, views[i]->service)) {
            puts(views[i]->service);
            seen = strv_add(owner, seen, views[i]->service);
        }
}

static int print_table(const struct session *session, const struct ps_options *options,
                       struct container_view *const *views, size_t count, struct error *err)
{
    struct template_row *rows = mem_array(session, struct template_row, count);
    for (size_t i = 0; i < count; i++)
        rows[i] = ps_row(views[i], options->no_trunc, ps_now());
    const char *format = options->format;
    if (str_eq(format, "table")) {
        const char *configured = configured_format(session, session->app);
        format = configured ? configured : format;
    }
    int r = print_rows(session, format, rows, count, err);
    for (size_t i = 0; i < count; i++)
        json_decref(rows[i].fields);
    return r;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct ps_options *options = data;
    struct session *session;
    const struct session_options open = {.need = SESSION_RUNNING, .services = args, .keep_signals = true};
    char **statuses;
    int r = apply_filter(app->ctx, options, &statuses, err);
    if (r == 0)
        r = session_open(app, &open, &session, err);
    if (r < 0)
        return r;
    struct container_view **views;
    size_t found, count = 0;
    const struct container_filter filter = {
        .project = session->name, .services = session->services, .oneoffs = options->all};
    r = engine_containers(session, session->engine, &filter, &views, &found, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < found; i++)
        if (is_shown(session, options, statuses, views[i]))
            views[count++] = views[i];
    if (options->quiet)
        print_ids(views, count);
    else if (options->services)
        print_services(session, views, count);
    else
        r = print_table(session, options, views, count, err);
    return r;
}

const struct command command_ps = {
    .name = "ps",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "List containers",
    .flags = flags,
    .options_size = sizeof(struct ps_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
