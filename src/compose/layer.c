/*
 * One document after the other becomes a canonical tree and is merged over what came before:
 * read -> interpolate -> include -> canonical form -> extend -> merge.
 */
#include "compose/loader.h"

#include "base/path.h"
#include "base/str.h"
#include "data/yaml_read.h"
#include "sys/fd.h"
#include "sys/fs.h"

static int read_stdin(const void *owner, char **ret, size_t *ret_size, struct error *err)
{
    size_t size = 0, room = 65536;
    char *data = mem_array(owner, char, room);
    for (;;) {
        ssize_t n = RETRY_EINTR(read(STDIN_FILENO, data + size, room - size));
        if (n < 0)
            return error_errno(err, "read standard input");
        if (n == 0)
            break;
        size += (size_t)n;
        if (size > YAML_MAX_SIZE)
            return error_set(err, EFBIG, "standard input: larger than %d MiB", YAML_MAX_SIZE >> 20);
        if (size == room) {
            room *= 2;
            data = mem_grow(owner, data, char, room);
        }
    }
    *ret = data;
    *ret_size = size;
    return 0;
}

char *loader_label(struct loader *l, const char *path)
{
    const char *below = str_eq(l->cwd, "/") ? NULL : str_after(path, l->cwd);
    if (str_eq(path, "-"))
        return arena_strdup(l->arena, "(standard input)");
    return arena_strdup(l->arena, below && *below == '/' ? below + 1 : path);
}

static int not_mapping(const struct node *document, struct error *err)
{
    error_set(err, EINVAL, "%s:%u:%u: the top level must be a mapping, not %s", document->file,
              document->line, document->col, document->kind == NODE_LIST ? "a list" : "a text");
    return error_hint(err, "write 'services:' first, and the services below it, indented");
}

int loader_read(struct loader *l, const char *path, struct node **ret_documents, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *data;
    size_t size;
    if (++l->file_count > LOAD_MAX_FILES)
        return error_set(err, E2BIG, "%s: more than %d files", path, LOAD_MAX_FILES);
    int r = str_eq(path, "-") ? read_stdin(tmp, &data, &size, err)
                              : fs_read_file(tmp, path, YAML_MAX_SIZE, &data, &size, err);
    if (r == FS_ABSENT)
        return error_set(err, ENOENT, "open %s: no such file or directory", path);
    if (r < 0)
        return r;
    char *name = loader_label(l, path);
    r = yaml_read(l->arena, name, data, size, ret_documents, err);
    if (r < 0)
        return r;
    /* What documents merge into is checked after each of them, as after a file. */
    uint32_t documents = (*ret_documents)->list.count;
    l->file_count += documents > 1 ? documents - 1 : 0;
    if (l->file_count > LOAD_MAX_FILES)
        return error_set(err, E2BIG, "%s: more than %d files and documents", name, LOAD_MAX_FILES);
    node_foreach_item (i, *ret_documents)
        if ((*ret_documents)->list.items[i]->kind != NODE_MAP)
            return not_mapping((*ret_documents)->list.items[i], err);
    return 0;
}

int loader_check(struct loader *l, struct node *tree, bool partial)
{
    l->pass.partial = partial;
    schema_check(&l->pass, &object_project, tree);
    return loader_status(l);
}

const char *loader_base_dir(const struct loader *l, const char *dir, bool is_main)
{
    if (!l->options->no_path_resolution)
        return dir;
    return is_main ? NULL : path_relative(l->arena, l->working_dir, dir);
}

int loader_layer(struct loader *l, const struct scope *scope, struct node *document, struct node **tree)
{
    history_written(l->history, document);
    size_t errors = l->diagnostics->error_count;
    if (!l->options->no_interpolate)
        loader_interpolate(l, document, scope->environment);
    if (l->diagnostics->error_count > errors)
        return loader_status(l); /* what an expression did not become is no value to judge */
    struct node *included = NULL, *items = node_get(document, "include");
    if (items)
        loader_include(l, scope, items, &included);
    node_remove(document, "include");

    l->pass.base_dir = loader_base_dir(l, scope->dir, !scope->up);
    l->pass.home = l->home;
    l->pass.lenient = l->options->no_interpolate;
    struct node *canonical = schema_canon(&l->pass, &object_project, document);
    if (!canonical)
        return loader_status(l);
    if (included) {
        loader_drop_same(canonical, included);
        loader_add_included(l, included, tree);
    }
    l->refused = l->diagnostics->error_count > errors;
    loader_extend(l, scope, canonical);
    if (!*tree)
        schema_settle(canonical);
    *tree = *tree ? schema_merge_objects(&l->pass, &object_project, *tree, canonical) : canonical;
    return loader_status(l);
}
