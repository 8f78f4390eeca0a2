/* The canonical form of objects, and the types that hold objects. */
#include "schema/types.h"

#include "base/omap.h"
#include "base/str.h"

static const struct schema_field *find_also(const struct schema_object *object, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < object->count; i++)
        for (const char *word = object->fields[i].also; word && *word;) {
            size_t length = strcspn(word, " ");
            if (length == n && memcmp(word, key, n) == 0)
                return &object->fields[i];
            word += length + strspn(word + length, " ");
        }
    return NULL;
}

static const char *nearest_key(struct schema_pass *pass, const struct schema_object *object, const char *key)
{
    const char **keys = arena_array(pass->arena, const char *, object->count + 1);
    for (size_t i = 0; i < object->count; i++)
        keys[i] = object->fields[i].key;
    return word_nearest(key, keys);
}

/* Where else the key would be right: further out, which is an indentation too many, or one level down. */
static const char *other_place(struct schema_pass *pass, const struct schema_object *object, const char *key)
{
    for (const struct schema_path *p = pass->path; p; p = p->up)
        if (p->object && schema_find(p->object, key)) {
            char *outer = schema_path_text(pass->arena, p->up);
            return arena_printf(pass->arena, "'%s' belongs %s%s%s, further out: is it indented too far?", key,
                                *outer ? "below '" : "to the top level", outer, *outer ? "'" : "");
        }
    for (size_t i = 0; i < object->count; i++) {
        const struct schema_field *field = &object->fields[i];
        bool names = field->type == &type_object_map;
        if (field->object && field->object != object && schema_find(field->object, key))
            return arena_printf(pass->arena, "'%s' belongs below '%s:'%s", key, field->key,
                                names ? " and a name" : "");
    }
    return NULL;
}

/* The section that the key stands in has the name of a key: a name or an indentation is wrong there. */
static const char *misplaced_section(struct schema_pass *pass, const struct schema_object *object)
{
    const struct schema_path *p = pass->path;
    if (!p || !p->key || p->object || !schema_find(object, p->key))
        return NULL;
    return arena_printf(pass->arena,
                        "'%s' is a key of a %s: is the name above it missing, or its indentation wrong?",
                        p->key, object->name);
}

/* For a value that should be an object; NULL leaves it to the general rules. */
static const char *object_hint(struct schema_pass *pass, const struct schema_object *object,
                               const struct node *in)
{
    const char *hint = misplaced_section(pass, object), *text = node_text(in),
               *colon = text ? strchr(text, ':') : NULL;
    bool glued = colon && colon > text && colon[1] &&
                 schema_find(object, arena_strndup(pass->arena, text, (size_t)(colon - text)));
    if (!hint && object->usual && text && !glued)
        hint = arena_printf(pass->arena, "write {%s: %.100s}", object->usual, text);
    return hint;
}

static bool has_keys_of(const struct schema_object *object, const struct node *map)
{
    node_foreach_entry (e, map)
        if (!schema_find(object, e->key))
            return false;
    return node_is(map, NODE_MAP) && map->map.count;
}

/* A mapping at the top level whose keys are all those of a service, or of another section's objects. */
static const char *missing_section(struct schema_pass *pass, const struct schema_object *object,
                                   const struct node *value)
{
    const char *sections = NULL;
    for (size_t i = 0; i < object->count && !pass->path; i++) {
        const struct schema_field *field = &object->fields[i];
        if (field->type != &type_object_map || !has_keys_of(field->object, value))
            continue;
        sections = sections ? arena_printf(pass->arena, "%s or '%s:'", sections, field->key)
                            : arena_printf(pass->arena, "'%s:'", field->key);
    }
    return sections
               ? arena_printf(pass->arena, "is %s missing above it, or is it indented too little?", sections)
               : NULL;
}

static void unknown_key(struct schema_pass *pass, const struct schema_object *object,
                        const struct node_entry *entry)
{
    struct node at = {.file = entry->value->file, .line = entry->line, .col = entry->col};
    if (pass->report->full) {
        schema_error(pass, &at, NULL, "unknown key");
        return;
    }
    const struct schema_field *also = find_also(object, entry->key);
    const char *near = also ? also->key : nearest_key(pass, object, entry->key);
    const char *hint = misplaced_section(pass, object);
    if (!hint && !near)
        hint = missing_section(pass, object, entry->value);
    if (!hint && near)
        hint = arena_printf(pass->arena, "did you mean '%s'?", near);
    if (!hint)
        hint = other_place(pass, object, entry->key);
    schema_error(pass, &at, hint, "unknown key '%s'", entry->key);
}

static void missing_support(struct schema_pass *pass, const struct schema_field *field, const struct node *at)
{
    if (field->support != SUPPORT_MISSING)
        return;
    char row[32];
    snprintf(row, sizeof(row), "%p", (const void *)field);
    if (pass->told && omap_has(pass->told, row))
        return;
    if (pass->told)
        omap_set(pass->told, row, pass->told);
    schema_warn(pass, at, "is not acted on yet");
}

static bool has_variables(const struct node *node)
{
    if (node->kind == NODE_STRING)
        return strchr(node->text, '$') != NULL;
    node_foreach_item (i, node)
        if (has_variables(node->list.items[i]))
            return true;
    node_foreach_entry (e, node)
        if (has_variables(e->value))
            return true;
    return false;
}

/* Without interpolation a value is left as it is written, unless it has parts or is a path. */
static bool stays_raw(const struct schema_field *field)
{
    if (field->type == &type_string_list)
        return field->flags & FIELD_RAW_ALONE;
    return !field->object && !field->type->canonical_raw;
}

