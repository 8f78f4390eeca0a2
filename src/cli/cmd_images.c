#include "cli/commands.h"

#include "cli/human.h"
#include "cli/psview.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "cli/table.h"

#include "base/str.h"
#include "base/strv.h"
#include "base/units.h"

#include <jansson.h>

struct images_options {
    char *format;
    bool quiet;
};
#define OPTIONS struct images_options

static const char *const formats[] = {"table", "json", NULL};

static const struct flag flags[] = {
    FLAG("format", 0, STRING, format, "Format the output. Values: [table | json]", .choices = formats,
         .fallback = "table"),
    FLAG("quiet", 'q', BOOL, quiet, "Only display IDs"),
    FLAG_END,
};

struct row {
    const char *container;
    char *repository, *tag, *platform, *id;
    int64_t size, created;
};

static int find_row(struct session *session, const struct container_view *view, struct row *ret,
                    struct error *err)
{
    struct image *image;
    int r = image_find(session, engine_images(session->engine), view->image_id, NULL, &image, err);
    if (r < 0)
        return r;
    *ret = (struct row){.container = view->name, .id = view->image_id, .platform = mem_strdup(session, "")};
    reference_split(session, view->image, &ret->repository, &ret->tag);
    if (r == IMAGE_ABSENT)
        return 0;
    ret->id = image->id;
    ret->platform = mem_printf(session, "%s/%s%s%s", image->os, image->architecture,
                               str_is_empty(image->variant) ? "" : "/", image->variant ? image->variant : "");
    ret->size = image->size;
    ret->created = image->created;
    return 0;
}

/* The digits of "sha256:..." */
static const char *bare_id(const char *id)
{
    const char *digits = str_after(id, "sha256:");
    return digits ? digits : id;
}

static void print_json(const struct row *rows, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        char made[HUMAN_TEXT];
        human_time(rows[i].created * NS_PER_S, made);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "ID", rows[i].id,
                                        "ContainerName", rows[i].container, "Repository", rows[i].repository,
                                        "Tag", rows[i].tag, "Platform", rows[i].platform, "Size",
                                        (json_int_t)rows[i].size, "Created", rows[i].created ? made : ""));
    }
    cleanup_malloc char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    puts(text ? text : "[]");
}

static void print_table(const struct row *rows, size_t count)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct table *table = table_new(tmp, 20, 3);
    table_row(table, "CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED");
    for (size_t i = 0; i < count; i++) {
        char size[HUMAN_TEXT], age[HUMAN_TEXT];
        human_size(rows[i].size, 3, size);
        human_duration(ps_now() - rows[i].created * NS_PER_S, age);
        table_row(table, (char *)rows[i].container, rows[i].repository, rows[i].tag, rows[i].platform,
                  mem_strndup(tmp, bare_id(rows[i].id), 12), size,
                  rows[i].created ? mem_printf(tmp, "%s ago", age) : "N/A");
    }
    fputs(table_print(tmp, table), stdout);
}

static void print_ids(const void *owner, const struct row *rows, size_t count)
{
    char **seen = NULL;
    for (size_t i = 0; i < count; i++)
        if (!strv_contains(seen, rows[i].id)) {
            puts(bare_id(rows[i].id));
            seen = strv_add(owner, seen, rows[i].id);
        }
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct images_options *options = data;
    struct session *session;
    const struct session_options open = {.need = SESSION_RUNNING, .services = args, .keep_signals = true};
    int r = session_open(app, &open, &session, err);
    if (r < 0)
        return r;
    struct container_view **views;
    size_t count;
    const struct container_filter filter = {.project = session->name, .services = session->services};
    r = engine_containers(session, session->engine, &filter, &views, &count, err);
    struct row *rows = mem_array(session, struct row, r == 0 ? count : 0);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = find_row(session, views[i], &rows[i], err);
    if (r < 0)
        return r;
    if (options->quiet)
        print_ids(session, rows, count);
    else if (str_eq(options->format, "json"))
        print_json(rows, count);
    else
        print_table(rows, count);
    return 0;
}

const struct command command_images = {
    .name = "images",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "List images used by the created containers",
    .flags = flags,
    .options_size = sizeof(struct images_options),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
