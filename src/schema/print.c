/*
 * The tree that `config` shows. Values that say nothing (empty, 0, false) are left out unless their row keeps
 * them; maps whose keys people choose are sorted: bytewise for JSON, and for YAML as Go's YAML library sorts
 * keys, which puts web2 before web10.
 */
#include "schema/types.h"

#include "base/str.h"

#include <ctype.h>

struct printer {
    struct arena *arena;
    enum schema_format format;
};

static bool is_json(const struct printer *p)
{
    return p->format != SCHEMA_YAML && p->format != SCHEMA_RAW_YAML;
}

static bool is_letter(unsigned char c)
{
    return isalpha(c) || c >= 0x80;
}

/* Compares the digit strings that begin at `a` and `b`, which differ there. */
static int compare_numbers(const char *a, const char *b, bool inside_number)
{
    size_t an = strspn(a, "0123456789"), bn = strspn(b, "0123456789");
    uint64_t av = inside_number, bv = inside_number;
    for (size_t i = 0; i < an; i++)
        av = av * 10 + (uint64_t)(a[i] - '0');
    for (size_t i = 0; i < bn; i++)
        bv = bv * 10 + (uint64_t)(b[i] - '0');
    if (av != bv)
        return av < bv ? -1 : 1;
    if (an != bn)
        return an < bn ? -1 : 1;
    return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static bool number_goes_on(const char *text, size_t at)
{
    while (at > 0 && isdigit((unsigned char)text[at - 1]))
        if (text[--at] != '0')
            return true;
    return false;
}

static int natural_compare(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] && a[i] == b[i])
        i++;
    if (!a[i] || !b[i])
        return a[i] ? 1 : b[i] ? -1 : 0;
    bool after_digit = i > 0 && isdigit((unsigned char)a[i - 1]);
    bool al = is_letter((unsigned char)a[i]), bl = is_letter((unsigned char)b[i]);
    if (al && bl)
        return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
    if (al || bl)
        return (after_digit ? al : bl) ? -1 : 1;
    bool inside = (a[i] == '0' || b[i] == '0') && number_goes_on(a, i);
    return compare_numbers(a + i, b + i, inside);
}

static int by_natural_key(const void *a, const void *b)
{
    return natural_compare(((const struct node_entry *)a)->key, ((const struct node_entry *)b)->key);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct node_entry *)a)->key, ((const struct node_entry *)b)->key);
}

static void sort_map(const struct printer *p, struct node *map, uint32_t from)
{
    if (map->map.count > from + 1)
        qsort(map->map.entries + from, map->map.count - from, sizeof(*map->map.entries),
              is_json(p) ? by_key : by_natural_key);
}

/* Keys are unique already: appends without looking. */
static void append(struct printer *p, struct node *map, const char *key, struct node *value)
{
    uint32_t n = map->map.count;
    if ((n & (n - 1)) == 0) {
        struct node_entry *entries = arena_array(p->arena, struct node_entry, n ? 2 * (size_t)n : 1);
        if (n)
            memcpy(entries, map->map.entries, n * sizeof(*entries));
        map->map.entries = entries;
    }
    map->map.entries[map->map.count++] = (struct node_entry){.key = key, .value = value};
}

/* Values that have no rows: only their maps are sorted. */
static struct node *print_free(struct printer *p, struct node *node)
{
    if (node->kind != NODE_LIST && node->kind != NODE_MAP)
        return node;
    struct node *out = node_new(p->arena, node->kind, NULL);
    node_foreach_item (i, node)
        node_list_add(p->arena, out, print_free(p, node->list.items[i]));
    node_foreach_entry (e, node)
        append(p, out, e->key, print_free(p, e->value));
    if (out->kind == NODE_MAP)
        sort_map(p, out, 0);
    return out;
}

static bool is_zero(const struct node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        return true;
    case NODE_BOOL:
        return !node->boolean;
    case NODE_INT:
        return node->integer == 0;
    case NODE_FLOAT:
        return node->number == 0;
    case NODE_STRING:
        return node->text[0] == '\0';
    case NODE_LIST:
        return node->list.count == 0;
    case NODE_MAP:
        return node->map.count == 0;
    }
    return false;
}

