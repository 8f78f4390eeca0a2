/*
 * config --explain: the tree is walked along the key, and each value that is met tells its steps: where it is
 * written, what brought it, what it replaced, and the same of that, newest first. What was removed is found
 * at the map that it was removed from.
 */
#include "compose/loader.h"

#include "base/str.h"
#include "data/buffer.h"
#include "data/json_write.h"

enum { STEP_WRITTEN = HISTORY_REMOVED + 1, STEP_WAS, STEP__COUNT };

/* For JSON, and what people read in front of the value. */
static const struct {
    const char *name, *says;
} steps[] = {
    [HISTORY_REPLACED] = {"replaced", "replaced: " },
    [HISTORY_SAME] = {"same",     "again: "    },
    [HISTORY_BROUGHT] = {"brought",  "brought by "},
    [HISTORY_MADE] = {"made",     "added: "    },
    [HISTORY_REMOVED] = {"removed",  "removed: "  },
    [STEP_WRITTEN] = {"written",  ""           },
    [STEP_WAS] = {"was",      "was: "      },
};
_Static_assert(ARRAY_SIZE(steps) == STEP__COUNT, "one row for each step");

struct line {
    int step;
    const struct node *at;    /* its place; NULL: none */
    const struct node *value; /* written and replaced values */
    const char *why;
};

struct entry {
    char *path;
    const struct node *value; /* NULL: removed */
    struct line *lines;
    size_t count;
};

struct explainer {
    const struct load_record *record;
    struct arena *arena;
    TALLOC_CTX *tmp;
    const char *key; /* NULL: all */
    struct entry *entries;
    size_t count;
    bool found;
    bool in_removed; /* what is walked is gone */
};

static void add_line(struct explainer *x, struct entry *entry, struct line line)
{
    mem_append(x->tmp, entry->lines, entry->count, line);
}

static const struct history_event *find_step(const struct history_event *event, enum history_step step)
{
    while (event && event->step != step)
        event = event->older;
    return event;
}

static void add_steps(struct explainer *x, struct entry *entry, const struct node *node, int step);

/* What was replaced first comes first: it is the stronger one. */
static void add_replaced(struct explainer *x, struct entry *entry, const struct history_event *event)
{
    if (!event)
        return;
    add_replaced(x, entry, event->older);
    if (event->step != HISTORY_REPLACED)
        return;
    size_t first = entry->count;
    add_steps(x, entry, event->before, HISTORY_REPLACED);
    entry->lines[first].why = event->why;
}

/* The steps of one value: first its own place, in the words of `step`, and last what it replaced. */
static void add_steps(struct explainer *x, struct entry *entry, const struct node *node, int step)
{
    const struct history_event *events = history_of(x->record->history, node);
    const struct history_event *made = find_step(events, HISTORY_MADE);
    if (!made || step != STEP_WRITTEN)
        add_line(x, entry, (struct line){.step = step, .at = node, .value = node});
    if (made)
        add_line(x, entry, (struct line){.step = HISTORY_MADE, .at = made->at, .why = made->why});
    for (const struct history_event *e = events; e; e = e->older)
        if (e->step == HISTORY_BROUGHT)
            add_line(x, entry, (struct line){.step = HISTORY_BROUGHT, .at = e->at, .why = e->why});
    for (const struct history_event *e = events; e; e = e->older)
        if (e->step == HISTORY_SAME)
            add_steps(x, entry, e->before, HISTORY_SAME);
    add_replaced(x, entry, events);
}

static void add_removals(struct explainer *x, struct entry *entry, const struct node *map, const char *key)
{
    for (const struct history_removal *r = history_removals(x->record->history, map); r; r = r->older) {
        if (!str_eq(r->key, key))
            continue;
        const struct history_event *e = &r->event;
        add_line(x, entry, (struct line){.step = HISTORY_REMOVED, .at = e->at, .why = e->why});
        if (e->before)
            add_steps(x, entry, e->before, STEP_WAS);
    }
}

static struct entry *add_entry(struct explainer *x, const char *path, const struct node *value)
{
    struct entry entry = {.path = mem_strdup(x->tmp, path), .value = value};
    mem_append(x->tmp, x->entries, x->count, entry);
    return &x->entries[x->count - 1];
}

/* Whether `path` is `top` or lies below it. */
static bool is_within(const char *path, const char *top)
{
    const char *rest = !top ? "" : *top ? str_after(path, top) : path;
    return rest && (!top || !*top || !*rest || *rest == '.' || *rest == '[');
}

static bool is_container(const struct node *node)
{
    return (node->kind == NODE_LIST && node->list.count) || (node->kind == NODE_MAP && node->map.count);
}

static void walk(struct explainer *x, const char *path, const struct node *node, const struct node *map,
                 const char *key);

