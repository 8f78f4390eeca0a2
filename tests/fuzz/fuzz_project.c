/*
 * The whole loader. The input is several files: a line "=== NAME" begins one, what stands before the first is
 * compose.yaml; the words of a file "args" are options as in the golden cases. What loads is printed; what
 * was printed with all steps done loads again and prints the same.
 */
#include "base/path.h"
#include "base/str.h"
#include "compose/load.h"
#include "data/node.h"
#include "sys/fs.h"

#include <assert.h>
#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name;
    size_t offset;
} switches[] = {
    {"--no-interpolate",     offsetof(struct load_options, no_interpolate)    },
    {"--no-normalize",       offsetof(struct load_options, no_normalize)      },
    {"--no-path-resolution", offsetof(struct load_options, no_path_resolution)},
    {"--no-consistency",     offsetof(struct load_options, no_consistency)    },
    {"--no-env-resolution",  offsetof(struct load_options, no_env_resolution) },
};

/* Names of files stay in the folder. */
static bool is_name(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < 40 && name[0] != '/' && !strstr(name, "..") && name[n - 1] != '/' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-/") == n;
}

static void put_file(const void *owner, const char *dir, const char *name, const char *text, size_t size)
{
    char *path = path_join(owner, dir, name);
    if (!is_name(name) || fs_mkdir_p(path_parent(owner, path), 0700, NULL) < 0)
        return;
    (void)fs_write_file(path, text, size, 0600, false, NULL); /* fails where a folder has the name */
}

static bool is_separator(const char *text, const char *end)
{
    return end - text >= 4 && memcmp(text, "=== ", 4) == 0;
}

/* Writes the files, and gives the words of `args`. */
static char **put_files(const void *owner, const char *dir, char *text, size_t size)
{
    char *name = mem_strdup(owner, "compose.yaml"), *end = text + size, **args = NULL;
    while (text < end) {
        char *next = is_separator(text, end) ? text : memmem(text, (size_t)(end - text), "\n=== ", 5);
        size_t n = next ? (size_t)(next - text) + (next != text) : (size_t)(end - text);
        if (str_eq(name, "args") && n)
            args = strv_split(owner, mem_strndup(owner, text, n - (text[n - 1] == '\n')), '\n');
        else if (n)
            put_file(owner, dir, name, text, n);
        text += n;
        if (text < end) {
            char *line = memchr(text, '\n', (size_t)(end - text));
            size_t length = line ? (size_t)(line - text) : (size_t)(end - text);
            name = mem_strndup(owner, text + 4, length > 4 ? length - 4 : 0);
            text += length + (line != NULL);
        }
    }
    return args;
}

/* True when all steps are done on all services, so that the output can be loaded again. */
static bool take_arguments(const void *owner, char **args, struct load_options *o)
{
    bool whole = true;
    for (; args && *args; args++) {
        size_t i = 0;
        while (i < ARRAY_SIZE(switches) && !str_eq(*args, switches[i].name))
            i++;
        if (i < ARRAY_SIZE(switches))
            *(bool *)((char *)o + switches[i].offset) = true;
        else if (str_eq(*args, "-f") && args[1])
            o->files = strv_add(owner, o->files, *++args);
        else if (**args && **args != '-')
            o->services = strv_add(owner, o->services, *args);
        whole &= i == ARRAY_SIZE(switches);
    }
    return whole;
}

/* Keys are not interpolated but printed with their dollar signs doubled, as docker compose does. */
static bool has_dollar_key(const struct node *node)
{
    node_foreach_item (i, node)
        if (has_dollar_key(node->list.items[i]))
            return true;
    node_foreach_entry (e, node)
        if (strchr(e->key, '$') || has_dollar_key(e->value))
            return true;
    return false;
}

static struct project *load(const void *owner, const struct load_options *options)
{
    struct project *project = NULL;
    struct diagnostics diagnostics = {0};
    struct error err = ERROR_INIT;
    int r = project_load(owner, options, &project, &diagnostics, &err);
    assert(r == 0 ? project && !diagnostics.error_count && !error_is_set(&err) : error_is_set(&err));
    return project;
}

static void check_json(const struct project *project)
{
    json_error_t error;
    char *text = project_print(project, project, CONFIG_JSON);
    json_t *json = json_loads(text, JSON_DECODE_INT_AS_REAL, &error);
    if (!json) {
        fprintf(stderr, "%s\nline %d: %s\n", text, error.line, error.text);
        abort();
    }
    json_decref(json);
}

static void check_again(const void *owner, const char *dir, const char *yaml)
{
    char *files[] = {path_join(owner, dir, "printed.yaml"), NULL}, *profiles[] = {(char[]){"*"}, NULL};
    const struct load_options options = {
        .environment = (char *const[]){NULL}, .cwd = dir, .files = files, .profiles = profiles};
    put_file(owner, dir, "printed.yaml", yaml, strlen(yaml));
    put_file(owner, dir, ".env", "", 0);
    struct project *again = NULL;
    struct diagnostics diagnostics = {0};
    struct error err = ERROR_INIT;
    if (project_load(owner, &options, &again, &diagnostics, &err) < 0) {
        fprintf(stderr, "%s\n%s\n", yaml, err.text);
        abort();
    }
    char *text = project_print(again, again, CONFIG_YAML);
    if (!str_eq(text, yaml)) {
        fprintf(stderr, "--- first\n%s--- again\n%s", yaml, text);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *dir =
        mem_printf(tmp, "%s/compote-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(dir))
        abort();
    struct load_options options = {
        .environment = (char *const[]){(char[]){"HOME=/home/user"}, (char[]){"TAG=1.2"}, NULL},
        .cwd = dir,
        .with_dependencies = true,
    };
    char **args = put_files(tmp, dir, mem_dup(tmp, data, size), size);
    bool whole = take_arguments(tmp, args, &options);
    struct project *project = load(tmp, &options);
    if (project) {
        char *yaml = project_print(tmp, project, CONFIG_YAML);
        check_json(project);
        if (whole && project->disabled->count == 0 && !has_dollar_key(project->tree))
            check_again(tmp, dir, yaml);
    }
    if (fs_remove_tree(dir, NULL) < 0)
        abort();
    return 0;
}
