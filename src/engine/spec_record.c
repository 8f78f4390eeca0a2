/* The record of a container that is to be made: what it is called, and what it will be attached to. */
#include "engine/spec.h"

#include "sys/fs.h"

#define LABEL "com.docker.compose."

char *spec_container_name(const void *owner, const struct project *project, const struct service *service,
                          int number)
{
    if (service->container_name)
        return mem_strdup(owner, service->container_name);
    return mem_printf(owner, "%s%s%s%s%d", project->name, project->separator, service->name,
                      project->separator, number);
}

static char *oneoff_name(const void *owner, const struct project *project, const struct service *service,
                         const char *id)
{
    const char *separator = project->separator;
    return mem_printf(owner, "%s%s%s%srun%s%.12s", project->name, separator, service->name, separator,
                      separator, id);
}

static const char *condition_label(enum depend_condition condition)
{
    static const char *const names[DEPEND__COUNT] = {
        [DEPEND_STARTED] = "service_started",
        [DEPEND_HEALTHY] = "service_healthy",
        [DEPEND_COMPLETED] = "service_completed_successfully",
    };
    return names[condition];
}

/* The labels that third-party tools read, as docker compose sets them; the image's and the service's own
 * below them. */
static void make_labels(struct container_record *record, const struct spec_request *request)
{
    const struct project *project = request->project;
    const struct service *service = request->service;
    TALLOC_CTX *tmp = talloc_new(record);
    record->labels = omap_new(record);
    omap_foreach (e, request->image->labels)
        omap_set_str(record->labels, e->key, e->value);
    omap_foreach (e, service->labels)
        omap_set_str(record->labels, e->key, e->value);
    for (char **l = request->oneoff ? request->oneoff->labels : NULL; l && *l; l++) {
        char **parts = strv_split(tmp, *l, '=');
        const char *value = strchr(*l, '=');
        omap_set_str(record->labels, parts[0], value ? value + 1 : "");
    }

    char *depends = mem_strdup(tmp, "");
    for (size_t i = 0; i < service->depends_on_count; i++) {
        const struct dependency *d = &service->depends_on[i];
        depends = mem_append_printf(depends, "%s%s:%s:%s", i ? "," : "", d->service,
                                    condition_label(d->condition), d->restart ? "true" : "false");
    }
    const char *const rows[][2] = {
        {LABEL "config-hash",                   service->config_hash},
        {LABEL "container-number",              mem_printf(tmp,       "%d", record->number ? record->number : 1)},
        {LABEL "depends_on", depends                    },
        {LABEL "image",                              request->image->id                             },
        {LABEL "oneoff",record->oneoff ? "True" : "False"},
        {LABEL "project",               project->name                                                      },
        {LABEL "project.config_files",          strv_join(tmp,project->files, ",")},
        {LABEL "project.working_dir",               project->working_dir                                             },
        {LABEL "service",                                     service->name                              },
        {LABEL "version",                                     COMPOTE_VERSION},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        omap_set_str(record->labels, rows[i][0], rows[i][1]);
    if (record->oneoff)
        omap_set_str(record->labels, LABEL "slug", record->id);
    talloc_free(tmp);
}

/* Adds a name the way that netd compares them: in lower case. */
static char **add_name(const void *owner, char **names, const char *name)
{
    char *lower = mem_strdup(NULL, name);
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c += 'a' - 'A';
    if (!strv_contains(names, lower))
        names = strv_add(owner, names, lower);
    talloc_free(lower);
    return names;
}

static char **endpoint_names(const void *owner, const struct spec_request *request,
                             const struct container_record *record, const struct service_network *network)
{
    bool aliases = !record->oneoff || request->oneoff->use_aliases;
    char **names = add_name(owner, NULL, record->name);
    names = strv_addf(owner, names, "%.12s", record->id);
    if (aliases)
        names = add_name(owner, names, request->service->name);
    for (char **a = aliases && network ? network->aliases : NULL; a && *a; a++)
        names = add_name(owner, names, *a);
    return names;
}

/* `links` of the form "service:alias", `external_links` "container:alias"; without alias the name does by
 * itself. */
static void add_links(struct container_record *record, char *const *links)
{
    for (; links && *links; links++) {
        const char *colon = strchr(*links, ':');
        if (!colon)
            continue;
        char *link = mem_printf(NULL, "%s %.*s", colon + 1, (int)(colon - *links), *links);
        record->links = add_name(record, record->links, link);
        talloc_free(link);
    }
}

struct ordered_network {
    const char *key;
    const struct service_network *network;
};

static int by_priority(const void *a, const void *b)
{
    const struct ordered_network *x = a, *y = b;
    int64_t px = x->network ? x->network->priority : 0, py = y->network ? y->network->priority : 0;
    return px == py ? strcmp(x->key, y->key) : px < py ? 1 : -1;
}

/*
 * Interfaces are numbered in the order of priority, then name. The default route goes over the network with
 * the highest gw_priority that has a way out; docker sorts equals by name.
 */
static void make_endpoints(struct container_record *record, struct engine *engine,
                           const struct spec_request *request)
{
    const struct omap *networks = request->service->networks;
    size_t count = networks ? networks->count : 0;
    if (!count)
        return;
    struct ordered_network *order = mem_array(record, struct ordered_network, count);
    for (size_t i = 0; i < count; i++)
        order[i] = (struct ordered_network){networks->entries[i].key, networks->entries[i].value};
    qsort(order, count, sizeof(*order), by_priority);

    record->endpoints = mem_array(record, struct endpoint_record, count);
    record->endpoint_count = count;
    struct endpoint_record *way_out = NULL;
    int64_t best = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        const struct network *network = omap_get(request->project->networks, order[i].key);
        const struct service_network *use = order[i].network;
        struct endpoint_record *e = &record->endpoints[i];
        e->network = mem_strdup(record, network->name);
        e->interface = use && use->interface_name ? mem_strdup(record, use->interface_name)
                                                  : mem_printf(record, "eth%zu", i);
        e->host_interface =
            engine_interface_name(record, engine, "cpv", mem_printf(order, "%s %zu", record->id, i));
        e->mac = mem_strdup(record, use && use->mac_address ? use->mac_address
                                    : i == 0                ? request->service->mac_address
                                                            : NULL);
        e->names = endpoint_names(record, request, record, use);
        int64_t priority = use ? use->gw_priority : 0;
        if (!network->internal && (!way_out || priority > best)) {
            way_out = e;
            best = priority;
        }
    }
    if (way_out)
        way_out->gateway = true;
    talloc_free(order);
}

