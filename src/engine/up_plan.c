#include "engine/up_plan.h"

#include "engine/joined.h"
#include "engine/spec.h"

/* What is planned for one service, so that its dependents can wait for it. */
struct service_plan {
    struct operation *
        *ready; /* for each replica: the operation after which it runs, NULL when it does already */
    struct actual_container **containers;
    size_t count, ready_count;
    struct operation *waits[2]; /* first wait operation by condition (healthy, completed) */
    size_t wait_counts[2];
    struct operation **remakes; /* what makes a container anew */
    size_t remake_count;
    struct operation **cleanups; /* half-made containers go before anything takes their names */
    size_t cleanup_count;
};

struct up {
    struct plan *plan;
    const struct up_options *options;
    const struct omap *image_ids;
    struct omap *services;           /* struct service_plan * */
    struct omap *networks, *volumes; /* struct operation *, by key */
};

bool actual_is_orphan(const struct actual_container *c, const struct project *project)
{
    if (c->record->oneoff)
        return !actual_is_up(c);
    return !omap_has(project->services, c->record->service) &&
           !omap_has(project->disabled, c->record->service);
}

static char *container_id(const void *owner, const char *name)
{
    return mem_printf(owner, "Container %s", name);
}

struct operation *plan_stop_container(struct plan *plan, struct actual_container *c, int64_t timeout,
                                      const char *reason)
{
    struct operation *stop =
        plan_add(plan, OP_CONTAINER_STOP, container_id(plan, c->record->name), "%s", reason);
    stop->container = c;
    stop->timeout = timeout;
    return stop;
}

struct operation *plan_remove_container(struct plan *plan, struct actual_container *c, int64_t timeout,
                                        const char *reason)
{
    struct operation *stop = actual_is_up(c) ? plan_stop_container(plan, c, timeout, reason) : NULL;
    struct operation *remove =
        plan_add(plan, OP_CONTAINER_REMOVE, container_id(plan, c->record->name), "%s", reason);
    remove->container = c;
    plan_need(remove, stop);
    return remove;
}

/* ---- networks and volumes ---- */

static struct operation *need_network(struct up *up, const char *key)
{
    struct operation *op = omap_get(up->networks, key);
    const struct network *network = omap_get(up->plan->project->networks, key);
    if (op || !network)
        return op;
    bool here = false;
    for (size_t i = 0; i < up->plan->actual->network_count; i++)
        here |= strcmp(up->plan->actual->networks[i]->name, network->name) == 0;
    char *id = mem_printf(up->plan, "Network %s", network->name);
    op = plan_add(up->plan, OP_NETWORK_CREATE, id,
                  here ? "recorded; its kernel objects are checked" : "not there yet");
    op->quiet = here || network->external;
    op->network = network->external ? NULL : network;
    op->name = network->name;
    omap_set(up->networks, key, op);
    return op;
}

static struct operation *need_volume(struct up *up, const char *key)
{
    struct operation *op = omap_get(up->volumes, key);
    const struct volume *volume = omap_get(up->plan->project->volumes, key);
    if (op || !volume || volume->external)
        return op;
    bool here = false;
    for (size_t i = 0; i < up->plan->actual->volume_count; i++)
        here |= strcmp(up->plan->actual->volumes[i]->name, volume->name) == 0;
    op = plan_add(up->plan, OP_VOLUME_CREATE, mem_printf(up->plan, "Volume %s", volume->name),
                  here ? "recorded; its directory is checked" : "not there yet");
    op->quiet = here;
    op->volume = volume;
    op->name = volume->name;
    omap_set(up->volumes, key, op);
    return op;
}