struct node *schema_canon_field(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (in->kind == NODE_NULL || in->tag == NODE_RESET)
        return in;
    if (pass->lenient && stays_raw(field)) {
        if (field->type->raw_kinds && !(field->type->raw_kinds & 1U << in->kind))
            schema_error(pass, in, NULL, "must be %s", field->type->what);
        else if (!has_variables(in)) /* what it means is known, so it must be right */
            field->type->canon(pass, field, node_copy(pass->arena, in));
        return in;
    }
    struct node *out = field->type->canon(pass, field, in);
    if (out) {
        missing_support(pass, field, in);
        out->tag = in->tag;
    }
    return out;
}

static void canon_entry(struct schema_pass *pass, const struct schema_object *object, struct node *map,
                        const struct node_entry *e)
{
    bool extension = object->extensions && str_starts(e->key, "x-");
    const struct schema_field *field = extension ? NULL : schema_find(object, e->key);
    if (!extension && !field) {
        unknown_key(pass, object, e);
        return;
    }
    const char *key = field ? field->key : e->key;
    struct schema_path frame = {.up = pass->path, .key = e->key, .object = object};
    pass->path = &frame;
    if (field && field->json_key && node_get(map, key))
        schema_error(pass, e->value, NULL, "'%s' is there already, as '%s'", e->key, key);
    struct node *value = extension ? e->value : schema_canon_field(pass, field, e->value);
    pass->path = frame.up;
    if (!value)
        return;
    struct node_entry *entry = node_set(pass->arena, map, key, value);
    entry->row = field;
    entry->line = e->line;
    entry->col = e->col;
}

struct node *schema_canon(struct schema_pass *pass, const struct schema_object *object, struct node *in)
{
    if (in->kind != NODE_MAP) {
        if (object->from_short)
            return object->from_short(pass, object, in);
        schema_expected(pass, in, object_hint(pass, object, in), "a mapping");
        return NULL;
    }
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    map->tag = in->tag;
    node_foreach_entry (e, in)
        canon_entry(pass, object, map, e);
    if (object->finish)
        object->finish(pass, map);
    schema_order(map);
    return map;
}

static struct node *canon_object(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    return schema_canon(pass, field->object, in);
}

static void add_objects(struct schema_pass *pass, struct node *list, struct node *made)
{
    if (node_is(made, NODE_LIST)) {
        node_foreach_item (i, made)
            node_list_add(pass->arena, list, made->list.items[i]);
    } else if (made) {
        node_list_add(pass->arena, list, made);
    }
}

static struct node *canon_objects(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    struct node *list = node_new(pass->arena, NODE_LIST, in);
    bool raw = pass->lenient && field->flags & FIELD_RAW_LIST && has_variables(in);
    if (in->kind == NODE_STRING && field->flags & FIELD_ALONE) {
        add_objects(pass, list, schema_canon(pass, field->object, in));
        return list;
    }
    if (in->kind != NODE_LIST) {
        schema_expected(pass, in, NULL, field->type->what);
        return NULL;
    }
    node_foreach_item (i, in) {
        struct schema_path frame = {.up = pass->path, .index = i};
        struct node *item = in->list.items[i];
        pass->path = &frame;
        add_objects(pass, list,
                    raw && item->kind != NODE_MAP ? item : schema_canon(pass, field->object, item));
        pass->path = frame.up;
    }
    return list;
}

static struct node *map_from_names(struct schema_pass *pass, const struct schema_field *field,
                                   struct node *in)
{
    const struct schema_object *object = field->object;
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    node_foreach_item (i, in) {
        struct schema_path frame = {.up = pass->path, .index = i};
        struct node *item = in->list.items[i];
        pass->path = &frame;
        if (item->kind != NODE_STRING)
            schema_expected(
                pass, item,
                item->kind == NODE_MAP ? "names that have settings are written without '- ' in front" : NULL,
                "a name");
        else if (node_get(map, item->text))
            schema_twice(pass, item, node_get(map, item->text), item->text);
        else
            node_set(pass->arena, map, item->text,
                     object->from_short ? object->from_short(pass, object, item)
                                        : node_new(pass->arena, NODE_NULL, item));
        pass->path = frame.up;
    }
    return map;
}

static bool is_name(const char *s)
{
    for (; *s; s++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *s))
            return false;
    return true;
}

static struct node *canon_object_map(struct schema_pass *pass, const struct schema_field *field,
                                     struct node *in)
{
    if (in->kind == NODE_LIST && field->flags & FIELD_LIST_FORM)
        return map_from_names(pass, field, in);
    if (in->kind != NODE_MAP) {
        schema_expected(pass, in, NULL,
                        field->flags & FIELD_LIST_FORM ? "a mapping or a list of names" : "a mapping");
        return NULL;
    }
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    node_foreach_entry (e, in) {
        struct schema_path frame = {.up = pass->path, .key = e->key};
        struct node at = {.file = e->value->file, .line = e->line, .col = e->col};
        pass->path = &frame;
        struct node *value = e->value;
        if (!is_name(e->key) && !(field->object->extensions && str_starts(e->key, "x-")))
            schema_error(pass, &at, NULL, "names are made of letters, digits, '.', '_' and '-'");
        if (value->kind != NODE_NULL && value->tag != NODE_RESET) {
            value = schema_canon(pass, field->object, value);
            if (value)
                value->tag = e->value->tag;
        }
        if (value) {
            struct node_entry *entry = node_set(pass->arena, map, e->key, value);
            entry->line = e->line;
            entry->col = e->col;
        }
        pass->path = frame.up;
    }
    return map;
}

const struct schema_type type_object = {"a mapping", canon_object, NULL};
const struct schema_type type_objects = {"a list", canon_objects, NULL};
const struct schema_type type_object_map = {"a mapping", canon_object_map, NULL};
