/* start, stop, restart, kill, rm, and what happens around a reboot. */
#include "engine/select.h"

typedef void plan_one(struct chosen *chosen, size_t i, const struct select_options *options);

static void plan_stop_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    struct actual_container *c = chosen->plan->actual->containers[i];
    if (actual_is_up(c))
        chosen->first[i] = chosen->last[i] =
            plan_stop_container(chosen->plan, c, options->timeout, "it runs");
}

static void plan_start_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    struct plan *plan = chosen->plan;
    struct actual_container *c = plan->actual->containers[i];
    if (actual_is_up(c))
        return;
    struct operation *op = plan_add(plan, OP_CONTAINER_START, selection_id(plan, c), "it does not run");
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
        struct operation *wait = plan_add(plan, OP_CONTAINER_WAIT, selection_id(plan, c), "--wait");
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
    char *id = selection_id(plan, c);
    if (actual_is_up(c)) {
        stop = plan_stop_container(plan, c, options->timeout, "it runs");
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

/* Containers that their restart policy brings back after a reboot. One that cannot be read is left alone. */
static void plan_autostart_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    const struct container_record *record = chosen->plan->actual->containers[i]->record;
    struct container_spec *spec;
    if (container_load(chosen->plan, &chosen->plan->engine->dirs, record->id, &spec, NULL) != 0 ||
        !(spec->restart == RESTART_ALWAYS || (spec->restart == RESTART_UNLESS_STOPPED && !record->stopped)))
        return;
    plan_start_one(chosen, i, options);
    if (chosen->first[i])
        chosen->first[i]->optional = true;
}

static void plan_autostop_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    plan_stop_one(chosen, i, options);
    if (chosen->first[i])
        chosen->first[i]->comes_back = true;
}

static void plan_kill_one(struct chosen *chosen, size_t i, const struct select_options *options)
{
    struct actual_container *c = chosen->plan->actual->containers[i];
    if (!actual_is_up(c))
        return;
    struct operation *op =
        plan_add(chosen->plan, OP_CONTAINER_KILL, selection_id(chosen->plan, c), "asked for");
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
    struct operation *wait = plan_add(plan, OP_CONTAINER_WAIT, selection_id(plan, c), "others depend on it");
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
    int r = selection_begin(tmp, engine, name, project, options->services, &lock, &plan, err);
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
        if (c->record->ready && (!c->record->oneoff || one == plan_kill_one) && selection_has(c, services))
            one(&chosen, i, options);
    }
    chosen_order(&chosen, reverse);
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

/* One project after the other; one that fails is told of and does not keep the next from its turn. */
static int for_each_project(struct engine *engine, plan_one *one, bool reverse, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct select_options options = {.timeout = -1};
    struct project_record **projects;
    size_t count, failed = 0;
    int r = state_projects(tmp, engine->state, &projects, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct error failure = ERROR_INIT;
        r = run_any(run_selected(engine, projects[i]->name, NULL, &options, one, reverse, &failure));
        if (r == -ECANCELED) {
            *err = failure;
        } else if (r < 0) {
            engine_report(engine, mem_printf(tmp, "Project %s", projects[i]->name), PROGRESS_ERROR, "Error",
                          failure.text);
            failed++;
            r = 0;
        }
    }
    return r == 0 && failed ? error_set(err, EIO, "%zu of %zu projects failed", failed, count) : r;
}

int engine_autostart(struct engine *engine, struct error *err)
{
    return for_each_project(engine, plan_autostart_one, false, err);
}

int engine_autostop(struct engine *engine, struct error *err)
{
    return for_each_project(engine, plan_autostop_one, true, err);
}

int engine_rm(const void *owner, struct engine *engine, const char *name, const struct project *project,
              const struct select_options *options, char ***ret_names, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct plan *plan;
    int r = selection_begin(tmp, engine, name, project, options->services, &lock, &plan, err);
    if (r < 0)
        return r;
    *ret_names = NULL;
    for (size_t i = 0; i < plan->actual->container_count; i++) {
        struct actual_container *c = plan->actual->containers[i];
        if (c->record->oneoff || !selection_has(c, options->services) || (actual_is_up(c) && !options->stop))
            continue;
        struct operation *op = plan_remove_container(plan, c, options->timeout, "asked for");
        op->remove_volumes = options->volumes;
        *ret_names = strv_add(owner, *ret_names, c->record->name);
    }
    return plan_run(plan, err);
}