/* Keys that are gone, each once. */
static void walk_removed(struct explainer *x, const char *path, const struct node *map)
{
    const struct history_removal *all = history_removals(x->record->history, map);
    for (const struct history_removal *r = all; r; r = r->older) {
        const struct history_removal *newer = all;
        while (newer != r && !str_eq(newer->key, r->key))
            newer = newer->older;
        char *place = mem_printf(x->tmp, "%s%s%s", path, *path ? "." : "", r->key);
        bool within = is_within(place, x->key);
        if (newer != r || node_get(map, r->key) || (!within && !is_within(x->key, place)))
            continue;
        add_removals(x, add_entry(x, place, NULL), map, r->key);
        x->found |= within;
        if (within || !r->event.before)
            continue;
        x->in_removed = true;
        walk(x, place, r->event.before, NULL, NULL);
        x->in_removed = false;
    }
}

static void walk_children(struct explainer *x, const char *path, const struct node *node)
{
    node_foreach_item (i, node)
        walk(x, mem_printf(x->tmp, "%s[%u]", path, i), node->list.items[i], NULL, NULL);
    node_foreach_entry (e, node)
        walk(x, mem_printf(x->tmp, "%s%s%s", path, *path ? "." : "", e->key), e->value, node, e->key);
    if (node->kind == NODE_MAP)
        walk_removed(x, path, node);
}

/* `map` and `key`: where the value stands, for what was removed from there before. */
static void walk(struct explainer *x, const char *path, const struct node *node, const struct node *map,
                 const char *key)
{
    bool within = is_within(path, x->key);
    if (!within && !is_within(x->key, path))
        return;
    x->found |= within;
    const struct history_event *events = history_of(x->record->history, node);
    bool tells = find_step(events, HISTORY_REPLACED) || find_step(events, HISTORY_MADE);
    if ((within && !is_container(node)) || (tells && !x->in_removed)) {
        struct entry *entry = add_entry(x, path, node);
        add_steps(x, entry, node, STEP_WRITTEN);
        if (map)
            add_removals(x, entry, map, key);
    }
    walk_children(x, path, node);
}

static char *value_text(const void *owner, const struct node *node)
{
    struct buffer out = BUFFER_INIT(owner);
    if (node->kind == NODE_STRING && *node->text && !strpbrk(node->text, "\n\t"))
        return mem_strdup(owner, node->text);
    json_write(&out, node, true);
    return out.data;
}

/* How the value was written, when that is another text. */
static char *written_as(struct explainer *x, const struct node *node)
{
    const struct interpolated *item = origin_find(x->record, node);
    const char *text = history_text(x->record->history, node);
    if (item)
        return mem_printf(x->tmp, ", %s", origin_describe(x->tmp, x->record, item));
    if (!text && node->kind != NODE_LIST && node->kind != NODE_MAP)
        return mem_strdup(x->tmp, ", the default");
    if (!text || !*text || str_eq(text, value_text(x->tmp, node)))
        return mem_strdup(x->tmp, "");
    return mem_printf(x->tmp, ", from \"%s\"", text);
}

static char *line_place(struct explainer *x, const struct line *line)
{
    if (!line->at || !line->at->file)
        return mem_strdup(x->tmp, "-");
    return mem_printf(x->tmp, "%s:%u:%u", line->at->file, line->at->line, line->at->col);
}

static char *line_text(struct explainer *x, const struct line *line)
{
    char *text = mem_strdup(x->tmp, steps[line->step].says);
    if (line->value)
        text = mem_append_printf(text, "%s%s", value_text(x->tmp, line->value), written_as(x, line->value));
    if (line->why)
        text = mem_append_printf(text, line->value ? ", by %s" : "%s", line->why);
    return text;
}

static char *print_text(struct explainer *x, const void *owner)
{
    struct buffer out = BUFFER_INIT(x->tmp);
    buffer_add(&out, "", 0);
    for (const struct entry *e = x->entries; e < x->entries + x->count; e++) {
        int width = 0;
        if (e->value)
            buffer_printf(&out, "%s = %s\n", e->path, value_text(x->tmp, e->value));
        else
            buffer_printf(&out, "%s (removed)\n", e->path);
        for (size_t i = 0; i < e->count; i++) {
            int n = (int)strlen(line_place(x, &e->lines[i]));
            width = n > width ? n : width;
        }
        for (size_t i = 0; i < e->count; i++)
            buffer_printf(&out, "  %-*s  %s\n", width, line_place(x, &e->lines[i]),
                          line_text(x, &e->lines[i]));
    }
    return mem_strndup(owner, out.data, out.size);
}

static void put_text(struct explainer *x, struct node *map, const char *key, const char *text)
{
    if (text)
        node_set(x->arena, map, key, node_string(x->arena, text, NULL));
}

static void put_place(struct explainer *x, struct node *map, const char *file, unsigned line, unsigned col)
{
    put_text(x, map, "file", file);
    if (line)
        node_set(x->arena, map, "line", node_int(x->arena, line, NULL));
    if (col)
        node_set(x->arena, map, "column", node_int(x->arena, col, NULL));
}

