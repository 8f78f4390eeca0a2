#include "cli/commands.h"

#include "cli/session.h"
#include "cli/template.h"

#include "base/str.h"

struct volumes_options {
    bool quiet;
    char *format;
};
#define OPTIONS struct volumes_options

static const struct flag flags[] = {
    FLAG("format", 0, STRING, format,
         "Format output: 'table' (columns), 'json', or a Go template: 'table TEMPLATE' or 'TEMPLATE'",
         .fallback = "table"),
    FLAG("quiet", 'q', BOOL, quiet, "Only display volume names"),
    FLAG_END,
};

static const struct template_field fields[] = {
    {"Availability", "AVAILABILITY"},
    {"Driver",       "DRIVER"      },
    {"Group",        "GROUP"       },
    {"Labels",       "LABELS"      },
    {"Links",        "LINKS"       },
    {"Mountpoint",   "MOUNTPOINT"  },
    {"Name",         "VOLUME NAME" },
    {"Scope",        "SCOPE"       },
    {"Size",         "SIZE"        },
    {"Status",       "STATUS"      },
    {NULL,           NULL          },
};

static char *labels_text(const void *owner, const struct omap *labels)
{
    char *text = mem_strdup(owner, "");
    omap_foreach (e, labels)
        text = mem_append_printf(text, "%s%s=%s", *text ? "," : "", e->key, (char *)e->value);
    return text;
}

static struct template_row make_row(const struct volume_view *view)
{
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Availability", "N/A",
                            "Driver", view->driver, "Group", "N/A", "Labels", labels_text(view, view->labels),
                            "Links", "N/A", "Mountpoint", view->path, "Name", view->name, "Scope", "local",
                            "Size", "N/A", "Status", "N/A");
    return (struct template_row){row, view->labels};
}

static int print_rows(const struct session *session, const struct volumes_options *options,
                      struct volume_view *const *views, size_t count, struct error *err)
{
    struct template_row *rows = mem_array(session, struct template_row, count + 1);
    char *text;
    for (size_t i = 0; i < count; i++)
        rows[i] = make_row(views[i]);
    int r = template_format(session, options->format, "table {{.Driver}}\t{{.Name}}", fields, rows, count,
                            &text, err);
    if (r == 0)
        fputs(text, stdout);
    for (size_t i = 0; i < count; i++)
        json_decref(rows[i].fields);
    return r;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct volumes_options *options = data;
    struct session *session;
    struct volume_view **views;
    size_t count;
    const struct session_options open = {.need = SESSION_RUNNING, .services = args, .keep_signals = true};
    int r = session_open(app, &open, &session, err);
    if (r == 0)
        r = engine_volumes(session, session->engine, session->name, session->services, &views, &count, err);
    if (r < 0)
        return r;
    if (!options->quiet)
        return print_rows(session, options, views, count, err);
    for (size_t i = 0; i < count; i++)
        puts(views[i]->name);
    return 0;
}

const struct command command_volumes = {
    .name = "volumes",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "List volumes",
    .flags = flags,
    .options_size = sizeof(struct volumes_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
