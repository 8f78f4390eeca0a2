/* `up` and `pull`: images first, then the plan of up_plan.c. */
#include "base/units.h"
#include "engine/change.h"
#include "engine/names.h"
#include "engine/provider.h"
#include "engine/spec.h"
#include "engine/up_plan.h"
#include "engine/view.h"
#include "engine/volume.h"
#include "sys/spawn.h"

#include <limits.h>

/* ---- images ---- */

static const char *pull_policy(const struct service *service, const char *override)
{
    return override ? override : service->pull_policy ? service->pull_policy : "missing";
}

/* "daily", "weekly", "every_12h": how old an image may become. */
static bool refresh_time(const char *policy, int64_t *ret_ns)
{
    const char *every = str_after(policy, "every_");
    bool week = strcmp(policy, "weekly") == 0;
    *ret_ns = (week ? 7 : 1) * 24 * 3600 * NS_PER_S;
    return every ? duration_parse(every, ret_ns) : week || strcmp(policy, "daily") == 0;
}

/* Whether the service's image is to be pulled; what is here already is noted in `ids`. */
static int wants_pull(struct engine *engine, const struct service *service, const char *override,
                      struct omap *ids, bool *ret, struct error *err)
{
    *ret = false;
    if (!service->image) {
        error_set(err, ENOTSUP, "service %s: building images is not available yet", service->name);
        return error_hint(
            err, "build it with another tool, load it with `compote image load`, and name it in `image:`");
    }
    struct image *image;
    int r = image_find(ids, engine->images, service->image, service->platform, &image, err);
    if (r < 0)
        return error_wrap(err, "service %s", service->name);
    if (r == 0)
        omap_set(ids, service->name, image->id);
    const char *policy = pull_policy(service, override);
    int64_t age;
    if (strcmp(policy, "never") == 0) {
        if (r == 0)
            return 0;
        error_set(err, ENOENT, "service %s: image %s is not here, and its pull policy is never",
                  service->name, service->image);
        return error_hint(err, "get it with `compote pull %s` or `compote image load`", service->name);
    }
    *ret = r == IMAGE_ABSENT || strcmp(policy, "always") == 0 ||
           (refresh_time(policy, &age) && engine_clock_ns() >= image->tagged * NS_PER_S + age);
    return 0;
}

static void plan_pull(struct plan *plan, const char *id, char *image, const char *platform, bool quiet,
                      struct omap *pulled)
{
    char *key = mem_printf(plan, "%s %s", image, platform ? platform : "");
    if (omap_has(pulled, key))
        return;
    struct operation *op = plan_add(plan, OP_PULL, id, "image %s is not here or asked for", image);
    op->name = image;
    op->platform = platform;
    op->brief = quiet;
    omap_set(pulled, key, op);
}

/* Images that are mounted (`type: image`): those that are missing, or all. */
static int plan_mounted(struct plan *plan, const struct service *service, bool missing, bool quiet,
                        struct omap *pulled, struct error *err)
{
    for (size_t i = 0; i < service->volume_count; i++) {
        const struct volume_mount *m = &service->volumes[i];
        struct image *image;
        if (m->type != MOUNT_IMAGE || !m->source)
            continue;
        int r = missing ? image_find(plan, plan->engine->images, m->source, NULL, &image, err) : IMAGE_ABSENT;
        if (r < 0)
            return error_wrap(err, "service %s", service->name);
        if (r == IMAGE_ABSENT)
            plan_pull(plan, m->source, m->source, NULL, quiet, pulled);
    }
    return 0;
}

/* Brings what is missing; afterwards `ids` has service -> image ID. */
static int bring_images(struct engine *engine, const struct project *project,
                        const struct up_options *options, struct omap *ids, struct error *err)
{
    struct plan *plan = plan_new(ids, engine, project->name, project, NULL);
    struct omap *pulled = omap_new(ids);
    omap_foreach (e, project->services) {
        bool wanted;
        if (options->no_deps && options->services && !strv_contains(options->services, e->key))
            continue;
        const struct service *service = e->value;
        int r = wants_pull(engine, service, options->pull, ids, &wanted, err);
        if (r == 0 && strcmp(pull_policy(service, options->pull), "never") != 0)
            r = plan_mounted(plan, service, true, options->quiet_pull, pulled, err);
        if (r < 0)
            return r;
        if (wanted)
            plan_pull(plan, service->name, service->image, service->platform, options->quiet_pull, pulled);
    }
    int r = plan_run(plan, err);
    if (r < 0 || !plan->count || engine->dry_run)
        return r;
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        struct image *image;
        r = image_find(ids, engine->images, service->image, service->platform, &image, err);
        if (r < 0)
            return r;
        if (r == 0)
            omap_set(ids, e->key, image->id);
    }
    return 0;
}

