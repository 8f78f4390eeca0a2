/*
 * Which files, which directory, which variables, which name (Compose specification and docker compose 2.40).
 * The environment comes first and its variables win; .env of the working directory may name the files
 * (COMPOSE_FILE); once they are known, .env of the project directory adds what it has.
 */
#include "compose/loader.h"

#include "base/path.h"
#include "base/str.h"
#include "data/dotenv.h"
#include "sys/fs.h"

#include <ctype.h>

static const char *const names[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
                                    "docker-compose.yaml", NULL};
static const char *const override_names[] = {"compose.override.yml", "compose.override.yaml",
                                             "docker-compose.override.yml", "docker-compose.override.yaml",
                                             NULL};

const char *environment_lookup(const struct template_scope *scope, const char *name)
{
    return omap_get(scope->data, name);
}

static const char *variable(const struct loader *l, const char *name)
{
    const char *value = omap_get(l->environment, name);
    return str_is_empty(value) ? NULL : value;
}

struct env_scope {
    struct template_scope scope;
    struct loader *loader;
    const char *path;
};

static void warn_unset(const struct template_scope *scope, const char *name)
{
    const struct env_scope *s = (const struct env_scope *)scope;
    loader_unset(s->loader, NULL, s->path, name);
}

static int add_file(struct loader *l, struct omap *environment, struct omap *values, struct omap *places,
                    const char *path, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text;
    size_t size;
    struct env_scope scope = {
        .scope = {.lookup = environment_lookup, .unset = warn_unset, .data = environment},
        .loader = l,
        .path = path
    };
    int r = fs_read_file(tmp, path, DOTENV_MAX_SIZE, &text, &size, err);
    if (r == FS_ABSENT)
        return error_set(err, ENOENT, "couldn't find env file: %s", path);
    if (r < 0)
        return error_wrap(err, "env file");
    if ((l->env_bytes += size) > LOAD_MAX_ENV_FILES)
        return error_set(err, E2BIG, "env file %s: with it, env files have more than %d MiB", path,
                         LOAD_MAX_ENV_FILES >> 20);
    if (strlen(text) != size)
        return error_set(err, EINVAL, "env file %s: has NUL characters", path);
    struct omap *lines = omap_new(tmp);
    r = dotenv_parse(text, &scope.scope, values, lines, err);
    if (r < 0)
        return loader_env_error(l, path, err);
    const char *name = loader_label(l, path);
    omap_foreach (e, lines) {
        struct place *place = arena_new_object(l->arena, struct place);
        *place = (struct place){.file = name, .line = dotenv_line(lines, e->key)};
        omap_set(places, e->key, place);
    }
    return 0;
}

int environment_add_files(struct omap *environment, char *const *files, struct loader *l, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *values = omap_new(tmp), *places = omap_new(tmp);
    for (; files && *files; files++) {
        int r = add_file(l, environment, values, places, *files, err);
        if (r < 0)
            return r;
    }
    omap_foreach (e, values) {
        const struct place *place = omap_get(places, e->key);
        const char *winner = omap_get(environment, e->key);
        if (winner) {
            const struct place *its = origin_of(l->record, winner);
            origin_set(l->record, winner, its ? its->file : NULL, its ? its->line : 0, place);
        } else {
            omap_set_str(environment, e->key, e->value);
            origin_set(l->record, omap_get(environment, e->key), place->file, place->line, NULL);
        }
    }
    return 0;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static void take_process_environment(struct loader *l)
{
    for (char *const *e = l->options->environment; e && *e; e++) {
        const char *equals = strchr(*e, '=');
        if (!equals || equals == *e)
            continue;
        char *key = mem_strndup(NULL, *e, (size_t)(equals - *e));
        omap_set_str(l->environment, key, equals + 1);
        talloc_free(key);
    }
    if (!omap_has(l->environment, "PWD")) {
        omap_set_str(l->environment, "PWD", l->cwd);
        origin_set(l->record, omap_get(l->environment, "PWD"), "the current directory", 0, NULL);
    }
    l->home = variable(l, "HOME");
}

static bool is_word(const char *value, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(value, *words) == 0)
            return true;
    return false;
}

