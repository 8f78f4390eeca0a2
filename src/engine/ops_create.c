/*
 * Making containers. The record is written first (not ready), then what it stands for, then it is written
 * again as ready; a record that is not ready is removed with all that it leads to by the next plan.
 */
#include "base/path.h"
#include "engine/events.h"
#include "engine/joined.h"
#include "engine/ops.h"
#include "engine/spec.h"

#include <arpa/inet.h>

/* fd00::/64 with the IPv4 address in its last 32 bits: one lease serves both families. */
static char *address6_for(const void *owner, const char *subnet6, const char *address)
{
    char *prefix = mem_strndup(NULL, subnet6, strcspn(subnet6, "/"));
    char *plain = mem_strndup(prefix, address, strcspn(address, "/"));
    struct in6_addr six;
    struct in_addr four;
    char text[INET6_ADDRSTRLEN], *result = NULL;
    if (inet_pton(AF_INET6, prefix, &six) == 1 && inet_pton(AF_INET, plain, &four) == 1) {
        memcpy(&six.s6_addr[12], &four, sizeof(four));
        inet_ntop(AF_INET6, &six, text, sizeof(text));
        result = mem_printf(owner, "%s%s", text, strchr(subnet6, '/'));
    }
    talloc_free(prefix);
    return result;
}

static const struct service_network *use_of(const struct plan *plan, const struct service *service,
                                            const char *name)
{
    omap_foreach (e, service->networks) {
        const struct network *network = omap_get(plan->project->networks, e->key);
        if (network && strcmp(network->name, name) == 0)
            return e->value;
    }
    return NULL;
}

/* Leases an address on each network; published ports lead to the first of them. */
static int attach_networks(struct operation *op, struct container_record *record, struct error *err)
{
    struct plan *plan = op->plan;
    struct state *state = plan->engine->state;
    for (size_t i = 0; i < record->endpoint_count; i++) {
        struct endpoint_record *e = &record->endpoints[i];
        const struct service_network *use = use_of(plan, op->service, e->network);
        struct network_record *network;
        int r = state_network_get(record, state, e->network, &network, err);
        if (r == STATE_ABSENT)
            r = error_set(err, ENOENT, "network %s is not there", e->network);
        const char *wanted = use ? use->ipv4_address : NULL;
        if (r == 0 && wanted && !ipam_contains(network->subnet, wanted))
            r = error_set(err, EINVAL, "address %s is not in network %s (%s)", wanted, e->network,
                          network->subnet);
        const char *wanted6 = r == 0 && use && network->subnet6 ? use->ipv6_address : NULL;
        if (wanted6 && !ipam_contains(network->subnet6, wanted6))
            r = error_set(err, EINVAL, "address %s is not in network %s (%s)", wanted6, e->network,
                          network->subnet6);
        if (r == 0)
            r = state_lease(record, state, e->network, record->id, wanted, &e->address, err);
        if (r == STATE_TAKEN)
            r = error_set(err, EADDRINUSE, "address %s of network %s is already in use", wanted, e->network);
        if (r < 0)
            return r;
        if (use && use->ipv6_address && network->subnet6)
            e->address6 = mem_printf(record, "%s%s", use->ipv6_address, strchr(network->subnet6, '/'));
        else if (network->subnet6)
            e->address6 = address6_for(record, network->subnet6, e->address);
    }
    for (size_t i = 0; i < record->port_count && record->endpoint_count; i++) {
        char *plain =
            mem_strndup(record, record->endpoints[0].address, strcspn(record->endpoints[0].address, "/"));
        str_copy(record->ports[i].address, sizeof(record->ports[i].address), plain);
    }
    return 0;
}

static int add_anonymous_volume(struct operation *op, struct container_record *record, const char *target,
                                struct error *err)
{
    struct engine *engine = op->plan->engine;
    struct volume_record *volume;
    int r = state_volume_find_anonymous(record, engine->state, record->project, record->service,
                                        record->number, target, &volume, err);
    if (r < 0)
        return r;
    if (r == STATE_ABSENT || record->oneoff) {
        volume = mem_new(record, struct volume_record);
        volume->name = engine_new_id(volume);
        volume->project = record->project;
        volume->service = record->oneoff ? record->id : record->service;
        volume->number = record->number;
        volume->target = mem_strdup(volume, target);
    }
    /* One that is recorded may lack its directory: a kill can fall between the two. */
    r = volume_make(engine, volume, err);
    if (r < 0)
        return r;
    struct mount_record mount = {.volume = volume->name, .target = mem_strdup(record, target)};
    mem_append(record, record->mounts, record->mount_count, mount);
    return 0;
}

static bool has_target(const struct service *service, const struct container_record *record,
                       const char *target)
{
    for (size_t i = 0; i < record->mount_count; i++)
        if (strcmp(record->mounts[i].target, target) == 0)
            return true;
    for (char **t = service->tmpfs; t && *t; t++)
        if (strncmp(*t, target, strlen(target)) == 0 && strchr(":", (*t)[strlen(target)]))
            return true;
    return false;
}

