#include "engine/joined.h"

size_t joined_services(const struct service *service, const char *names[JOINED_MAX])
{
    const char *const modes[JOINED_MAX] = {service->network_mode, service->pid, service->ipc, service->uts};
    size_t count = 0;
    for (size_t i = 0; i < JOINED_MAX; i++) {
        const char *name = str_after(modes[i], "service:");
        if (name)
            names[count++] = name;
    }
    return count;
}

int joined_find(const void *owner, struct engine *engine, const char *project, const char *key,
                const char *mode, struct container_record **ret, struct error *err)
{
    const char *service = str_after(mode, "service:"), *container = str_after(mode, "container:");
    if (!service && !container)
        return JOINED_NONE;
    struct container_record **records, *found = NULL;
    size_t count;
    int r = state_containers(owner, engine->state, service ? project : NULL, &records, &count, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count && !found; i++)
        if (service ? (str_eq(records[i]->service, service) && !records[i]->oneoff)
                    : (str_eq(records[i]->name, container) || str_starts(records[i]->id, container)))
            found = records[i];
    if (!found)
        return error_set(err, ENOENT, "%s '%s': no such container", key, mode);
    *ret = found;
    return 0;
}
