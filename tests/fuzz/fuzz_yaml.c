/* A Compose file's bytes, through everything that does not read other files: reading, canonical form, checks,
 * printing. Whatever they are, there is a tree or an error. */
#include "data/yaml_read.h"
#include "data/yaml_write.h"
#include "model/tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(struct schema_report *report UNUSED, const struct node *at UNUSED, const char *path UNUSED,
                   bool is_error UNUSED, const char *text UNUSED, const char *hint UNUSED)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct arena *arena = arena_new(tmp);
    struct error err = ERROR_INIT;
    struct node *documents;
    if (yaml_read(arena, "input", (const char *)data, size, &documents, &err) < 0)
        return 0;
    struct schema_report report = {.problem = ignore};
    struct schema_pass pass = {.arena = arena, .report = &report, .base_dir = "/base", .home = "/home"};
    struct node *tree = NULL;
    node_foreach_item (i, documents) {
        struct node *document = documents->list.items[i];
        struct node *canonical =
            document->kind == NODE_MAP ? schema_canon(&pass, &object_project, document) : NULL;
        if (canonical)
            tree = tree ? schema_merge_objects(&pass, &object_project, tree, canonical) : canonical;
    }
    if (!tree)
        return 0;
    schema_settle(tree);
    schema_check(&pass, &object_project, tree);
    struct buffer out = BUFFER_INIT(tmp);
    yaml_write(&out, schema_print(arena, &object_project, tree, SCHEMA_YAML));
    schema_print(arena, &object_project, tree, SCHEMA_JSON);
    return 0;
}
