/*
 * Merging canonical trees. Since short forms are gone, a list meets a list and a map a map, and the rows say
 * what happens; doubled list elements are left to the check pass. The result may share nodes with both sides,
 * which nothing uses afterwards.
 */
#include "base/str.h"
#include "data/history.h"
#include "schema/types.h"

static struct node *merge_maps(struct schema_pass *pass, struct node *base, struct node *over)
{
    bool removed = false, unordered = false;
    node_foreach_entry (e, over) {
        struct node_entry *before = node_entry(base, e->key);
        struct node *value = schema_merge(pass, e->row, before ? before->value : NULL, e->value);
        if (!value && before)
            history_removed(pass->history, base, before->key, before->value, e->value, "!reset");
        struct node_entry *entry = before;
        if (before)
            before->value = value;
        else if (value)
            entry = node_set(pass->arena, base, e->key, value);
        removed |= !value;
        if (!value)
            continue;
        unordered |= !before && e->row; /* an object's entries stand in the order of the table */
        entry->row = e->row ? e->row : entry->row;
        entry->line = e->line;
        entry->col = e->col;
    }
    if (removed)
        node_compact(base);
    if (unordered)
        schema_order(base);
    return base;
}

static bool same_kind(const struct schema_field *field, const struct node *base, const struct node *over)
{
    const char *key = field->object ? field->object->discriminator : NULL;
    const struct node *a = key ? node_get(base, key) : NULL, *b = key ? node_get(over, key) : NULL;
    return !a || !b || node_equal(a, b);
}

static struct node *replace(struct schema_pass *pass, const struct node *base, struct node *over)
{
    if (base)
        history_replaced(pass->history, over, base, over->tag == NODE_OVERRIDE ? "!override" : NULL);
    if (!pass->marks_stay)
        schema_settle(over);
    return over;
}

/* A mapping as a list of K=V, a string as a list of one: what different forms have in common. */
static struct node *as_list(struct arena *arena, struct node *node)
{
    if (node->kind == NODE_LIST)
        return node;
    struct node *list = node_new(arena, NODE_LIST, node);
    if (node->kind != NODE_MAP)
        node_list_add(arena, list, node);
    node_foreach_entry (e, node) {
        const char *value = scalar_text(arena, e->value);
        node_list_add(
            arena, list,
            node_string(arena, value ? arena_printf(arena, "%s=%s", e->key, value) : e->key, e->value));
    }
    return list;
}

/* Values that were left as written (without interpolation) may have different forms. */
static bool has_forms(const struct schema_pass *pass, const struct schema_field *field,
                      const struct node *base, const struct node *over)
{
    if (!pass->lenient || !field || field->object)
        return false;
    return field->type == &type_mapping || field->type == &type_string_list ||
           (base->kind != over->kind && (base->kind == NODE_LIST || over->kind == NODE_LIST));
}

struct node *schema_merge(struct schema_pass *pass, const struct schema_field *field, struct node *base,
                          struct node *over)
{
    if (over->tag == NODE_RESET)
        return pass->marks_stay ? over : NULL;
    enum schema_merge rule = field ? field->merge : MERGE_NORMAL;
    if (!base || over->tag == NODE_OVERRIDE || rule == MERGE_REPLACE)
        return replace(pass, base, over);
    /* Under a key of the table null says nothing; under a key of the user's it is a value (environment). */
    if (over->kind == NODE_NULL)
        return field || base->kind == NODE_MAP ? base : replace(pass, base, over);
    if (has_forms(pass, field, base, over)) {
        base = as_list(pass->arena, base);
        over = as_list(pass->arena, over);
    }
    if (base->kind != over->kind || (rule == MERGE_SAME_KIND && !same_kind(field, base, over)))
        return replace(pass, base, over);
    if (over->kind == NODE_LIST) {
        node_foreach_item (i, over)
            node_list_add(pass->arena, base, over->list.items[i]);
        return base;
    }
    if (over->kind != NODE_MAP)
        return replace(pass, base, over);
    return merge_maps(pass, base, over);
}

struct node *schema_merge_objects(struct schema_pass *pass, const struct schema_object *object,
                                  struct node *base, struct node *over)
{
    struct schema_field field = {.object = object};
    return schema_merge(pass, &field, base, over);
}

static void untag(struct node *tree)
{
    tree->tag = NODE_UNTAGGED;
    node_foreach_item (i, tree)
        untag(tree->list.items[i]);
    node_foreach_entry (e, tree)
        untag(e->value);
}

void schema_settle(struct node *tree)
{
    node_drop_reset(tree);
    untag(tree);
}
