#include "model/bind.h"

#include "base/str.h"
#include "base/units.h"
#include "data/digest.h"
#include "data/json_write.h"
#include "model/tables.h"

/* Canonical JSON does not depend on how the file is written; its bytes are those that docker compose hashes.
 */
static struct buffer config_text(const void *owner, struct arena *arena, const struct node *node)
{
    struct buffer json = BUFFER_INIT(owner);
    json_write(&json, schema_print(arena, &object_service, node, SCHEMA_HASH), true);
    return json;
}

static char *config_hash(const void *owner, struct arena *arena, const struct node *node)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer json = config_text(tmp, arena, node);
    char text[DIGEST_TEXT];
    digest_sha256(json.data, json.size, text);
    return mem_strdup(owner, text);
}

char *service_config(const void *owner, const struct service *service)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    return config_text(owner, arena_new(tmp), service->node).data;
}

static void bind_dependencies(struct service *service, const struct node *node)
{
    const struct node *depends = node_get(node, "depends_on");
    if (!node_is(depends, NODE_MAP))
        return;
    service->depends_on = mem_array(service, struct dependency, depends->map.count);
    node_foreach_entry (e, depends) {
        struct dependency *d = &service->depends_on[service->depends_on_count++];
        const char *condition = node_get_text(e->value, "condition");
        d->service = mem_strdup(service, e->key);
        d->condition = str_eq(condition, "service_healthy")                  ? DEPEND_HEALTHY
                       : str_eq(condition, "service_completed_successfully") ? DEPEND_COMPLETED
                                                                             : DEPEND_STARTED;
        d->required = node_get_bool(e->value, "required");
        d->restart = node_get_bool(e->value, "restart");
    }
}

/* An array of as many zeroed elements as the list has, below the service; NULL for none. */
static void *list_array(struct service *service, const struct node *list, size_t element, size_t *ret_count)
{
    *ret_count = node_is(list, NODE_LIST) ? list->list.count : 0;
    return *ret_count ? mem_check(talloc_zero_size(service, *ret_count * element)) : NULL;
}

static void bind_ports(struct service *service, const struct node *list)
{
    service->ports = list_array(service, list, sizeof(*service->ports), &service->port_count);
    node_foreach_item (i, list) {
        const struct node *target = node_get(list->list.items[i], "target");
        schema_bind(service, list->list.items[i], &service->ports[i]);
        service->ports[i].target = node_is(target, NODE_INT) ? (uint16_t)target->integer : 0;
    }
}

static enum mount_type mount_type_of(const char *text)
{
    static const char *const types[MOUNT__COUNT] = {"bind", "volume", "tmpfs", "image", "npipe", "cluster"};
    for (int i = 0; i < MOUNT__COUNT; i++)
        if (str_eq(text, types[i]))
            return (enum mount_type)i;
    return MOUNT_VOLUME;
}

static void bind_volumes(struct service *service, const struct node *list)
{
    service->volumes = list_array(service, list, sizeof(*service->volumes), &service->volume_count);
    node_foreach_item (i, list) {
        const struct node *node = list->list.items[i], *mode;
        struct volume_mount *m = &service->volumes[i];
        static const char *const parts[] = {"bind", "volume", "tmpfs", "image"};
        m->tmpfs_size = m->tmpfs_mode = -1;
        m->type = mount_type_of(node_get_text(node, "type"));
        schema_bind(service, node, m);
        for (size_t k = 0; k < ARRAY_SIZE(parts); k++)
            schema_bind(service, node_get(node, parts[k]), m);
        mode = node_get(node_get(node, "tmpfs"), "mode");
        if (node_is(mode, NODE_INT))
            m->tmpfs_mode = mode->integer;
    }
}

static void bind_references(struct service *service, const struct node *list, struct file_reference **array,
                            size_t *count)
{
    *array = list_array(service, list, sizeof(**array), count);
    node_foreach_item (i, list) {
        (*array)[i].mode = -1;
        schema_bind(service, list->list.items[i], &(*array)[i]);
    }
}

