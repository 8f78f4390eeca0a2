#include "cli/commands.h"

#include "cli/attach.h"
#include "cli/psview.h"
#include "cli/when.h"

#include "base/str.h"
#include "base/strv.h"

struct logs_options {
    bool follow, no_color, no_prefix, timestamps;
    int64_t index;
    char *tail, *since, *until;
};
#define OPTIONS struct logs_options

static const struct flag flags[] = {
    FLAG("follow", 'f', BOOL, follow, "Follow log output"),
    FLAG("index", 0, INT, index, "index of the container if service has multiple replicas", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("no-color", 0, BOOL, no_color, "Produce monochrome output"),
    FLAG("no-log-prefix", 0, BOOL, no_prefix, "Don't print prefix in logs"),
    FLAG("since", 0, STRING, since,
         "Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)"),
    FLAG("tail", 'n', STRING, tail, "Number of lines to show from the end of the logs for each container",
         .fallback = "all"),
    FLAG("timestamps", 't', BOOL, timestamps, "Show timestamps"),
    FLAG("until", 0, STRING, until,
         "Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)"),
    FLAG_END,
};

static int parse_options(const struct logs_options *options, char *const *args, struct attach_options *ret,
                         struct error *err)
{
    *ret = (struct attach_options){.no_color = options->no_color,
                                   .no_prefix = options->no_prefix,
                                   .timestamps = options->timestamps,
                                   .follow = options->follow,
                                   .one_stream = true,
                                   .tail = -1};
    if (options->index && strv_len(args) != 1)
        return error_set(err, EINVAL, "--index requires one service to be selected");
    if (!str_eq(options->tail, "all") && !str_to_i64(options->tail, -1, INT64_MAX, &ret->tail))
        return error_set(err, EINVAL, "invalid value for --tail: '%s' is neither a number nor 'all'",
                         options->tail);
    if (options->since && !when_parse(options->since, ps_now(), &ret->since))
        return error_set(err, EINVAL, "invalid value for --since: '%s' is no time", options->since);
    if (options->until && !when_parse(options->until, ps_now(), &ret->until))
        return error_set(err, EINVAL, "invalid value for --until: '%s' is no time", options->until);
    return 0;
}

static void on_exit_of(void *data, const struct container_view *view, int code, bool restarting)
{
    attachment_exited(data, view, code, restarting);
}

static int show(struct session *session, const struct attach_options *options, struct container_view **views,
                size_t count, struct error *err)
{
    struct attachment *attachment;
    int r = attachment_new(session, options, &attachment, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        attachment_reserve(attachment, log_display_name(session->name, views[i]->name));
    size_t running = 0;
    for (size_t i = 0; i < count; i++) {
        r = attachment_add(attachment, views[i], err);
        if (r < 0)
            return r;
        enum container_state state = views[i]->status.state;
        if (state == STATE_RUNNING || state == STATE_PAUSED || state == STATE_RESTARTING)
            views[running++] = views[i];
    }
    if (!options->follow || running == 0)
        return 0;
    r = engine_wait_exit(session->engine, views, running, on_exit_of, attachment, err);
    if (r < 0 && engine_is_cancelled(session->engine)) {
        error_clear(err);
        return 130;
    }
    return r;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct logs_options *options = data;
    struct attach_options attach;
    struct session *session;
    const struct session_options open = {
        .need = SESSION_RUNNING, .services = args, .keep_signals = !options->follow};
    int r = parse_options(options, args, &attach, err);
    if (r == 0)
        r = session_open(app, &open, &session, err);
    if (r < 0)
        return r;
    struct container_view **views;
    size_t count;
    const struct container_filter filter = {
        .project = session->name, .services = session->services, .index = (int)options->index};
    r = engine_containers(session, session->engine, &filter, &views, &count, err);
    if (r == 0 && options->index && count == 0)
        return error_set(err, ENOENT, "service \"%s\" has no container with index %d", args[0],
                         (int)options->index);
    return r < 0 ? r : show(session, &attach, views, count, err);
}

const struct command command_logs = {
    .name = "logs",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "View output from containers",
    .flags = flags,
    .options_size = sizeof(struct logs_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