static void put_variables(struct explainer *x, struct node *map, const struct interpolated *item)
{
    size_t count;
    const struct variable *v = origin_variables(x->tmp, x->record, item, &count);
    struct node *list = node_new(x->arena, NODE_LIST, NULL);
    for (size_t i = 0; i < count; i++, v++) {
        struct node *variable = node_new(x->arena, NODE_MAP, NULL);
        put_text(x, variable, "name", v->name);
        put_text(x, variable, "value", v->value);
        if (v->place)
            put_place(x, variable, v->place->file, v->place->line, 0);
        node_list_add(x->arena, list, variable);
    }
    node_set(x->arena, map, "variables", list);
}

static struct node *line_json(struct explainer *x, const struct line *line)
{
    struct node *map = node_new(x->arena, NODE_MAP, NULL);
    put_text(x, map, "step", steps[line->step].name);
    if (line->at && line->at->file)
        put_place(x, map, line->at->file, line->at->line, line->at->col);
    put_text(x, map, "why", line->why);
    if (!line->value)
        return map;
    const struct interpolated *item = origin_find(x->record, line->value);
    node_set(x->arena, map, "value", (struct node *)(uintptr_t)line->value);
    put_text(x, map, "text", item ? item->raw : history_text(x->record->history, line->value));
    if (item)
        put_variables(x, map, item);
    return map;
}

static char *print_json(struct explainer *x, const void *owner)
{
    struct node *all = node_new(x->arena, NODE_LIST, NULL);
    for (const struct entry *e = x->entries; e < x->entries + x->count; e++) {
        struct node *map = node_new(x->arena, NODE_MAP, NULL), *lines = node_new(x->arena, NODE_LIST, NULL);
        put_text(x, map, "path", e->path);
        if (e->value)
            node_set(x->arena, map, "value", (struct node *)(uintptr_t)e->value);
        else
            node_set(x->arena, map, "removed", node_bool(x->arena, true, NULL));
        for (size_t i = 0; i < e->count; i++)
            node_list_add(x->arena, lines, line_json(x, &e->lines[i]));
        node_set(x->arena, map, "history", lines);
        node_list_add(x->arena, all, map);
    }
    struct buffer out = BUFFER_INIT(x->tmp);
    json_write(&out, all, false);
    buffer_add_char(&out, '\n');
    return mem_strndup(owner, out.data, out.size);
}

/* The entry whose key the rest of a path begins with; the longest, because keys may have dots. */
static const struct node_entry *entry_on_path(const struct node *map, const char *rest)
{
    const struct node_entry *best = NULL;
    node_foreach_entry (e, map)
        if (is_within(rest, e->key) && (!best || strlen(e->key) > strlen(best->key)))
            best = e;
    return best;
}

/* The path that comes nearest to `rest` below `node`, and whether any of its words had to be guessed. */
static char *nearest_path(struct explainer *x, const struct node *node, char *path, const char *rest)
{
    while (*rest && node_is(node, NODE_MAP)) {
        const struct node_entry *e = entry_on_path(node, rest);
        size_t length = e ? strlen(e->key) : strcspn(rest, ".[");
        if (!e) {
            const char **keys = arena_array(x->arena, const char *, node->map.count + 1);
            for (uint32_t i = 0; i < node->map.count; i++)
                keys[i] = node->map.entries[i].key;
            const char *near = word_nearest(mem_strndup(x->tmp, rest, length), keys);
            e = near ? node_entry(node, near) : NULL;
        }
        if (!e)
            break;
        path = mem_printf(x->tmp, "%s%s%s", path, *path ? "." : "", e->key);
        node = e->value;
        rest += length;
        rest += *rest == '.';
    }
    char *end;
    unsigned long index = node_is(node, NODE_LIST) && *rest == '[' ? strtoul(rest + 1, &end, 10) : 0;
    if (node_is(node, NODE_LIST) && *rest == '[' && *end == ']' && index < node->list.count)
        return nearest_path(x, node->list.items[index], mem_printf(x->tmp, "%s[%lu]", path, index),
                            end + 1 + (end[1] == '.'));
    return path;
}

static int not_found(struct explainer *x, const struct node *tree, struct error *err)
{
    char *near = nearest_path(x, tree, mem_strdup(x->tmp, ""), x->key);
    error_set(err, ENOENT, "'%s' is not in the result", x->key);
    return *near ? error_hint(err, is_within(x->key, near) ? "'%s' is" : "did you mean '%s'?", near)
                 : -ENOENT;
}

int project_explain(const void *owner, const struct project *project, const char *key,
                    enum config_format format, char **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct explainer x = {.record = project->record, .arena = arena_new(tmp), .tmp = tmp, .key = key};
    walk_children(&x, "", project->tree);
    if (key && !x.found)
        return not_found(&x, project->tree, err);
    *ret = format == CONFIG_JSON ? print_json(&x, owner) : print_text(&x, owner);
    return 0;
}
