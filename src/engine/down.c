#include "engine/provider.h"
#include "engine/select.h"

static void plan_down_containers(struct plan *plan, const struct down_options *options,
                                 struct operation ***removals, size_t *count)
{
    const struct actual *actual = plan->actual;
    struct chosen stops = chosen_new(plan);
    struct operation **removes = mem_array(plan, struct operation *, actual->container_count + 1);
    for (size_t i = 0; i < actual->container_count; i++) {
        struct actual_container *c = actual->containers[i];
        bool orphan = plan->project && (c->record->oneoff || actual_is_orphan(c, plan->project));
        if (!selection_has(c, options->services) || (c->record->ready && orphan && !options->remove_orphans))
            continue;
        if (actual_is_up(c))
            stops.first[i] = stops.last[i] = plan_stop_container(plan, c, options->timeout, "it runs");
        removes[i] = plan_add(plan, OP_CONTAINER_REMOVE, selection_id(plan, c),
                              c->record->ready ? "it is there" : "left half-made");
        removes[i]->container = c;
        removes[i]->remove_volumes = options->volumes;
        plan_need(removes[i], stops.last[i]);
        /* One that has ended stands between those before and after it all the same. */
        if (!stops.first[i])
            stops.first[i] = stops.last[i] = removes[i];
        mem_append(plan, *removals, *count, removes[i]);
    }
    chosen_order(&stops, true);
}

static void need_all(struct operation *op, struct operation *const *first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        plan_need(op, first[i]);
}

static bool is_external(const struct plan *plan, const char *name)
{
    omap_foreach (e, plan->project ? plan->project->networks : NULL) {
        const struct network *n = e->value;
        if (n->external && strcmp(n->name, name) == 0)
            return true;
    }
    return false;
}

static int plan_images(struct plan *plan, const struct down_options *options,
                       struct operation *const *removals, size_t count, struct error *err)
{
    struct omap *seen = omap_new(plan);
    omap_foreach (e, plan->project ? plan->project->services : NULL) {
        const struct service *service = e->value;
        struct image *image;
        /* "local" means images without a name of their own: those that `build` makes. */
        if (!service->image || strcmp(options->rmi, "local") == 0 || omap_has(seen, service->image))
            continue;
        int r = image_find(plan, plan->engine->images, service->image, service->platform, &image, err);
        if (r < 0)
            return r;
        if (r == IMAGE_ABSENT)
            continue;
        struct operation *op = plan_add(plan, OP_IMAGE_REMOVE, mem_printf(plan, "Image %s", service->image),
                                        "--rmi %s", options->rmi);
        op->name = service->image;
        op->optional = true;
        need_all(op, removals, count);
        omap_set(seen, service->image, op);
    }
    return 0;
}

static int plan_down(struct plan *plan, const struct down_options *options, struct error *err)
{
    const struct actual *actual = plan->actual;
    struct operation **removals = NULL;
    size_t count = 0;
    plan_down_containers(plan, options, &removals, &count);
    providers_plan_down(plan, options->services);
    for (size_t i = 0; !options->services && i < actual->network_count; i++) {
        const char *name = actual->networks[i]->name;
        if (is_external(plan, name))
            continue;
        struct operation *op =
            plan_add(plan, OP_NETWORK_REMOVE, mem_printf(plan, "Network %s", name), "it is there");
        op->name = actual->networks[i]->name;
        need_all(op, removals, count);
    }
    for (size_t i = 0; options->volumes && !options->services && i < actual->volume_count; i++) {
        const struct volume_record *v = actual->volumes[i];
        if (!v->key && v->service)
            continue; /* goes with its container */
        struct operation *op =
            plan_add(plan, OP_VOLUME_REMOVE, mem_printf(plan, "Volume %s", v->name), "asked for");
        op->name = v->name;
        need_all(op, removals, count);
    }
    return options->rmi ? plan_images(plan, options, removals, count, err) : 0;
}

/* When the last container of the project is gone, so are its name server and what is known of it. */
static int tidy_up(struct engine *engine, const char *name, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_record **containers;
    size_t count;
    int r = state_containers(tmp, engine->state, name, &containers, &count, err);
    if (r < 0 || count)
        return r;
    r = netd_stop(&engine->network, name, err);
    if (r >= 0)
        r = network_table_remove_unused(&engine->network, err);
    if (r >= 0)
        r = state_project_remove(engine->state, name, err);
    rmdir(mem_printf(tmp, "%s/netns/%s", engine->run, name));
    return r < 0 ? r : 0;
}

int engine_down(struct engine *engine, const char *name, const struct project *project,
                const struct down_options *options, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct plan *plan;
    int r = selection_begin(tmp, engine, name, project, options->services, &lock, &plan, err);
    if (r < 0)
        return r;
    r = plan_down(plan, options, err);
    if (r == 0 && !plan->count) {
        char *text = mem_printf(tmp, "Warning: No resource found to remove for project \"%s\".", name);
        engine_report(engine, NULL, PROGRESS_WARNING, text, NULL);
    }
    if (r == 0)
        r = plan_run(plan, err);
    return r < 0 || engine->dry_run ? r : tidy_up(engine, name, err);
}