bool environment_is_true(const struct omap *environment, const char *name)
{
    static const char *const yes[] = {"1", "t", "true", "y", NULL};
    const char *value = omap_get(environment, name);
    return value && is_word(value, yes);
}

/* Whether COMPOSE_DISABLE_ENV_FILE says that .env stays unread. */
static int env_file_disabled(const struct loader *l, bool *ret, struct error *err)
{
    static const char name[] = "COMPOSE_DISABLE_ENV_FILE";
    static const char *const no[] = {"0", "f", "false", "n", NULL};
    const char *value = variable(l, name);
    *ret = environment_is_true(l->environment, name);
    if (!value || *ret || is_word(value, no))
        return 0;
    return error_set(err, EINVAL, "%s: '%s' is neither true nor false", name, value);
}

/* The explicit files, or .env of `dir` if there is one. */
static int add_dot_env(struct loader *l, const char *dir, struct error *err)
{
    const char *listed = variable(l, "COMPOSE_ENV_FILES");
    char **given = l->options->env_files;
    if (!given && listed)
        given = strv_split(l->arena, listed, ',');
    char **files = NULL;
    bool disabled = false;
    if (!given) {
        int r = env_file_disabled(l, &disabled, err);
        if (r < 0)
            return r;
    }
    if (given) {
        if (strv_len(given) > LOAD_MAX_FILES)
            return error_set(err, E2BIG, "more than %d env files", LOAD_MAX_FILES);
        for (; *given; given++)
            files = strv_add(l->arena, files, path_join(l->arena, l->cwd, *given));
    } else if (!disabled) {
        char *path = path_join(l->arena, dir, ".env");
        if (is_file(path))
            files = strv_add(l->arena, NULL, path);
    }
    l->env_files = files;
    return environment_add_files(l->environment, files, l, err);
}

/* The first of the names that is in `dir`; others are warned of. */
static char *look_in(struct loader *l, const char *dir, const char *const *list)
{
    char *found = NULL, **all = NULL;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (; *list; list++) {
        char *path = path_join(l->arena, dir, *list);
        if (!is_file(path))
            continue;
        all = strv_add(tmp, all, path);
        if (!found)
            found = path;
    }
    if (strv_len(all) > 1) {
        loader_problem(l, NULL, "", false, NULL, "Found multiple config files with supported names: %s",
                       strv_join(tmp, all, ", "));
        loader_problem(l, NULL, "", false, NULL, "Using %s", found);
    }
    return found;
}

static int discover(struct loader *l, struct error *err)
{
    char *dir = mem_strdup(l->arena, l->working_dir ? l->working_dir : l->cwd);
    char *found = look_in(l, dir, names);
    for (char *up = path_parent(l->arena, dir); !found && !str_eq(up, dir); up = path_parent(l->arena, dir)) {
        dir = up;
        found = look_in(l, dir, names);
    }
    if (!found) {
        error_set(err, ENOENT, "no configuration file provided: not found");
        error_hint(err, "make a compose.yaml here, or name one with -f");
        return LOAD_NO_FILE;
    }
    l->files = strv_add(l->arena, NULL, found);
    char *override = look_in(l, dir, override_names);
    if (override)
        l->files = strv_add(l->arena, l->files, override);
    return 0;
}

int loader_refuse_remote(const char *path, struct error *err)
{
    static const char *const prefixes[] = {"oci://", "https://", "http://",    "git://",
                                           "ssh://", "git@",     "github.com/"};
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (str_starts(path, prefixes[i])) {
            error_set(err, ENOTSUP, "'%s': remote Compose files are not supported", path);
            return error_hint(err, "%s",
                              i == 0 ? "write the artifact's files to a directory and name them"
                                     : "clone the repository and name the file in it");
        }
    return 0;
}

