/*
 * Golden cases of the Compose loader. Each directory is a case and the current directory of its load:
 *
 *   compose.yaml ...        the input
 *   args                    options, one word a line: -f FILE, -p NAME, --profile NAME, --env-file FILE,
 *                           --project-directory DIR, --no-interpolate ..., names of services
 *   env                     the environment, K=V lines; HOME=/home/user is always there
 *   expected.json           what `config --format json` prints; @DIR@ is the directory, @CASES@ its parent
 *   expected.yaml           the same for YAML
 *   expected-error.txt      the errors, with hints, in place of output
 *   expected-warnings.txt   the warnings; unchecked when there is no such file
 *   not-again               why the output cannot be loaded again
 *   explain                 keys to explain, one a line, "json KEY" for JSON, "*" for all values
 *   expected-explain.txt    what `config --explain` says of them, errors included
 *
 * What is printed is loaded again and must print the same.
 *
 * Many small inputs that belong together share a directory: each.yaml holds them, each behind a line
 * "### NAME"; each is loaded from standard input (-f -) and counts as a case. expected-each.txt holds the
 * YAML or the errors of each behind the same line.
 *
 * golden CASES...                 checks all cases in the folders, and that they use every row of the tables
 *                                 in every form (coverage.c)
 * golden --print yaml|json|explain CASE   shows what comes out
 *
 * The expected files are written by tools/compare.py --write.
 */
#include "coverage.h"

#include "base/path.h"
#include "base/str.h"
#include "compose/load.h"
#include "data/buffer.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <limits.h>
#include <sys/mman.h>

struct outcome {
    char *json, *yaml, *errors, *warnings; /* errors NULL: it loaded */
    char *explained;
};

static bool has_file(const char *dir, const char *name)
{
    struct stat st;
    char *path = path_join(NULL, dir, name);
    bool found = stat(path, &st) == 0;
    talloc_free(path);
    return found;
}

static char *read_text(const void *owner, const char *dir, const char *name)
{
    char *text;
    size_t size;
    char *path = path_join(owner, dir, name);
    return fs_read_file(owner, path, 1 << 24, &text, &size, NULL) == 0 ? text : NULL;
}

static char **read_lines(const void *owner, const char *dir, const char *name)
{
    char *text = read_text(owner, dir, name), **lines = NULL;
    for (char *line = text; line && *line;) {
        char *end = line + strcspn(line, "\n");
        bool more = *end != '\0';
        *end = '\0';
        if (*line)
            lines = strv_add(owner, lines, line);
        line = more ? end + 1 : end;
    }
    return lines;
}

/* `text` with every `from` replaced. */
static char *replace(const void *owner, const char *text, const char *from, const char *to)
{
    struct buffer out = BUFFER_INIT(owner);
    buffer_add(&out, "", 0);
    for (const char *at; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
        buffer_add(&out, text, (size_t)(at - text));
        buffer_add_str(&out, to);
    }
    buffer_add_str(&out, text);
    return out.data;
}

static void take_argument(const void *owner, struct load_options *o, char ***args)
{
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
    char *arg = *(*args)++;
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
        if (str_eq(arg, switches[i].name)) {
            *(bool *)((char *)o + switches[i].offset) = true;
            return;
        }
    if (str_eq(arg, "-f"))
        o->files = strv_add(owner, o->files, *(*args)++);
    else if (str_eq(arg, "-p"))
        o->project_name = *(*args)++;
    else if (str_eq(arg, "--profile"))
        o->profiles = strv_add(owner, o->profiles, *(*args)++);
    else if (str_eq(arg, "--env-file"))
        o->env_files = strv_add(owner, o->env_files, *(*args)++);
    else if (str_eq(arg, "--project-directory"))
        o->project_directory = *(*args)++;
    else
        o->services = strv_add(owner, o->services, arg);
}

/* The places of a checkout become names. */
static char *replace_dirs(const void *owner, const char *text, const char *dir)
{
    return replace(owner, replace(owner, text, dir, "@DIR@"), path_parent(owner, dir), "@CASES@");
}

static void describe(const void *owner, const char *dir, const struct diagnostics *d, const struct error *err,
                     bool failed, struct outcome *out)
{
    struct buffer errors = BUFFER_INIT(owner), warnings = BUFFER_INIT(owner);
    buffer_add(&errors, "", 0);
    buffer_add(&warnings, "", 0);
    if (failed)
        buffer_printf(&errors, "%s\n%s%s", err->text, err->hint, err->hint[0] ? "\n" : "");
    for (size_t i = 0; i < d->count; i++)
        buffer_printf(d->items[i].is_error ? &errors : &warnings, "%s\n", d->items[i].text);
    out->errors = failed ? replace_dirs(owner, errors.data, dir) : NULL;
    out->warnings = replace_dirs(owner, warnings.data, dir);
}