static void bind_devices(struct service *service, const struct node *list)
{
    service->devices = list_array(service, list, sizeof(*service->devices), &service->device_count);
    node_foreach_item (i, list)
        schema_bind(service, list->list.items[i], &service->devices[i]);
}

static int64_t decimal(const struct node *node, int64_t otherwise)
{
    int64_t value = otherwise;
    if (node_is(node, NODE_STRING))
        str_to_i64(node->text, INT64_MIN, INT64_MAX, &value);
    return value;
}

static void add_blkio(struct service *service, const char *key, const struct node *device,
                      const struct node *value)
{
    struct blkio_limit limit = {.key = mem_strdup(service, key),
                                .path = mem_strdup(service, node_get_text(device, "path")),
                                .value = node_is(value, NODE_INT) ? value->integer : decimal(value, 0)};
    mem_append(service, service->blkio, service->blkio_count, limit);
}

static void bind_blkio(struct service *service, const struct node *node)
{
    node_foreach_entry (e, node) {
        if (e->value->kind == NODE_INT)
            add_blkio(service, e->key, NULL, e->value);
        node_foreach_item (i, e->value) {
            const struct node *device = e->value->list.items[i], *rate = node_get(device, "rate");
            add_blkio(service, e->key, device, rate ? rate : node_get(device, "weight"));
        }
    }
}

static void bind_requests(struct service *service, const struct node *list)
{
    node_foreach_item (i, list) {
        const struct node *node = list->list.items[i], *count = node_get(node, "count"),
                          *ids = node_get(node, "device_ids"), *capabilities = node_get(node, "capabilities");
        struct device_request request = {.driver = mem_strdup(service, node_get_text(node, "driver")),
                                         .count = node_is(count, NODE_INT) ? count->integer : -1};
        if (ids)
            type_strings.bind(service, ids, &request.ids);
        if (capabilities)
            type_strings.bind(service, capabilities, &request.capabilities);
        if (node_is(service->node, NODE_MAP) && list == node_get(service->node, "gpus") &&
            !strv_contains(request.capabilities, "gpu"))
            request.capabilities = strv_add(service, request.capabilities, "gpu");
        mem_append(service, service->requests, service->request_count, request);
    }
}

static void bind_provider(struct service *service, const struct node *node)
{
    service->provider = mem_strdup(service, node_get_text(node, "type"));
    if (!service->provider)
        return;
    service->provider_options = omap_new(service);
    node_foreach_entry (e, node_get(node, "options")) {
        char **values = NULL;
        type_strings.bind(service, e->value, &values);
        omap_set(service->provider_options, e->key, values);
    }
}

static void bind_hook(struct service *service, const struct node *node, struct hook *hook)
{
    const struct node *command = node_get(node, "command");
    if (node_is(command, NODE_LIST))
        type_strings.bind(service, command, &hook->command);
    hook->user = mem_strdup(service, node_get_text(node, "user"));
    hook->working_dir = mem_strdup(service, node_get_text(node, "working_dir"));
    hook->privileged = node_get_bool(node, "privileged");
    const struct node *environment = node_get(node, "environment");
    size_t filled = 0;
    if (node_is(environment, NODE_MAP))
        hook->environment = mem_array(service, char *, environment->map.count + 1);
    node_foreach_entry (e, environment)
        if (node_text(e->value))
            hook->environment[filled++] = mem_printf(hook->environment, "%s=%s", e->key, e->value->text);
}

static void bind_hooks(struct service *service, const struct node *list, struct hook **array, size_t *count)
{
    *array = list_array(service, list, sizeof(**array), count);
    node_foreach_item (i, list)
        bind_hook(service, list->list.items[i], &(*array)[i]);
}

