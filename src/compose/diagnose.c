/* Problems: each gets its place in front, "file:line:col: path: text". */
#include "compose/loader.h"

#include "base/str.h"

static void add(struct loader *l, char *text, bool is_error)
{
    struct diagnostic item = {.text = text, .is_error = is_error};
    mem_append(l->owner, l->diagnostics->items, l->diagnostics->count, item);
    mem_steal(l->diagnostics->items, text);
}

/* Counts it; false when there were so many that this one is not shown. */
static bool is_worded(struct loader *l, bool is_error)
{
    if (!is_error)
        return ++l->warning_count <= LOAD_MAX_WARNINGS;
    l->report.full = ++l->diagnostics->error_count >= LOAD_MAX_ERRORS;
    return l->diagnostics->error_count <= LOAD_MAX_ERRORS;
}

static void problem(struct loader *l, const struct node *at, const char *path, bool is_error,
                    const char *text, const char *hint)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char place[LOAD_MAX_MESSAGE] = "", whole[LOAD_MAX_MESSAGE];
    if (at && at->file)
        snprintf(place, sizeof(place), "%s:%u:%u: ", at->file, at->line, at->col);
    int n = snprintf(whole, sizeof(whole), "%s%s%s%s", place, path, path && *path ? ": " : "", text);
    if ((size_t)n >= sizeof(whole))
        str_copy(whole + sizeof(whole) - 4, 4, "...");
    /* A mistake that aliases or extends have spread is told once, where it stands. */
    const char *mark = is_error ? mem_printf(tmp, "%s%s", place, text) : whole;
    if (omap_has(l->told, mark) || !is_worded(l, is_error))
        return;
    if (!is_error || *place)
        omap_set(l->told, mark, l);
    const struct interpolated *item = is_error ? origin_find(l->record, at) : NULL;
    if (item)
        hint = mem_printf(tmp, "the value comes %s%s%s", origin_describe(tmp, l->record, item),
                          hint ? "\n" : "", hint ? hint : "");
    if (is_error && !error_is_set(l->err)) {
        error_set(l->err, EINVAL, "%s", whole);
        if (hint)
            error_hint(l->err, "%s", hint);
        return;
    }
    add(l,
        hint ? mem_printf(l->owner, "%s\n%.*s", whole, LOAD_MAX_MESSAGE, hint) : mem_strdup(l->owner, whole),
        is_error);
}

static void say_left_out(struct loader *l, size_t count, size_t shown, const char *what, bool is_error)
{
    if (count > shown)
        add(l, mem_printf(l->owner, "%zu more %s are not shown", count - shown, what), is_error);
}

void loader_report_end(struct loader *l)
{
    say_left_out(l, l->warning_count, LOAD_MAX_WARNINGS, "warnings", false);
    say_left_out(l, l->diagnostics->error_count, LOAD_MAX_ERRORS, "errors", true);
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

bool loader_has_room(struct loader *l, const struct node *at)
{
    if (!arena_is_full(l->arena))
        return true;
    if (!l->out_of_room)
        loader_problem(l, at, "", true, NULL,
                       "variables and env files make the project too large for the size of its files");
    l->out_of_room = true;
    return false;
}

int loader_status(const struct loader *l)
{
    return l->diagnostics->error_count ? -EINVAL : 0;
}
