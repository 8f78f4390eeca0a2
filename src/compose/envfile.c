/* env_file and label_file become part of environment and labels, which win over them. */
#include "compose/loader.h"

#include "base/path.h"
#include "base/str.h"
#include "data/dotenv.h"
#include "sys/fs.h"

static const char *lookup(const struct template_scope *scope, const char *name)
{
    return omap_get(scope->data, name);
}

/* Adds one file's values; false when that was reported as a problem. */
static bool read_values(struct loader *l, const struct node *at, const char *where, const char *path,
                        bool required, bool raw, struct omap *values)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct template_scope scope = {.lookup = lookup, .data = l->environment};
    char *text;
    size_t size;
    int r = fs_read_file(tmp, path, DOTENV_MAX_SIZE, &text, &size, &err);
    if (r == FS_ABSENT && !required)
        return true;
    if (r == FS_ABSENT) {
        loader_problem(l, at, where, true, NULL, "env file %s not found", path);
        return false;
    }
    if (r == 0)
        r = raw ? dotenv_parse_raw(text, &scope, values, &err) : dotenv_parse(text, &scope, values, &err);
    if (r < 0)
        loader_problem(l, at, where, true, NULL, "%s: %s", path, err.text);
    return r == 0;
}

static void merge_values(struct loader *l, const struct schema_object *object, struct node *service,
                         const char *key, const struct omap *values, const struct node *at)
{
    struct node *map = node_new(l->arena, NODE_MAP, at), *own = node_get(service, key);
    omap_foreach (e, values)
        node_set(l->arena, map, arena_strdup(l->arena, e->key), node_string(l->arena, e->value, at));
    node_foreach_entry (e, own)
        node_set(l->arena, map, e->key, e->value);
    if (map->map.count)
        schema_put(l->arena, object, service, key, map);
}

static void resolve_env_files(struct loader *l, struct node *service, const char *name)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *values = omap_new(tmp);
    const struct node *files = node_get(service, "env_file");
    char *where = arena_printf(l->arena, "services.%s.env_file", name);
    node_foreach_item (i, files) {
        const struct node *file = files->list.items[i];
        const char *format = node_get_text(file, "format"), *path = node_get_text(file, "path");
        cleanup_ctx TALLOC_CTX *ctx = mem_ctx();
        if (!str_is_empty(format) && !str_eq(format, "raw"))
            loader_problem(l, file, where, true, NULL, "'%s' is not a format: raw", format);
        else if (path)
            read_values(l, file, where, path_join(ctx, l->working_dir, path), node_get_bool(file, "required"),
                        str_eq(format, "raw"), values);
    }
    if (files)
        merge_values(l, &object_service, service, "environment", values, files);
    node_remove(service, "env_file");
}

static void resolve_label_files(struct loader *l, struct node *service, const char *name)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *values = omap_new(tmp);
    const struct node *files = node_get(service, "label_file");
    char *where = arena_printf(l->arena, "services.%s.label_file", name);
    node_foreach_item (i, files) {
        const struct node *file = files->list.items[i];
        cleanup_ctx TALLOC_CTX *ctx = mem_ctx();
        read_values(l, file, where, path_join(ctx, l->working_dir, file->text), true, false, values);
    }
    if (files)
        merge_values(l, &object_service, service, "labels", values, files);
    node_remove(service, "label_file");
}

/* Variables without a value take that of the project's environment. */
static void resolve_environment(struct loader *l, struct node *service)
{
    node_foreach_entry (e, node_get(service, "environment")) {
        const char *value = e->value->kind == NODE_NULL ? omap_get(l->environment, e->key) : NULL;
        if (value)
            e->value = node_string(l->arena, value, e->value);
    }
}

void loader_env_files(struct loader *l, struct node *services)
{
    node_foreach_entry (e, services) {
        resolve_environment(l, e->value);
        resolve_env_files(l, e->value, e->key);
        resolve_label_files(l, e->value, e->key);
    }
}