/* What is said of each of the keys, one after the other. */
static char *explain(const void *owner, const char *dir, const struct project *project, char **keys)
{
    struct buffer out = BUFFER_INIT(owner);
    buffer_add(&out, "", 0);
    for (; keys && *keys; keys++) {
        char *text;
        struct error err = ERROR_INIT;
        const char *json = str_after(*keys, "json "), *key = json ? json : str_eq(*keys, "*") ? NULL : *keys;
        if (project_explain(owner, project, key, json ? CONFIG_JSON : CONFIG_YAML, &text, &err) < 0)
            buffer_printf(&out, "%s\n%s%s", err.text, err.hint, err.hint[0] ? "\n" : "");
        else
            buffer_add_str(&out, text);
    }
    return replace_dirs(owner, out.data, dir);
}

static struct outcome load(const void *owner, const char *dir, struct load_options *options)
{
    struct outcome out = {0};
    struct project *project;
    struct diagnostics diagnostics = {0};
    struct error err = ERROR_INIT;
    int r = project_load(owner, options, &project, &diagnostics, &err);
    describe(owner, dir, &diagnostics, &err, r != 0, &out);
    if (r == 0) {
        if (options->explain)
            out.explained = explain(owner, dir, project, read_lines(owner, dir, "explain"));
        out.json = project_print(owner, project, CONFIG_JSON);
        out.yaml = project_print(owner, project, CONFIG_YAML);
        talloc_free(project);
    }
    return out;
}

/* Loads a case; `input` is given on standard input, or NULL. */
static struct outcome run_case(const void *owner, const char *dir, const char *input, bool explained)
{
    char **args = read_lines(owner, dir, "args");
    char **environment = strv_add(owner, read_lines(owner, dir, "env"), "HOME=/home/user");
    struct load_options options = {
        .environment = environment, .cwd = dir, .with_dependencies = true, .explain = explained};
    while (args && *args)
        take_argument(owner, &options, &args);
    if (!input)
        return load(owner, dir, &options);
    cleanup_close int fd = memfd_create("input", MFD_CLOEXEC);
    size_t size = strlen(input);
    if (fd < 0 || write(fd, input, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0 ||
        dup2(fd, STDIN_FILENO) < 0)
        return (struct outcome){.errors = "cannot make standard input", .warnings = ""};
    options.files = strv_add(owner, NULL, "-");
    return load(owner, dir, &options);
}

/* The texts of an each.yaml or expected-each.txt, by the names in the lines before them. */
static struct omap *read_parts(const void *owner, const char *dir, const char *file)
{
    struct omap *parts = omap_new(owner);
    char *text = read_text(owner, dir, file);
    while (text && str_starts(text, "### ")) {
        char *name = text + 4, *body = name + strcspn(name, "\n");
        char *next = strstr(body, "\n### ");
        if (*body)
            *body++ = '\0';
        if (next)
            *next++ = '\0';
        omap_set(parts, name, mem_printf(owner, next ? "%s\n" : "%s", body));
        text = next;
    }
    return parts;
}

static int differs(const char *name, const char *what, const char *expected, const char *actual)
{
    if (str_eq(expected, actual))
        return 0;
    printf("%s: %s differs\n--- expected\n%s--- actual\n%s\n", name, what,
           expected ? expected : "(nothing)\n", actual ? actual : "(nothing)\n");
    return 1;
}

/* The output, loaded again, prints the same; profiles must be active again for that. */
static int check_again(const void *owner, const char *dir, const char *name, const char *yaml)
{
    char template[] = "/tmp/compote-golden-XXXXXX";
    struct error err = ERROR_INIT;
    if (!mkdtemp(template))
        return differs(name, "temporary directory", "", NULL);
    char *file = path_join(owner, template, "compose.yaml");
    char *files[] = {file, NULL}, *profiles[] = {(char[]){"*"}, NULL};
    struct load_options options = {
        .environment = (char *const[]){NULL}, .cwd = template, .files = files, .profiles = profiles};
    int r = fs_write_file(file, yaml, strlen(yaml), 0600, false, &err);
    struct outcome again = load(owner, dir, &options);
    fs_remove_tree(template, NULL);
    return r < 0 || differs(name, "output loaded again", again.errors ? again.errors : yaml, again.yaml);
}

/* Keeping the history changes nothing, and says what is expected. */
static int check_explained(const void *owner, const char *dir, const char *input, const char *name,
                           const struct outcome *plain)
{
    struct outcome out = run_case(owner, dir, input, true);
    char *expected = read_text(owner, dir, "expected-explain.txt");
    int bad = differs(name, "error with history", plain->errors, out.errors);
    bad += differs(name, "YAML with history", plain->yaml, out.yaml);
    if (expected)
        bad += differs(name, "explanation", expected, out.explained);
    return bad;
}

/* Adds the files of an accepted case to what the cases use. */
static void add_coverage(struct omap *used, const char *dir)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names = NULL;
    fs_list(tmp, dir, &names, NULL);
    for (; names && *names; names++)
        if (strstr(*names, ".y") && !str_starts(*names, "expected"))
            coverage_add(used, read_text(tmp, dir, *names));
}

