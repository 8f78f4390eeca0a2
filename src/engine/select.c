#include "engine/select.h"

bool selection_has(const struct actual_container *c, char *const *services)
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

int selection_begin(const void *owner, struct engine *engine, const char *name, const struct project *project,
                    char *const *services, int *ret_lock, struct plan **ret, struct error *err)
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

char *selection_id(const void *owner, const struct actual_container *c)
{
    return mem_printf(owner, "Container %s", c->record->name);
}

struct chosen chosen_new(struct plan *plan)
{
    return (struct chosen){.plan = plan,
                           .first = mem_array(plan, struct operation *, plan->actual->container_count + 1),
                           .last = mem_array(plan, struct operation *, plan->actual->container_count + 1)};
}

/* A container goes down after those that depend on it (reverse), or comes up after those it depends on. */
void chosen_order(struct chosen *chosen, bool reverse)
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
