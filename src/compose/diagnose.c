/* Problems: each gets its place in front, "file:line:col: path: text". */
#include "compose/loader.h"

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
    char *place =
        at && at->file ? mem_printf(tmp, "%s:%u:%u: ", at->file, at->line, at->col) : mem_strdup(tmp, "");
    char *whole = mem_printf(tmp, "%s%s%s%s", place, path, path && *path ? ": " : "", text);
    if (!is_error && omap_has(l->warned, whole))
        return;
    if (!is_error)
        omap_set(l->warned, whole, l);
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

void loader_failed(struct loader *l, struct error *failed)
{
    problem(l, NULL, "", true, failed->text, failed->hint[0] ? failed->hint : NULL);
}

int loader_status(const struct loader *l)
{
    return l->diagnostics->error_count ? -EINVAL : 0;
}
