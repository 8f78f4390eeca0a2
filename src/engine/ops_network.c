#include "base/units.h"
#include "engine/ops.h"
#include "sys/fs.h"

#include <fcntl.h>

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

/* ---- volumes ---- */

#define TRASH_PREFIX ".removed-" /* no volume's name begins with a dot */

int volume_make(struct engine *engine, const struct volume_record *volume, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = state_volume_put(engine->state, volume, err);
    /* The way to the data is closed to others: volumes hold databases, and set-user-ID files of images. The
     * data's own mode is the container's, whatever the caller's umask. */
    char *top = mem_printf(tmp, "%s/volumes", engine->root),
         *data = engine_volume_path(tmp, engine, volume->name);
    if (r == 0)
        r = fs_mkdir_p(mem_printf(tmp, "%s/%s", top, volume->name), 0700, err);
    if (r == 0 && chmod(top, 0700) < 0)
        r = error_errno(err, "close '%s' to others", top);
    if (r == 0 && !fs_exists(data)) {
        r = fs_mkdir_p(data, 0755, err);
        if (r == 0 && chmod(data, 0755) < 0)
            r = error_errno(err, "set mode of '%s'", data);
    }
    return r < 0 ? error_wrap(err, "volume %s", volume->name) : 0;
}

/* Volumes on their way out, this one's and what killed commands left. */
static int empty_trash(struct engine *engine, const char *top, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, top, &names, err);
    for (char **n = names; r == 0 && n && *n; n++)
        if (str_starts(*n, TRASH_PREFIX))
            r = fs_remove_tree(mem_printf(tmp, "%s/%s", top, *n), err);
    if (r == 0)
        rmdir(mem_printf(tmp, "%s/volumes", engine->root)); /* when it was the last */
    return r;
}

/*
 * The volume leaves its name first, then its record goes, then the data: a volume that can be found is always
 * whole, even when the removal is killed half-way.
 */
int volume_delete(struct engine *engine, const char *name, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *top = mem_printf(tmp, "%s/volumes", engine->root);
    char *from = mem_printf(tmp, "%s/%s", top, name),
         *to = mem_printf(tmp, "%s/" TRASH_PREFIX "%.16s", top, engine_new_id(tmp));
    int r = rename(from, to) < 0 && errno != ENOENT ? error_errno(err, "rename '%s'", from) : 0;
    if (r == 0)
        r = state_volume_remove(engine->state, name, err);
    if (r == 0)
        r = empty_trash(engine, top, err);
    return r < 0 ? error_wrap(err, "volume %s", name) : 0;
}

int op_volume_create(struct operation *op, struct error *err)
{
    struct plan *plan = op->plan;
    const struct volume *volume = op->volume;
    if (volume->driver && strcmp(volume->driver, "local") != 0)
        return error_set(err, ENOTSUP, "volume %s: driver '%s' is not available (local is)", volume->name,
                         volume->driver);
    if (volume->driver_opts && volume->driver_opts->count)
        return error_set(err, ENOTSUP, "volume %s: driver_opts are not available yet", volume->name);
    struct volume_record *known;
    int r = state_volume_get(op, plan->engine->state, volume->name, &known, err);
    if (r < 0)
        return r;
    if (r == 0 && !str_eq(known->project, plan->project_name)) {
        char *text = mem_printf(op,
                                "volume \"%s\" already exists but was created for project \"%s\" (expected "
                                "\"%s\"). Use `external: true` to use an existing volume",
                                volume->name, known->project, plan->project_name);
        engine_report(plan->engine, NULL, PROGRESS_WARNING, text, NULL);
        operation_report(op, PROGRESS_DONE, "Exists", NULL);
        op->quiet = true;
        return 0;
    }
    struct volume_record record = {.name = volume->name,
                                   .project = (char *)(uintptr_t)plan->project_name,
                                   .key = volume->key,
                                   .driver = volume->driver};
    return volume_make(plan->engine, &record, err);
}

/* Whether a container of any project has it, running or not. */
static int is_mounted(struct operation *op, const char *volume, bool *ret, struct error *err)
{
    struct container_record **containers;
    size_t count;
    *ret = false;
    int r = state_containers(op, op->plan->engine->state, NULL, &containers, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        for (size_t m = 0; m < containers[i]->mount_count; m++)
            *ret |= str_eq(containers[i]->mounts[m].volume, volume);
    return r;
}

int op_volume_remove(struct operation *op, struct error *err)
{
    bool used;
    int r = is_mounted(op, op->name, &used, err);
    if (r == 0 && used) {
        operation_report(op, PROGRESS_WARNING, "Resource is still in use", NULL);
        return 0;
    }
    if (r == 0)
        r = volume_delete(op->plan->engine, op->name, err);
    if (r < 0)
        return r;
    operation_report(op, PROGRESS_DONE, "Removed", NULL);
    return 0;
}
