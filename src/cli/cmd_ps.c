#include "cli/commands.h"

#include "cli/psview.h"
#include "cli/session.h"

#include "base/str.h"
#include "base/strv.h"

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
        const char *configured = ps_configured_format(session, session->app->config.docker_config);
        format = configured ? configured : format;
    }
    char *text;
    int r = template_format(session, format, DEFAULT_TABLE, ps_fields, rows, count, &text, err);
    if (r == 0)
        fputs(text, stdout);
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