static int check_case(const char *dir, struct omap *used)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *name = path_name(dir);
    char *json = read_text(tmp, dir, "expected.json"), *yaml = read_text(tmp, dir, "expected.yaml"),
         *error = read_text(tmp, dir, "expected-error.txt"),
         *warnings = read_text(tmp, dir, "expected-warnings.txt");
    struct outcome out = run_case(tmp, dir, NULL, false);
    int bad = differs(name, "error", error, out.errors);
    bool again = !read_text(tmp, dir, "not-again");
    if (!json && !yaml && !error) {
        printf("%s: nothing is expected\n", name);
        return 1;
    }
    if (json && out.json)
        bad += differs(name, "JSON", json, replace_dirs(tmp, out.json, dir));
    if (yaml && out.yaml)
        bad += differs(name, "YAML", yaml, replace_dirs(tmp, out.yaml, dir));
    if (warnings)
        bad += differs(name, "warnings", warnings, out.warnings);
    bad += check_explained(tmp, dir, NULL, name, &out);
    if (!bad && out.yaml && again)
        bad += check_again(tmp, dir, name, out.yaml);
    if (!out.errors)
        add_coverage(used, dir);
    return bad != 0;
}

/* The cases of an each.yaml; returns how many failed. */
static int check_each(const char *dir, struct omap *used, int *count)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *inputs = read_parts(tmp, dir, "each.yaml"),
                *expected = read_parts(tmp, dir, "expected-each.txt");
    int failed = 0;
    omap_foreach (e, inputs) {
        struct outcome out = run_case(tmp, dir, e->value, false);
        char *name = mem_printf(tmp, "%s/%s", path_name(dir), e->key);
        const char *actual = out.errors ? out.errors : replace_dirs(tmp, out.yaml, dir);
        int bad = differs(name, "output", omap_get(expected, e->key), actual);
        bad += check_explained(tmp, dir, e->value, name, &out);
        if (!bad && out.yaml && !read_text(tmp, dir, "not-again"))
            bad = check_again(tmp, dir, name, out.yaml);
        if (!out.errors)
            coverage_add(used, e->value);
        failed += bad;
        ++*count;
    }
    return failed;
}

static int print_each(const char *dir)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *inputs = read_parts(tmp, dir, "each.yaml");
    omap_foreach (e, inputs) {
        struct outcome out = run_case(tmp, dir, e->value, false);
        printf("### %s\n%s", e->key, out.errors ? out.errors : out.yaml);
    }
    return 0;
}

static int print_case(const char *format, const char *dir)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (has_file(dir, "each.yaml"))
        return print_each(dir);
    bool explained = str_eq(format, "explain");
    struct outcome out = run_case(tmp, dir, NULL, explained);
    fputs(out.warnings, stderr);
    fputs(out.errors               ? out.errors
          : explained              ? out.explained
          : str_eq(format, "json") ? out.json
                                   : out.yaml,
          stdout);
    return out.errors != NULL;
}

int main(int argc, char **argv)
{
    if (argc == 4 && str_eq(argv[1], "--print"))
        return print_case(argv[2], argv[3]);
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *used = omap_new(tmp);
    int failed = 0, count = 0;
    for (int i = 1; i < argc; i++) {
        char **names = NULL, cases[PATH_MAX];
        if (!realpath(argv[i], cases)) { /* the loader wants an absolute current directory */
            perror(argv[i]);
            return 1;
        }
        fs_list(tmp, cases, &names, NULL);
        for (; names && *names; names++) {
            char *dir = path_join(tmp, cases, *names);
            if (has_file(dir, "each.yaml")) {
                failed += check_each(dir, used, &count);
            } else if (has_file(dir, ".")) {
                failed += check_case(dir, used);
                count++;
            }
        }
    }
    failed += coverage_report(used);
    printf("%d cases, %d failed\n", count, failed);
    return failed || count == 0;
}
