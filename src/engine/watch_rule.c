#include "engine/watch_rule.h"

#include "base/path.h"
#include "data/ignore.h"
#include "data/node.h"
#include "sys/fs.h"

#include <stdlib.h>

enum { IGNORE_FILE_MAX = 1 << 20 };

/* Files that editors and compilers make for a moment, and what is no content. */
static const char *const ignored_everywhere[] = {
    "**/.git",          "**/*___jb_old___",
    "**/*___jb_tmp___", "**/.idea/**",
    "**/.#*",           "**/#*#",
    "**/4913",          "**/*~",
    "**/.*.swp",        "**/.*.swx",
    "**/.*.swo",        "**/.*.swn",
    "**/.*.kate-swp",   "**/*-go-tmp-umask",
};

/* What only the making of an image needs. */
static const char *const unwanted_at_first[] = {
    "**/Dockerfile",
    "**/compose.yaml",
    "**/compose.yml",
    "**/docker-compose.yml",
    "**/docker-compose.yaml",
    "**/compose.override.yml",
    "**/compose.override.yaml",
    "**/docker-compose.override.yml",
    "**/docker-compose.override.yaml",
};

static const struct {
    const char *name;
    unsigned bits;
} actions[] = {
    {"sync",         WATCH_SYNC                },
    {"restart",      WATCH_RESTART             },
    {"sync+restart", WATCH_SYNC | WATCH_RESTART},
    {"sync+exec",    WATCH_SYNC | WATCH_EXEC   },
    {"rebuild",      WATCH_REBUILD             },
};

/* ---- patterns ---- */

static struct ignore *fixed_patterns(const void *owner, const char *const *patterns, size_t count)
{
    struct ignore *ignore = ignore_new(owner);
    for (size_t i = 0; i < count; i++)
        ignore_add(ignore, patterns[i], NULL);
    return ignore;
}

/* Patterns are below the path; an absolute one may lead there. */
static int add_patterns(struct ignore *ignore, const struct watch_rule_state *state, char *const *patterns,
                        const char *key, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (; patterns && *patterns; patterns++) {
        bool is_exception = **patterns == '!';
        const char *text = *patterns + is_exception, *below = str_after(text, state->rule->path);
        if (*text == '/' && !(below && *below == '/'))
            continue; /* it is about other files */
        int r = ignore_add(
            ignore, mem_printf(tmp, "%s%s", is_exception ? "!" : "", *text == '/' ? below : text), err);
        if (r < 0)
            return error_wrap(err, "service '%s': develop.watch: %s", state->service->name, key);
    }
    return 0;
}

/* The ignore file of the build context: DOCKERFILE.dockerignore, or else .dockerignore. */
static int add_context(struct watch_rule_state *state, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct node *build = node_get(state->service->node, "build");
    const char *context = node_get_text(build, "context"), *dockerfile = node_get_text(build, "dockerfile");
    if (!context || *context != '/')
        return 0;
    state->context_path = mem_strdup(state, context);
    char *names[] = {mem_printf(tmp, "%s.dockerignore", dockerfile ? dockerfile : "Dockerfile"),
                     ".dockerignore"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *path = path_join(tmp, context, names[i]), *text;
        size_t size;
        int r = fs_read_file(tmp, path, IGNORE_FILE_MAX, &text, &size, err);
        if (r == 0)
            r = ignore_add_file(state->context, text, err);
        if (r < 0)
            return error_wrap(err, "'%s'", path);
        if (r == 0)
            return 0;
    }
    return 0;
}

/* The path below the build context, or NULL. */
static const char *in_context(const struct watch_rule_state *state, const char *full)
{
    const char *rest = str_after(full, state->context_path ? state->context_path : "/\n");
    return rest && *rest == '/' ? rest + 1 : NULL;
}

static bool is_ignored(const struct watch_rule_state *state, const char *path, bool whole)
{
    bool (*matches)(const struct ignore *, const char *) = whole ? ignore_matches_all : ignore_matches;
    if (matches(state->builtin, path) || matches(state->own, path))
        return true;
    if (ignore_is_empty(state->context))
        return false;
    char *full = path_join(NULL, state->rule->path, path);
    const char *below = in_context(state, full);
    bool ignored = below && matches(state->context, below);
    talloc_free(full);
    return ignored;
}

/* ---- the batch ---- */

static bool skips(void *data, const char *path, bool is_directory)
{
    const struct watch_rule_state *state = data;
    if (is_directory)
        return is_ignored(state, path, true);
    return is_ignored(state, path, false) ||
           (!ignore_is_empty(state->include) && !ignore_matches(state->include, path));
}

