#include "coverage.h"

#include "base/str.h"
#include "data/yaml_read.h"
#include "model/tables.h"

/* The forms of a value, and of the elements that it holds. */
enum form { FORM_SCALAR, FORM_LIST, FORM_MAP, FORM_NULL, FORM_COUNT };
static const char *const form_names[] = {"a scalar", "a list", "a mapping", "null"};

static char *mark(const void *owner, const struct schema_field *field, const char *what, const char *value)
{
    return mem_printf(owner, "%p %s %s", (const void *)field, what, value);
}

static enum form form_of(const struct node *value)
{
    return value->kind == NODE_LIST   ? FORM_LIST
           : value->kind == NODE_MAP  ? FORM_MAP
           : value->kind == NODE_NULL ? FORM_NULL
                                      : FORM_SCALAR;
}

static void use_object(struct omap *used, const struct schema_object *object, const struct node *map);

static void use_element(struct omap *used, const struct schema_field *field, const struct node *element)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    omap_set(used, mark(tmp, field, "element", form_names[form_of(element)]), used);
    use_object(used, field->object, element);
}

static void use_value(struct omap *used, const struct schema_field *field, const struct node *value)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    omap_set(used, mark(tmp, field, "value", form_names[form_of(value)]), used);
    if (node_text(value))
        omap_set(used, mark(tmp, field, "choice", value->text), used);
    if (field->type == &type_object)
        use_object(used, field->object, value);
    else if (field->object) {
        node_foreach_item (i, value)
            use_element(used, field, value->list.items[i]);
        node_foreach_entry (e, value)
            use_element(used, field, e->value);
    }
}

static void use_object(struct omap *used, const struct schema_object *object, const struct node *map)
{
    node_foreach_entry (e, map) {
        const struct schema_field *field = schema_find(object, e->key);
        if (field)
            use_value(used, field, e->value);
    }
}

void coverage_add(struct omap *used, const char *text)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct node *documents;
    if (yaml_read(arena_new(tmp), "case", text, strlen(text), &documents, NULL) == 0)
        node_foreach_item (i, documents)
            use_object(used, &object_project, documents->list.items[i]);
}

/* What a type is called says which forms it has. */
static void wanted_forms(const struct schema_field *field, bool value[FORM_COUNT], bool element[FORM_COUNT])
{
    const char *what = field->type->what;
    value[FORM_LIST] = strstr(what, "list") || field->flags & FIELD_LIST_FORM;
    value[FORM_MAP] = strstr(what, "mapping");
    value[FORM_SCALAR] = (!str_starts(what, "a list") && !str_starts(what, "a mapping")) ||
                         field->flags & FIELD_ALONE ||
                         (field->type == &type_object && field->object->short_form);
    if (!field->object || field->type == &type_object)
        return;
    element[FORM_MAP] = true;
    element[FORM_SCALAR] = field->object->short_form;
    element[FORM_NULL] = field->flags & FIELD_NULL_VALUES;
}

struct report {
    const struct omap *used;
    struct omap *seen; /* objects that stand in several places */
    int count;
};

static void want(struct report *report, const struct schema_field *field, const char *path, const char *what,
                 const char *value)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (omap_has(report->used, mark(tmp, field, what, value)))
        return;
    printf("%s: no case with %s as %s\n", path, value, what);
    report->count++;
}

static void report_object(struct report *report, const struct schema_object *object, const char *above)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *id = mem_printf(tmp, "%p", (const void *)object);
    if (omap_has(report->seen, id))
        return;
    omap_set(report->seen, id, report);
    for (size_t i = 0; i < object->count; i++) {
        const struct schema_field *field = &object->fields[i];
        bool value[FORM_COUNT] = {false}, element[FORM_COUNT] = {false};
        char *path = mem_printf(tmp, "%s.%s", above, field->key);
        wanted_forms(field, value, element);
        for (size_t f = 0; f < FORM_COUNT; f++) {
            if (value[f])
                want(report, field, path, "value", form_names[f]);
            if (element[f])
                want(report, field, path, "element", form_names[f]);
        }
        for (const char *const *choice = field->choices; choice && *choice; choice++)
            want(report, field, path, "choice", *choice);
        if (field->object)
            report_object(report, field->object, path);
    }
}

int coverage_report(const struct omap *used)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct report report = {.used = used, .seen = omap_new(tmp)};
    report_object(&report, &object_project, "");
    return report.count;
}