static void bind_watch(struct service *service, const struct node *list)
{
    service->watch = list_array(service, list, sizeof(*service->watch), &service->watch_count);
    node_foreach_item (i, list) {
        const struct node *node = list->list.items[i], *include = node_get(node, "include"),
                          *ignore = node_get(node, "ignore");
        struct watch_rule *rule = &service->watch[i];
        rule->action = mem_strdup(service, node_get_text(node, "action"));
        rule->path = mem_strdup(service, node_get_text(node, "path"));
        rule->target = mem_strdup(service, node_get_text(node, "target"));
        rule->initial_sync = node_get_bool(node, "initial_sync");
        if (include)
            type_strings.bind(service, include, &rule->include);
        if (ignore)
            type_strings.bind(service, ignore, &rule->ignore);
        bind_hook(service, node_get(node, "exec"), &rule->exec);
    }
}

static void bind_networks(struct service *service, const struct node *map)
{
    if (!node_is(map, NODE_MAP) || service->network_mode)
        return;
    service->networks = omap_new(service);
    node_foreach_entry (e, map) {
        struct service_network *network = mem_new(service, struct service_network);
        schema_bind(network, e->value, network);
        omap_set(service->networks, e->key, network);
    }
}

/* The list is sorted, so that the addresses of a host stand together. */
static void bind_hosts(struct service *service, const struct node *list)
{
    if (!node_is(list, NODE_LIST) || list->list.count == 0)
        return;
    service->extra_hosts = omap_new(service);
    struct node **items = list->list.items;
    for (uint32_t i = 0, end; i < list->list.count; i = end) {
        const char *text = node_text(items[i]), *equals = text ? strchr(text, '=') : NULL;
        size_t length = equals ? (size_t)(equals - text) + 1 : 0;
        end = i + 1;
        if (!equals)
            continue;
        while (end < list->list.count && node_text(items[end]) &&
               strncmp(items[end]->text, text, length) == 0)
            end++;
        char **addresses = mem_array(service->extra_hosts, char *, end - i + 1);
        for (uint32_t k = i; k < end; k++)
            addresses[k - i] = mem_strdup(addresses, items[k]->text + length);
        char *host = mem_strndup(NULL, text, length - 1);
        omap_set(service->extra_hosts, host, addresses);
        talloc_free(host);
    }
}

static void bind_ulimits(struct service *service, const struct node *map)
{
    if (!node_is(map, NODE_MAP) || map->map.count == 0)
        return;
    service->ulimits = omap_new(service);
    node_foreach_entry (e, map) {
        struct ulimit *limit = mem_new(service, struct ulimit);
        if (e->value->kind == NODE_INT)
            limit->soft = limit->hard = e->value->integer;
        else
            schema_bind(limit, e->value, limit);
        omap_set(service->ulimits, e->key, limit);
    }
}

static void bind_healthcheck(struct service *service, const struct node *node)
{
    if (!node_is(node, NODE_MAP))
        return;
    struct healthcheck *h = service->healthcheck = mem_new(service, struct healthcheck);
    h->interval = h->timeout = h->start_period = h->start_interval = h->retries = -1;
    schema_bind(h, node, h);
    const struct node *test = node_get(node, "test");
    if (node_is(test, NODE_LIST) && test->list.count)
        type_strings.bind(h, test, &h->test);
    h->disable |= h->test && str_eq(h->test[0], "NONE");
}

static void bind_logging(struct service *service, const struct node *node)
{
    if (!node_is(node, NODE_MAP))
        return;
    service->logging = mem_new(service, struct logging);
    schema_bind(service->logging, node, service->logging);
}

