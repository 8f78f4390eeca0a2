/* What must hold between the parts of a project. Runs on the normalized tree of the services in use. */
#include "compose/loader.h"

#include "base/str.h"
#include "data/buffer.h"

struct checker {
    struct loader *loader;
    const struct node *tree;
    const struct node *disabled;
    const char *service;
    const char *key; /* what of the service is looked at; NULL: the whole */
};

static void fail(const struct checker *c, const struct node *at, const char *hint, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void fail(const struct checker *c, const struct node *at, const char *hint, const char *fmt, ...)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    va_list ap;
    va_start(ap, fmt);
    char *text = mem_vprintf(tmp, fmt, ap);
    va_end(ap);
    char *path = mem_printf(tmp, "services.%s%s%s", c->service, c->key ? "." : "", c->key ? c->key : "");
    loader_problem(c->loader, at, path, true, hint, "%s", text);
}

static const char *place_hint(const struct checker *c, const char *text, const struct node *at)
{
    return arena_printf(c->loader->arena, "%s %s", text, schema_place_text(c->loader->arena, at));
}

static void check_defined(struct checker *c, const char *key, const char *section, const char *what,
                          const char *name, const struct node *at)
{
    const struct node *defined = node_get(c->tree, section);
    if (!name || node_get(defined, name))
        return;
    const char *hint = loader_nearest(c->loader, defined, name);
    c->key = key;
    fail(c, at,
         hint ? hint : arena_printf(c->loader->arena, "define it under '%s:' at the top level", section),
         "refers to undefined %s %s", what, name);
    c->key = NULL;
}

/* A list of objects that each name one of a section as their source. */
static void check_sources(struct checker *c, const struct node *list, const char *key, const char *section,
                          const char *what)
{
    node_foreach_item (i, list) {
        const struct node *item = list->list.items[i], *source = node_get(item, "source");
        const char *type = node_get_text(item, "type");
        const char *path = arena_printf(c->loader->arena, "%s[%u]", key, i);
        if (type && !str_eq(type, "volume"))
            continue;
        if (!type && str_is_empty(node_text(source))) { /* a config or secret */
            c->key = path;
            fail(c, item, NULL, "'source' is missing");
            c->key = NULL;
            continue;
        }
        check_defined(c, path, section, what, node_text(source), source);
    }
}

static void check_references(struct checker *c, const struct node *service)
{
    struct arena *arena = c->loader->arena;
    node_foreach_entry (e, node_get(service, "networks"))
        check_defined(c, arena_printf(arena, "networks.%s", e->key), "networks", "network", e->key, e->value);
    check_sources(c, node_get(service, "volumes"), "volumes", "volumes", "volume");
    check_sources(c, node_get(service, "configs"), "configs", "configs", "config");
    check_sources(c, node_get(service, "secrets"), "secrets", "secrets", "secret");
    check_sources(c, node_get(node_get(service, "build"), "secrets"), "build.secrets", "secrets", "secret");
    node_foreach_entry (e, node_get(service, "models"))
        check_defined(c, arena_printf(arena, "models.%s", e->key), "models", "model", e->key, e->value);
}

static bool same_place(const struct node *a, const struct node *b)
{
    return a && a->file == b->file && a->line == b->line && a->col == b->col;
}

/* Where a dependency is said: depends_on, or the key that implies it. */
static const char *dependency_key(const struct checker *c, const struct node *service, const char *name,
                                  const struct node *at)
{
    static const char *const implying[] = {"network_mode", "ipc", "pid", "uts", "cgroup"};
    static const char *const lists[] = {"links", "volumes_from"};
    for (size_t i = 0; i < ARRAY_SIZE(implying); i++)
        if (same_place(node_get(service, implying[i]), at))
            return implying[i];
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        const struct node *list = node_get(service, lists[i]);
        node_foreach_item (k, list)
            if (same_place(list->list.items[k], at))
                return arena_printf(c->loader->arena, "%s[%u]", lists[i], k);
    }
    return arena_printf(c->loader->arena, "depends_on.%s", name);
}

static const char *undefined_hint(const struct checker *c, const char *name)
{
    const char *near = loader_nearest(c->loader, tree_services(c->tree), name);
    bool outside = !near && str_starts(c->key, "volumes_from");
    return outside ? arena_printf(c->loader->arena,
                                  "write container:%s when it is no service but a container", name)
                   : near;
}