static void need_resources(struct up *up, const struct service *service, struct operation *create)
{
    /* Who has namespaces or volumes of another is made after it. */
    for (char **name = joined_services(up->plan, service); name && *name; name++) {
        const struct service_plan *other = omap_get(up->services, *name);
        for (size_t i = 0; other && i < other->remake_count; i++)
            plan_need(create, other->remakes[i]);
    }
    omap_foreach (e, service->networks)
        plan_need(create, need_network(up, e->key));
    for (size_t i = 0; i < service->volume_count; i++)
        if (service->volumes[i].type == MOUNT_VOLUME && service->volumes[i].source)
            plan_need(create, need_volume(up, service->volumes[i].source));
}

/* ---- replicas ---- */

/* Why the container no longer fits, or NULL. */
static char *obsolete_reason(struct up *up, const struct service *service, const struct actual_container *c)
{
    const struct up_options *options = up->options;
    bool selected = !options->services || strv_contains(options->services, service->name);
    if (options->recreate == RECREATE_NEVER)
        return NULL;
    if ((options->recreate == RECREATE_ALWAYS && selected) || options->always_recreate_deps)
        return mem_strdup(up->plan, "asked for");
    const char *image = omap_get(up->image_ids, service->name);
    bool changed = !str_eq(c->record->config_hash, service->config_hash);
    const char *change = changed ? (c->change ? c->change : "its configuration changed") : "";
    if (image && !str_eq(c->record->image_id, image))
        return mem_printf(up->plan, "image changed %.19s → %.19s%s%s", c->record->image_id, image,
                          changed ? "; " : "", change);
    if (changed)
        return mem_strdup(up->plan, change);
    for (char **name = joined_services(up->plan, service); name && *name; name++) {
        const struct service_plan *other = omap_get(up->services, *name);
        if (other && other->remake_count)
            return mem_printf(up->plan, "%s, whose namespaces or volumes it has, is made anew", *name);
    }
    return NULL;
}

static int replica_count(struct up *up, const struct service *service, int64_t *ret, struct error *err)
{
    const char *asked = omap_get(up->options->scale, service->name);
    *ret = service->scale;
    if (asked && !str_to_i64(asked, 0, 10000, ret))
        return error_set(err, EINVAL, "scale: '%s' is not a number of containers for service %s", asked,
                         service->name);
    if (*ret > 1 && service->container_name)
        return error_set(err, EINVAL,
                         "service %s: container_name '%s' is for one container, but %lld are wanted",
                         service->name, service->container_name, (long long)*ret);
    return 0;
}

static int by_keeping(const void *a, const void *b)
{
    const struct actual_container *x = *(struct actual_container *const *)a,
                                  *y = *(struct actual_container *const *)b;
    if (x->obsolete != y->obsolete)
        return x->obsolete ? 1 : -1;
    return x->record->number - y->record->number;
}

/* The service's containers, those to keep first; half-made ones are planned away. */
static struct actual_container **existing(struct up *up, const struct service *service,
                                          struct service_plan *plan, size_t *ret_count)
{
    struct actual_container **list = NULL;
    size_t count = 0;
    for (size_t i = 0; i < up->plan->actual->container_count; i++) {
        struct actual_container *c = up->plan->actual->containers[i];
        if (c->record->oneoff || strcmp(c->record->service, service->name) != 0)
            continue;
        if (!c->record->ready) {
            struct operation *op = plan_remove_container(up->plan, c, -1, "left half-made");
            op->keep_volumes = op->quiet = true;
            mem_append(plan, plan->cleanups, plan->cleanup_count, op);
            continue;
        }
        c->obsolete = obsolete_reason(up, service, c) != NULL;
        mem_append(up->plan, list, count, c);
    }
    if (count)
        qsort(list, count, sizeof(*list), by_keeping);
    *ret_count = count;
    return list;
}

static struct operation *plan_start(struct up *up, const struct service *service, struct actual_container *c,
                                    int number, const char *name, struct operation *after)
{
    if (up->options->no_start)
        return after;
    struct operation *op = plan_add(up->plan, OP_CONTAINER_START, container_id(up->plan, name),
                                    after ? "it is made" : "it does not run");
    op->service = service;
    op->number = number;
    op->container = c;
    op->quiet = up->options->attach !=
                NULL; /* its output says that it runs, and the display ends where that begins */
    plan_need(op, after);
    return op;
}

