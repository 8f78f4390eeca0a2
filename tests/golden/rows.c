/*
 * Prints the tables of src/model, for developers and their tools:
 *
 *   rows json       all that the rows say, as one tree
 *   rows markdown   docs/attributes.md
 */
#include "base/omap.h"
#include "base/str.h"
#include "data/json_write.h"
#include "model/tables.h"

static const char *const merges[] = {
    [MERGE_NORMAL] = "normal", [MERGE_REPLACE] = "replace", [MERGE_SAME_KIND] = "same-kind"};
static const char *const uniques[] = {[UNIQUE_NOT] = "not",
                                      [UNIQUE_ONCE] = "once",
                                      [UNIQUE_KEY] = "key",
                                      [UNIQUE_MERGE] = "merge",
                                      [UNIQUE_ERROR] = "error"};
static const char *const supports[] = {
    [SUPPORTED] = "yes", [SUPPORT_STORED] = "kept", [SUPPORT_MISSING] = "no"};
static const struct {
    unsigned flag;
    const char *name;
} flags[] = {
    {FIELD_REQUIRED,    "required"   },
    {FIELD_NULLABLE,    "nullable"   },
    {FIELD_NO_CAST,     "no-cast"    },
    {FIELD_STRING_ONLY, "string-only"},
    {FIELD_WHOLE,       "whole"      },
    {FIELD_LIST_FORM,   "list-form"  },
    {FIELD_ALONE,       "alone"      },
    {FIELD_NULL_VALUES, "null-values"},
};

static void put(struct arena *arena, struct node *map, const char *key, const char *text)
{
    if (text)
        node_set(arena, map, key, node_string(arena, text, NULL));
}

static const char *holds(const struct schema_field *field)
{
    return !field->object                    ? "value"
           : field->type == &type_object     ? "object"
           : field->type == &type_object_map ? "map"
                                             : "list";
}

static struct node *object_rows(struct arena *arena, const struct schema_object *object);

static struct node *row_node(struct arena *arena, const struct schema_field *field)
{
    struct node *row = node_new(arena, NODE_MAP, NULL), *list = node_new(arena, NODE_LIST, NULL);
    put(arena, row, "key", field->key);
    put(arena, row, "type", field->type->what);
    put(arena, row, "holds", holds(field));
    put(arena, row, "merge", merges[field->merge]);
    put(arena, row, "unique", uniques[field->unique]);
    put(arena, row, "support", supports[field->support]);
    put(arena, row, "expects", field->expects);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (field->flags & flags[i].flag)
            node_list_add(arena, list, node_string(arena, flags[i].name, NULL));
    node_set(arena, row, "flags", list);
    if (field->choices) {
        struct node *choices = node_new(arena, NODE_LIST, NULL);
        for (const char *const *choice = field->choices; *choice; choice++)
            node_list_add(arena, choices, node_string(arena, *choice, NULL));
        node_set(arena, row, "choices", choices);
    }
    if (field->ranged) {
        node_set(arena, row, "min", node_int(arena, field->min, NULL));
        node_set(arena, row, "max", node_int(arena, field->max, NULL));
    }
    if (field->object) {
        put(arena, row, "short", field->object->short_form);
        node_set(arena, row, "extensions", node_bool(arena, field->object->extensions, NULL));
        node_set(arena, row, "rows", object_rows(arena, field->object));
    }
    return row;
}

static struct node *object_rows(struct arena *arena, const struct schema_object *object)
{
    struct node *list = node_new(arena, NODE_LIST, NULL);
    for (size_t i = 0; i < object->count; i++)
        node_list_add(arena, list, row_node(arena, &object->fields[i]));
    return list;
}

/* The page: a table for each object, at the first place where it stands. */
struct page {
    struct buffer *out;
    struct omap *seen; /* object -> the path of its table */
};

