#include "engine/view.h"

#include "engine/actual.h"

static void add_port(struct container_view *view, const char *ip, uint16_t host_port, uint16_t port,
                     const char *protocol)
{
    struct published_port p = {.host_ip = mem_strdup(view, ip),
                               .host_port = host_port,
                               .port = port,
                               .protocol = mem_strdup(view, protocol)};
    mem_append(view, view->ports, view->port_count, p);
}

static void add_ports(struct container_view *view, const struct container_record *record)
{
    for (size_t i = 0; i < record->port_count; i++) {
        const struct port_map *p = &record->ports[i];
        const char *protocol = p->protocol == IPPROTO_UDP ? "udp" : "tcp";
        add_port(view, p->host_ip[0] ? p->host_ip : "0.0.0.0", p->host_port, p->port, protocol);
        if (!p->host_ip[0])
            add_port(view, "::", p->host_port, p->port, protocol);
    }
    for (char **e = record->exposed; e && *e; e++) {
        char *number = mem_strndup(view, *e, strcspn(*e, "/"));
        const char *protocol = strchr(*e, '/');
        uint64_t port;
        bool published = !str_to_u64(number, 1, 65535, &port);
        for (size_t i = 0; !published && i < record->port_count; i++)
            published = record->ports[i].port == port;
        if (!published)
            add_port(view, NULL, 0, (uint16_t)port, protocol ? protocol + 1 : "tcp");
    }
}

struct container_view *view_make(const void *owner, const struct engine *engine,
                                 const struct container_record *record, const struct container_status *status)
{
    struct container_view *view = mem_new(owner, struct container_view);
    view->id = mem_strdup(view, record->id);
    view->name = mem_strdup(view, record->name);
    view->project = mem_strdup(view, record->project);
    view->service = mem_strdup(view, record->service);
    view->number = record->number;
    view->oneoff = record->oneoff;
    view->image = mem_strdup(view, record->image);
    view->image_id = mem_strdup(view, record->image_id);
    view->command = mem_strdup(view, record->command);
    view->config_hash = mem_strdup(view, record->config_hash);
    view->labels = omap_new(view);
    omap_foreach (e, record->labels)
        omap_set_str(view->labels, e->key, e->value);
    view->status = *status;
    if (!view->status.created)
        view->status.created = record->created;
    if (status->state == STATE_RUNNING || status->state == STATE_PAUSED || status->state == STATE_RESTARTING)
        add_ports(view, record);
    for (size_t i = 0; i < record->endpoint_count; i++) {
        view->networks = strv_add(view, view->networks, record->endpoints[i].network);
        view->addresses =
            strv_add(view, view->addresses, record->endpoints[i].address ? record->endpoints[i].address : "");
    }
    for (size_t i = 0; i < record->mount_count; i++) {
        const struct mount_record *m = &record->mounts[i];
        if (m->volume)
            view->local_volumes = strv_add(view, view->local_volumes, m->volume);
        if (m->volume || m->source)
            view->mounts = strv_add(view, view->mounts, m->volume ? m->volume : m->source);
    }
    view->log_path = mem_printf(view, "%s/containers/%s/log/container.log", engine->root, record->id);
    view->attach = record->attach;
    view->tty = record->tty;
    return view;
}

static bool matches(const struct container_filter *filter, const struct container_record *record)
{
    return record->ready && (filter->oneoffs || !record->oneoff) &&
           (!filter->name || strcmp(filter->name, record->name) == 0) &&
           (!filter->index || filter->index == record->number) &&
           (!filter->services || strv_contains(filter->services, record->service));
}

int engine_containers(const void *owner, struct engine *engine, const struct container_filter *filter,
                      struct container_view ***ret, size_t *ret_count, struct error *err)
{
    struct actual *actual;
    int r = actual_read(owner, engine, filter->project, &actual, err);
    if (r < 0)
        return r;
    struct container_view **views = NULL;
    size_t count = 0;
    for (size_t i = 0; i < actual->container_count; i++) {
        const struct actual_container *c = actual->containers[i];
        if (matches(filter, c->record))
            mem_append(owner, views, count, view_make(owner, engine, c->record, &c->status));
    }
    talloc_free(actual);
    *ret = views;
    *ret_count = count;
    return 0;
}

int engine_projects(const void *owner, struct engine *engine, struct project_view ***ret, size_t *ret_count,
                    struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct actual *actual;
    struct project_record **records;
    size_t record_count, count = 0;
    struct project_view **views = NULL;
    int r = actual_read(tmp, engine, NULL, &actual, err);
    if (r == 0)
        r = state_projects(tmp, engine->state, &records, &record_count, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < record_count; i++) {
        struct project_view *view = mem_new(owner, struct project_view);
        view->name = mem_strdup(view, records[i]->name);
        view->config_files = mem_strdup(view, records[i]->config_files);
        view->working_dir = mem_strdup(view, records[i]->working_dir);
        int *const counters[STATE__COUNT] = {
            [STATE_CREATED] = &view->created, [STATE_RUNNING] = &view->running,
            [STATE_PAUSED] = &view->paused,   [STATE_RESTARTING] = &view->restarting,
            [STATE_EXITED] = &view->exited,   [STATE_DEAD] = &view->dead,
        };
        for (size_t c = 0; c < actual->container_count; c++)
            if (strcmp(actual->containers[c]->record->project, view->name) == 0)
                ++*counters[actual->containers[c]->status.state];
        mem_append(owner, views, count, view);
    }
    *ret = views;
    *ret_count = count;
    return 0;
}

int engine_pids(const void *owner, struct engine *engine, const struct container_view *container, pid_t **ret,
                size_t *ret_count, struct error *err)
{
    return container_pids(owner, &engine->dirs, container->id, ret, ret_count, err);
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
        for (size_t m = 0; r == 0 && m < spec->mount_count; m++) {
            if (spec->mounts[m].type == MOUNT_IMAGE)
                *ret_references = strv_add(owner, *ret_references, spec->mounts[m].source);
            *ret_layers = strv_extend(owner, *ret_layers, spec->mounts[m].layers);
        }
    }
    return r < 0 ? r : 0;
}

int engine_usage(struct engine *engine, const struct container_view *container, struct container_usage *ret,
                 struct error *err)
{
    return container_usage(&engine->dirs, container->id, ret, err);
}

static bool is_used(const struct actual *actual, char *const *services, const char *volume)
{
    for (size_t i = 0; i < actual->container_count; i++) {
        const struct container_record *record = actual->containers[i]->record;
        for (size_t m = 0; strv_contains(services, record->service) && m < record->mount_count; m++)
            if (str_eq(record->mounts[m].volume, volume))
                return true;
    }
    return false;
}

int engine_volumes(const void *owner, struct engine *engine, const char *project, char *const *services,
                   struct volume_view ***ret, size_t *ret_count, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct actual *actual;
    struct volume_view **views = NULL;
    size_t count = 0;
    int r = actual_read(tmp, engine, project, &actual, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < actual->volume_count; i++) {
        const struct volume_record *record = actual->volumes[i];
        if (!record->key || (services && !is_used(actual, services, record->name)))
            continue;
        struct volume_view *view = mem_new(owner, struct volume_view);
        view->name = mem_strdup(view, record->name);
        view->driver = mem_strdup(view, str_is_empty(record->driver) ? "local" : record->driver);
        view->path = engine_volume_path(view, engine, record->name);
        view->labels = omap_new(view);
        omap_foreach (e, record->labels)
            omap_set_str(view->labels, e->key, e->value);
        mem_append(owner, views, count, view);
    }
    *ret = views;
    *ret_count = count;
    return 0;
}