static bool is_selected(const struct project *project, const char *name, const struct pull_options *options)
{
    if (!options->services || strv_contains(options->services, name))
        return true;
    if (!options->include_deps)
        return false;
    omap_foreach (e, project->services) {
        const struct service *s = e->value;
        if (strcmp(e->key, name) == 0 ||
            !is_selected(project, e->key, &(struct pull_options){.services = options->services}))
            continue;
        for (size_t i = 0; i < s->depends_on_count; i++)
            if (strcmp(s->depends_on[i].service, name) == 0)
                return true;
    }
    return false;
}

int engine_pull(struct engine *engine, const struct project *project, const struct pull_options *options,
                struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct plan *plan = plan_new(tmp, engine, project->name, project, NULL);
    struct omap *pulled = omap_new(tmp), *ids = omap_new(tmp);
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        const char *policy = service->pull_policy;
        if (!service->image || !is_selected(project, e->key, options))
            continue;
        bool skipped = str_eq(policy, "never") || str_eq(policy, "build"), wanted = !skipped;
        bool missing = str_eq(options->policy, "missing") || str_eq(policy, "missing") ||
                       str_eq(policy, "if_not_present");
        int r = !skipped && missing ? wants_pull(engine, service, "missing", ids, &wanted, err) : 0;
        if (r == 0 && !skipped)
            r = plan_mounted(plan, service, missing, options->brief, pulled, err);
        if (r < 0)
            return r;
        if (wanted)
            plan_pull(plan, service->name, service->image, service->platform, options->brief, pulled);
        else if (!options->quiet)
            engine_report(engine, service->name, PROGRESS_DONE, "Skipped",
                          "Image is already present locally");
    }
    for (size_t i = 0; i < plan->count; i++)
        plan->operations[i]->optional = options->ignore_failures;
    return plan_run(plan, err);
}

/* ---- published ports ---- */

struct claim {
    struct port_map map;
    const char *container;
};

static int port_error(const struct claim *claim, const char *holder, struct error *err)
{
    bool six = strchr(claim->map.host_ip, ':') != NULL;
    error_set(err, EADDRINUSE, "%s: Bind for %s%s%s:%u failed: port is already allocated (%s) by %s",
              claim->container, six ? "[" : "", claim->map.host_ip[0] ? claim->map.host_ip : "0.0.0.0",
              six ? "]" : "", claim->map.host_port, claim->map.protocol == IPPROTO_UDP ? "udp" : "tcp",
              holder);
    return error_hint(err, "publish another port in `ports:`, or stop what uses this one");
}

/* Fixed ports only: the others are chosen when the container is made. */
static void add_claims(const void *owner, const struct operation *op, struct claim **claims, size_t *count)
{
    const char *name = strchr(op->id, ' ') + 1;
    for (size_t i = 0; op->service && i < op->service->port_count; i++) {
        const struct port *p = &op->service->ports[i];
        uint64_t number;
        if (!str_to_u64(p->published, 1, 65535, &number))
            continue;
        struct claim claim = {.container = name};
        claim.map = (struct port_map){.protocol = str_eq(p->protocol, "udp") ? IPPROTO_UDP : IPPROTO_TCP,
                                      .host_port = (uint16_t)number,
                                      .port = p->target};
        if (p->host_ip && strcmp(p->host_ip, "0.0.0.0") != 0)
            str_copy(claim.map.host_ip, sizeof(claim.map.host_ip), p->host_ip);
        mem_append(owner, *claims, *count, claim);
    }
}

