/*
 * The whole pipeline: find -> read -> name -> layer on layer -> check -> normalize -> profiles -> consistency
 * -> selection -> env files -> prune -> bind. Each step reports all it finds; the first step that found an
 * error is the last.
 */
#include "compose/load.h"

#include "base/str.h"
#include "compose/loader.h"
#include "model/bind.h"

static struct load_record *record_make(struct arena *arena, const struct load_options *options)
{
    struct load_record *record = arena_new_object(arena, struct load_record);
    record->arena = arena;
    record->places = omap_new(arena);
    record->history = options->explain ? history_new(arena) : NULL;
    return record;
}

static struct loader loader_make(const void *owner, const struct load_options *options, struct arena *arena,
                                 struct diagnostics *diagnostics, struct error *err)
{
    struct load_record *record = record_make(arena, options);
    return (struct loader){
        .arena = arena,
        .options = options,
        .owner = owner,
        .diagnostics = diagnostics,
        .err = err,
        .told = omap_new(arena),
        .cwd = options->cwd,
        .environment = omap_new(arena),
        .record = record,
        .history = record->history,
    };
}

/* All files, so that the mistakes of each are told. */
static int read_all(struct loader *l, struct node ***ret)
{
    size_t n = strv_len(l->files);
    *ret = arena_array(l->arena, struct node *, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct error failed = ERROR_INIT;
        if (loader_read(l, l->files[i], &(*ret)[i], &failed) < 0)
            loader_failed(l, &failed);
    }
    return loader_status(l);
}

static void warn_version(struct loader *l, const struct node *document)
{
    const struct node *version = node_get(document, "version");
    if (version)
        loader_problem(
            l, version, "", false, NULL,
            "the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential "
            "confusion");
}

static int layer_all(struct loader *l, struct node **documents, struct node **tree)
{
    struct omap *extended = omap_new(l->arena);
    for (size_t i = 0; l->files[i]; i++) {
        struct scope scope = {
            .dir = l->working_dir, .environment = l->environment, .extended = extended, .file = l->files[i]};
        node_foreach_item (k, documents[i]) {
            bool more = l->files[i + 1] || k + 1 < documents[i]->list.count;
            warn_version(l, documents[i]->list.items[k]);
            if (loader_layer(l, &scope, documents[i]->list.items[k], tree) < 0 ||
                loader_check(l, *tree, more) < 0)
                break;
        }
    }
    return loader_status(l);
}

/* There is something, and a map of services in it. */
static int complete(struct loader *l, struct node *tree)
{
    struct error nothing = ERROR_INIT;
    node_remove(tree, "version");
    if (!tree || tree->map.count == 0) {
        error_set(&nothing, EINVAL, "%s: empty compose file", loader_label(l, l->files[0]));
        loader_failed(l, &nothing);
    } else if (!node_is(tree_services(tree), NODE_MAP) && !l->options->no_interpolate) {
        schema_put(l->arena, &object_project, tree, "services", node_new(l->arena, NODE_MAP, tree));
    }
    return loader_status(l);
}

static int load_tree(struct loader *l, struct node **ret_tree, struct node **ret_disabled)
{
    struct node **documents, *tree = NULL;
    struct error failed = ERROR_INIT;
    if (read_all(l, &documents) < 0)
        return loader_status(l);
    if (loader_find_name(l, documents, strv_len(l->files), &failed) < 0) {
        loader_failed(l, &failed);
        return loader_status(l);
    }
    omap_set_str(l->environment, "COMPOSE_PROJECT_NAME", l->name);
    origin_set(l->record, omap_get(l->environment, "COMPOSE_PROJECT_NAME"), "the project's name", 0, NULL);
    if (layer_all(l, documents, &tree) < 0 || complete(l, tree) < 0)
        return loader_status(l);
    struct node *name = node_string(l->arena, l->name, l->name_at);
    if (!l->name_at)
        history_made(l->history, name, NULL, "%s", l->name_why);
    if (l->name_at || !l->options->no_interpolate || !l->options->no_normalize)
        schema_put(l->arena, &object_project, tree, "name", name);
    loader_fill(l, tree);
    if (!l->options->no_normalize)
        loader_normalize(l, tree);
    struct node *rest = *ret_disabled = node_new(l->arena, NODE_MAP, NULL);
    *ret_tree = tree;
    if (l->options->no_interpolate)
        return loader_status(l);
    loader_activate(l, tree, rest);
    if (!l->options->no_consistency && loader_status(l) == 0)
        loader_consistency(l, tree, rest);
    if (loader_status(l) == 0)
        loader_select(l, tree, rest);
    if (!l->options->no_consistency && loader_status(l) == 0)
        loader_container_names(l, tree);
    if (loader_status(l) == 0)
        loader_env_files(l, tree_services(tree));
    if (!l->options->all_resources)
        loader_prune(l, tree);
    return loader_status(l);
}

static struct project *make_project(struct loader *l, const void *owner, struct node *tree,
                                    struct node *disabled)
{
    struct project *project = project_bind(owner, tree, disabled, l->arena, l->environment);
    project->name = mem_strdup(project, l->name);
    bool compatible =
        l->options->compatibility || environment_is_true(l->environment, "COMPOSE_COMPATIBILITY");
    project->separator = compatible ? "_" : "-";
    project->working_dir = mem_strdup(project, l->working_dir);
    project->files = strv_dup(project, l->files);
    project->env_files = strv_dup(project, l->env_files);
    project->environment = omap_new(project);
    omap_foreach (e, l->environment)
        omap_set_str(project->environment, e->key, e->value);
    project->tree = tree;
    project->record = l->record;
    project->raw = l->options->no_interpolate;
    mem_steal(project, l->arena);
    return project;
}

int project_load(const void *owner, const struct load_options *options, struct project **ret,
                 struct diagnostics *diagnostics, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct node *tree = NULL, *disabled = NULL;
    struct error first = ERROR_INIT;
    struct loader l = loader_make(owner, options, arena_new(tmp), diagnostics, &first);
    loader_report_init(&l);
    int r = loader_find(&l, &first);
    if (r == 0) {
        r = load_tree(&l, &tree, &disabled);
    } else if (r < 0) {
        diagnostics->error_count++;
    }
    loader_report_end(&l);
    if (r != 0) {
        if (err)
            *err = first;
        return r;
    }
    *ret = make_project(&l, owner, tree, disabled);
    return 0;
}

int project_name_find(const void *owner, const struct load_options *options, char **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct diagnostics diagnostics = {0};
    struct error first = ERROR_INIT;
    struct loader l = loader_make(tmp, options, arena_new(tmp), &diagnostics, &first);
    loader_report_init(&l);
    struct node **documents = NULL;
    int r = loader_find(&l, err);
    if (r < 0)
        return r;
    if (r == LOAD_NO_FILE && str_is_empty(options->project_name) &&
        !omap_get(l.environment, "COMPOSE_PROJECT_NAME"))
        return r;
    error_clear(err); /* the missing file, which the name makes up for */
    bool given = !str_is_empty(options->project_name) || omap_get(l.environment, "COMPOSE_PROJECT_NAME");
    if (!given && (r = read_all(&l, &documents)) < 0) {
        if (err)
            *err = first;
        return r;
    }
    r = loader_find_name(&l, documents, given ? 0 : strv_len(l.files), err);
    if (r == 0)
        *ret = mem_strdup(owner, l.name);
    return r;
}