static bool is_shown(const struct printer *p, const struct schema_field *field, const struct node *value)
{
    unsigned hidden = p->format == SCHEMA_HASH ? FIELD_HIDDEN | FIELD_NO_HASH : FIELD_HIDDEN;
    if (field->flags & hidden)
        return false;
    if (value->kind == NODE_NULL || (is_json(p) && field->flags & FIELD_YAML_ONLY))
        return false;
    if (field->flags & FIELD_KEEP_ZERO)
        return true;
    if (field->type == &type_object && !(field->flags & FIELD_JSON_EMPTY))
        return value->kind == NODE_MAP;
    return !is_zero(value) && !(field->type == &type_bytes && str_eq(node_text(value), "0")) &&
           !(field->type == &type_duration && str_eq(node_text(value), "0s"));
}

static struct node *print_object(struct printer *p, const struct schema_object *object,
                                 const struct node *map);

static struct node *print_value(struct printer *p, const struct schema_field *field, struct node *value)
{
    if (!field->object)
        return print_free(p, value);
    if (field->type == &type_object && value->kind == NODE_MAP)
        return print_object(p, field->object, value);
    struct node *out = node_new(p->arena, value->kind, NULL);
    if (value->kind != NODE_LIST && value->kind != NODE_MAP)
        return value;
    node_foreach_item (i, value) {
        struct node *item = value->list.items[i];
        node_list_add(p->arena, out, item->kind == NODE_MAP ? print_object(p, field->object, item) : item);
    }
    node_foreach_entry (e, value)
        append(p, out, e->key,
               e->value->kind == NODE_MAP ? print_object(p, field->object, e->value) : e->value);
    if (out->kind == NODE_MAP)
        sort_map(p, out, 0);
    return out;
}

/* What is said of a key that is not there or empty. */
static struct node *print_absent(struct printer *p, const struct schema_field *field)
{
    bool always = field->flags & (is_json(p) ? FIELD_ALWAYS : FIELD_ALWAYS | FIELD_ALWAYS_YAML);
    if (always && field->type == &type_int)
        return node_int(p->arena, 0, NULL);
    if (always)
        return node_string(p->arena, field->type == &type_bytes ? "0" : "", NULL);
    if (!is_json(p))
        return NULL;
    if (field->flags & FIELD_JSON_NULL)
        return node_new(p->arena, NODE_NULL, NULL);
    if (!(field->flags & FIELD_JSON_EMPTY))
        return NULL;
    struct node *empty = node_new(p->arena, NODE_MAP, NULL);
    return field->object ? print_object(p, field->object, empty) : empty;
}

static struct node *print_field(struct printer *p, const struct schema_field *field, struct node *value)
{
    if (!value || !is_shown(p, field, value))
        return print_absent(p, field);
    struct node *out = print_value(p, field, value);
    bool emptied = field->flags & FIELD_JSON_EMPTY && is_zero(out) && !is_json(p);
    return emptied ? NULL : out;
}

static struct node *print_object(struct printer *p, const struct schema_object *object,
                                 const struct node *map)
{
    struct node *out = node_new(p->arena, NODE_MAP, NULL);
    uint32_t at = 0; /* canonical maps stand in the order of the rows */
    const struct node_entry *entries = map->map.entries;
    for (size_t i = 0; i < object->count; i++) {
        const struct schema_field *field = &object->fields[i];
        struct node *value = NULL;
        if (at < map->map.count && entries[at].row == field)
            value = entries[at++].value;
        struct node *shown = print_field(p, field, value);
        if (shown)
            append(p, out, is_json(p) && field->json_key ? field->json_key : field->key, shown);
    }
    uint32_t first_extension = out->map.count;
    for (; at < map->map.count && !is_json(p); at++)
        append(p, out, entries[at].key, print_free(p, entries[at].value));
    sort_map(p, out, first_extension);
    return out;
}

struct node *schema_print(struct arena *arena, const struct schema_object *object, const struct node *tree,
                          enum schema_format format)
{
    struct printer p = {.arena = arena, .format = format};
    if (format == SCHEMA_RAW_YAML || format == SCHEMA_RAW_JSON)
        return print_free(&p, (struct node *)(uintptr_t)tree);
    return print_object(&p, object, tree);
}