static const char *inactive_hint(const struct checker *c, const struct node *service)
{
    const struct node *profiles = node_get(service, "profiles");
    const char *first = node_is(profiles, NODE_LIST) ? node_text(profiles->list.items[0]) : NULL;
    return arena_printf(c->loader->arena, "its profiles are not active: use --profile %s",
                        first ? first : "");
}

static void check_dependencies(struct checker *c, const struct node *service)
{
    const struct node *services = tree_services(c->tree);
    node_foreach_entry (e, node_get(service, "depends_on")) {
        const struct node *inactive = node_get(c->disabled, e->key);
        c->key = dependency_key(c, service, e->key, e->value);
        if (str_eq(e->key, c->service))
            fail(c, e->value, NULL, "depends on itself");
        else if (!node_get(services, e->key) && (node_get_bool(e->value, "required") || !inactive))
            fail(c, e->value, inactive ? inactive_hint(c, inactive) : undefined_hint(c, e->key),
                 "depends on undefined service %s", e->key);
        c->key = NULL;
    }
}

static bool is_zero(const struct node *node)
{
    return !node || (node->kind == NODE_INT && node->integer == 0) ||
           (node->kind == NODE_FLOAT && node->number == 0) || str_eq(node_text(node), "0");
}

/* Normalising makes a dependency of it, which is checked as one. */
static void check_network_mode(const struct checker *c, const struct node *service)
{
    const struct node *mode = node_get(service, "network_mode");
    const char *name = str_after(node_text(mode), "service:");
    if (name && !node_get(node_get(service, "depends_on"), name) && !node_get(tree_services(c->tree), name))
        fail(c, mode, NULL, "network_mode: there is no service '%s'", name);
}

/* Two ways to say the same must agree; a limit is not split over both places, and none when it is 0. */
static void check_same(const struct checker *c, const struct node *service, const char *key,
                       const struct node *section, const char *other, const char *path)
{
    const struct node *a = node_get(service, key), *b = node_get(section, other);
    bool counts = a && (!is_zero(a) || schema_find(&object_service, key)->flags & FIELD_KEEP_ZERO);
    if (!counts || !section || (b && node_equal(a, b)))
        return;
    struct arena *arena = c->loader->arena;
    const char *place = b ? arena_printf(arena, ", which is at %s", schema_place_text(arena, b)) : "";
    fail(c, a, arena_printf(arena, "write it once, as '%s'%s", path, place),
         "can't set distinct values on '%s' and '%s'", key, path);
}

static void check_limits(const struct checker *c, const struct node *service)
{
    const struct node *deploy = node_get(service, "deploy"), *resources = node_get(deploy, "resources");
    const struct node *limits = node_get(resources, "limits"),
                      *reserved = node_get(resources, "reservations");
    const struct node *scale = node_get(service, "scale");
    if (node_get(deploy, "replicas"))
        check_same(c, service, "scale", deploy, "replicas", "deploy.replicas");
    check_same(c, service, "cpus", limits, "cpus", "deploy.resources.limits.cpus");
    check_same(c, service, "mem_limit", limits, "memory", "deploy.resources.limits.memory");
    check_same(c, service, "mem_reservation", reserved, "memory", "deploy.resources.reservations.memory");
    check_same(c, service, "pids_limit", limits, "pids", "deploy.resources.limits.pids");
    if (!scale)
        scale = node_get(deploy, "replicas");
    if (node_is(scale, NODE_INT) && scale->integer < 0)
        fail(c, scale, NULL, "scale: must be greater than or equal to 0");
    if (node_is(scale, NODE_INT) && scale->integer > 1 && node_get(service, "container_name"))
        fail(c, scale, NULL,
             "can't set container_name and a scale of %lld, as container names must be unique",
             (long long)scale->integer);
}

