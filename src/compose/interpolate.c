/* Variables in the values of a tree, before anything looks at them. Keys stay as they are. */
#include "compose/loader.h"

struct reader {
    struct template_scope scope;
    struct loader *loader;
    const struct node *node;
    const struct schema_path *path;
};

static const char *lookup(const struct template_scope *scope, const char *name)
{
    const struct reader *reader = (const struct reader *)scope;
    return omap_get(reader->scope.data, name);
}

void loader_unset(struct loader *l, const struct node *at, const char *path, const char *name)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *mark = mem_printf(tmp, "variable %s", name);
    if (omap_has(l->told, mark))
        return;
    omap_set(l->told, mark, l);
    loader_problem(l, at, path, false, NULL, "The \"%s\" variable is not set. Defaulting to a blank string.",
                   name);
}

static void unset(const struct template_scope *scope, const char *name)
{
    const struct reader *reader = (const struct reader *)scope;
    struct loader *l = reader->loader;
    loader_unset(l, reader->node, schema_path_text(l->arena, reader->path), name);
}

static void walk(struct reader *reader, struct node *node)
{
    struct loader *l = reader->loader;
    if (node->kind == NODE_STRING && strchr(node->text, '$')) {
        struct error err = ERROR_INIT;
        char *text;
        reader->node = node;
        if (!loader_has_room(l, node))
            return;
        if (template_expand(NULL, node->text, &reader->scope, &text, &err) < 0) {
            loader_problem(l, node, schema_path_text(l->arena, reader->path), true,
                           err.hint[0] ? err.hint : NULL, "%s", err.text);
            return;
        }
        origin_interpolated(l->record, node, node->text, reader->scope.data);
        node->text = arena_strdup(l->arena, text);
        talloc_free(text);
    }
    const struct schema_path *up = reader->path;
    node_foreach_item (i, node) {
        struct schema_path frame = {.up = up, .index = i};
        reader->path = &frame;
        walk(reader, node->list.items[i]);
    }
    node_foreach_entry (e, node) {
        struct schema_path frame = {.up = up, .key = e->key};
        reader->path = &frame;
        walk(reader, e->value);
    }
    reader->path = up;
}

void loader_interpolate(struct loader *l, struct node *tree, struct omap *environment)
{
    struct reader reader = {
        .scope = {.lookup = lookup, .unset = unset, .data = environment},
          .loader = l
    };
    walk(&reader, tree);
}

int interpolate_text(struct loader *l, const char *text, char **ret, struct error *err)
{
    struct template_scope scope = {.lookup = environment_lookup, .data = l->environment};
    return template_expand(l->arena, text, &scope, ret, err);
}
