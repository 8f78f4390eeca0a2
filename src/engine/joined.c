#include "engine/joined.h"

char **joined_services(const void *owner, const struct service *service)
{
    const char *const modes[] = {service->network_mode, service->pid, service->ipc, service->uts};
    char **names = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        const char *name = str_after(modes[i], "service:");
        if (name)
            names = strv_add(owner, names, name);
    }
    for (char **v = service->volumes_from; v && *v; v++)
        if (!str_starts(*v, "container:"))
            names = strv_addf(owner, names, "%.*s", (int)strcspn(*v, ":"), *v);
    return names;
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

/* SERVICE[:ro|rw] or container:NAME[:ro|rw] as a mode of joined_find. */
static int split_source(const void *owner, const char *text, char **ret_mode, bool *ret_read_only,
                        struct error *err)
{
    const char *container = str_after(text, "container:"), *name = container ? container : text;
    const char *option = strchr(name, ':');
    if (option && strcmp(option, ":ro") != 0 && strcmp(option, ":rw") != 0)
        return error_set(err, EINVAL, "volumes_from '%s': '%s' is not ro or rw", text, option + 1);
    *ret_read_only = option && strcmp(option, ":ro") == 0;
    *ret_mode = mem_printf(owner, "%s:%.*s", container ? "container" : "service",
                           (int)(option ? (size_t)(option - name) : strlen(name)), name);
    return 0;
}

static void put_mount(const void *owner, struct joined_mounts *mounts, const struct mount_spec *from,
                      bool read_only)
{
    struct mount_spec mount = *from;
    mount.read_only |= read_only;
    mount.copy_up = false;
    for (size_t i = 0; i < mounts->count; i++)
        if (str_eq(mounts->list[i].target, mount.target)) {
            mounts->list[i] = mount;
            return;
        }
    mem_append(owner, mounts->list, mounts->count, mount);
}

int joined_mounts(const void *owner, struct engine *engine, const char *project,
                  const struct service *service, struct joined_mounts *ret, struct error *err)
{
    *ret = (struct joined_mounts){.count = 0};
    for (char **v = service->volumes_from; v && *v; v++) {
        struct container_record *record;
        struct container_spec *spec;
        char *mode;
        bool read_only;
        int r = split_source(owner, *v, &mode, &read_only, err);
        if (r == 0)
            r = joined_find(owner, engine, project, "volumes_from", mode, &record, err);
        if (r == 0)
            r = container_load(owner, &engine->dirs, record->id, &spec, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < spec->mount_count; i++)
            if (spec->mounts[i].type == MOUNT_BIND || spec->mounts[i].type == MOUNT_VOLUME)
                put_mount(owner, ret, &spec->mounts[i], read_only);
    }
    return 0;
}
