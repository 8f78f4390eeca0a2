/* `down`, and what the commands on existing containers do: start, stop, restart, kill, rm. */
#include "engine/up_plan.h"

static bool is_chosen(const struct actual_container *c, char *const *services)
{
    return !services || strv_contains(services, c->record->service);
}

static int check_services(const struct project *project, const struct actual *actual, char *const *services,
                          struct error *err)
{
    for (char *const *s = services; s && *s; s++) {
        bool known = project && (omap_has(project->services, *s) || omap_has(project->disabled, *s));
        for (size_t i = 0; !known && i < actual->container_count; i++)
            known = strcmp(actual->containers[i]->record->service, *s) == 0;
        if (!known)
            return error_set(err, ENOENT, "no such service: %s", *s);
    }
    return 0;
}

/* What every command on existing containers begins with: the lock, a snapshot, and an empty plan. */
static int begin_plan(const void *owner, struct engine *engine, const char *name,
                      const struct project *project, char *const *services, int *ret_lock, struct plan **ret,
                      struct error *err)
{
    struct actual *actual;
    int r = engine_lock(engine, name, ret_lock, err);
    if (r == 0)
        r = actual_read(owner, engine, name, &actual, err);
    if (r == 0)
        r = check_services(project, actual, services, err);
    if (r == 0)
        *ret = plan_new(owner, engine, name, project, actual);
    return r;
}

static char *container_id(const void *owner, const struct actual_container *c)
{
    return mem_printf(owner, "Container %s", c->record->name);
}

/* Operations on containers, beside the snapshot's: what orders them. */
struct chosen {
    struct plan *plan;
    struct operation **first, **last; /* per container of the snapshot; NULL where nothing is done */
};

static struct chosen chosen_new(struct plan *plan)
{
    return (struct chosen){.plan = plan,
                           .first = mem_array(plan, struct operation *, plan->actual->container_count + 1),
                           .last = mem_array(plan, struct operation *, plan->actual->container_count + 1)};
}

/* A container goes down after those that depend on it (reverse), or comes up after those it depends on. */
static void order(struct chosen *chosen, bool reverse)
{
    const struct actual *actual = chosen->plan->actual;
    for (size_t i = 0; i < actual->container_count; i++) {
        for (size_t j = 0; chosen->first[i] && j < actual->container_count; j++) {
            if (!chosen->first[j] || !strv_contains(actual->containers[i]->record->depends_on,
                                                    actual->containers[j]->record->service))
                continue;
            if (reverse)
                plan_need(chosen->first[j], chosen->last[i]);
            else
                plan_need(chosen->first[i], chosen->last[j]);
        }
    }
}

/* ---- down ---- */

static void plan_down_containers(struct plan *plan, const struct down_options *options,
                                 struct operation ***removals, size_t *count)
{
    const struct actual *actual = plan->actual;
    struct chosen stops = chosen_new(plan);
    struct operation **removes = mem_array(plan, struct operation *, actual->container_count + 1);
    for (size_t i = 0; i < actual->container_count; i++) {
        struct actual_container *c = actual->containers[i];
        bool orphan = plan->project && (c->record->oneoff || actual_is_orphan(c, plan->project));
        if (!is_chosen(c, options->services) || (c->record->ready && orphan && !options->remove_orphans))
            continue;
        if (actual_is_up(c)) {
            struct operation *stop = plan_add(plan, OP_CONTAINER_STOP, container_id(plan, c), "it runs");
            stop->container = c;
            stop->timeout = options->timeout;
            stops.first[i] = stops.last[i] = stop;
        }
        removes[i] = plan_add(plan, OP_CONTAINER_REMOVE, container_id(plan, c),
                              c->record->ready ? "it is there" : "left half-made");
        removes[i]->container = c;
        removes[i]->remove_volumes = options->volumes;
        plan_need(removes[i], stops.last[i]);
        /* One that has ended stands between those before and after it all the same. */
        if (!stops.first[i])
            stops.first[i] = stops.last[i] = removes[i];
        mem_append(plan, *removals, *count, removes[i]);
    }
    order(&stops, true);
}

static void need_all(struct operation *op, struct operation *const *first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        plan_need(op, first[i]);
}

static bool is_external(const struct plan *plan, const char *name)
{
    omap_foreach (e, plan->project ? plan->project->networks : NULL) {
        const struct network *n = e->value;
        if (n->external && strcmp(n->name, name) == 0)
            return true;
    }
    return false;
}