static void check_mounts(const struct checker *c, const struct node *service)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *targets = omap_new(tmp);
    const struct node *tmpfs = node_get(service, "tmpfs"), *mounts = node_get(service, "volumes");
    node_foreach_item (i, tmpfs) {
        const char *text = tmpfs->list.items[i]->text;
        char *target = mem_strndup(tmp, text, strcspn(text, ":"));
        if (omap_has(targets, target))
            fail(c, tmpfs->list.items[i], NULL, "tmpfs[%u]: target %s is mounted twice", i, target);
        omap_set(targets, target, targets);
    }
    node_foreach_item (i, mounts) {
        const char *target = node_get_text(mounts->list.items[i], "target");
        if (target && omap_has(targets, target))
            fail(c, mounts->list.items[i], NULL, "volumes[%u]: target %s already mounted as tmpfs", i,
                 target);
    }
}

/* A context `service:NAME` is what that service builds. */
static void check_contexts(struct checker *c, const struct node *build)
{
    const struct node *services = tree_services(c->tree);
    node_foreach_entry (e, node_get(build, "additional_contexts")) {
        const char *name = str_after(node_text(e->value), "service:");
        const struct node *other = name ? node_get(services, name) : NULL;
        c->key = arena_printf(c->loader->arena, "build.additional_contexts.%s", e->key);
        if (name && !other)
            fail(c, e->value, loader_nearest(c->loader, services, name), "there is no service '%s'", name);
        else if (name && !node_get(other, "build"))
            fail(c, e->value, NULL, "service '%s' has no 'build'", name);
        c->key = NULL;
    }
}

static void check_healthcheck(struct checker *c, const struct node *healthcheck)
{
    const struct node *test = node_get(healthcheck, "test");
    if (!node_is(test, NODE_LIST) || test->list.count == 0)
        return;
    const char *first = node_text(test->list.items[0]);
    if (str_eq(first, "NONE") || str_eq(first, "CMD") || str_eq(first, "CMD-SHELL"))
        return;
    c->key = "healthcheck.test";
    fail(c, test, "put \"CMD\" in front of the command",
         "must start with \"NONE\", \"CMD\" or \"CMD-SHELL\"");
    c->key = NULL;
}

static void check_watches(struct checker *c, const struct node *watches)
{
    node_foreach_item (i, watches) {
        const struct node *watch = watches->list.items[i];
        const char *action = node_get_text(watch, "action");
        c->key = arena_printf(c->loader->arena, "develop.watch[%u]", i);
        if (action && str_starts(action, "sync") && str_is_empty(node_get_text(watch, "target")))
            fail(c, watch, NULL, "'target' is missing, which '%s' needs", action);
        c->key = NULL;
    }
}

static void check_service(struct checker *c, const struct node *service)
{
    const struct node *build = node_get(service, "build"), *mode = node_get(service, "network_mode");
    const struct node *networks = node_get(service, "networks");
    const struct node *platform = node_get(service, "platform"), *platforms = node_get(build, "platforms");
    if (str_is_empty(node_get_text(service, "image")) && !build && !node_get(service, "provider"))
        fail(c, service, "add 'image:' or 'build:'", "has neither an image nor a build context specified");
    if (!str_is_empty(node_get_text(build, "dockerfile_inline")) &&
        !str_is_empty(node_get_text(build, "dockerfile")))
        fail(c, node_get(build, "dockerfile_inline"),
             place_hint(c, "remove one of them; the other is at", node_get(build, "dockerfile")),
             "build.dockerfile and build.dockerfile_inline exclude each other");
    if (mode && node_is(networks, NODE_MAP) && networks->map.count)
        fail(c, mode, place_hint(c, "remove one of them; the networks are at", networks),
             "declares mutually exclusive 'network_mode' and 'networks'");
    if (node_is(platforms, NODE_LIST) && platforms->list.count && platform) {
        bool found = false;
        node_foreach_item (i, platforms)
            found |= node_equal(platforms->list.items[i], platform);
        if (!found)
            fail(c, platforms, NULL, "build.platforms must include the service's platform '%s'",
                 platform->text);
    }
    check_network_mode(c, service);
    check_contexts(c, build);
    check_healthcheck(c, node_get(service, "healthcheck"));
    check_watches(c, node_get(node_get(service, "develop"), "watch"));
    check_references(c, service);
    check_dependencies(c, service);
    check_limits(c, service);
    check_mounts(c, service);
}

