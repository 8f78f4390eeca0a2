/* The output of `config`. */
#include "compose/load.h"
#include "data/json_write.h"
#include "data/yaml_write.h"
#include "model/tables.h"

/* A dollar sign would start a variable when the output is read again. */
static char *escape_dollars(const void *owner, const char *text, size_t size)
{
    struct buffer out = BUFFER_INIT(owner);
    buffer_add(&out, "", 0);
    for (const char *dollar; (dollar = memchr(text, '$', size)) != NULL;) {
        size_t n = (size_t)(dollar - text) + 1;
        buffer_add(&out, text, n);
        buffer_add_char(&out, '$');
        text += n;
        size -= n;
    }
    buffer_add(&out, text, size);
    return out.full ? NULL : out.data;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct node_entry *)a)->key, ((const struct node_entry *)b)->key);
}

/* In the free form of extensions an empty list is null in JSON. */
static void sort_keys(struct node *node)
{
    if (node_is(node, NODE_LIST) && node->list.count == 0)
        node->kind = NODE_NULL;
    node_foreach_item (i, node)
        sort_keys(node->list.items[i]);
    node_foreach_entry (e, node)
        sort_keys(e->value);
    if (node_is(node, NODE_MAP) && node->map.count > 1)
        qsort(node->map.entries, node->map.count, sizeof(*node->map.entries), by_key);
}

/* JSON sorts the top level, and keeps extensions there and only there. */
static void sort_top(struct arena *arena, const struct node *tree, struct node *shown)
{
    node_foreach_entry (e, tree) {
        if (e->row)
            continue;
        struct node *copy = node_copy(arena, e->value);
        sort_keys(copy);
        node_set(arena, shown, e->key, copy);
    }
    if (shown->map.count > 1)
        qsort(shown->map.entries, shown->map.count, sizeof(*shown->map.entries), by_key);
}

char *project_print(const void *owner, const struct project *project, enum config_format format)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct arena *arena = arena_new(tmp);
    struct buffer out = BUFFER_INIT(tmp);
    bool json = format == CONFIG_JSON;
    enum schema_format how = project->raw ? (json ? SCHEMA_RAW_JSON : SCHEMA_RAW_YAML)
                             : json       ? SCHEMA_JSON
                                          : SCHEMA_YAML;
    struct node *shown = schema_print(arena, &object_project, project->tree, how);
    if (project->raw) {
        if (json)
            json_write(&out, shown, false);
        else
            yaml_write(&out, shown);
        return out.full ? NULL : mem_strndup(owner, out.data, out.size);
    }
    if (json) {
        sort_top(arena, project->tree, shown);
        json_write(&out, shown, false);
    } else {
        yaml_write(&out, shown);
    }
    return out.full ? NULL : escape_dollars(owner, out.data, out.size);
}