/* restart: no, always, on-failure[:N], unless-stopped; deploy.restart_policy wins. */
static void bind_restart(struct service *service, const struct node *node)
{
    const char *restart = node_get_text(node, "restart");
    const struct node *policy = node_get(node_get(node, "deploy"), "restart_policy");
    const char *after = str_after(restart, "on-failure");
    uint64_t attempts;
    service->restart = str_eq(restart, "always")             ? RESTART_ALWAYS
                       : str_eq(restart, "unless-stopped")   ? RESTART_UNLESS_STOPPED
                       : after && (!*after || *after == ':') ? RESTART_ON_FAILURE
                                                             : RESTART_NO;
    if (after && *after == ':' && str_to_u64(after + 1, 0, INT32_MAX, &attempts))
        service->restart_max = (int64_t)attempts;
    if (!policy)
        return;
    const char *condition = node_get_text(policy, "condition");
    const struct node *max = node_get(policy, "max_attempts");
    service->restart = str_eq(condition, "none") || str_eq(condition, "no") ? RESTART_NO
                       : str_eq(condition, "on-failure")                    ? RESTART_ON_FAILURE
                       : str_eq(condition, "unless-stopped")                ? RESTART_UNLESS_STOPPED
                                                                            : RESTART_ALWAYS;
    service->restart_max = node_is(max, NODE_INT) ? max->integer : 0;
    const char *delay = node_get_text(policy, "delay"), *window = node_get_text(policy, "window");
    if (delay)
        duration_parse(delay, &service->restart_delay);
    if (window)
        duration_parse(window, &service->restart_window);
}

/* deploy fills in what the service itself does not say; both together were checked to agree. */
static void bind_deploy(struct service *service, const struct node *node)
{
    const struct node *deploy = node_get(node, "deploy"), *resources = node_get(deploy, "resources");
    const struct node *limits = node_get(resources, "limits"), *cpus = node_get(limits, "cpus");
    const struct node *pids = node_get(limits, "pids"), *replicas = node_get(deploy, "replicas");
    const struct node *scale = node_get(node, "scale"), *swap = node_get(node, "memswap_limit");
    if (service->mem_limit < 0)
        service->mem_limit = decimal(node_get(limits, "memory"), -1);
    if (service->mem_reservation < 0)
        service->mem_reservation = decimal(node_get(node_get(resources, "reservations"), "memory"), -1);
    if (service->cpus < 0 && node_is(cpus, NODE_FLOAT))
        service->cpus = cpus->number;
    if (service->pids_limit < 0 && node_is(pids, NODE_INT))
        service->pids_limit = pids->integer;
    if (node_is(scale, NODE_INT))
        service->scale = scale->integer;
    else if (node_is(replicas, NODE_INT))
        service->scale = replicas->integer;
    if (swap)
        service->memswap_limit = decimal(swap, -1) < 0 ? -2 : decimal(swap, -1);
}

static void set_defaults(struct service *service)
{
    service->attach = true;
    service->scale = 1;
    service->restart_delay = -1;
    service->stop_grace_period = -1;
    service->shm_size = -1;
    service->mem_limit = service->mem_reservation = service->memswap_limit = service->mem_swappiness = -1;
    service->cpus = -1;
    service->cpu_shares = service->cpu_quota = service->cpu_period = -1;
    service->cpu_rt_runtime = service->cpu_rt_period = -1;
    service->pids_limit = -1;
    service->oom_score_adj = INT64_MIN;
}