static int protocol_number(const char *protocol)
{
    return str_eq(protocol, "udp") ? IPPROTO_UDP : str_eq(protocol, "sctp") ? IPPROTO_SCTP : IPPROTO_TCP;
}

/* Ports of containers that are made already, whether they run or not; this one's among them. */
static bool is_given(const struct port_map *map, struct container_record *const *others, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t p = 0; p < others[i]->port_count; p++)
            if (port_overlaps(map, &others[i]->ports[p]))
                return true;
    return false;
}

/* The first port of [first, last], beginning at `start`, that nobody has. */
static int choose_port(struct port_map *map, uint64_t first, uint64_t last, uint64_t start,
                       struct container_record *const *others, size_t count, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    uint64_t room = last - first + 1;
    for (uint64_t i = 0; i < room; i++) {
        char *holder;
        map->host_port = (uint16_t)(first + (start - first + i) % room);
        int r = is_given(map, others, count) ? PORT_TAKEN : port_check(tmp, map, &holder, err);
        if (r != PORT_TAKEN)
            return r;
    }
    return error_set(err, EADDRINUSE, "Bind for %s:%llu-%llu failed: port is already allocated",
                     map->host_ip[0] ? map->host_ip : "0.0.0.0", (unsigned long long)first,
                     (unsigned long long)last);
}