static void on_entry(void *data, const struct filetree_entry *entry)
{
    struct watch_rule_state *state = data;
    const char *path = entry->path;
    if (*path && entry->is_directory && skips(state, path, false))
        return; /* a directory with exceptions in it, or with files that are included */
    if (*path && state->unwanted && ignore_matches(state->unwanted, path))
        return;
    char *copy = mem_strdup(state, path);
    if (entry->removed)
        mem_append(state, state->removed, state->removed_count, copy);
    else
        mem_append(state, state->changed, state->changed_count, copy);
}

void watch_rule_forget(struct watch_rule_state *state)
{
    for (size_t i = 0; i < state->changed_count; i++)
        talloc_free(state->changed[i]);
    for (size_t i = 0; i < state->removed_count; i++)
        talloc_free(state->removed[i]);
    TALLOC_FREE(state->changed);
    TALLOC_FREE(state->removed);
    state->changed_count = state->removed_count = 0;
}

int watch_rule_collect(struct watch_rule_state *state, struct error *err)
{
    return filetree_changes(state->tree, on_entry, state, err);
}

int watch_rule_collect_all(struct watch_rule_state *state, struct error *err)
{
    const struct node *build = node_get(state->service->node, "build");
    const char *dockerfile = node_get_text(build, "dockerfile");
    state->unwanted = fixed_patterns(state, unwanted_at_first, ARRAY_SIZE(unwanted_at_first));
    int r = 0;
    if (dockerfile) {
        char *pattern = mem_printf(state->unwanted, "**/%s", path_name(dockerfile));
        r = ignore_add(state->unwanted, pattern, err);
    }
    if (r == 0)
        filetree_foreach(state->tree, on_entry, state);
    TALLOC_FREE(state->unwanted);
    return r;
}

char *watch_rule_target(const void *owner, const struct watch_rule_state *state, const char *path)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    return path_join(owner, path_join(tmp, "/", state->rule->target), path);
}

/* ---- the rule ---- */

static int check_action(struct watch_rule_state *state, struct error *err)
{
    const char *service = state->service->name, *action = state->rule->action;
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (str_eq(actions[i].name, action))
            state->action = actions[i].bits;
    if (state->action & WATCH_REBUILD && !state->service->has_build)
        return error_set(err, EINVAL,
                         "can't watch service \"%s\" with action rebuild without a build context", service);
    if (state->action & WATCH_EXEC && !(state->rule->exec.command && state->rule->exec.command[0]))
        return error_set(err, EINVAL, "can't watch with action \"%s\" on service %s without a command",
                         action, service);
    return 0;
}

int watch_rule_new(const void *owner, const struct service *service, const struct watch_rule *rule,
                   struct watch_rule_state **ret, struct error *err)
{
    struct watch_rule_state *state = mem_new(owner, struct watch_rule_state);
    state->service = service;
    state->rule = rule;
    state->builtin = fixed_patterns(state, ignored_everywhere, ARRAY_SIZE(ignored_everywhere));
    state->own = ignore_new(state);
    state->context = ignore_new(state);
    state->include = ignore_new(state);
    int r = check_action(state, err);
    if (r == 0 && access(rule->path, F_OK) < 0) {
        error_errno(err, "service '%s': develop.watch: path '%s'", service->name, rule->path);
        return error_hint(err, "what is watched must be there when the watch begins");
    }
    if (r == 0)
        r = add_patterns(state->own, state, rule->ignore, "ignore", err);
    if (r == 0)
        r = add_patterns(state->include, state, rule->include, "include", err);
    if (r == 0)
        r = add_context(state, err);
    if (r == 0)
        *ret = state;
    return r;
}

bool watch_rule_is_mounted(const struct watch_rule_state *state)
{
    const struct service *service = state->service;
    for (size_t i = 0; i < service->volume_count; i++) {
        const struct volume_mount *m = &service->volumes[i];
        const char *rest = m->type == MOUNT_BIND ? str_after(state->rule->path, m->source) : NULL;
        if (rest && (*rest == '\0' || *rest == '/'))
            return true;
    }
    return false;
}

static void on_stirred(void *data)
{
    const struct watch_rule_state *state = data;
    state->stirred(state->data);
}

int watch_rule_start(struct watch_rule_state *state, struct loop *loop, void (*stirred)(void *data),
                     void *data, struct error *err)
{
    state->stirred = stirred;
    state->data = data;
    const struct filetree_options options = {
        .path = state->rule->path, .skips = skips, .stirred = on_stirred, .data = state};
    int r = filetree_new(state, loop, &options, &state->tree, err);
    if (r < 0)
        return error_wrap(err, "service '%s'", state->service->name);
    state->path = mem_strdup(state, filetree_path(state->tree));
    return 0;
}