static struct operation *plan_create(struct up *up, const struct service *service,
                                     const struct service_plan *plan, struct actual_container *c, int number,
                                     const char *name)
{
    struct operation *op = plan_add(up->plan, OP_CONTAINER_CREATE, container_id(up->plan, name),
                                    "service %s has no container %d yet", service->name, number);
    op->service = service;
    op->number = number;
    op->container = c;
    for (size_t i = 0; i < plan->cleanup_count; i++)
        plan_need(op, plan->cleanups[i]);
    need_resources(up, service, op);
    return op;
}

static struct operation *plan_recreate(struct up *up, const struct service *service,
                                       struct actual_container *c)
{
    char *reason = obsolete_reason(up, service, c), *id = container_id(up->plan, c->record->name);
    struct operation *stop = NULL;
    if (actual_is_up(c)) {
        stop = plan_stop_container(up->plan, c, up->options->timeout, reason);
        stop->quiet = true;
    }
    struct operation *op = plan_add(up->plan, OP_CONTAINER_RECREATE, id, "%s", reason);
    op->service = service;
    op->number = c->record->number;
    op->container = c;
    op->remove_volumes = up->options->renew_anonymous_volumes;
    plan_need(op, stop);
    need_resources(up, service, op);
    return op;
}

/* New replicas beside the others are no reason to restart whoever depends on the service. */
static bool has_recreated(const struct service_plan *plan)
{
    for (size_t i = 0; i < plan->remake_count; i++)
        if (plan->remakes[i]->kind == OP_CONTAINER_RECREATE)
            return true;
    return false;
}

/*
 * A dependent with `restart: true` goes down before a dependency is made anew, and up again after it. Returns
 * the stop, or NULL when no such dependency is made anew.
 */
static struct operation *plan_restart(struct up *up, const struct service *service,
                                      struct actual_container *c)
{
    struct operation *stop = NULL;
    for (size_t i = 0; i < service->depends_on_count && !up->options->no_start; i++) {
        const struct service_plan *dependency = omap_get(up->services, service->depends_on[i].service);
        if (!service->depends_on[i].restart || !dependency || !has_recreated(dependency))
            continue;
        if (!stop)
            stop = plan_stop_container(
                up->plan, c, up->options->timeout,
                mem_printf(up->plan, "its dependency %s is made anew", service->depends_on[i].service));
        for (size_t m = 0; m < dependency->remake_count; m++)
            plan_need(dependency->remakes[m], stop);
    }
    return stop;
}

static void plan_replica(struct up *up, const struct service *service, struct actual_container *c,
                         struct service_plan *plan)
{
    struct operation *ready = NULL, *stop;
    const char *name = c->record->name;
    if (c->obsolete) {
        struct operation *remake = plan_recreate(up, service, c);
        mem_append(plan, plan->remakes, plan->remake_count, remake);
        ready = plan_start(up, service, c, c->record->number, name, remake);
    } else if (!actual_is_up(c)) {
        ready = plan_start(up, service, c, c->record->number, name, NULL);
        if (ready)
            omap_foreach (e, service->networks)
                plan_need(ready, need_network(up, e->key));
    } else if ((stop = plan_restart(up, service, c))) {
        ready = plan_start(up, service, c, c->record->number, name, stop);
    } else {
        engine_report(up->plan->engine, container_id(up->plan, name), PROGRESS_DONE, "Running", NULL);
    }
    mem_append(plan, plan->containers, plan->count, c);
    mem_append(plan, plan->ready, plan->ready_count, ready);
}