/* One published port; a range or no port at all means the first that is free. */
static int make_port(struct container_record *record, const struct port *port,
                     struct container_record *const *others, size_t count, struct error *err)
{
    enum { ANY_FIRST = 49153, ANY_LAST = 65535 }; /* docker's */
    struct port_map map = {.protocol = protocol_number(port->protocol), .port = port->target};
    str_copy(map.host_ip, sizeof(map.host_ip),
             port->host_ip && strcmp(port->host_ip, "0.0.0.0") != 0 ? port->host_ip : "");
    uint64_t first = 0, last = 0;
    int r = 0;
    if (str_is_empty(port->published)) {
        /* Somewhere in the range: two commands at once rarely try the same. */
        uint64_t start = ANY_FIRST + (uint64_t)getpid() * 2654435761u % (ANY_LAST - ANY_FIRST + 1);
        r = choose_port(&map, ANY_FIRST, ANY_LAST, start, others, count, err);
    } else {
        char **ends = strv_split(record, port->published, '-');
        if (!str_to_u64(ends[0], 1, 65535, &first) ||
            !str_to_u64(ends[1] ? ends[1] : ends[0], first, 65535, &last))
            return error_set(err, EINVAL, "'%s' is not a port or a range of ports", port->published);
        map.host_port = (uint16_t)first;
        if (last > first)
            r = choose_port(&map, first, last, first, others, count, err);
    }
    if (r == 0)
        mem_append(record, record->ports, record->port_count, map);
    return r;
}

static int make_ports(struct container_record *record, struct engine *engine,
                      const struct spec_request *request, struct error *err)
{
    const struct service *service = request->service;
    bool publish = service->port_count && (!record->oneoff || request->oneoff->service_ports);
    struct container_record **others;
    size_t count;
    int r = publish ? state_containers(record, engine->state, NULL, &others, &count, err) : 0;
    if (publish && r == 0)
        mem_append(record, others, count, record);
    for (size_t i = 0; publish && r == 0 && i < service->port_count; i++)
        r = make_port(record, &service->ports[i], others, count, err);
    if (r < 0)
        return error_wrap(err, "service %s", service->name);
    for (char **e = request->image->exposed_ports; e && *e; e++)
        record->exposed = strv_add(record, record->exposed, *e);
    for (char **e = service->expose; e && *e; e++) {
        char *text = strchr(*e, '/') ? mem_strdup(record, *e) : mem_printf(record, "%s/tcp", *e);
        if (!strv_contains(record->exposed, text))
            record->exposed = strv_add(record, record->exposed, text);
    }
    return 0;
}

static void make_namespace(struct container_record *record, struct engine *engine,
                           const struct service *service)
{
    if (str_eq(service->network_mode, "host"))
        return;
    record->netns = engine_netns_path(record, engine, record->project, record->id);
}

int spec_make_record(const void *owner, struct engine *engine, const struct spec_request *request,
                     struct container_record **ret, struct error *err)
{
    const struct service *service = request->service;
    struct container_record *record = mem_new(owner, struct container_record);
    record->id = engine_new_id(record);
    record->project = mem_strdup(record, request->project->name);
    record->service = mem_strdup(record, service->name);
    record->number = request->number;
    record->oneoff = request->oneoff != NULL;
    record->created = engine_clock_ns();
    record->config_hash = mem_strdup(record, service->config_hash);
    record->config = service_config(record, service);
    record->image = mem_strdup(record, service->image);
    record->image_id = mem_strdup(record, request->image->id);
    record->attach = service->attach;
    record->stop_grace = service->stop_grace_period >= 0 ? service->stop_grace_period : 10 * 1000000000LL;
    if (!request->oneoff) {
        record->name = spec_container_name(record, request->project, service, request->number);
        record->tty = service->tty;
    } else {
        record->name = request->oneoff->name ? mem_strdup(record, request->oneoff->name)
                                             : oneoff_name(record, request->project, service, record->id);
        record->tty = request->oneoff->tty;
        record->auto_remove = request->oneoff->remove;
    }
    for (size_t i = 0; i < service->depends_on_count; i++)
        record->depends_on = strv_add(record, record->depends_on, service->depends_on[i].service);

    make_labels(record, request);
    make_namespace(record, engine, service);
    make_endpoints(record, engine, request);
    record->dns = strv_dup(record, service->dns);
    add_links(record, service->links);
    add_links(record, service->external_links);
    int r = make_ports(record, engine, request, err);
    if (r < 0) {
        talloc_free(record);
        return r;
    }
    *ret = record;
    return 0;
}
