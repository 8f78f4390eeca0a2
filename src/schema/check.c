/*
 * What can be said only of the merged tree: lists without doubles, required keys, nulls, choices, ranges. The
 * check of references between objects is the loader's.
 */
#include "base/omap.h"
#include "base/str.h"
#include "base/strv.h"
#include "data/history.h"
#include "schema/types.h"

static const char *element_key(struct schema_pass *pass, const struct schema_field *field,
                               const struct node *item)
{
    if (item->kind == NODE_MAP && field->object && field->object->list_key)
        return field->object->list_key(pass->arena, item);
    if (field->type == &type_mapping && item->kind == NODE_STRING)
        return arena_strndup(pass->arena, item->text, strcspn(item->text, "="));
    return scalar_text(pass->arena, item);
}

static struct node *join(struct schema_pass *pass, const struct schema_field *field, struct node *base,
                         struct node *over)
{
    if (field->unique == UNIQUE_MERGE)
        return schema_merge_objects(pass, field->object, base, over);
    if (field->unique == UNIQUE_ONCE)
        history_same(pass->history, base, over);
    else
        history_replaced(pass->history, over, base, NULL);
    return field->unique == UNIQUE_ONCE ? base : over;
}

/* Joins elements with equal keys in place. */
static void make_unique(struct schema_pass *pass, const struct schema_field *field, struct node *list)
{
    bool pairs = field->type == &type_mapping;
    if ((field->unique == UNIQUE_NOT && !pairs) || list->list.count < 2)
        return;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *seen = omap_new(tmp); /* key -> place + 1 */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->list.count; i++) {
        struct node *item = list->list.items[i];
        const char *key = element_key(pass, field, item);
        uintptr_t place = key ? (uintptr_t)omap_get(seen, key) : 0;
        if (!place) {
            list->list.items[kept++] = item;
            if (key)
                omap_set(seen, key, (void *)(uintptr_t)kept);
        } else if (field->unique == UNIQUE_ERROR) {
            struct schema_path frame = {.up = pass->path, .index = i};
            pass->path = &frame;
            schema_twice(pass, item, list->list.items[place - 1], key);
            pass->path = frame.up;
        } else {
            list->list.items[place - 1] = join(pass, field, list->list.items[place - 1], item);
        }
    }
    list->list.count = kept;
}

static void check_string(struct schema_pass *pass, const struct schema_field *field, const struct node *node)
{
    if (pass->lenient && strchr(node->text, '$'))
        return;
    if (field->choices && !strv_contains((char *const *)(uintptr_t)field->choices, node->text)) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        char *all = strv_join(tmp, (char *const *)(uintptr_t)field->choices, ", ");
        const char *near = word_nearest(node->text, field->choices);
        schema_error(pass, node, near ? arena_printf(pass->arena, "did you mean '%s'?", near) : NULL,
                     "'%s' is not one of %s", node->text, all);
    }
    if (field->valid && !field->valid(node->text))
        schema_error(pass, node, NULL, "'%s' is not %s", node->text, field->expects);
}

static void check_range(struct schema_pass *pass, const struct schema_field *field, const struct node *node)
{
    double number = node->kind == NODE_INT ? (double)node->integer : node->number;
    if (field->ranged && (number < (double)field->min || number > (double)field->max))
        schema_error(pass, node, NULL, "must be between %lld and %lld", (long long)field->min,
                     (long long)field->max);
}

static void check_elements(struct schema_pass *pass, const struct schema_field *field, struct node *value)
{
    node_foreach_item (i, value) {
        struct schema_path frame = {.up = pass->path, .index = i};
        pass->path = &frame;
        if (value->list.items[i]->kind == NODE_MAP)
            schema_check(pass, field->object, value->list.items[i]);
        pass->path = frame.up;
    }
    node_foreach_entry (e, value) {
        struct schema_path frame = {.up = pass->path, .key = e->key};
        pass->path = &frame;
        if (e->value->kind == NODE_MAP)
            schema_check(pass, field->object, e->value);
        else if (e->value->kind == NODE_NULL && !(field->flags & FIELD_NULL_VALUES))
            schema_expected(pass, e->value, "write its keys below it, indented deeper", "a mapping");
        pass->path = frame.up;
    }
}

static void check_value(struct schema_pass *pass, const struct schema_field *field, struct node *value)
{
    if (value->kind == NODE_NULL) {
        if (!(field->flags & FIELD_NULLABLE))
            schema_error(pass, value, "give it a value or remove the key", "must be %s, not empty",
                         field->type->what);
        return;
    }
    if (value->kind == NODE_STRING)
        check_string(pass, field, value);
    if (value->kind == NODE_INT || value->kind == NODE_FLOAT)
        check_range(pass, field, value);
    if (value->kind == NODE_LIST)
        make_unique(pass, field, value);
    if (field->type == &type_object && value->kind == NODE_MAP)
        schema_check(pass, field->object, value);
    else if (field->object)
        check_elements(pass, field, value);
}

static const char *choices_hint(struct schema_pass *pass, const struct schema_field *field)
{
    if (!field->choices)
        return NULL;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    return arena_printf(pass->arena, "it is one of %s",
                        strv_join(tmp, (char *const *)(uintptr_t)field->choices, ", "));
}

void schema_check(struct schema_pass *pass, const struct schema_object *object, struct node *tree)
{
    node_foreach_entry (e, tree) {
        struct schema_path frame = {.up = pass->path, .key = e->key};
        pass->path = &frame;
        if (e->row)
            check_value(pass, e->row, e->value);
        pass->path = frame.up;
    }
    for (size_t i = 0; i < object->count; i++)
        if (object->fields[i].flags & FIELD_REQUIRED && !node_get(tree, object->fields[i].key))
            schema_error(pass, tree, choices_hint(pass, &object->fields[i]), "'%s' is missing",
                         object->fields[i].key);
    if (object->check && !pass->partial)
        object->check(pass, tree);
}
