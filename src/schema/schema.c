/* Reporting and look-up, common to all passes. */
#include "schema/schema.h"

#include "base/str.h"
#include "data/buffer.h"

static void add_path(struct buffer *out, const struct schema_path *path)
{
    if (!path)
        return;
    add_path(out, path->up);
    if (!path->key)
        buffer_printf(out, "[%u]", path->index);
    else
        buffer_printf(out, "%s%s", out->size ? "." : "", path->key);
}

char *schema_path_text(struct arena *arena, const struct schema_path *path)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer out = BUFFER_INIT(tmp);
    buffer_add(&out, "", 0);
    add_path(&out, path);
    return arena_strdup(arena, out.data);
}

void schema_error(struct schema_pass *pass, const struct node *at, const char *hint, const char *fmt, ...)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (pass->report->full) {
        pass->report->problem(pass->report, at, "", true, "", NULL);
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    char *text = mem_vprintf(tmp, fmt, ap);
    va_end(ap);
    pass->report->problem(pass->report, at, schema_path_text(pass->arena, pass->path), true, text, hint);
}

char *schema_place_text(struct arena *arena, const struct node *node)
{
    return arena_printf(arena, "%s:%u:%u", node->file ? node->file : "-", node->line, node->col);
}

void schema_twice(struct schema_pass *pass, const struct node *item, const struct node *first,
                  const char *key)
{
    schema_error(pass, item,
                 arena_printf(pass->arena, "the first one is at %s", schema_place_text(pass->arena, first)),
                 "'%s' stands in the list twice", key);
}

static const char *describe(struct arena *arena, const struct node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        return "empty";
    case NODE_BOOL:
        return arena_printf(arena, "the boolean %s", node->boolean ? "true" : "false");
    case NODE_INT:
    case NODE_FLOAT:
        return node->text ? arena_printf(arena, "the number %.40s", node->text) : "a number";
    case NODE_STRING:
        return arena_printf(arena, "the text '%.40s'", node->text);
    case NODE_LIST:
        return "a list";
    case NODE_MAP:
        return "a mapping";
    }
    return "";
}

/* What turns the value into what is wanted; `what` names the kinds. */
static const char *kind_hint(struct arena *arena, const struct node *in, const char *what)
{
    bool list = strstr(what, "list") != NULL, mapping = strstr(what, "mapping") != NULL;
    const char *text = in->kind == NODE_INT ? in->text : node_text(in),
               *colon = text ? strchr(text, ':') : NULL;
    if (in->kind == NODE_MAP && list && !mapping && !strstr(what, "string or"))
        return "put '- ' in front of each element";
    if (in->kind == NODE_LIST && mapping && !list)
        return "write 'name: value' without '- ' in front";
    if (colon && mapping && colon > text && colon[1] && !strpbrk(text, " /"))
        return arena_printf(arena, "is a blank missing behind the colon of '%.*s:'?", (int)(colon - text),
                            text);
    if (text && list && strchr(text, '=') && mapping)
        return arena_printf(arena, "put '- ' in front, or write '%.*s: ...'", (int)strcspn(text, "="), text);
    if (text && *text && list && !strchr(what, '=') && !strchr(text, '\n'))
        return arena_printf(arena, "write [\"%.40s\"], or put '- ' in front", text);
    return NULL;
}

void schema_expected(struct schema_pass *pass, const struct node *in, const char *hint, const char *what)
{
    const char *found = describe(pass->arena, in);
    schema_error(pass, in, hint ? hint : kind_hint(pass->arena, in, what), "must be %s, not %s", what, found);
}

void schema_warn(struct schema_pass *pass, const struct node *at, const char *fmt, ...)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    va_list ap;
    va_start(ap, fmt);
    char *text = mem_vprintf(tmp, fmt, ap);
    va_end(ap);
    pass->report->problem(pass->report, at, schema_path_text(pass->arena, pass->path), false, text, NULL);
}

const struct schema_field *schema_find(const struct schema_object *object, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < object->count; i++)
        if (object->fields[i].key_length == length && memcmp(object->fields[i].key, key, length) == 0)
            return &object->fields[i];
    for (size_t i = 0; i < object->count; i++)
        if (object->fields[i].json_key && strcmp(object->fields[i].json_key, key) == 0)
            return &object->fields[i];
    return NULL;
}

static int by_row(const void *a, const void *b)
{
    const struct node_entry *x = a, *y = b;
    return ((uintptr_t)x->row > (uintptr_t)y->row) - ((uintptr_t)x->row < (uintptr_t)y->row);
}

void schema_order(struct node *map)
{
    if (!node_is(map, NODE_MAP))
        return;
    struct node_entry *e = map->map.entries;
    uint32_t count = map->map.count, rows = 0;
    bool moved = false;
    for (uint32_t i = 0; i < count; i++) {
        moved |= i > 0 && e[i].row && (!e[i - 1].row || by_row(&e[i - 1], &e[i]) > 0);
        rows += e[i].row != NULL;
    }
    if (!moved)
        return;
    struct node_entry *sorted = mem_array(NULL, struct node_entry, count);
    for (uint32_t i = 0, row = 0, other = rows; i < count; i++)
        sorted[e[i].row ? row++ : other++] = e[i];
    qsort(sorted, rows, sizeof(*sorted), by_row);
    memcpy(e, sorted, count * sizeof(*e));
    talloc_free(sorted);
    node_reindex(map);
}

void schema_put(struct arena *arena, const struct schema_object *object, struct node *map, const char *key,
                struct node *value)
{
    node_set(arena, map, key, value)->row = schema_find(object, key);
    schema_order(map);
}
