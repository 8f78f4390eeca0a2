/* env_file and label_file become part of environment and labels, which win over them. */
#include "compose/loader.h"

#include "base/path.h"
#include "base/str.h"
#include "data/dotenv.h"
#include "sys/fs.h"

/* What variables in a file mean: the environment comes first, if it counts, then what the service says. */
struct file_scope {
    struct template_scope scope;
    const struct omap *environment;
    const struct node *own;
};

static const char *lookup(const struct template_scope *scope, const char *name)
{
    const struct file_scope *s = (const struct file_scope *)scope;
    const char *value = s->environment ? omap_get(s->environment, name) : NULL;
    return value ? value : node_get_text(s->own, name);
}

/* What files say counts again for each service that reads them. */
static bool is_within_limit(struct loader *l, const struct node *at, const char *where, size_t size,
                            const struct omap *values)
{
    bool before = l->env_bytes <= LOAD_MAX_ENV_FILES;
    l->env_bytes += size;
    omap_foreach (e, values)
        l->env_bytes += sizeof(*e) + strlen(e->value);
    bool within = l->env_bytes <= LOAD_MAX_ENV_FILES;
    if (before && !within)
        loader_problem(l, at, where, true, NULL, "the env files of all services say more than %d MiB",
                       LOAD_MAX_ENV_FILES >> 20);
    return within;
}

/* What env files say: the values that later ones see, and a node for each with its place. */
struct values {
    struct omap *texts;
    struct node *nodes;
};

static struct values values_new(struct loader *l, const void *owner, const struct node *at)
{
    return (struct values){omap_new(owner), node_new(l->arena, NODE_MAP, at)};
}

static void add_nodes(struct loader *l, const char *path, const struct omap *lines, struct values *values)
{
    const char *file = loader_label(l, path);
    omap_foreach (e, lines) {
        struct node *node = node_string(l->arena, omap_get(values->texts, e->key), NULL);
        const struct node *before = node_get(values->nodes, e->key);
        node->file = file;
        node->line = dotenv_line(lines, e->key);
        node->col = 1;
        history_written(l->history, node);
        if (before)
            history_replaced(l->history, node, before, NULL);
        node_set(l->arena, values->nodes, arena_strdup(l->arena, e->key), node);
    }
}

/* Adds one file's values, unless that was reported as a problem. */
static void read_values(struct loader *l, const struct node *at, const char *where, const char *path,
                        bool required, bool raw, const struct file_scope *scope, struct values *values)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct omap *lines = omap_new(tmp);
    char *text;
    size_t size = 0;
    if (l->env_bytes > LOAD_MAX_ENV_FILES || !loader_has_room(l, at))
        return;
    int r = fs_read_file(tmp, path, DOTENV_MAX_SIZE, &text, &size, &err);
    if (r == FS_ABSENT && !required)
        return;
    if (r == FS_ABSENT) {
        loader_problem(l, at, where, true, "make it, or write 'required: false' beside its 'path'",
                       "env file %s not found", path);
        return;
    }
    if (r == 0 && strlen(text) != size)
        r = error_set(&err, EINVAL, "has NUL characters");
    if (r == 0)
        r = raw ? dotenv_parse_raw(text, &scope->scope, values->texts, lines, &err)
                : dotenv_parse(text, &scope->scope, values->texts, lines, &err);
    if (r < 0) {
        loader_env_error(l, path, &err);
        loader_failed(l, &err);
    } else if (is_within_limit(l, at, where, size, values->texts)) {
        add_nodes(l, path, lines, values);
    }
}

/* The files' values become part of the map under `key`, whose own values win; the key of the files goes. */
static void merge_values(struct loader *l, struct node *service, const char *key, struct values *values,
                         const char *files)
{
    struct node *map = values->nodes, *own = node_get(service, key);
    node_foreach_entry (e, own) {
        const struct node *before = node_get(map, e->key);
        if (before)
            history_replaced(l->history, e->value, before, NULL);
        node_set(l->arena, map, e->key, e->value);
    }
    if (own)
        history_moved(l->history, own, map);
    if (map->map.count)
        schema_put(l->arena, &object_service, service, key, map);
    history_removed(l->history, service, files, node_get(service, files), NULL, "what it names is in %s now",
                    key);
    node_remove(service, files);
}

static void resolve_env_files(struct loader *l, struct node *service, const char *name)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct node *files = node_get(service, "env_file");
    if (!files)
        return;
    struct values values = values_new(l, tmp, files);
    struct file_scope scope = {
        .scope.lookup = lookup, .environment = l->environment, .own = node_get(service, "environment")};
    char *where = arena_printf(l->arena, "services.%s.env_file", name);
    node_foreach_item (i, files) {
        const struct node *file = files->list.items[i];
        const char *format = node_get_text(file, "format"), *path = node_get_text(file, "path");
        if (!str_is_empty(format) && !str_eq(format, "raw"))
            loader_problem(l, file, where, true, NULL, "'%s' is not a format: raw", format);
        else if (path)
            read_values(l, file, where, path_join(tmp, l->working_dir, path), node_get_bool(file, "required"),
                        str_eq(format, "raw"), &scope, &values);
    }
    merge_values(l, service, "environment", &values, "env_file");
}

static void resolve_label_files(struct loader *l, struct node *service, const char *name)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct node *files = node_get(service, "label_file");
    if (!files)
        return;
    struct values values = values_new(l, tmp, files);
    struct file_scope scope = {.scope.lookup = lookup, .own = values.nodes};
    char *where = arena_printf(l->arena, "services.%s.label_file", name);
    node_foreach_item (i, files) {
        const struct node *file = files->list.items[i];
        read_values(l, file, where, path_join(tmp, l->working_dir, file->text), true, false, &scope, &values);
    }
    merge_values(l, service, "labels", &values, "label_file");
}

/* Variables without a value take that of the project's environment. */
static void resolve_environment(struct loader *l, struct node *service)
{
    node_foreach_entry (e, node_get(service, "environment")) {
        const char *value = e->value->kind == NODE_NULL ? omap_get(l->environment, e->key) : NULL;
        if (!value || !loader_has_room(l, e->value))
            continue;
        struct node *node = node_string(l->arena, value, e->value);
        origin_interpolated(l->record, node, arena_printf(l->arena, "$%s", e->key), l->environment);
        e->value = node;
    }
}

/* Files that stay unread are shown as they would be written. */
static void shorten_env_files(struct node *service)
{
    struct node *files = node_get(service, "env_file");
    node_foreach_item (i, files) {
        struct node *file = files->list.items[i];
        if (node_get_bool(file, "required") && !node_get(file, "format"))
            files->list.items[i] = node_get(file, "path");
    }
}

void loader_env_files(struct loader *l, struct node *services)
{
    node_foreach_entry (e, services) {
        resolve_environment(l, e->value);
        resolve_label_files(l, e->value, e->key);
        if (l->options->no_env_resolution)
            shorten_env_files(e->value);
        else
            resolve_env_files(l, e->value, e->key);
    }
}
