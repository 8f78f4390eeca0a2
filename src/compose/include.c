/*
 * include: another project's files, loaded as they would be on their own (their directory, their .env below
 * the including project's environment) and merged under the including file.
 */
#include "compose/loader.h"

#include "base/path.h"
#include "base/str.h"
#include "sys/fs.h"

static struct omap *copy_environment(struct loader *l, const struct omap *from)
{
    struct omap *copy = omap_new(l->arena);
    omap_foreach (e, from)
        l->env_bytes += sizeof(*e) + strlen(e->key); /* so that there is an end to copies of a large one */
    omap_foreach (e, from)
        omap_set(copy, e->key, e->value); /* the same text: it came from the same place */
    return copy;
}

static bool in_cycle(struct loader *l, const struct node *at, const struct scope *scope, const char *path)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *chain = mem_strdup(tmp, loader_label(l, path));
    unsigned depth = 0;
    for (const struct scope *s = scope; s; s = s->up, depth++) {
        chain = mem_printf(tmp, "%s\n include %s", loader_label(l, s->file), chain);
        if (str_eq(s->file, path)) {
            loader_problem(l, at, "include", true, NULL, "include cycle detected:\n%s", chain);
            return true;
        }
    }
    if (depth > LOAD_MAX_DEPTH)
        loader_problem(l, at, "include", true, NULL, "files include each other more than %d deep",
                       LOAD_MAX_DEPTH);
    return depth > LOAD_MAX_DEPTH;
}

static char **env_files_of(struct loader *l, const struct scope *scope, const struct node *item,
                           const char *dir)
{
    const struct node *given = node_get(item, "env_file");
    char **files = NULL;
    if (given) {
        node_foreach_item (i, given) {
            char *path = path_join(l->arena, scope->dir, given->list.items[i]->text);
            if (!str_eq(path, "/dev/null"))
                files = strv_add(l->arena, files, path);
        }
        return files;
    }
    struct stat st;
    char *path = path_join(l->arena, dir, ".env");
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        files = strv_add(l->arena, NULL, path);
    return files;
}

/* The same resource from two places is one: merging it with itself would double its lists. */
void loader_drop_same(struct node *tree, const struct node *there)
{
    node_foreach_entry (section, tree)
        for (uint32_t i = node_is(section->value, NODE_MAP) ? section->value->map.count : 0; i-- > 0;) {
            const struct node_entry *e = &section->value->map.entries[i];
            const struct node *other = node_get(node_get(there, section->key), e->key);
            if (other && node_equal(e->value, other))
                node_remove(section->value, e->key);
        }
}

void loader_add_included(struct loader *l, struct node *included, struct node **tree)
{
    if (*tree)
        loader_drop_same(included, *tree);
    *tree = *tree ? schema_merge_objects(&l->pass, &object_project, *tree, included) : included;
}

/* Extensions at the top level stay with their file. */
static void drop_extensions(struct node *tree)
{
    for (uint32_t i = node_is(tree, NODE_MAP) ? tree->map.count : 0; i-- > 0;)
        if (!tree->map.entries[i].row)
            node_remove(tree, tree->map.entries[i].key);
}

static void include_files(struct loader *l, const struct scope *inner, const struct node *item,
                          const struct scope *outer, struct node **tree)
{
    struct node *made = NULL;
    const struct node *paths = node_get(item, "path");
    node_foreach_item (i, paths) {
        struct node *documents;
        struct error err = ERROR_INIT;
        struct scope scope = *inner;
        scope.file = path_join(l->arena, outer->dir, paths->list.items[i]->text);
        if (in_cycle(l, paths->list.items[i], outer, scope.file))
            return;
        if (loader_read(l, scope.file, &documents, &err) < 0) {
            bool absent = str_starts(err.text, "open ");
            loader_problem(l, absent ? paths->list.items[i] : NULL, absent ? "include" : "", true,
                           err.hint[0] ? err.hint : NULL, "%s", err.text);
            return;
        }
        node_foreach_item (k, documents) {
            node_remove(documents->list.items[k], "name");
            node_remove(documents->list.items[k], "version");
            if (loader_layer(l, &scope, documents->list.items[k], &made) < 0 ||
                loader_check(l, made, true) < 0)
                return;
        }
    }
    if (!made)
        return;
    drop_extensions(made);
    if (!l->options->no_path_resolution)
        loader_fill_contexts(l, made, inner->dir);
    history_brought(l->history, made, paths->list.items[0], "include");
    loader_add_included(l, made, tree);
}

/* The directory that an included file's paths start from; what is no directory stands for the one it is in.
 */
static const char *project_directory(struct loader *l, const struct scope *scope, const char *given,
                                     const char *first)
{
    struct stat st;
    if (!given)
        return path_parent(l->arena, first);
    const char *dir = path_join(l->arena, scope->dir, given);
    return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) ? dir : path_parent(l->arena, dir);
}

static void include_one(struct loader *l, const struct scope *scope, const struct node *item,
                        struct node **tree)
{
    const struct node *paths = node_get(item, "path");
    const char *given = node_get_text(item, "project_directory");
    struct error err = ERROR_INIT;
    if (!node_is(paths, NODE_LIST) || paths->list.count == 0) {
        loader_problem(l, item, "include", true, NULL, "'path' is missing");
        return;
    }
    node_foreach_item (i, paths) {
        const char *path = paths->list.items[i]->text;
        if (loader_refuse_remote(path, &err) < 0) {
            loader_problem(l, paths->list.items[i], "include", true, err.hint, "%s", err.text);
            return;
        }
    }
    if (l->env_bytes > LOAD_MAX_ENV_FILES) {
        loader_problem(l, item, "include", true, NULL,
                       "env files and the environments of includes have more than %d MiB",
                       LOAD_MAX_ENV_FILES >> 20);
        return;
    }
    char *first = path_join(l->arena, scope->dir, paths->list.items[0]->text);
    struct scope inner = {
        .dir = project_directory(l, scope, given, first),
        .environment = copy_environment(l, scope->environment),
        .extended = omap_new(l->arena),
        .up = scope,
    };
    if (environment_add_files(inner.environment, env_files_of(l, scope, item, inner.dir), l, &err) < 0) {
        loader_problem(l, item, "include", true, NULL, "%s", err.text);
        return;
    }
    include_files(l, &inner, item, scope, tree);
}

void loader_include(struct loader *l, const struct scope *scope, struct node *items, struct node **tree)
{
    struct schema_path frame = {.key = "include"};
    const struct schema_field *field = schema_find(&object_project, "include");
    l->pass.path = &frame;
    l->pass.base_dir = NULL;
    struct node *list = schema_canon_field(&l->pass, field, items);
    l->pass.path = NULL;
    if (loader_status(l) < 0)
        return;
    node_foreach_item (i, list)
        include_one(l, scope, list->list.items[i], tree);
}