static int plan_replicas(struct up *up, const struct service *service, struct service_plan *plan,
                         struct error *err)
{
    int64_t wanted;
    int r = replica_count(up, service, &wanted, err);
    if (r < 0)
        return r;
    size_t have;
    struct actual_container **list = existing(up, service, plan, &have);
    int highest = 0;
    for (size_t i = 0; i < have; i++) {
        if (list[i]->record->number > highest)
            highest = list[i]->record->number;
        if ((int64_t)i < wanted)
            plan_replica(up, service, list[i], plan);
        else
            plan_remove_container(up->plan, list[i], up->options->timeout, "more than are wanted");
    }
    for (int64_t i = (int64_t)have; i < wanted; i++) {
        struct actual_container *c = mem_new(up->plan, struct actual_container);
        int number = ++highest;
        char *name = spec_container_name(up->plan, up->plan->project, service, number);
        struct operation *create = plan_create(up, service, plan, c, number, name);
        mem_append(plan, plan->remakes, plan->remake_count, create);
        mem_append(plan, plan->containers, plan->count, c);
        mem_append(plan, plan->ready, plan->ready_count, plan_start(up, service, c, number, name, create));
    }
    return 0;
}

/* ---- dependencies ---- */

static char *replica_name(struct up *up, const struct service_plan *plan, const char *service, size_t i)
{
    const struct actual_container *c = plan->containers[i];
    if (c->record)
        return c->record->name;
    if (plan->ready[i])
        return mem_strdup(up->plan, strchr(plan->ready[i]->id, ' ') + 1);
    const char *separator = up->plan->project->separator;
    return mem_printf(up->plan, "%s%s%s%s%zu", up->plan->project_name, separator, service, separator, i + 1);
}

static struct operation *plan_wait(struct up *up, struct service_plan *dependency, const char *name, size_t i,
                                   enum wait_for wait_for)
{
    struct operation *wait =
        plan_add(up->plan, OP_CONTAINER_WAIT, container_id(up->plan, replica_name(up, dependency, name, i)),
                 "others depend on it");
    wait->container = dependency->containers[i];
    wait->wait_for = wait_for;
    wait->quiet = up->options->attach != NULL;
    plan_need(wait, dependency->ready[i]);
    return wait;
}

/* What the start of a dependent waits for. Wait operations are shared by all dependents. */
static void need_dependency(struct up *up, const struct dependency *d, struct operation *start)
{
    struct service_plan *dependency = omap_get(up->services, d->service);
    if (!dependency)
        return;
    if (d->condition == DEPEND_STARTED) {
        for (size_t i = 0; i < dependency->count; i++)
            plan_need(start, dependency->ready[i]);
        return;
    }
    /* One wait for each replica, made together, so that the first and their number name them all. */
    int kind = d->condition == DEPEND_COMPLETED;
    bool planned = dependency->waits[kind] != NULL;
    for (size_t i = 0; !planned && i < dependency->count; i++) {
        struct operation *wait =
            plan_wait(up, dependency, d->service, i, kind ? WAIT_COMPLETED : WAIT_HEALTHY);
        wait->optional = true;
        if (i == 0)
            dependency->waits[kind] = wait;
        dependency->wait_counts[kind]++;
    }
    for (size_t i = 0; i < dependency->wait_counts[kind]; i++) {
        struct operation *wait = up->plan->operations[dependency->waits[kind]->index + i];
        wait->optional &= !d->required; /* as long as nobody requires it */
        plan_need(start, wait);
    }
}

static int plan_service(struct up *up, const struct service *service, struct error *err)
{
    if (omap_has(up->services, service->name))
        return 0;
    struct service_plan *plan = mem_new(up->plan, struct service_plan);
    omap_set(up->services, service->name, plan);
    bool with_dependencies = !up->options->no_deps;
    for (size_t i = 0; with_dependencies && i < service->depends_on_count; i++) {
        const struct service *dependency = project_service(up->plan->project, service->depends_on[i].service);
        int r = dependency ? plan_service(up, dependency, err) : 0;
        if (r < 0)
            return r;
    }
    int r = plan_replicas(up, service, plan, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < plan->ready_count; i++)
        for (size_t d = 0; plan->ready[i] && plan->ready[i]->kind == OP_CONTAINER_START &&
                           with_dependencies && d < service->depends_on_count;
             d++)
            need_dependency(up, &service->depends_on[d], plan->ready[i]);
    return 0;
}