static int plan_images(struct plan *plan, const struct down_options *options,
                       struct operation *const *removals, size_t count, struct error *err)
{
    struct omap *seen = omap_new(plan);
    omap_foreach (e, plan->project ? plan->project->services : NULL) {
        const struct service *service = e->value;
        struct image *image;
        /* "local" means images without a name of their own: those that `build` makes. */
        if (!service->image || strcmp(options->rmi, "local") == 0 || omap_has(seen, service->image))
            continue;
        int r = image_find(plan, plan->engine->images, service->image, service->platform, &image, err);
        if (r < 0)
            return r;
        if (r == IMAGE_ABSENT)
            continue;
        struct operation *op = plan_add(plan, OP_IMAGE_REMOVE, mem_printf(plan, "Image %s", service->image),
                                        "--rmi %s", options->rmi);
        op->name = service->image;
        op->optional = true;
        need_all(op, removals, count);
        omap_set(seen, service->image, op);
    }
    return 0;
}

static int plan_down(struct plan *plan, const struct down_options *options, struct error *err)
{
    const struct actual *actual = plan->actual;
    struct operation **removals = NULL;
    size_t count = 0;
    plan_down_containers(plan, options, &removals, &count);
    for (size_t i = 0; !options->services && i < actual->network_count; i++) {
        const char *name = actual->networks[i]->name;
        if (is_external(plan, name))
            continue;
        struct operation *op =
            plan_add(plan, OP_NETWORK_REMOVE, mem_printf(plan, "Network %s", name), "it is there");
        op->name = actual->networks[i]->name;
        need_all(op, removals, count);
    }
    for (size_t i = 0; options->volumes && !options->services && i < actual->volume_count; i++) {
        const struct volume_record *v = actual->volumes[i];
        if (!v->key && v->service)
            continue; /* goes with its container */
        struct operation *op =
            plan_add(plan, OP_VOLUME_REMOVE, mem_printf(plan, "Volume %s", v->name), "asked for");
        op->name = v->name;
        need_all(op, removals, count);
    }
    return options->rmi ? plan_images(plan, options, removals, count, err) : 0;
}

/* When the last container of the project is gone, so are its name server and what is known of it. */
static int tidy_up(struct engine *engine, const char *name, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_record **containers;
    size_t count;
    int r = state_containers(tmp, engine->state, name, &containers, &count, err);
    if (r < 0 || count)
        return r;
    r = netd_stop(&engine->network, name, err);
    if (r >= 0)
        r = network_table_remove_unused(&engine->network, err);
    if (r >= 0)
        r = state_project_remove(engine->state, name, err);
    rmdir(mem_printf(tmp, "%s/netns/%s", engine->run, name));
    return r < 0 ? r : 0;
}

int engine_down(struct engine *engine, const char *name, const struct project *project,
                const struct down_options *options, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct plan *plan;
    int r = begin_plan(tmp, engine, name, project, options->services, &lock, &plan, err);
    if (r < 0)
        return r;
    r = plan_down(plan, options, err);
    if (r == 0 && !plan->count) {
        char *text = mem_printf(tmp, "Warning: No resource found to remove for project \"%s\".", name);
        engine_report(engine, NULL, PROGRESS_WARNING, text, NULL);
    }
    if (r == 0)
        r = plan_run(plan, err);
    return r < 0 || engine->dry_run ? r : tidy_up(engine, name, err);
}

/* ---- start, stop, restart, kill, rm ---- */

typedef void plan_one(struct chosen *chosen, size_t i, const struct select_options *options);

static void plan_stop_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    struct actual_container *c = chosen->plan->actual->containers[i];
    if (!actual_is_up(c))
        return;
    struct operation *op =
        plan_add(chosen->plan, OP_CONTAINER_STOP, container_id(chosen->plan, c), "it runs");
    op->container = c;
    op->timeout = options->timeout;
    chosen->first[i] = chosen->last[i] = op;
}

static void plan_start_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    struct plan *plan = chosen->plan;
    struct actual_container *c = plan->actual->containers[i];
    if (actual_is_up(c))
        return;
    struct operation *op = plan_add(plan, OP_CONTAINER_START, container_id(plan, c), "it does not run");
    op->container = c;
    /* After a reboot the bridges are gone too. */
    for (size_t n = 0; n < c->record->endpoint_count; n++) {
        struct operation *network = NULL;
        for (size_t o = 0; o < plan->count && !network; o++)
            if (plan->operations[o]->kind == OP_NETWORK_CREATE &&
                strcmp(plan->operations[o]->name, c->record->endpoints[n].network) == 0)
                network = plan->operations[o];
        if (!network) {
            network = plan_add(plan, OP_NETWORK_CREATE,
                               mem_printf(plan, "Network %s", c->record->endpoints[n].network), "needed");
            network->name = c->record->endpoints[n].network;
            network->quiet = true;
        }
        plan_need(op, network);
    }
    chosen->first[i] = chosen->last[i] = op;
    if (options->wait) {
        struct operation *wait = plan_add(plan, OP_CONTAINER_WAIT, container_id(plan, c), "--wait");
        wait->container = c;
        wait->wait_for = WAIT_READY;
        wait->timeout = options->wait_timeout;
        plan_need(wait, op);
    }
}