/* Every mount of the file, then the image's own volumes where nothing is mounted. */
static int attach_volumes(struct operation *op, struct container_record *record, const struct image *image,
                          struct error *err)
{
    const struct project *project = op->plan->project;
    for (size_t i = 0; i < op->service->volume_count; i++) {
        const struct volume_mount *m = &op->service->volumes[i];
        char *target = path_clean(record, m->target);
        if (m->type == MOUNT_VOLUME && !m->source) {
            int r = add_anonymous_volume(op, record, target, err);
            if (r < 0)
                return r;
            continue;
        }
        struct mount_record mount = {.target = target, .source = mem_strdup(record, m->source)};
        if (m->type == MOUNT_VOLUME) {
            const struct volume *volume = omap_get(project->volumes, m->source);
            mount.volume = mem_strdup(record, volume ? volume->name : m->source);
        }
        mem_append(record, record->mounts, record->mount_count, mount);
    }
    struct joined_mounts joined;
    int found = joined_mounts(record, op->plan->engine, record->project, op->service, &joined, err);
    for (size_t i = 0; found == 0 && i < joined.count; i++)
        if (!has_target(op->service, record, joined.list[i].target)) {
            const struct mount_spec *m = &joined.list[i];
            struct mount_record mount = {
                .target = m->target, .volume = m->volume, .source = m->volume ? NULL : m->source};
            mem_append(record, record->mounts, record->mount_count, mount);
        }
    if (found < 0)
        return found;
    for (char **v = image->volumes; v && *v; v++) {
        char *target = path_clean(record, *v);
        int r = has_target(op->service, record, target) ? 0 : add_anonymous_volume(op, record, target, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* network_mode: service:x and container:x join a namespace that belongs to another. */
static int join_namespace(struct operation *op, struct container_record *record, struct error *err)
{
    const char *mode = op->service->network_mode;
    struct container_record *found;
    int r = joined_find(record, op->plan->engine, record->project, "network_mode", mode, &found, err);
    if (r < 0)
        return r;
    if (r == 0) {
        record->netns = mem_strdup(record, found->netns);
        record->netns_owner = mem_strdup(record, found->id);
    } else if (mode && strcmp(mode, "none") != 0 && strcmp(mode, "host") != 0) {
        return error_set(err, ENOTSUP, "network_mode '%s' is not available", mode);
    }
    return 0;
}

static int put_record(struct engine *engine, const struct container_record *record, struct error *err)
{
    int r = state_container_put(engine->state, record, err);
    if (r != STATE_TAKEN)
        return r;
    error_set(err, EEXIST, "the name '%s' is already in use by another container", record->name);
    return error_hint(err, "remove or rename that container (compote ls -a shows the projects)");
}

static int make_all(struct operation *op, struct container_record *record, const struct spec_request *request,
                    struct error *err)
{
    struct engine *engine = op->plan->engine;
    struct container_spec *spec;
    int r = join_namespace(op, record, err);
    if (r == 0)
        r = attach_networks(op, record, err);
    if (r == 0)
        r = attach_volumes(op, record, request->image, err);
    if (r == 0)
        r = spec_make(record, engine, request, record, &spec, err);
    if (r == 0) {
        record->command = strv_join(record, spec->argv, " ");
        r = container_create(&engine->dirs, spec, err);
    }
    if (r == 0) {
        record->ready = true;
        r = put_record(engine, record, err);
    }
    return r;
}

int op_container_create(struct operation *op, struct error *err)
{
    struct plan *plan = op->plan;
    struct engine *engine = plan->engine;
    struct spec_request request = {
        .project = plan->project, .service = op->service, .number = op->number, .oneoff = op->oneoff};
    struct image *image;
    struct container_record *record;
    int r = image_find(op, engine->images, op->service->image, op->service->platform, &image, err);
    if (r == IMAGE_ABSENT) {
        error_set(err, ENOENT, "service %s: image %s is not here", op->service->name, op->service->image);
        return error_hint(err, "get it with `compote pull %s`", op->service->name);
    }
    if (r < 0)
        return r;
    request.image = image;
    r = spec_make_record(op->container, engine, &request, &record, err);
    if (r == 0)
        r = put_record(engine, record, err);
    if (r < 0)
        return error_wrap(err, "service %s", op->service->name);
    r = make_all(op, record, &request, err);
    if (r < 0) {
        struct error ignored = ERROR_INIT;
        container_remove(&engine->dirs, record->id, &ignored);
        state_container_remove(engine->state, record->id, &ignored);
        return error_wrap(err, "service %s", op->service->name);
    }
    events_tell(engine, record, "create", NULL);
    op->container->record = record;
    op->container->status = (struct container_status){.state = STATE_CREATED, .exit_code = -1};
    return 0;
}