/* Against other containers of ours: a port of the same project's is released or kept by the plan itself. */
static int check_against_records(const struct claim *claim, const struct actual *all, const char *project,
                                 bool *ret_own, struct error *err)
{
    *ret_own = false;
    for (size_t i = 0; i < all->container_count; i++) {
        const struct actual_container *c = all->containers[i];
        for (size_t p = 0; p < c->record->port_count; p++) {
            if (!port_overlaps(&claim->map, &c->record->ports[p]))
                continue;
            if (strcmp(c->record->project, project) == 0 && strcmp(c->record->name, claim->container) == 0)
                *ret_own = true;
            else if (actual_is_up(c))
                return port_error(claim, mem_printf(all, "container %s", c->record->name), err);
        }
    }
    return 0;
}

/* Every clash is found before anything is started. */
static int check_ports(struct plan *plan, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct claim *claims = NULL;
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->operations[i]->kind == OP_CONTAINER_START)
            add_claims(tmp, plan->operations[i], &claims, &count);
    if (!count)
        return 0;
    struct actual *all;
    int r = actual_read(tmp, plan->engine, NULL, &all, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        bool own;
        char *holder = NULL;
        for (size_t other = 0; r == 0 && other < i; other++)
            if (port_overlaps(&claims[i].map, &claims[other].map))
                return port_error(&claims[i], claims[other].container, err);
        r = check_against_records(&claims[i], all, plan->project_name, &own, err);
        if (r == 0 && !own && port_check(tmp, &claims[i].map, &holder, err) == PORT_TAKEN)
            r = port_error(&claims[i], holder ? holder : "another process", err);
    }
    return r;
}

/* ---- up ---- */

static int put_project(struct engine *engine, const struct project *project, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct project_record record = {.name = project->name,
                                    .working_dir = project->working_dir,
                                    .config_files = strv_join(tmp, project->files, ","),
                                    .environment_files = strv_join(tmp, project->env_files, ",")};
    return engine->dry_run ? 0 : state_project_put(engine->state, &record, err);
}