static void check_secrets(struct loader *l, const struct node *secrets)
{
    node_foreach_entry (e, secrets)
        if (!node_get_bool(e->value, "external") && str_is_empty(node_get_text(e->value, "file")) &&
            str_is_empty(node_get_text(e->value, "environment")))
            loader_problem(l, e->value, arena_printf(l->arena, "secrets.%s", e->key), true, NULL,
                           "must have 'file' or 'environment', or be external");
}

/* Depth-first over depends_on: a service that is met again while it is open closes a cycle. */
enum visit { VISIT_OPEN = 1, VISIT_DONE };

struct walk {
    struct loader *loader;
    const struct node *services;
    uint8_t *state;
    uint32_t *stack; /* entries on the way */
    uint32_t *next;  /* which dependency each of them looks at next */
};

static bool report_cycle(struct walk *w, uint32_t depth, uint32_t again)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct node_entry *entries = w->services->map.entries;
    uint32_t from = 0;
    while (w->stack[from] != again)
        from++;
    struct buffer names = BUFFER_INIT(tmp);
    for (uint32_t i = from; i <= depth; i++)
        buffer_printf(&names, "%s -> ", entries[w->stack[i]].key);
    buffer_add_str(&names, entries[again].key);
    loader_problem(w->loader, entries[again].value,
                   mem_printf(tmp, "services.%s.depends_on", entries[again].key), true, NULL,
                   "dependency cycle detected: %s", names.data);
    return true;
}

static bool find_cycle(struct walk *w, uint32_t start)
{
    uint32_t depth = 0;
    w->stack[0] = start;
    w->next[0] = 0;
    w->state[start] = VISIT_OPEN;
    for (;;) {
        const struct node *depends = node_get(w->services->map.entries[w->stack[depth]].value, "depends_on");
        if (!node_is(depends, NODE_MAP) || w->next[depth] >= depends->map.count) {
            w->state[w->stack[depth]] = VISIT_DONE;
            if (depth-- == 0)
                return false;
            continue;
        }
        const char *name = depends->map.entries[w->next[depth]++].key;
        const struct node_entry *e = node_entry(w->services, name);
        uint32_t index = e ? (uint32_t)(e - w->services->map.entries) : 0;
        if (!e || w->state[index] == VISIT_DONE)
            continue;
        if (index == w->stack[depth])
            continue; /* depends on itself, which was told already */
        if (w->state[index] == VISIT_OPEN)
            return report_cycle(w, depth, index);
        w->state[index] = VISIT_OPEN;
        w->stack[++depth] = index;
        w->next[depth] = 0;
    }
}

static void check_cycles(struct loader *l, const struct node *tree)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct node *services = tree_services(tree);
    if (!node_is(services, NODE_MAP) || services->map.count == 0)
        return;
    struct walk w = {
        .loader = l,
        .services = services,
        .state = mem_array(tmp, uint8_t, services->map.count),
        .stack = mem_array(tmp, uint32_t, services->map.count),
        .next = mem_array(tmp, uint32_t, services->map.count),
    };
    for (uint32_t i = 0; i < services->map.count; i++)
        if (!w.state[i] && find_cycle(&w, i))
            return;
}

void loader_consistency(struct loader *l, const struct node *tree, const struct node *disabled)
{
    struct checker c = {.loader = l, .tree = tree, .disabled = disabled};
    node_foreach_entry (e, tree_services(tree)) {
        c.service = e->key;
        check_service(&c, e->value);
    }
    check_secrets(l, node_get(tree, "secrets"));
    check_cycles(l, tree);
}

void loader_container_names(struct loader *l, const struct node *tree)
{
    struct checker checker = {.loader = l, .tree = tree}, *c = &checker;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *names = omap_new(tmp);
    node_foreach_entry (e, tree_services(c->tree)) {
        const char *name = node_get_text(e->value, "container_name");
        if (!name)
            continue;
        const struct node_entry *other = omap_get(names, name);
        c->service = e->key;
        c->key = "container_name";
        if (other)
            fail(c, node_get(e->value, "container_name"),
                 place_hint(c, "its name is at", node_get(other->value, "container_name")),
                 "container name '%s' is already in use by service '%s'", name, other->key);
        c->key = NULL;
        omap_set(names, name, e);
    }
}
