/*
 * extends: a service that starts from another one, of the same file or of another file, whose own extends
 * come first. The other service is copied, because several may start from it.
 */
#include "compose/loader.h"

#include "base/path.h"
#include "base/str.h"

struct chain {
    const struct chain *up;
    const char *file, *service;
};

static void extend_service(struct loader *l, const struct scope *scope, struct node *services,
                           struct node_entry *entry, const struct chain *up);

static bool in_cycle(struct loader *l, const struct node *at, const struct chain *chain, const char *path)
{
    unsigned depth = 0;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text = mem_printf(tmp, "%s in %s", chain->service, loader_label(l, chain->file));
    for (const struct chain *c = chain->up; c; c = c->up, depth++) {
        text = mem_printf(tmp, "%s in %s\n  extends %s", c->service, loader_label(l, c->file), text);
        if (str_eq(c->file, chain->file) && str_eq(c->service, chain->service)) {
            if (!l->refused)
                loader_problem(l, at, path, true, NULL, "Circular reference:\n  %s", text);
            return true;
        }
    }
    if (depth > LOAD_MAX_DEPTH)
        loader_problem(l, at, path, true, NULL, "services extend each other more than %d deep",
                       LOAD_MAX_DEPTH);
    return depth > LOAD_MAX_DEPTH;
}

/* The canonical tree of a file that is extended from, read once. */
static struct node *extended_file(struct loader *l, const struct scope *scope, const struct node *at,
                                  const char *where)
{
    struct node *tree = omap_get(scope->extended, scope->file);
    struct node *documents;
    struct error err = ERROR_INIT;
    if (tree)
        return tree;
    if (loader_read(l, scope->file, &documents, &err) < 0) {
        loader_problem(l, at, where, true, err.hint[0] ? err.hint : NULL, "%s", err.text);
        return NULL;
    }
    struct schema_pass saved = l->pass;
    l->pass.base_dir = loader_base_dir(l, scope->dir, false);
    l->pass.path = NULL;
    node_foreach_item (i, documents) {
        struct node *document = documents->list.items[i];
        history_written(l->history, document);
        if (!l->options->no_interpolate)
            loader_interpolate(l, document, scope->environment);
        node_remove(document, "include");
        struct node *canonical = schema_canon(&l->pass, &object_project, document);
        if (canonical)
            tree = tree ? schema_merge_objects(&l->pass, &object_project, tree, canonical) : canonical;
    }
    saved.expanded = l->pass.expanded;
    l->pass = saved;
    if (tree)
        omap_set(scope->extended, scope->file, tree);
    return tree;
}

/* Many services that extend a large one could make any amount of copies. */
static bool may_copy(struct loader *l, const struct node *at, const struct node *base, const char *where)
{
    if (l->copied > LOAD_MAX_COPIES)
        return false;
    l->copied += node_weight(base);
    if (l->copied > LOAD_MAX_COPIES)
        loader_problem(l, at, where, true, NULL, "services that are extended make more than %d values",
                       LOAD_MAX_COPIES);
    return l->copied <= LOAD_MAX_COPIES;
}

/* Ret: whether there was something to start from; an empty service is none, and the reference stays. */
static bool extend_from(struct loader *l, const struct scope *scope, struct node *services,
                        struct node_entry *entry, struct node *extends, const struct chain *chain,
                        const char *where)
{
    const char *file = node_get_text(extends, "file"), *name = node_get_text(extends, "service");
    struct scope other = *scope;
    if (!name) {
        if (!l->refused)
            loader_problem(l, extends, where, true, NULL, "'service' is missing");
        return false;
    }
    if (file) {
        struct error err = ERROR_INIT;
        if (loader_refuse_remote(file, &err) < 0) {
            loader_problem(l, node_get(extends, "file"), where, true, err.hint, "%s", err.text);
            return false;
        }
        other.file = path_join(l->arena, scope->dir, file);
        other.dir = path_parent(l->arena, other.file);
        services = tree_services(extended_file(l, &other, node_get(extends, "file"), where));
    }
    struct node_entry *base = node_entry(services, name);
    if (base && base->value->tag == NODE_RESET)
        base = NULL;
    if (!base) {
        if (loader_status(l) == 0)
            loader_problem(l, node_get(extends, "service"), where, true, loader_nearest(l, services, name),
                           "cannot extend service '%s': there is no service '%s' in %s", entry->key, name,
                           loader_label(l, other.file));
        return false;
    }
    extend_service(l, &other, services, base, chain);
    if (!may_copy(l, extends, base->value, where))
        return false;
    struct node *copy = node_copy(l->arena, base->value);
    history_copied(l->history, base->value, copy);
    history_brought(l->history, copy, extends, "extends: service %s", name);
    if (!node_is(copy, NODE_MAP)) {
        if (file && !l->options->no_path_resolution)
            node_set(l->arena, extends, "file", node_string(l->arena, other.file, extends));
        return false;
    }
    copy->tag = NODE_UNTAGGED;
    schema_settle(copy);
    enum node_tag tag = entry->value->tag; /* speaks of the files before, as all marks in the service do */
    entry->value->tag = NODE_UNTAGGED;
    l->pass.marks_stay = true;
    entry->value = schema_merge_objects(&l->pass, &object_service, copy, entry->value);
    l->pass.marks_stay = false;
    entry->value->tag = tag;
    return true;
}

static void extend_service(struct loader *l, const struct scope *scope, struct node *services,
                           struct node_entry *entry, const struct chain *up)
{
    struct node *extends = node_get(entry->value, "extends");
    struct chain chain = {.up = up, .file = scope->file, .service = entry->key};
    if (!node_is(entry->value, NODE_MAP) || entry->value->tag == NODE_RESET)
        return;
    char *where = arena_printf(l->arena, "services.%s.extends", entry->key);
    if (in_cycle(l, extends ? extends : entry->value, &chain, where) || !node_is(extends, NODE_MAP))
        return;
    if (!extend_from(l, scope, services, entry, extends, &chain, where))
        return;
    history_removed(l->history, entry->value, "extends", extends, NULL, "its values are in the service now");
    node_remove(entry->value, "extends");
}

void loader_extend(struct loader *l, const struct scope *scope, struct node *document)
{
    struct node *services = tree_services(document);
    node_foreach_entry (e, services)
        extend_service(l, scope, services, e, NULL);
}
