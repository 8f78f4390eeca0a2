/* Problems: each gets its place in front, "file:line:col: path: text". */
#include "compose/loader.h"

#include "base/str.h"

static void add(struct loader *l, char *text, bool is_error)
{
    struct diagnostic item = {.text = text, .is_error = is_error};
    mem_append(l->owner, l->diagnostics->items, l->diagnostics->count, item);
    mem_steal(l->diagnostics->items, text);
    l->diagnostics->error_count += is_error;
}

static void problem(struct loader *l, const struct node *at, const char *path, bool is_error,
                    const char *text, const char *hint)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct interpolated *item = is_error ? origin_find(l->record, at) : NULL;
    if (item)
        hint = mem_printf(tmp, "the value comes %s%s%s", origin_describe(tmp, l->record, item),
                          hint ? "\n" : "", hint ? hint : "");
    char *place =
        at && at->file ? mem_printf(tmp, "%s:%u:%u: ", at->file, at->line, at->col) : mem_strdup(tmp, "");
    char *whole = mem_printf(tmp, "%s%s%s%s", place, path, path && *path ? ": " : "", text);
    /* A mistake that aliases or extends have spread is told once, where it stands. */
    const char *mark = is_error ? mem_printf(tmp, "%s%s", place, text) : whole;
    if (omap_has(l->told, mark))
        return;
    if (!is_error || *place)
        omap_set(l->told, mark, l);
    if (is_error && !error_is_set(l->err)) {
        error_set(l->err, EINVAL, "%s", whole);
        if (hint)
            error_hint(l->err, "%s", hint);
        l->diagnostics->error_count++;
        return;
    }
    add(l, mem_printf(l->owner, hint ? "%s\n%s" : "%s", whole, hint), is_error);
}

static void report_problem(struct schema_report *report, const struct node *at, const char *path,
                           bool is_error, const char *text, const char *hint)
{
    struct loader *l = (struct loader *)((char *)report - offsetof(struct loader, report));
    problem(l, at, path, is_error, text, hint);
}

void loader_report_init(struct loader *l)
{
    l->report.problem = report_problem;
    l->pass.report = &l->report;
    l->pass.arena = l->arena;
    l->pass.told = omap_new(l->arena);
    l->pass.history = l->history;
}

void loader_problem(struct loader *l, const struct node *at, const char *path, bool is_error,
                    const char *hint, const char *fmt, ...)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    va_list ap;
    va_start(ap, fmt);
    char *text = mem_vprintf(tmp, fmt, ap);
    va_end(ap);
    problem(l, at, path, is_error, text, hint);
}

const char *loader_nearest(struct loader *l, const struct node *map, const char *name)
{
    if (!node_is(map, NODE_MAP) || strlen(name) < 2)
        return NULL; /* to one letter every other is near */
    const char **keys = arena_array(l->arena, const char *, map->map.count + 1);
    for (uint32_t i = 0; i < map->map.count; i++)
        keys[i] = map->map.entries[i].key;
    const char *near = word_nearest(name, keys);
    return near ? arena_printf(l->arena, "did you mean '%s'?", near) : NULL;
}

int loader_env_error(struct loader *l, const char *path, struct error *err)
{
    const char *file = loader_label(l, path), *number = str_after(err->text, "line ");
    char *rest = mem_strdup(NULL, number ? number : err->text);
    error_set(err, err->code, number ? "%s:%s" : "%s: %s", file, rest);
    talloc_free(rest);
    return -err->code;
}

void loader_failed(struct loader *l, struct error *failed)
{
    problem(l, NULL, "", true, failed->text, failed->hint[0] ? failed->hint : NULL);
}

int loader_status(const struct loader *l)
{
    return l->diagnostics->error_count ? -EINVAL : 0;
}
