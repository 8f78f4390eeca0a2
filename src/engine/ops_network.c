#include "engine/ops.h"

struct network_spec network_spec_from(const struct network_record *record, const struct network *network)
{
    struct network_spec spec = {.name = record->name,
                                .bridge = record->bridge,
                                .subnet = record->subnet,
                                .gateway = record->gateway,
                                .subnet6 = record->subnet6,
                                .gateway6 = record->gateway6,
                                .internal = record->internal,
                                .masquerade = true,
                                .isolate = true};
    const char *mtu = network ? omap_get(network->driver_opts, "com.docker.network.driver.mtu") : NULL;
    const char *nat =
        network ? omap_get(network->driver_opts, "com.docker.network.bridge.enable_ip_masquerade") : NULL;
    uint64_t n;
    if (str_to_u64(mtu, 68, 65535, &n))
        spec.mtu = (int)n;
    spec.masquerade = !str_eq(nat, "false");
    return spec;
}

/* The pools of all networks that are recorded, so that a new one keeps clear of them. */
static int taken_subnets(const void *owner, struct engine *engine, const char *except, char ***ret,
                         struct error *err)
{
    struct network_record **records;
    size_t count;
    int r = state_networks(owner, engine->state, NULL, &records, &count, err);
    *ret = NULL;
    for (size_t i = 0; r == 0 && i < count; i++)
        if (strcmp(records[i]->name, except) != 0) {
            *ret = strv_add(owner, *ret, records[i]->subnet);
            if (records[i]->subnet6)
                *ret = strv_add(owner, *ret, records[i]->subnet6);
        }
    return r;
}

/* Subnets from the file, or chosen. The first IPv4 and the first IPv6 pool count. */
static int choose_subnets(struct network_record *record, struct engine *engine, const struct network *network,
                          struct error *err)
{
    char **taken;
    int r = taken_subnets(record, engine, record->name, &taken, err);
    for (size_t i = 0; r == 0 && i < network->pool_count; i++) {
        const struct ipam_pool *pool = &network->pools[i];
        if (!pool->subnet)
            continue;
        bool six = strchr(pool->subnet, ':') != NULL;
        char **subnet = six ? &record->subnet6 : &record->subnet,
             **gateway = six ? &record->gateway6 : &record->gateway;
        if (*subnet)
            continue;
        char *first6 = NULL;
        r = ipam_check_subnet(pool->subnet, taken, err);
        if (r == 0 && six)
            r = ipam_gateway6(record, pool->subnet, &first6, err);
        *subnet = mem_strdup(record, pool->subnet);
        *gateway = pool->gateway ? mem_strdup(record, pool->gateway) : first6;
        if (r == 0 && !six)
            record->ip_range = mem_strdup(record, pool->ip_range);
        if (r == 0 && !six && !*gateway) {
            struct omap *none = omap_new(record);
            char *first;
            r = ipam_next_address(record, *subnet, NULL, NULL, NULL, none, &first, err);
            if (r == 0)
                *gateway = mem_strndup(record, first, strcspn(first, "/"));
        }
    }
    if (r == 0 && !record->subnet)
        r = ipam_choose_subnet(record, taken, &record->subnet, &record->gateway, err);
    if (r == 0 && network->enable_ipv6 && !record->subnet6)
        r = ipam_choose_subnet6(record, record->bridge, &record->subnet6, &record->gateway6, err);
    return r;
}

static int make_record(const void *owner, struct engine *engine, const char *project,
                       const struct network *network, struct network_record **ret, struct error *err)
{
    struct network_record *record;
    int r = state_network_get(owner, engine->state, network->name, &record, err);
    if (r == 0) {
        *ret = record;
        return 0;
    }
    if (r < 0)
        return r;
    record = mem_new(owner, struct network_record);
    record->name = mem_strdup(record, network->name);
    record->project = mem_strdup(record, project);
    record->key = mem_strdup(record, network->key);
    record->internal = network->internal;
    record->bridge = engine_interface_name(record, engine, "cpt", network->name);
    /* One transaction, so that two projects never choose the same subnet. */
    r = state_begin(engine->state, err);
    if (r < 0)
        return r;
    r = choose_subnets(record, engine, network, err);
    if (r == 0)
        r = state_network_put(engine->state, record, err);
    r = state_end(engine->state, r, err);
    *ret = record;
    return r;
}

int op_network_create(struct operation *op, struct error *err)
{
    struct plan *plan = op->plan;
    struct engine *engine = plan->engine;
    struct network_record *record;
    int r;
    if (op->network) {
        r = make_record(op, engine, plan->project_name, op->network, &record, err);
    } else {
        r = state_network_get(op, engine->state, op->name, &record, err);
        if (r == STATE_ABSENT)
            r = error_set(err, ENOENT, "it is not recorded");
    }
    if (r < 0)
        return error_wrap(err, "network %s", op->name);
    struct network_spec spec = network_spec_from(record, op->network);
    r = network_create(&engine->network, &spec, err);
    return r < 0 ? error_wrap(err, "network %s", op->name) : 0;
}

/* Whether a container of any project that runs is attached; one that has ended does not hold a network, as
 * with docker. */
static int is_used(struct operation *op, const char *network, bool *ret, struct error *err)
{
    struct actual *all;
    *ret = false;
    int r = actual_read(op, op->plan->engine, NULL, &all, err);
    for (size_t i = 0; r == 0 && i < all->container_count; i++)
        for (size_t e = 0; e < all->containers[i]->record->endpoint_count; e++)
            *ret |= actual_is_up(all->containers[i]) &&
                    strcmp(all->containers[i]->record->endpoints[e].network, network) == 0;
    return r;
}

int op_network_remove(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    struct network_record *record;
    int r = state_network_get(op, engine->state, op->name, &record, err);
    if (r != 0)
        return r < 0 ? r : 0;
    bool used;
    r = is_used(op, record->name, &used, err);
    if (r == 0 && used) {
        operation_report(op, PROGRESS_WARNING, "Resource is still in use", NULL);
        op->partial = true;
        return 0;
    }
    struct network_spec spec = network_spec_from(record, NULL);
    if (r == 0)
        r = network_remove(&engine->network, &spec, err);
    if (r == 0)
        r = state_network_remove(engine->state, record->name, err);
    return r < 0 ? error_wrap(err, "network %s", op->name) : 0;
}
