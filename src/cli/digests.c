#include "cli/digests.h"

#include "base/str.h"
#include "data/arena.h"
#include "image/store.h"
#include "model/tables.h"
#include "oci/reference.h"

enum { AT_ONCE = 8 };

/* One image, which several services may have. */
struct pin {
    struct resolve *resolve;
    char *text;   /* as the services write it */
    char *normal; /* "docker.io/library/nginx:1" */
    char *pinned; /* with the digest */
    struct transfer *transfer;
};

struct resolve {
    struct image_store *store;
    struct loop loop;
    struct omap *pins; /* text -> struct pin */
    size_t running;
    int result;
    struct error error; /* the first one */
};

static void on_done(void *data, int result, struct image *image, const struct error *err)
{
    struct pin *pin = data;
    struct resolve *resolve = pin->resolve;
    resolve->running--;
    if (result == 0) {
        pin->pinned = mem_printf(pin, "%s@%s", pin->normal, image->manifest_digest);
    } else if (resolve->result == 0) {
        resolve->error = *err;
        resolve->result = result;
    }
    loop_stop(&resolve->loop);
}

static int add_pin(struct resolve *resolve, const char *text, struct error *err)
{
    if (omap_has(resolve->pins, text))
        return 0;
    struct pin *pin = mem_new(resolve->pins, struct pin);
    struct reference *reference;
    pin->resolve = resolve;
    pin->text = mem_strdup(pin, text);
    int r = reference_parse(pin, text, &reference, err);
    if (r < 0)
        return r;
    pin->normal = reference_print(pin, reference);
    if (reference->digest)
        pin->pinned = pin->normal;
    omap_set(resolve->pins, pin->text, pin);
    return 0;
}

static int start_more(struct resolve *resolve, size_t at_once, struct error *err)
{
    int r = 0;
    omap_foreach (e, resolve->pins) {
        struct pin *pin = e->value;
        if (r < 0 || resolve->running >= at_once || pin->pinned || pin->transfer)
            continue;
        const struct transfer_request request = {
            .kind = TRANSFER_DIGEST, .reference = pin->normal, .done = on_done, .data = pin};
        r = transfer_start(pin, resolve->store, &resolve->loop, &request, &pin->transfer, err);
        resolve->running += r == 0;
    }
    return r;
}

static int ask(struct resolve *resolve, size_t at_once, struct error *err)
{
    int r = start_more(resolve, at_once, err);
    while (r == 0 && resolve->running > 0) {
        r = loop_run(&resolve->loop, err);
        resolve->loop.stopped = false;
        if (r == 0 && resolve->result < 0) {
            *err = resolve->error;
            return resolve->result;
        }
        if (r == 0)
            r = start_more(resolve, at_once, err);
    }
    return r;
}

/* Freed before the loop that its transfers are in. */
static int resolve_all(struct app *app, struct project *project, struct resolve *resolve, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct node *services = node_get(project->tree, "services");
    const int64_t parallel = app->globals.parallel;
    char *data, *run;
    resolve->pins = omap_new(tmp);
    config_dirs(tmp, &app->config, app->globals.root, &data, &run);
    int r =
        image_store_open(tmp, data, app->config.libexec, app->config.registry_config, &resolve->store, err);
    node_foreach_entry (e, services) {
        const char *image = node_get_text(e->value, "image");
        if (r == 0 && !str_is_empty(image) && (r = add_pin(resolve, image, err)) < 0)
            error_wrap(err, "service %s", e->key);
    }
    if (r == 0)
        r = ask(resolve, parallel > 0 ? (size_t)parallel : AT_ONCE, err);
    if (r < 0)
        return r;
    struct arena *arena = arena_new(project);
    node_foreach_entry (e, services) {
        const char *image = node_get_text(e->value, "image");
        const struct pin *pin = image ? omap_get(resolve->pins, image) : NULL;
        if (pin)
            schema_put(arena, &object_service, e->value, "image", node_string(arena, pin->pinned, NULL));
    }
    return 0;
}

int digests_resolve(struct app *app, struct project *project, struct error *err)
{
    struct resolve resolve = {.error = ERROR_INIT};
    int r = loop_init(&resolve.loop, err);
    if (r < 0)
        return r;
    r = resolve_all(app, project, &resolve, err);
    loop_done(&resolve.loop);
    return r;
}

void digests_keep(struct project *project)
{
    struct arena *arena = arena_new(project);
    struct node *tree = node_new(arena, NODE_MAP, NULL), *services = node_new(arena, NODE_MAP, NULL);
    node_foreach_entry (e, node_get(project->tree, "services")) {
        struct node *service = node_new(arena, NODE_MAP, NULL), *image = node_get(e->value, "image");
        if (image)
            schema_put(arena, &object_service, service, "image", image);
        node_set(arena, services, e->key, service);
    }
    schema_put(arena, &object_project, tree, "services", services);
    project->tree = tree;
}