static struct service *service_bind(const void *owner, const char *name, struct node *node,
                                    struct arena *arena)
{
    struct service *service = mem_new(owner, struct service);
    set_defaults(service);
    schema_bind(service, node, service);
    service->name = mem_strdup(service, name);
    service->node = node;
    service->has_build = node_is(node_get(node, "build"), NODE_MAP);
    service->init_set = node_get(node, "init") != NULL;
    bind_dependencies(service, node);
    bind_ports(service, node_get(node, "ports"));
    bind_volumes(service, node_get(node, "volumes"));
    bind_references(service, node_get(node, "configs"), &service->configs, &service->config_count);
    bind_references(service, node_get(node, "secrets"), &service->secrets, &service->secret_count);
    bind_devices(service, node_get(node, "devices"));
    bind_provider(service, node_get(node, "provider"));
    bind_blkio(service, node_get(node, "blkio_config"));
    bind_requests(service, node_get(node, "gpus"));
    bind_requests(service, node_get(node_get(node_get(node_get(node, "deploy"), "resources"), "reservations"),
                                    "devices"));
    bind_hooks(service, node_get(node, "post_start"), &service->post_start, &service->post_start_count);
    bind_hooks(service, node_get(node, "pre_stop"), &service->pre_stop, &service->pre_stop_count);
    bind_watch(service, node_get(node_get(node, "develop"), "watch"));
    bind_networks(service, node_get(node, "networks"));
    bind_hosts(service, node_get(node, "extra_hosts"));
    bind_ulimits(service, node_get(node, "ulimits"));
    bind_healthcheck(service, node_get(node, "healthcheck"));
    bind_logging(service, node_get(node, "logging"));
    bind_restart(service, node);
    bind_deploy(service, node);
    service->config_hash = config_hash(service, arena, node);
    return service;
}

static void bind_network(struct project *project, const struct node_entry *e)
{
    struct network *network = mem_new(project, struct network);
    network->key = mem_strdup(network, e->key);
    network->enable_ipv4 = true;
    schema_bind(network, e->value, network);
    network->external = node_get_bool(e->value, "external");
    network->enable_ipv6 = node_get_bool(e->value, "enable_ipv6");
    const struct node *ipam = node_get(e->value, "ipam"), *pools = node_get(ipam, "config");
    network->ipam_driver = mem_strdup(network, node_get_text(ipam, "driver"));
    if (node_is(pools, NODE_LIST) && pools->list.count) {
        network->pool_count = pools->list.count;
        network->pools = mem_array(network, struct ipam_pool, pools->list.count);
        node_foreach_item (i, pools)
            schema_bind(network, pools->list.items[i], &network->pools[i]);
    }
    omap_set(project->networks, e->key, network);
}

static void bind_volume(struct project *project, const struct node_entry *e)
{
    struct volume *volume = mem_new(project, struct volume);
    volume->key = mem_strdup(volume, e->key);
    schema_bind(volume, e->value, volume);
    volume->external = node_get_bool(e->value, "external");
    omap_set(project->volumes, e->key, volume);
}

static void bind_file_object(struct omap *map, const struct node_entry *e, const struct omap *environment)
{
    struct file_object *object = mem_new(map, struct file_object);
    object->key = mem_strdup(object, e->key);
    schema_bind(object, e->value, object);
    object->external = node_get_bool(e->value, "external");
    if (object->environment)
        object->content = mem_strdup(object, omap_get(environment, object->environment));
    omap_set(map, e->key, object);
}

struct project *project_bind(const void *owner, const struct node *tree, const struct node *disabled,
                             struct arena *arena, const struct omap *environment)
{
    struct project *project = mem_new(owner, struct project);
    project->services = omap_new(project);
    project->disabled = omap_new(project);
    project->networks = omap_new(project);
    project->volumes = omap_new(project);
    project->configs = omap_new(project);
    project->secrets = omap_new(project);
    node_foreach_entry (e, node_get(tree, "services"))
        omap_set(project->services, e->key, service_bind(project, e->key, e->value, arena));
    node_foreach_entry (e, disabled)
        omap_set(project->disabled, e->key, service_bind(project, e->key, e->value, arena));
    node_foreach_entry (e, node_get(tree, "networks"))
        bind_network(project, e);
    node_foreach_entry (e, node_get(tree, "volumes"))
        bind_volume(project, e);
    node_foreach_entry (e, node_get(tree, "configs"))
        bind_file_object(project->configs, e, environment);
    node_foreach_entry (e, node_get(tree, "secrets"))
        bind_file_object(project->secrets, e, environment);
    return project;
}