static void add_value(struct page *page, const struct schema_field *field)
{
    static const char *const lists[] = {"a list of", "a string or a list of"};
    const char *form = field->object ? field->object->short_form : NULL;
    struct buffer *out = page->out;
    if (field->type == &type_objects)
        buffer_printf(out, form ? "%s `%s` or mappings" : "%s mappings",
                      lists[(field->flags & FIELD_ALONE) != 0], form);
    else if (field->type == &type_object_map)
        buffer_printf(out, "names with mappings%s%s%s", form ? " or " : "", form ? form : "",
                      field->flags & FIELD_LIST_FORM ? ", or a list of names" : "");
    else if (form)
        buffer_printf(out, "`%s` or a mapping", form);
    else
        buffer_add_str(out, field->type->what);
    for (const char *const *choice = field->choices; choice && *choice; choice++)
        buffer_printf(out, "%s`%s`", choice == field->choices ? ": " : ", ", *choice);
    if (field->expects)
        buffer_printf(out, ": %s", field->expects);
    if (field->ranged && field->max == INT64_MAX)
        buffer_printf(out, ", at least %lld", (long long)field->min);
    else if (field->ranged)
        buffer_printf(out, ", %lld to %lld", (long long)field->min, (long long)field->max);
    if (field->flags & FIELD_STRING_ONLY)
        buffer_add_str(out, ", in quotes or with a unit");
    if (field->flags & FIELD_REQUIRED)
        buffer_add_str(out, "; required");
}

/* The form that `what` names first is the canonical one, which is merged. */
static const char *merge_text(const struct schema_field *field)
{
    const char *what = field->type->what;
    if (field->merge == MERGE_REPLACE)
        return "replaced";
    if (field->merge == MERGE_SAME_KIND)
        return "by key; replaced when `driver` differs";
    if (field->type == &type_object || field->type == &type_object_map || str_starts(what, "a mapping"))
        return "by key";
    if (!strstr(what, "list"))
        return "replaced";
    switch (field->unique) {
    case UNIQUE_NOT:
        return "appended";
    case UNIQUE_ONCE:
        return "appended, each once";
    case UNIQUE_KEY:
        return "appended; the later of equal targets stays";
    case UNIQUE_MERGE:
        return "appended; equal ones are merged";
    case UNIQUE_ERROR:
        return "appended; twice is an error";
    }
    return "";
}

static void add_object(struct page *page, const struct schema_object *object, const char *path,
                       enum schema_support above)
{
    struct arena *arena = arena_new(page->seen);
    struct buffer *out = page->out;
    omap_set(page->seen, arena_printf(arena, "%p", (const void *)object), arena_strdup(arena, path));
    buffer_printf(out, "\n## %s\n\n| key | value | a later file's | acted on |\n|---|---|---|---|\n",
                  *path ? path : "The file");
    for (size_t i = 0; i < object->count; i++) {
        const struct schema_field *field = &object->fields[i];
        enum schema_support support = field->support > above ? field->support : above;
        buffer_printf(out, "| `%s` | ", field->key);
        add_value(page, field);
        buffer_printf(out, " | %s | %s |\n", merge_text(field), supports[support]);
    }
    for (size_t i = 0; i < object->count; i++) {
        const struct schema_field *field = &object->fields[i];
        enum schema_support support = field->support > above ? field->support : above;
        if (!field->object)
            continue;
        const char *below = arena_printf(arena, "%s%s%s%s", path, *path ? "." : "", field->key,
                                         field->type == &type_object_map ? ".NAME"
                                         : field->type == &type_objects  ? "[]"
                                                                         : "");
        const char *seen = omap_get(page->seen, arena_printf(arena, "%p", (const void *)field->object));
        if (seen)
            buffer_printf(out, "\n## %s\n\nAs [%s](#%s).\n", below, seen, seen);
        else
            add_object(page, field->object, below, support);
    }
}

static const char head[] =
    "# Attributes of Compose files\n\n"
    "Made from the tables in `src/model` by `build/tests/golden/rows markdown`; a test compares the two.\n\n"
    "\"A later file's\" says what becomes of a value when a later file, or a service that extends another, "
    "has "
    "one, too;\n`!reset` removes and `!override` replaces it in any case. \"Acted on\": **yes**; **kept**: "
    "checked, merged and printed, but it\nmeans nothing to containers on one machine; **no**: not yet, with "
    "a "
    "warning in each project that uses it.\n\n"
    "Keys that begin with `x-` may stand in most mappings. Numbers, booleans, sizes and durations may be "
    "written as strings,\nalso by variables.\n";

int main(int argc, char **argv)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer out = BUFFER_INIT(tmp);
    struct page page = {.out = &out, .seen = omap_new(tmp)};
    if (argc == 2 && str_eq(argv[1], "json")) {
        json_write(&out, object_rows(arena_new(tmp), &object_project), false);
        buffer_add_char(&out, '\n');
    } else if (argc == 2 && str_eq(argv[1], "markdown")) {
        buffer_add_str(&out, head);
        add_object(&page, &object_project, "", SUPPORTED);
    } else {
        fprintf(stderr, "rows json|markdown\n");
        return 2;
    }
    fputs(out.data, stdout);
    return 0;
}
