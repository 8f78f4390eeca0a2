/*
 * What is implied gets written down: the default network, real names of resources, dependencies that links
 * and shared namespaces mean, the parts of a build that have a default.
 */
#include "compose/loader.h"

#include "base/path.h"
#include "base/str.h"

/* Puts a value that stands in no file; `at` is why. */
static void imply(struct loader *l, const struct schema_object *object, struct node *map, const char *key,
                  struct node *value, const struct node *at, const char *why)
{
    struct node *before = node_get(map, key);
    history_made(l->history, value, at, "%s", why);
    if (before)
        history_replaced(l->history, value, before, NULL);
    schema_put(l->arena, object, map, key, value);
}

static void name_resources(struct loader *l, struct node *tree, const char *section,
                           const struct schema_object *object)
{
    node_foreach_entry (e, node_get(tree, section)) {
        if (node_get(e->value, "name"))
            continue;
        bool external = node_get_bool(e->value, "external");
        const char *name = external ? e->key : arena_printf(l->arena, "%s_%s", l->name, e->key);
        imply(l, object, e->value, "name", node_string(l->arena, name, e->value), NULL,
              external ? "external and without a name: its key" : "the project's name and the key");
    }
}

/* The section's map under the tree, made when it is not there. */
static struct node *section(struct loader *l, const struct schema_object *object, struct node *map,
                            const char *key)
{
    struct node *value = node_get(map, key);
    if (!node_is(value, NODE_MAP)) {
        struct node *before = value;
        value = node_new(l->arena, NODE_MAP, map);
        if (before)
            history_moved(l->history, before, value);
        schema_put(l->arena, object, map, key, value);
    }
    return value;
}

static void add_dependency(struct loader *l, struct node *service, const char *name, const struct node *at,
                           bool restart, const char *why)
{
    struct node *depends = section(l, &object_service, service, "depends_on");
    if (node_get(depends, name))
        return;
    const struct schema_field *field = schema_find(&object_service, "depends_on");
    struct node *map = node_new(l->arena, NODE_MAP, at);
    imply(l, field->object, map, "condition", node_string(l->arena, "service_started", at), at, why);
    imply(l, field->object, map, "restart", node_bool(l->arena, restart, at), at, why);
    imply(l, field->object, map, "required", node_bool(l->arena, true, at), at, why);
    node_set(l->arena, depends, name, map);
}

/* A service that an element NAME[:...] of a list names; without interpolation it need not be a string. */
static void depend_on_item(struct loader *l, struct node *service, const struct node *item, bool restart,
                           const char *why)
{
    const char *text = node_text(item);
    if (text && !str_starts(text, "container:"))
        add_dependency(l, service, arena_strndup(l->arena, text, strcspn(text, ":")), item, restart, why);
}

static void imply_dependencies(struct loader *l, struct node *service)
{
    static const char *const namespaces[] = {"network_mode", "ipc", "pid", "uts", "cgroup"};
    const struct node *links = node_get(service, "links"), *from = node_get(service, "volumes_from");
    node_foreach_item (i, links)
        depend_on_item(l, service, links->list.items[i], true, "a link starts after what it links to");
    for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
        const struct node *value = node_get(service, namespaces[i]);
        const char *name = str_after(node_text(value), "service:");
        if (name)
            add_dependency(l, service, name, value, true, "a shared namespace must be there before");
    }
    node_foreach_item (i, from)
        depend_on_item(l, service, from->list.items[i], false, "volumes_from needs its container");
}

static void normalize_build(struct loader *l, struct node *service)
{
    struct node *build = node_get(service, "build");
    if (!node_is(build, NODE_MAP))
        return;
    if (!node_get(build, "dockerfile") && !node_get(build, "dockerfile_inline"))
        imply(l, &object_build, build, "dockerfile", node_string(l->arena, "Dockerfile", build), build,
              "the default of build");
    bool raw = l->options->no_interpolate;
    struct node *args = node_get(build, "args");
    node_foreach_entry (e, args) {
        const char *value = e->value->kind == NODE_NULL && !raw ? omap_get(l->environment, e->key) : NULL;
        if (value && loader_has_room(l, e->value)) {
            e->value = node_string(l->arena, value, e->value);
            origin_interpolated(l->record, e->value, arena_printf(l->arena, "$%s", e->key), l->environment);
        } else if (e->value->kind == NODE_NULL) {
            history_removed(l->history, args, e->key, e->value, e->value, "no variable gives it a value");
            e->value = NULL;
        }
    }
    if (node_is(args, NODE_MAP))
        node_compact(args);
    uint32_t kept = 0; /* a list stays one when variables are not replaced */
    node_foreach_item (i, args)
        if (!node_text(args->list.items[i]) || strchr(args->list.items[i]->text, '='))
            args->list.items[kept++] = args->list.items[i];
    if (node_is(args, NODE_LIST))
        args->list.count = kept;
}

