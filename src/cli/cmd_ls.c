#include "cli/commands.h"

#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"

#include "base/str.h"

#include <jansson.h>

struct ls_options {
    bool all, quiet;
    char **filter;
    char *format;
};
#define OPTIONS struct ls_options

static const char *const formats[] = {"table", "json", NULL};

static const struct flag flags[] = {
    FLAG("all", 'a', BOOL, all, "Show all stopped Compose projects"),
    FLAG("filter", 0, LIST, filter, "Filter output based on conditions provided", .metavar = "filter"),
    FLAG("format", 0, STRING, format, "Format the output. Values: [table | json]", .choices = formats,
         .fallback = "table"),
    FLAG("quiet", 'q', BOOL, quiet, "Only display project names"),
    FLAG_END,
};

/* "exited(1), running(2)": states in alphabetical order. */
static char *status_text(const void *owner, const struct project_view *view)
{
    const struct {
        const char *name;
        int count;
    } states[] = {
        {"created",    view->created   },
        {"dead",       view->dead      },
        {"exited",     view->exited    },
        {"paused",     view->paused    },
        {"restarting", view->restarting},
        {"running",    view->running   },
    };
    char *text = mem_strdup(owner, "");
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (states[i].count > 0)
            text = mem_append_printf(text, "%s%s(%d)", *text ? ", " : "", states[i].name, states[i].count);
    return text;
}

static int check_filters(char *const *filters, struct error *err)
{
    for (; filters && *filters; filters++)
        if (!str_starts(*filters, "name="))
            return error_set(err, EINVAL, "unknown filter '%s': the only one is name=NAME", *filters);
    return 0;
}

static bool is_shown(const struct ls_options *options, const struct project_view *view)
{
    bool has_any =
        view->running + view->exited + view->paused + view->restarting + view->created + view->dead > 0;
    if (!has_any || (!options->all && view->running + view->paused + view->restarting == 0))
        return false;
    for (char **f = options->filter; f && *f; f++)
        if (!strstr(view->name, *f + strlen("name=")))
            return false;
    return true;
}

static void print_json(struct project_view *const *views, size_t count)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s}", "Name", views[i]->name, "Status", status_text(tmp, views[i]),
                      "ConfigFiles", text_clean(tmp, views[i]->config_files ? views[i]->config_files : "")));
    cleanup_malloc char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    puts(text ? text : "[]");
}

static void print_table(struct project_view *const *views, size_t count)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct table *table = table_new(tmp, 20, 3);
    table_row(table, "NAME", "STATUS", "CONFIG FILES");
    for (size_t i = 0; i < count; i++)
        table_row(table, views[i]->name, status_text(tmp, views[i]),
                  views[i]->config_files ? views[i]->config_files : "");
    fputs(table_print(tmp, table), stdout);
}

static int run(struct app *app, const void *data, char *const *args UNUSED, struct error *err)
{
    const struct ls_options *options = data;
    struct session *session;
    struct project_view **views;
    size_t found, count = 0;
    int r = check_filters(options->filter, err);
    if (r == 0)
        r = session_open(app, &(struct session_options){.need = SESSION_MACHINE, .keep_signals = true},
                         &session, err);
    if (r == 0)
        r = engine_projects(session, session->engine, &views, &found, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < found; i++)
        if (is_shown(options, views[i]))
            views[count++] = views[i];
    if (options->quiet)
        for (size_t i = 0; i < count; i++)
            puts(views[i]->name);
    else if (str_eq(options->format, "json"))
        print_json(views, count);
    else
        print_table(views, count);
    return 0;
}

const struct command command_ls = {
    .name = "ls",
    .args = "[OPTIONS]",
    .summary = "List running compose projects",
    .flags = flags,
    .options_size = sizeof(struct ls_options),
    .run = run,
};
