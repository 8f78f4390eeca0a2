/*
 * Short forms of a service. The first line is the key; each further line is an element of a list, or the
 * value when there is one only. The canonical form, printed, is canonical already.
 */
#include "base/strv.h"
#include "model/tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct problems {
    struct schema_report report;
    unsigned errors;
};

static void count(struct schema_report *report, const struct node *at UNUSED, const char *path UNUSED,
                  bool is_error, const char *text UNUSED, const char *hint UNUSED)
{
    ((struct problems *)report)->errors += is_error;
}

static struct node *make_service(struct arena *arena, char **lines)
{
    struct node *service = node_new(arena, NODE_MAP, NULL), *list = node_new(arena, NODE_LIST, NULL);
    bool alone = lines[1] && *lines[1] && *lines[1] != '=' && !lines[2];
    for (size_t i = 1; lines[i]; i++)
        if (*lines[i] && *lines[i] != '=') /* an empty key can be had in a list only */
            node_list_add(arena, list, node_string(arena, lines[i], NULL));
    node_set(arena, service, lines[0], alone ? list->list.items[0] : list);
    return service;
}

/* NULL when anything is wrong with it. */
static struct node *canonical(struct arena *arena, struct node *service)
{
    struct problems problems = {.report.problem = count};
    struct schema_pass pass = {
        .arena = arena, .report = &problems.report, .base_dir = "/base", .home = "/home"};
    struct node *tree = schema_canon(&pass, &object_service, service);
    if (tree)
        schema_check(&pass, &object_service, tree);
    return problems.errors ? NULL : tree;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct arena *arena = arena_new(tmp);
    char **lines = strv_split(tmp, mem_strndup(tmp, (const char *)data, size), '\n');
    struct node *tree = canonical(arena, make_service(arena, lines));
    if (!tree)
        return 0;
    struct node *shown = schema_print(arena, &object_service, tree, SCHEMA_YAML);
    struct node *again = canonical(arena, node_copy(arena, shown));
    if (!again || !node_equal(shown, schema_print(arena, &object_service, again, SCHEMA_YAML)))
        abort();
    return 0;
}