/* ---- the rest ---- */

static bool is_completed_dependency(const struct project *project, const char *name)
{
    omap_foreach (e, project->services) {
        const struct service *s = e->value;
        for (size_t i = 0; i < s->depends_on_count; i++)
            if (s->depends_on[i].condition == DEPEND_COMPLETED && strcmp(s->depends_on[i].service, name) == 0)
                return true;
    }
    return false;
}

/* --wait: every container runs, or is healthy when it has a check, or has completed when others depend on
 * that. */
static void plan_final_waits(struct up *up)
{
    omap_foreach (e, up->services) {
        struct service_plan *plan = e->value;
        bool completes = is_completed_dependency(up->plan->project, e->key);
        for (size_t i = 0; i < plan->count; i++) {
            struct operation *wait = plan_wait(up, plan, e->key, i, completes ? WAIT_COMPLETED : WAIT_READY);
            wait->timeout = up->options->wait_timeout;
        }
    }
}

static void plan_orphans(struct up *up)
{
    char **names = NULL;
    for (size_t i = 0; i < up->plan->actual->container_count; i++) {
        struct actual_container *c = up->plan->actual->containers[i];
        if (!c->record->ready && c->record->oneoff) {
            struct operation *op = plan_remove_container(up->plan, c, -1, "left half-made");
            op->quiet = true;
        } else if (actual_is_orphan(c, up->plan->project)) {
            if (up->options->remove_orphans)
                plan_remove_container(up->plan, c, up->options->timeout,
                                      "no service of that name is in the project");
            else
                names = strv_add(up->plan, names, c->record->name);
        }
    }
    if (!names || strv_env_get(up->plan->engine->environment, "COMPOSE_IGNORE_ORPHANS"))
        return;
    char *text = mem_printf(
        up->plan,
        "Found orphan containers ([%s]) for this project. If you removed or renamed this service in "
        "your compose file, you can run this command with the --remove-orphans flag to clean it up.",
        strv_join(up->plan, names, " "));
    engine_report(up->plan->engine, NULL, PROGRESS_WARNING, text, NULL);
}

/* The display of an attached `up` ends with the first start: by then everything is made, and shown. */
static void make_before_start(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        for (size_t m = 0; plan->operations[i]->kind == OP_CONTAINER_START && m < plan->count; m++)
            if (plan->operations[m]->kind == OP_CONTAINER_CREATE ||
                plan->operations[m]->kind == OP_CONTAINER_RECREATE)
                plan_need(plan->operations[i], plan->operations[m]);
}

int up_plan_make(const void *owner, struct engine *engine, const struct project *project,
                 struct actual *actual, const struct up_options *options, const struct omap *image_ids,
                 struct plan **ret, struct error *err)
{
    struct plan *plan = plan_new(owner, engine, project->name, project, actual);
    struct up up = {.plan = plan, .options = options, .image_ids = image_ids};
    up.services = omap_new(plan);
    up.networks = omap_new(plan);
    up.volumes = omap_new(plan);
    plan->attach = options->attach;
    plan->attach_data = options->data;
    plan_orphans(&up);
    omap_foreach (e, project->services) {
        if (options->no_deps && options->services && !strv_contains(options->services, e->key))
            continue;
        int r = plan_service(&up, e->value, err);
        if (r < 0)
            return r;
    }
    if (options->wait && !options->no_start)
        plan_final_waits(&up);
    if (options->attach)
        make_before_start(plan);
    *ret = plan;
    return 0;
}
