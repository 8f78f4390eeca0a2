/* `run`: what the service depends on, then one container of it, its streams joined to the caller's. */
#include "engine/attach.h"
#include "engine/names.h"
#include "engine/ops.h"
#include "engine/provider.h"
#include "engine/spec.h"
#include "engine/up_plan.h"

#include <signal.h>

/* A copy of the service as a one-off has it: no fixed name, one replica. */
static int make_service(const void *owner, const struct project *project, const struct run_options *options,
                        struct service **ret, struct error *err)
{
    const struct service *original = project_service(project, options->service);
    if (!original)
        return error_set(err, ENOENT, "no such service: %s", options->service);
    struct service *service = mem_dup(owner, original, sizeof(*original));
    service->container_name = NULL;
    service->scale = 1;
    if (options->workdir)
        service->working_dir = mem_strdup(service, options->workdir);
    *ret = service;
    return 0;
}

/* Everything the service needs, without the service. */
static int bring_up_dependencies(struct engine *engine, const struct project *project,
                                 const struct service *service, const struct run_options *options,
                                 struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct project rest = *project;
    rest.services = omap_new(tmp);
    struct omap *disabled = omap_new(tmp);
    omap_foreach (e, project->disabled)
        omap_set(disabled, e->key, e->value);
    omap_foreach (e, project->services)
        omap_set(options->no_deps || strcmp(e->key, service->name) == 0 ? disabled : rest.services, e->key,
                 e->value);
    rest.disabled = disabled;
    struct up_options up = {.remove_orphans = options->remove_orphans,
                            .timeout = -1,
                            .pull = options->pull,
                            .quiet_pull = options->quiet_pull};
    return rest.services->count || options->remove_orphans ? engine_up(engine, &rest, &up, err) : 0;
}

/* The one container, after the conditions that the service sets on its dependencies. */
static struct operation *plan_container(struct plan *plan, const struct service *service,
                                        const struct run_options *options)
{
    struct actual_container *c = mem_new(plan, struct actual_container);
    struct operation *create = plan_add(plan, OP_CONTAINER_CREATE, service->name, "run");
    create->service = service;
    create->container = c;
    create->oneoff = options;
    create->quiet = true;
    omap_foreach (e, service->networks) {
        const struct network *network = omap_get(plan->project->networks, e->key);
        struct operation *op =
            plan_add(plan, OP_NETWORK_CREATE, mem_printf(plan, "Network %s", network->name), "needed");
        op->network = network->external ? NULL : network;
        op->name = network->name;
        op->quiet = true;
        plan_need(create, op);
    }
    for (size_t i = 0; i < service->volume_count; i++) {
        const char *key = service->volumes[i].type == MOUNT_VOLUME ? service->volumes[i].source : NULL;
        const struct volume *volume = key ? omap_get(plan->project->volumes, key) : NULL;
        if (!volume || volume->external)
            continue;
        struct operation *op =
            plan_add(plan, OP_VOLUME_CREATE, mem_printf(plan, "Volume %s", volume->name), "needed");
        op->volume = volume;
        op->name = volume->name;
        op->quiet = true;
        plan_need(create, op);
    }
    struct operation *start = plan_add(plan, OP_CONTAINER_START, service->name, "run");
    start->container = c;
    start->quiet = true;
    plan_need(start, create);
    for (size_t i = 0; !options->no_deps && i < service->depends_on_count; i++) {
        const struct dependency *d = &service->depends_on[i];
        for (size_t n = 0; d->condition != DEPEND_STARTED && n < plan->actual->container_count; n++) {
            struct actual_container *other = plan->actual->containers[n];
            if (other->record->oneoff || strcmp(other->record->service, d->service) != 0)
                continue;
            struct operation *wait = plan_add(
                plan, OP_CONTAINER_WAIT, mem_printf(plan, "Container %s", other->record->name), "needed");
            wait->container = other;
            wait->wait_for = d->condition == DEPEND_HEALTHY ? WAIT_HEALTHY : WAIT_COMPLETED;
            wait->optional = !d->required;
            plan_need(start, wait);
        }
    }
    return start;
}

static int remove_container(struct plan *plan, struct actual_container *c, struct error *err)
{
    struct plan *removal = plan_new(plan, plan->engine, plan->project_name, plan->project, plan->actual);
    struct operation *op = plan_remove_container(removal, c, 0, "--rm");
    op->remove_volumes = true;
    for (size_t i = 0; i < removal->count; i++)
        removal->operations[i]->quiet = true;
    return plan_run(removal, err);
}

int engine_run(const void *owner, struct engine *engine, const struct project *whole,
               const struct run_options *options, int *ret_status, char **ret_id, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct service *service = NULL;
    struct project *rest = providers_any(whole) ? providers_without(tmp, whole) : NULL;
    const struct project *project = rest ? rest : whole;
    int r = project_names_check(whole, err);
    if (r == 0 && rest && !options->no_deps)
        r = providers_up(engine, whole, &(struct up_options){.timeout = -1}, rest, err);
    if (r == 0)
        r = container_name_check(options->name, err);
    if (r == 0)
        r = make_service(tmp, project, options, &service, err);
    if (r == 0)
        r = spec_check(project, service, err);
    if (r == 0)
        r = bring_up_dependencies(engine, project, service, options, err);
    struct project single = *project;
    single.services = omap_new(tmp);
    if (r == 0) {
        omap_set(single.services, service->name, service);
        struct pull_options pull = {
            .quiet = true,
            .brief = options->quiet_pull,
            .policy = options->pull && strcmp(options->pull, "always") == 0 ? "always" : "missing"};
        r = engine_pull(engine, &single, &pull, err);
    }
    if (r == 0)
        r = engine_lock(engine, project->name, &lock, err);
    struct actual *actual;
    if (r == 0)
        r = actual_read(tmp, engine, project->name, &actual, err);
    if (r < 0)
        return r;
    struct plan *plan = plan_new(tmp, engine, project->name, project, actual);
    struct actual_container *c = plan_container(plan, service, options)->container;
    r = plan_run(plan, err);
    close(TAKE_FD(lock)); /* others may work on the project while this one runs */
    if (engine->dry_run || (r < 0 && !c->record))
        return r;
    if (r == 0 && options->detach) {
        *ret_id = mem_strdup(owner, c->record->name);
        return 0;
    }
    struct attach_options attach = {.interactive = options->interactive, .tty = options->tty};
    memcpy(attach.std, options->std, sizeof(attach.std));
    if (r == 0)
        r = attach_run(engine, c->record, &attach, ret_status, err);
    if (options->remove) {
        struct error cause = ERROR_INIT;
        int removed = remove_container(plan, c, &cause);
        if (r == 0 && removed < 0) {
            *err = cause;
            r = removed;
        }
    } else if (c->record && r == 0) {
        r = container_unpublish(engine, c->record, err);
    }
    return r;
}
