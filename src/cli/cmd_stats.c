/*
 * stats: two samples of each container make a row, as the processor's share is a difference. On a terminal
 * the table is drawn again in its place until Ctrl-C; elsewhere it is printed again and again.
 */
#include "cli/commands.h"

#include "cli/human.h"
#include "cli/session.h"
#include "cli/template.h"

#include "base/str.h"
#include "base/units.h"

struct stats_options {
    bool all, no_stream, no_trunc;
    char *format;
};
#define OPTIONS struct stats_options

static const struct flag flags[] = {
    FLAG("all", 'a', BOOL, all, "Show all containers (default shows just running)"),
    FLAG("format", 0, STRING, format,
         "Format output: 'table' (columns), 'json', or a Go template: 'table TEMPLATE' or 'TEMPLATE'"),
    FLAG("no-stream", 0, BOOL, no_stream, "Disable streaming stats and only pull the first result"),
    FLAG("no-trunc", 0, BOOL, no_trunc, "Do not truncate output"),
    FLAG_END,
};

static const struct template_field fields[] = {
    {"BlockIO",   "BLOCK I/O"        },
    {"CPUPerc",   "CPU %"            },
    {"Container", "CONTAINER"        },
    {"ID",        "CONTAINER ID"     },
    {"MemPerc",   "MEM %"            },
    {"MemUsage",  "MEM USAGE / LIMIT"},
    {"Name",      "NAME"             },
    {"NetIO",     "NET I/O"          },
    {"PIDs",      "PIDS"             },
    {NULL,        NULL               },
};

#define DEFAULT_TABLE                                                                                        \
    "table "                                                                                                 \
    "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"

struct sample {
    struct container_view **views;
    struct container_usage *usages;
    size_t count;
};

struct stats {
    struct session *session;
    const struct stats_options *options;
    char *const *services;
    struct sample *before;
    struct loop_source timer;
    bool over;
    struct error error;
};

static int take_sample(const void *owner, const struct stats *stats, struct sample **ret, struct error *err)
{
    struct sample *sample = mem_new(owner, struct sample);
    struct engine *engine = stats->session->engine;
    struct container_view **views;
    size_t count;
    const struct container_filter filter = {
        .project = stats->session->name, .services = stats->services, .oneoffs = stats->options->all};
    int r = engine_containers(sample, engine, &filter, &views, &count, err);
    if (r < 0)
        return r;
    sample->usages = mem_array(sample, struct container_usage, count + 1);
    sample->views = mem_array(sample, struct container_view *, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct container_usage usage = {0};
        r = engine_usage(engine, views[i], &usage, NULL);
        if (r != 0 && !stats->options->all)
            continue;
        sample->usages[sample->count] = usage;
        sample->views[sample->count++] = views[i];
    }
    *ret = sample;
    return 0;
}

static double cpu_percent(const struct sample *before, const char *id, const struct container_usage *now)
{
    for (size_t i = 0; before && i < before->count; i++) {
        const struct container_usage *then = &before->usages[i];
        if (str_eq(before->views[i]->id, id) && now->at > then->at && now->cpu_ns > then->cpu_ns)
            return (double)(now->cpu_ns - then->cpu_ns) * 100 / (double)(now->at - then->at);
    }
    return 0;
}

static char *pair(const void *owner, uint64_t a, uint64_t b)
{
    char first[HUMAN_TEXT], second[HUMAN_TEXT];
    human_size((int64_t)a, 3, first);
    human_size((int64_t)b, 3, second);
    return mem_printf(owner, "%s / %s", first, second);
}

static struct template_row make_row(const struct stats *stats, const struct container_view *view,
                                    const struct container_usage *u)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char used[HUMAN_TEXT], limit[HUMAN_TEXT];
    const char *id = stats->options->no_trunc ? view->id : mem_strndup(tmp, view->id, 12);
    double memory = u->memory_limit ? (double)u->memory * 100 / (double)u->memory_limit : 0;
    human_bytes((int64_t)u->memory, used);
    human_bytes((int64_t)u->memory_limit, limit);
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "BlockIO",
                            pair(tmp, u->io_read, u->io_written), "CPUPerc",
                            mem_printf(tmp, "%.2f%%", cpu_percent(stats->before, view->id, u)), "Container",
                            view->id, "ID", id, "MemPerc", mem_printf(tmp, "%.2f%%", memory), "MemUsage",
                            mem_printf(tmp, "%s / %s", used, limit), "Name", view->name, "NetIO",
                            pair(tmp, u->net_received, u->net_sent), "PIDs",
                            mem_printf(tmp, "%llu", (unsigned long long)u->pids));
    return (struct template_row){row, view->labels};
}

/* Line by line over what was there: no flicker, and the screen keeps what is above. */
static void draw(const char *text)
{
    fputs("\033[H", stdout);
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        printf("%.*s\033[K\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    fputs("\033[J", stdout);
}

static int print_sample(const struct stats *stats, const struct sample *sample, bool in_place,
                        struct error *err)
{
    struct template_row *rows = mem_array(sample, struct template_row, sample->count + 1);
    const char *format = stats->options->format ? stats->options->format : "table";
    char *text;
    for (size_t i = 0; i < sample->count; i++)
        rows[i] = make_row(stats, sample->views[i], &sample->usages[i]);
    int r = template_format(sample, format, DEFAULT_TABLE, fields, rows, sample->count, &text, err);
    for (size_t i = 0; i < sample->count; i++)
        json_decref(rows[i].fields);
    if (r < 0)
        return r;
    if (in_place)
        draw(text);
    else
        fputs(text, stdout);
    fflush(stdout);
    return ferror(stdout) ? error_set(err, EPIPE, "standard output is closed") : 0;
}

static int next(struct stats *stats, struct error *err)
{
    const struct app *app = stats->session->app;
    struct sample *sample;
    int r = take_sample(stats->session, stats, &sample, err);
    if (r == 0)
        r = print_sample(stats, sample, !stats->options->no_stream && app_color(app, app->config.out_tty),
                         err);
    if (r < 0)
        return r;
    talloc_free(stats->before);
    stats->before = sample;
    stats->over = stats->options->no_stream;
    return 0;
}

enum { FIRST_MS = 250, NEXT_MS = 1000 };

static int on_timer(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                    struct error *err)
{
    struct stats *stats = data;
    int r = next(stats, err);
    return r < 0 || stats->over ? r
                                : loop_timer(loop, source, NEXT_MS * (NS_PER_S / 1000), on_timer, stats, err);
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    struct stats stats = {.options = data, .timer = LOOP_SOURCE_INIT};
    const struct session_options open = {.need = SESSION_RUNNING, .services = args, .keep_signals = true};
    int r = session_open(app, &open, &stats.session, err);
    if (r < 0)
        return r;
    stats.services = stats.session->services;
    struct loop *loop = engine_loop(stats.session->engine);
    r = take_sample(stats.session, &stats, &stats.before, err);
    if (!stats.options->no_stream && app_color(app, app->config.out_tty))
        fputs("\033[2J", stdout);
    if (r == 0)
        r = loop_timer(loop, &stats.timer, FIRST_MS * (NS_PER_S / 1000), on_timer, &stats, err);
    while (r == 0 && !stats.over)
        r = loop_once(loop, -1, err);
    loop_remove(loop, &stats.timer);
    return r;
}

const struct command command_stats = {
    .name = "stats",
    .args = "[OPTIONS] [SERVICE]",
    .summary = "Display a live stream of container(s) resource usage statistics",
    .flags = flags,
    .options_size = sizeof(struct stats_options),
    .max_args = 1,
    .complete = "service",
    .run = run,
};
