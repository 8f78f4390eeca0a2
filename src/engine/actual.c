#include "engine/actual.h"

static int read_container(struct actual *actual, struct engine *engine, struct container_record *record,
                          struct error *err)
{
    struct actual_container *c = mem_new(actual, struct actual_container);
    c->record = record;
    mem_steal(c, record);
    c->status = (struct container_status){.state = STATE_CREATED, .exit_code = -1};
    mem_append(actual, actual->containers, actual->container_count, c);
    if (!record->ready)
        return 0;
    int r = container_adopt(&engine->dirs, record->id, err);
    if (r >= 0)
        r = container_status_read(&engine->dirs, record->id, &c->status, err);
    c->has_healthcheck = c->status.health != HEALTH_NONE;
    return r < 0 ? error_wrap(err, "container %s", record->name) : 0;
}

/* A name server that was killed is started again as long as something runs that needs it. */
static int heal_names(const struct actual *actual, struct engine *engine, struct error *err)
{
    for (size_t i = 0; i < actual->container_count; i++) {
        const struct actual_container *c = actual->containers[i];
        if (actual_is_up(c) && c->record->endpoint_count)
            return netd_ensure(&engine->network, actual->project, err);
    }
    return 0;
}

int actual_read(const void *owner, struct engine *engine, const char *project, struct actual **ret,
                struct error *err)
{
    struct actual *actual = mem_new(owner, struct actual);
    actual->project = mem_strdup(actual, project);
    struct container_record **records;
    size_t count;
    int r = state_containers(actual, engine->state, project, &records, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_container(actual, engine, records[i], err);
    if (r == 0 && project)
        r = heal_names(actual, engine, err);
    if (r == 0)
        r = state_networks(actual, engine->state, project, &actual->networks, &actual->network_count, err);
    if (r == 0)
        r = state_volumes(actual, engine->state, project, &actual->volumes, &actual->volume_count, err);
    if (r < 0) {
        talloc_free(actual);
        return r;
    }
    *ret = actual;
    return 0;
}

struct actual_container *actual_find(const struct actual *actual, const char *service, int number)
{
    for (size_t i = 0; i < actual->container_count; i++) {
        struct actual_container *c = actual->containers[i];
        if (!c->record->oneoff && c->record->number == number && str_eq(c->record->service, service))
            return c;
    }
    return NULL;
}

int actual_pick(const struct actual *actual, const struct pick_options *options,
                struct actual_container **ret, struct error *err)
{
    const char *service = options->service;
    struct actual_container *found = NULL;
    bool known = false;
    for (size_t i = 0; i < actual->container_count && !found; i++) {
        struct actual_container *c = actual->containers[i];
        if (!str_eq(c->record->service, service) || !c->record->ready ||
            (c->record->oneoff && (!options->oneoffs || options->index)))
            continue;
        known = true;
        if (options->index ? c->record->number == options->index : !options->running || actual_is_up(c))
            found = c;
    }
    if (options->index && known && !found)
        return error_set(err, ENOENT, "service \"%s\" has no container with index %d", service,
                         options->index);
    if (options->running && (!found || !actual_is_up(found)))
        return error_set(err, ESRCH, "service \"%s\" is not running", service);
    if (!found)
        return error_set(err, ENOENT, "no container found for service \"%s\"", service);
    if (options->running && found->status.state == STATE_PAUSED)
        return error_set(err, EBUSY, "container %s is paused; unpause it first", found->record->name);
    *ret = found;
    return 0;
}