static void plan_restart_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    struct plan *plan = chosen->plan;
    struct actual_container *c = plan->actual->containers[i];
    struct operation *stop = NULL;
    char *id = container_id(plan, c);
    if (actual_is_up(c)) {
        stop = plan_add(plan, OP_CONTAINER_STOP, id, "it runs");
        stop->container = c;
        stop->timeout = options->timeout;
        stop->doing = "Restarting";
        stop->partial = true;
    }
    struct operation *start = plan_add(plan, OP_CONTAINER_START, id, "asked for");
    start->container = c;
    start->doing = "Restarting";
    plan_need(start, stop);
    chosen->first[i] = stop ? stop : start;
    chosen->last[i] = start;
}

static void plan_kill_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    struct actual_container *c = chosen->plan->actual->containers[i];
    if (!actual_is_up(c))
        return;
    struct operation *op =
        plan_add(chosen->plan, OP_CONTAINER_KILL, container_id(chosen->plan, c), "asked for");
    op->container = c;
    op->signal = options->signal;
}

/* A service of the project, whether the command line leaves it active or not. */
static const struct service *service_of(const struct project *project, const char *name)
{
    const struct service *service = project ? project_service(project, name) : NULL;
    return service || !project ? service : omap_get(project->disabled, name);
}

static bool restarts_with(const struct service *service, const struct omap *restarted)
{
    for (size_t i = 0; service && i < service->depends_on_count; i++)
        if (service->depends_on[i].restart && omap_has(restarted, service->depends_on[i].service))
            return true;
    return false;
}

/* The named services, those that depend on them with `restart: true`, those that depend on these, and so on.
 */
static char **with_restart_dependents(const void *owner, const struct plan *plan, char *const *services)
{
    const struct actual *actual = plan->actual;
    struct omap *restarted = omap_new(owner);
    char **names = strv_dup(owner, services);
    for (char *const *s = services; *s; s++)
        omap_set(restarted, *s, restarted);
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < actual->container_count; i++) {
            const struct actual_container *c = actual->containers[i];
            const char *name = c->record->service;
            if (c->record->oneoff || !actual_is_up(c) || omap_has(restarted, name) ||
                !restarts_with(service_of(plan->project, name), restarted))
                continue;
            omap_set(restarted, name, restarted);
            names = strv_add(owner, names, name);
            changed = true;
        }
    }
    return names;
}

/*
 * Which of the recorded services `start` and `restart` mean: the project's active ones, which are the named
 * ones and their dependencies, or those named alone. NULL: all there are.
 */
static char **active_services(const void *owner, const struct plan *plan, char *const *services)
{
    char **names = services ? strv_dup(owner, services) : NULL;
    omap_foreach (e, plan->project ? plan->project->services : NULL)
        if (!strv_contains(names, e->key))
            names = strv_add(owner, names, e->key);
    return names;
}

static struct operation *wait_for_replica(struct chosen *chosen, size_t i, enum wait_for wait_for)
{
    struct plan *plan = chosen->plan;
    struct actual_container *c = plan->actual->containers[i];
    for (size_t o = 0; o < plan->count; o++)
        if (plan->operations[o]->kind == OP_CONTAINER_WAIT && plan->operations[o]->container == c &&
            plan->operations[o]->wait_for == wait_for)
            return plan->operations[o];
    struct operation *wait = plan_add(plan, OP_CONTAINER_WAIT, container_id(plan, c), "others depend on it");
    wait->container = c;
    wait->wait_for = wait_for;
    wait->optional = true;
    plan_need(wait, chosen->last[i]);
    return wait;
}

/* What is started waits for the conditions that its service sets on others; restarted, only with `restart:
 * true`. */
static void wait_for_conditions(struct chosen *chosen, bool restart)
{
    const struct actual *actual = chosen->plan->actual;
    for (size_t i = 0; i < actual->container_count; i++) {
        const struct service *service =
            service_of(chosen->plan->project, actual->containers[i]->record->service);
        for (size_t d = 0; chosen->first[i] && service && d < service->depends_on_count; d++) {
            const struct dependency *on = &service->depends_on[d];
            if (on->condition == DEPEND_STARTED || (restart && !on->restart))
                continue;
            for (size_t j = 0; j < actual->container_count; j++) {
                const struct container_record *other = actual->containers[j]->record;
                if (!other->ready || other->oneoff || strcmp(other->service, on->service) != 0)
                    continue;
                struct operation *wait = wait_for_replica(
                    chosen, j, on->condition == DEPEND_HEALTHY ? WAIT_HEALTHY : WAIT_COMPLETED);
                wait->optional &= !on->required;
                plan_need(chosen->first[i], wait);
            }
        }
    }
}

