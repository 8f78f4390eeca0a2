/*
 * The config hash says what a service is, not how its file is written. The project of every golden case is
 * written anew with its keys in other orders, as YAML with comments and as JSON in one line; each service
 * keeps its hash.
 */
#include "base/path.h"
#include "base/str.h"
#include "compose/load.h"
#include "data/json_write.h"
#include "data/yaml_read.h"
#include "data/yaml_write.h"
#include "sys/fs.h"

#include "lib/unit.h"

static const char *cases;

static struct project *load(const void *owner, const char *dir, char **files)
{
    struct load_options options = {
        .cwd = dir,
        .files = files,
        .environment = (char *const[]){(char[]){"HOME=/home/user"}, NULL},
        .profiles = strv_new(owner, "*", NULL),
    };
    struct project *project = NULL;
    struct diagnostics diagnostics = {0};
    return project_load(owner, &options, &project, &diagnostics, NULL) == 0 ? project : NULL;
}

static void shuffle(struct node *node, unsigned *seed)
{
    node_foreach_item (i, node)
        shuffle(node->list.items[i], seed);
    node_foreach_entry (e, node)
        shuffle(e->value, seed);
    for (uint32_t i = node_is(node, NODE_MAP) ? node->map.count : 0; i > 1; i--) {
        *seed = *seed * 1103515245 + 12345;
        struct node_entry *a = &node->map.entries[i - 1], *b = &node->map.entries[(*seed >> 16) % i], c = *a;
        *a = *b;
        *b = c;
    }
}

/* The text in another order and form. */
static char *rewrite(const void *owner, const char *text, bool json, unsigned seed)
{
    struct arena *arena = arena_new(owner);
    struct buffer out = BUFFER_INIT(owner);
    struct node *documents;
    assert_int_equal(yaml_read(arena, "text", text, strlen(text), &documents, NULL), 0);
    struct node *document = documents->list.items[0];
    shuffle(document, &seed);
    if (json) {
        json_write(&out, document, true);
    } else {
        buffer_add_str(&out, "# a comment\n\n");
        yaml_write(&out, document);
        buffer_add_str(&out, "# another\n");
    }
    return mem_strndup(owner, out.data, out.size);
}

static size_t compare(const struct project *a, const struct project *b, const char *name)
{
    size_t count = 0;
    omap_foreach (e, a->services) {
        const struct service *one = e->value, *other = project_service(b, e->key);
        if (!other || !str_eq(one->config_hash, other->config_hash))
            fail_msg("%s: the hash of %s depends on how the file is written", name, e->key);
        count++;
    }
    return count;
}

static size_t check_case(const char *dir, const char *file)
{
    enum { TIMES = 4 };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct project *first = load(tmp, dir, NULL);
    char *text = first ? project_print(tmp, first, CONFIG_YAML) : NULL;
    size_t count = 0;
    /* JSON cannot tell bytes that are no text. */
    bool has_bytes = first && strstr(text, "!!binary");
    for (unsigned i = 0; first && i < TIMES; i++) {
        char *other = rewrite(tmp, text, i % 2 && !has_bytes, i);
        assert_int_equal(fs_write_file(file, other, strlen(other), 0600, false, NULL), 0);
        char *files[] = {(char *)(uintptr_t)file, NULL};
        const struct project *again = load(tmp, dir, files);
        if (again) /* some cases cannot be loaded from their output, which the golden tests know */
            count += compare(first, again, path_name(dir));
    }
    return count;
}

static void test_hash_is_of_content(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char dir[] = "/tmp/compote-hash-XXXXXX", **names = NULL;
    size_t count = 0;
    assert_non_null(mkdtemp(dir));
    char *file = path_join(tmp, dir, "compose.yaml");
    assert_int_equal(fs_list(tmp, cases, &names, NULL), 0);
    for (; names && *names; names++)
        count += check_case(path_join(tmp, cases, *names), file);
    fs_remove_tree(dir, NULL);
    assert_true(count > 1000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hash_is_of_content)};
    if (argc != 2)
        return 1;
    cases = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
