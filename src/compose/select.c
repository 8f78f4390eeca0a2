/*
 * Profiles and selection. A service without profiles is always active; one with profiles when one of them is,
 * or when it is named on the command line, which activates its profiles. Selected services bring what they
 * depend on.
 */
#include "compose/loader.h"

#include "base/str.h"

#include <fnmatch.h>

static char **split_trimmed(const void *owner, const char *list)
{
    char **words = strv_split(owner, list, ',');
    for (char **word = words; *word; word++) {
        *word += strspn(*word, " \t");
        (*word)[strcspn(*word, " \t")] = '\0';
    }
    return words;
}

static struct omap *active_profiles(struct loader *l, const struct node *services, char *const *wanted)
{
    struct omap *active = omap_new(l->arena);
    const char *listed = omap_get(l->environment, "COMPOSE_PROFILES");
    char **named = l->options->profiles;
    if (!named && !str_is_empty(listed))
        named = split_trimmed(l->arena, listed);
    for (; named && *named; named++)
        omap_set(active, *named, active);
    for (; wanted && *wanted; wanted++) {
        const struct node *profiles = node_get(node_get(services, *wanted), "profiles");
        node_foreach_item (i, profiles)
            omap_set(active, profiles->list.items[i]->text, active);
    }
    return active;
}

static bool is_active(const struct node *service, const struct omap *active)
{
    const struct node *profiles = node_get(service, "profiles");
    if (!node_is(profiles, NODE_LIST) || profiles->list.count == 0 || omap_has(active, "*"))
        return true;
    node_foreach_item (i, profiles) {
        const char *profile = profiles->list.items[i]->text;
        if (omap_has(active, profile) || (!*profile && active->count == 0))
            return true;
    }
    return false;
}

static void choose(const struct node *services, const char *name, struct omap *chosen)
{
    if (node_get(services, name))
        omap_set(chosen, name, chosen);
}

/* Adds what the chosen services depend on, and what those do: the set grows while it is walked through. */
static void choose_dependencies(const struct node *services, struct omap *chosen)
{
    for (size_t i = 0; i < chosen->count; i++) {
        const struct node *service = node_get(services, chosen->entries[i].key);
        node_foreach_entry (e, node_get(service, "depends_on"))
            choose(services, e->key, chosen);
    }
}

/* Names from the command line, with patterns replaced by what they match. */
static char **wanted_services(struct loader *l, const struct node *services)
{
    char **wanted = NULL;
    for (char **s = l->options->services; s && *s; s++) {
        bool found = node_get(services, *s) != NULL;
        if (found)
            wanted = strv_add(l->arena, wanted, *s);
        else if (strpbrk(*s, "*?["))
            node_foreach_entry (e, services)
                if (fnmatch(*s, e->key, 0) == 0) {
                    wanted = strv_add(l->arena, wanted, e->key);
                    found = true;
                }
        if (!found)
            loader_problem(l, NULL, "", true, NULL, "no such service: %s", *s);
    }
    return wanted;
}

/* Keeps the services that `keep` says yes to and moves the others to `rest`. */
static void sort_out(struct loader *l, struct node *tree, struct node *rest,
                     bool (*keep)(const struct node_entry *service, const void *data), const void *data,
                     const char *why)
{
    struct node *services = tree_services(tree), *kept = node_new(l->arena, NODE_MAP, services);
    history_moved(l->history, services, kept);
    node_foreach_entry (e, services) {
        bool stays = keep(e, data);
        if (!stays)
            history_removed(l->history, kept, e->key, e->value, node_get(e->value, "profiles"), "%s", why);
        *node_set(l->arena, stays ? kept : rest, e->key, e->value) = *e;
    }
    schema_put(l->arena, &object_project, tree, "services", kept);
}

static bool has_active_profile(const struct node_entry *service, const void *active)
{
    return is_active(service->value, active);
}

static bool is_chosen(const struct node_entry *service, const void *chosen)
{
    return omap_has(chosen, service->key);
}

void loader_activate(struct loader *l, struct node *tree, struct node *rest)
{
    const struct node *services = tree_services(tree);
    sort_out(l, tree, rest, has_active_profile, active_profiles(l, services, wanted_services(l, services)),
             "none of its profiles is active");
}

void loader_select(struct loader *l, struct node *tree, struct node *rest)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *chosen = omap_new(tmp);
    const struct node *services = tree_services(tree);
    if (!l->options->services)
        return;
    for (char **w = wanted_services(l, services); w && *w; w++)
        choose(services, *w, chosen);
    if (l->options->with_dependencies)
        choose_dependencies(services, chosen);
    sort_out(l, tree, rest, is_chosen, chosen, "not among the services that were named");
}

static void use(struct omap *used, const char *name)
{
    if (name)
        omap_set(used, name, used);
}

static void use_references(struct omap *used, const struct node *list)
{
    node_foreach_item (i, list)
        use(used, node_get_text(list->list.items[i], "source"));
}

static void keep(struct loader *l, struct node *tree, const char *section, const struct omap *used)
{
    struct node *all = node_get(tree, section);
    if (!all)
        return;
    struct node *kept = node_new(l->arena, NODE_MAP, all);
    history_moved(l->history, all, kept);
    node_foreach_entry (e, all)
        if (omap_has(used, e->key))
            *node_set(l->arena, kept, e->key, e->value) = *e;
        else
            history_removed(l->history, kept, e->key, e->value, NULL, "no service in use needs it");
    schema_put(l->arena, &object_project, tree, section, kept);
}

void loader_prune(struct loader *l, struct node *tree)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *networks = omap_new(tmp), *volumes = omap_new(tmp), *configs = omap_new(tmp),
                *secrets = omap_new(tmp), *models = omap_new(tmp);
    node_foreach_entry (service, tree_services(tree)) {
        const struct node *mounts = node_get(service->value, "volumes");
        node_foreach_entry (e, node_get(service->value, "networks"))
            use(networks, e->key);
        node_foreach_entry (e, node_get(service->value, "models"))
            use(models, e->key);
        node_foreach_item (i, mounts)
            if (str_eq(node_get_text(mounts->list.items[i], "type"), "volume"))
                use(volumes, node_get_text(mounts->list.items[i], "source"));
        node_foreach_entry (e, node_get(service->value, "models"))
            use(models, e->key);
        use_references(configs, node_get(service->value, "configs"));
        use_references(secrets, node_get(service->value, "secrets"));
        use_references(secrets, node_get(node_get(service->value, "build"), "secrets"));
    }
    keep(l, tree, "networks", networks);
    keep(l, tree, "volumes", volumes);
    keep(l, tree, "configs", configs);
    keep(l, tree, "secrets", secrets);
    keep(l, tree, "models", models);
}