static int run_selected(struct engine *engine, const char *name, const struct project *project,
                        const struct select_options *options, plan_one *one, bool reverse, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct plan *plan;
    int r = begin_plan(tmp, engine, name, project, options->services, &lock, &plan, err);
    if (r < 0)
        return r;
    struct chosen chosen = chosen_new(plan);
    char *const *services = options->services;
    bool restart = one == plan_restart_one;
    if (one == plan_start_one || (restart && !services))
        services = active_services(tmp, plan, services);
    else if (restart && !options->no_deps)
        services = with_restart_dependents(tmp, plan, services);
    for (size_t i = 0; i < plan->actual->container_count; i++) {
        struct actual_container *c = plan->actual->containers[i];
        if (c->record->ready && (!c->record->oneoff || one == plan_kill_one) && is_chosen(c, services))
            one(&chosen, i, options);
    }
    order(&chosen, reverse);
    if (one == plan_start_one || (restart && !options->no_deps))
        wait_for_conditions(&chosen, restart);
    r = plan_run(plan, err);
    return r == 0 && !plan->count ? SELECTED_NOTHING : r;
}

static int run_any(int r)
{
    return r == SELECTED_NOTHING ? 0 : r;
}

static int require_containers(struct engine *engine, const char *name, const struct select_options *options,
                              struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_record **records;
    size_t count;
    int r = state_containers(tmp, engine->state, name, &records, &count, err);
    if (r < 0)
        return r;
    for (char *const *s = options->services; s && *s; s++) {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found |= strcmp(records[i]->service, *s) == 0;
        if (!found)
            return error_set(err, ENOENT, "service \"%s\" has no container to start", *s);
    }
    return 0;
}

int engine_start(struct engine *engine, const char *name, const struct project *project,
                 const struct select_options *options, struct error *err)
{
    int r = require_containers(engine, name, options, err);
    return r < 0 ? r : run_any(run_selected(engine, name, project, options, plan_start_one, false, err));
}

int engine_stop(struct engine *engine, const char *name, const struct project *project,
                const struct select_options *options, struct error *err)
{
    return run_any(run_selected(engine, name, project, options, plan_stop_one, true, err));
}

int engine_restart(struct engine *engine, const char *name, const struct project *project,
                   const struct select_options *options, struct error *err)
{
    return run_any(run_selected(engine, name, project, options, plan_restart_one, false, err));
}

int engine_kill(struct engine *engine, const char *name, const struct project *project,
                const struct select_options *options, struct error *err)
{
    return run_selected(engine, name, project, options, plan_kill_one, false, err);
}

int engine_rm(const void *owner, struct engine *engine, const char *name, const struct project *project,
              const struct select_options *options, char ***ret_names, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct plan *plan;
    int r = begin_plan(tmp, engine, name, project, options->services, &lock, &plan, err);
    if (r < 0)
        return r;
    *ret_names = NULL;
    for (size_t i = 0; i < plan->actual->container_count; i++) {
        struct actual_container *c = plan->actual->containers[i];
        if (c->record->oneoff || !is_chosen(c, options->services) || (actual_is_up(c) && !options->stop))
            continue;
        struct operation *op = plan_remove_container(plan, c, options->timeout, "asked for");
        op->remove_volumes = options->volumes;
        *ret_names = strv_add(owner, *ret_names, c->record->name);
    }
    return plan_run(plan, err);
}

int engine_images_in_use(const void *owner, struct engine *engine, char ***ret_references, char ***ret_layers,
                         struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_record **records;
    size_t count;
    *ret_references = *ret_layers = NULL;
    int r = state_containers(tmp, engine->state, NULL, &records, &count, err);
    for (size_t i = 0; r >= 0 && i < count; i++) {
        struct container_spec *spec;
        *ret_references = strv_add(owner, *ret_references, records[i]->image ? records[i]->image : "");
        r = records[i]->ready ? container_load(tmp, &engine->dirs, records[i]->id, &spec, err)
                              : CONTAINER_ABSENT;
        if (r == 0)
            *ret_layers = strv_extend(owner, *ret_layers, spec->layers);
    }
    return r < 0 ? r : 0;
}