static int take_files(struct loader *l, struct error *err)
{
    char **given = l->options->files;
    const char *listed = variable(l, "COMPOSE_FILE"), *separator = variable(l, "COMPOSE_PATH_SEPARATOR");
    if (!given && !listed)
        return discover(l, err);
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    unsigned count = 0;
    for (char *rest = given ? NULL : mem_strdup(tmp, listed); rest && count <= LOAD_MAX_FILES; count++) {
        char *end = strstr(rest, separator ? separator : ":");
        if (end)
            *end = '\0';
        if (*rest)
            given = strv_add(tmp, given, rest);
        rest = end ? end + strlen(separator ? separator : ":") : NULL;
    }
    if (strv_len(given) > LOAD_MAX_FILES)
        return error_set(err, E2BIG, "more than %d Compose files", LOAD_MAX_FILES);
    for (; given && *given; given++) {
        int r = loader_refuse_remote(*given, err);
        if (r < 0)
            return r;
        l->files = strv_add(l->arena, l->files, str_eq(*given, "-") ? "-" : path_join(tmp, l->cwd, *given));
    }
    return 0;
}

int loader_find(struct loader *l, struct error *err)
{
    take_process_environment(l);
    const char *given = l->options->project_directory;
    if (given)
        l->working_dir = path_join(l->arena, l->cwd, given);
    char **files = l->options->files;
    const char *early = l->working_dir ? l->working_dir
                        : files && *files && !str_eq(*files, "-")
                            ? path_parent(l->arena, path_join(l->arena, l->cwd, *files))
                            : l->cwd;
    int r = add_dot_env(l, early, err);
    if (r < 0)
        return r;
    r = take_files(l, err);
    if (!l->working_dir) {
        l->working_dir = l->cwd;
        for (char **f = l->files; f && *f; f++)
            if (!str_eq(*f, "-")) {
                l->working_dir = path_parent(l->arena, *f);
                break;
            }
    }
    if (r != 0)
        return r;
    if (!str_eq(early, l->working_dir) && !l->options->env_files)
        r = add_dot_env(l, l->working_dir, err);
    return r;
}

static char *normalized_name(const void *owner, const char *name)
{
    char *out = mem_strdup(owner, name);
    size_t n = 0;
    for (const char *s = name; *s; s++) {
        char c = (char)tolower((unsigned char)*s);
        bool edge = n == 0 && (c == '_' || c == '-');
        if (!edge && strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", c))
            out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

static int check_name(const char *name, struct error *err)
{
    char *normal = normalized_name(NULL, name);
    bool valid = *name && str_eq(normal, name);
    talloc_free(normal);
    if (valid)
        return 0;
    return error_set(
        err, EINVAL,
        "invalid project name '%s': must consist only of lowercase alphanumeric characters, hyphens, "
        "and underscores as well as start with a letter or number",
        name);
}

static int name_failed(const struct loader *l, struct error *err)
{
    return error_wrap(err, "%s:%u:%u: name", l->name_at->file, l->name_at->line, l->name_at->col);
}

int loader_find_name(struct loader *l, struct node *const *documents, size_t count, struct error *err)
{
    const char *given = l->options->project_name;
    const char *name = str_is_empty(given) ? variable(l, "COMPOSE_PROJECT_NAME") : given;
    if (name) {
        l->name = mem_strdup(l->arena, name);
        l->name_why = name == given ? "given with -p" : "given by COMPOSE_PROJECT_NAME";
        return check_name(name, err) < 0 ? error_hint(err, "it was %s", l->name_why) : 0;
    }
    for (size_t i = count; i-- > 0 && !name;)
        for (uint32_t k = documents[i]->list.count; k-- > 0 && !name;) {
            l->name_at = node_get(documents[i]->list.items[k], "name");
            name = node_text(l->name_at);
        }
    if (name) {
        char *text;
        int r = l->options->no_interpolate ? 0 : interpolate_text(l, name, &text, err);
        if (r < 0)
            return name_failed(l, err);
        const char *wanted = l->options->no_interpolate ? name : text;
        l->name = l->options->no_normalize ? mem_strdup(l->arena, wanted) : normalized_name(l->arena, wanted);
        if (*wanted && !*l->name) {
            error_set(err, EINVAL, "'%s' has no letter and no digit that a project's name could have",
                      wanted);
            return name_failed(l, err);
        }
    }
    if (str_is_empty(l->name)) {
        l->name = normalized_name(l->arena, path_name(l->working_dir));
        l->name_at = NULL;
        l->name_why = "made from the project directory's name";
    }
    if (!*l->name) {
        error_set(err, EINVAL, "project name must not be empty");
        return error_hint(err, "give one with -p or 'name:'");
    }
    return 0;
}