static void normalize_service(struct loader *l, struct node *tree, struct node *service)
{
    struct node *networks = node_get(service, "networks");
    bool none = !networks || (node_is(networks, NODE_MAP) && networks->map.count == 0);
    if (none && !node_get(service, "network_mode") && !node_get(service, "provider")) {
        struct node *joined = node_new(l->arena, NODE_NULL, service);
        history_made(l->history, joined, service, "the service names no network");
        node_set(l->arena, section(l, &object_service, service, "networks"), "default", joined);
    }
    if (node_get(node_get(service, "networks"), "default")) {
        struct node *all = section(l, &object_project, tree, "networks");
        if (!node_get(all, "default")) {
            struct node *network = node_new(l->arena, NODE_MAP, service);
            history_made(l->history, network, service, "a service uses the default network");
            node_set(l->arena, all, "default", network);
        }
    }
    if (str_eq(node_get_text(service, "pull_policy"), "if_not_present"))
        imply(l, &object_service, service, "pull_policy",
              node_string(l->arena, "missing", node_get(service, "pull_policy")), NULL,
              "another word for if_not_present");
    normalize_build(l, service);
    imply_dependencies(l, service);
}

/* Only after merging: lists of several files are appended, single values replaced. */
static void list_provider_options(struct loader *l, struct node *service)
{
    node_foreach_entry (e, node_get(node_get(service, "provider"), "options")) {
        if (e->value->kind == NODE_LIST)
            continue;
        struct node *list = node_new(l->arena, NODE_LIST, e->value);
        node_list_add(l->arena, list, e->value);
        e->value = list;
    }
}

static void fill_service(struct loader *l, struct node *service)
{
    const struct load_options *o = l->options;
    struct node *scale = node_get(service, "scale"), *deploy = node_get(service, "deploy");
    if (scale && node_is(deploy, NODE_MAP) && !node_get(deploy, "replicas") && !o->no_interpolate &&
        !o->no_consistency)
        imply(l, &object_deploy, deploy, "replicas", node_int(l->arena, scale->integer, scale), scale,
              "scale says so");
    if (!o->no_interpolate) {
        hosts_sort(node_get(service, "extra_hosts"));
        hosts_sort(node_get(node_get(service, "build"), "extra_hosts"));
        list_provider_options(l, service);
    }
}

void loader_fill_contexts(struct loader *l, struct node *tree, const char *dir)
{
    node_foreach_entry (e, tree_services(tree)) {
        struct node *build = node_get(e->value, "build");
        if (node_is(build, NODE_MAP) && !node_get(build, "context"))
            imply(l, &object_build, build, "context", node_string(l->arena, dir, build), build,
                  "the default of build: the project directory");
    }
}

void loader_fill(struct loader *l, struct node *tree)
{
    static const char *const sections[] = {"networks", "volumes", "configs", "secrets"};
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        node_foreach_entry (e, node_get(tree, sections[i]))
            if (e->value->kind != NODE_MAP)
                e->value = node_new(l->arena, NODE_MAP, e->value);
    loader_fill_contexts(l, tree, l->options->no_path_resolution ? "." : l->working_dir);
    node_foreach_entry (e, tree_services(tree))
        fill_service(l, e->value);
}

void loader_normalize(struct loader *l, struct node *tree)
{
    node_foreach_entry (e, tree_services(tree))
        normalize_service(l, tree, e->value);
    name_resources(l, tree, "networks", &object_network);
    name_resources(l, tree, "volumes", &object_volume);
    name_resources(l, tree, "configs", &object_config);
    name_resources(l, tree, "secrets", &object_secret);
}