static int check_externals(struct engine *engine, const struct project *project, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    omap_foreach (e, project->networks) {
        const struct network *n = e->value;
        struct network_record *record;
        int r = n->external ? state_network_get(tmp, engine->state, n->name, &record, err) : 0;
        if (r == STATE_ABSENT)
            return error_set(err, ENOENT, "network %s declared as external, but could not be found", n->name);
        if (r < 0)
            return r;
        if (n->driver && strcmp(n->driver, "bridge") != 0 && !n->external)
            return error_set(err, ENOTSUP, "network %s: driver '%s' is not available yet (bridge is)",
                             n->name, n->driver);
    }
    omap_foreach (e, project->volumes) {
        const struct volume *v = e->value;
        struct volume_record *record;
        int r =
            v->external ? state_volume_get(tmp, engine->state, v->name, &record, err) : volume_check(v, err);
        if (r == STATE_ABSENT)
            return error_set(err, ENOENT, "external volume \"%s\" not found", v->name);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Known before anything is made: a runtime that is not installed. */
static int check_runtimes(const struct project *project, struct error *err)
{
    char path[PATH_MAX];
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        const char *runtime = service->runtime ? service->runtime : "crun";
        if (spawn_find(runtime, path, sizeof(path)))
            continue;
        error_set(err, ENOENT, "service %s: the OCI runtime '%s' is not installed", service->name, runtime);
        return error_hint(err, "install it (Debian: apt install crun), or name another in `runtime:`");
    }
    return 0;
}

/* Likewise: services from which no container can be made. */
static int check_specs(const struct plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct operation *op = plan->operations[i];
        bool makes = op->kind == OP_CONTAINER_CREATE || op->kind == OP_CONTAINER_RECREATE;
        int r = makes ? spec_check(plan->project, op->service, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static bool mounts_any(const struct container_record *record, char *const *volumes)
{
    for (size_t m = 0; m < record->mount_count; m++)
        if (record->mounts[m].volume && strv_contains(volumes, record->mounts[m].volume))
            return true;
    return false;
}

/* Takes away volumes, and the containers of the project that have them. */
static int remove_volumes(struct engine *engine, const struct project *project, char *const *names,
                          const struct up_options *options, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct actual *actual;
    int r = actual_read(tmp, engine, project->name, &actual, err);
    if (r < 0)
        return r;
    struct plan *plan = plan_new(tmp, engine, project->name, project, actual);
    for (size_t i = 0; i < actual->container_count; i++)
        if (mounts_any(actual->containers[i]->record, names))
            plan_remove_container(plan, actual->containers[i], options->timeout,
                                  "a volume of it is made anew")
                ->keep_volumes = true;
    size_t containers = plan->count;
    for (char *const *n = names; *n; n++) {
        struct operation *op = plan_add(plan, OP_VOLUME_REMOVE, mem_printf(plan, "Volume %s", *n),
                                        "it was made from other options");
        op->name = *n;
        for (size_t i = 0; i < containers; i++)
            plan_need(op, plan->operations[i]);
    }
    return plan_run(plan, err);
}

/* Volumes that were made from something else than the file says now, and that the user wants to lose. */
static int choose_renewed(const void *owner, struct engine *engine, const struct project *project,
                          const struct up_options *options, char ***ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    *ret = NULL;
    omap_foreach (e, project->volumes) {
        const struct volume *volume = e->value;
        bool differs;
        int r = volume_differs(engine, project->name, volume, &differs, err);
        if (r < 0)
            return r;
        if (!differs)
            continue;
        char *text = mem_printf(tmp, "Volume \"%s\" exists but doesn't match configuration in compose file.",
                                volume->name);
        if (!engine->dry_run && options->confirm &&
            options->confirm(options->confirm_data,
                             mem_printf(tmp, "%s Recreate (data will be lost)?", text)))
            *ret = strv_add(owner, *ret, volume->name);
        else
            engine_report(engine, NULL, PROGRESS_WARNING, mem_printf(tmp, "%s It is used as it is.", text),
                          NULL);
    }
    return 0;
}

/* For the plan's reasons: what differs between a container's configuration and its service's. */
static int find_changes(struct engine *engine, const struct project *project, const struct actual *actual,
                        struct error *err)
{
    for (size_t i = 0; i < actual->container_count; i++) {
        struct actual_container *c = actual->containers[i];
        const struct service *service = project_service(project, c->record->service);
        if (!service || !c->record->ready || c->record->oneoff ||
            str_eq(c->record->config_hash, service->config_hash))
            continue;
        int r = state_container_config(engine->state, c->record, err);
        if (r < 0)
            return r;
        if (c->record->config)
            c->change = config_change(c->record, c->record->config, service_config(c->record, service));
    }
    return 0;
}

/* What runs already and stays as it is gets its log attached too. */
static void attach_running(struct plan *plan)
{
    if (!plan->attach)
        return;
    for (size_t i = 0; i < plan->actual->container_count; i++) {
        const struct actual_container *c = plan->actual->containers[i];
        bool planned = false;
        for (size_t o = 0; o < plan->count; o++)
            planned |= plan->operations[o]->container == c;
        if (!planned && actual_is_up(c) && !c->record->oneoff &&
            omap_has(plan->project->services, c->record->service))
            plan->attach(plan->attach_data, view_make(plan, plan->engine, c->record, &c->status));
    }
}

int engine_up(struct engine *engine, const struct project *whole, const struct up_options *options,
              struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    char **renewed = NULL;
    struct project *rest = providers_any(whole) ? providers_without(tmp, whole) : NULL;
    const struct project *project = rest ? rest : whole;
    int r = project_names_check(whole, err);
    if (r == 0)
        r = engine_lock(engine, project->name, &lock, err);
    if (r == 0)
        r = check_externals(engine, project, err);
    if (r == 0)
        r = check_runtimes(project, err);
    if (r == 0)
        r = choose_renewed(tmp, engine, project, options, &renewed, err);
    struct omap *ids = omap_new(tmp);
    if (r == 0)
        r = bring_images(engine, project, options, ids, err);
    if (r == 0 && rest)
        r = providers_up(engine, whole, options, rest, err);
    if (r == 0 && renewed)
        r = remove_volumes(engine, project, renewed, options, err);
    struct actual *actual;
    struct plan *plan;
    if (r == 0)
        r = actual_read(tmp, engine, project->name, &actual, err);
    if (r == 0)
        r = find_changes(engine, project, actual, err);
    if (r == 0)
        r = up_plan_make(tmp, engine, project, actual, options, ids, &plan, err);
    if (r == 0)
        r = check_specs(plan, err);
    if (r == 0)
        r = check_ports(plan, err);
    if (r == 0)
        r = put_project(engine, project, err);
    if (r < 0)
        return r;
    attach_running(plan);
    return plan_run(plan, err);
}
