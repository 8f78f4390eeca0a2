#include "engine/ops.h"

static void pull_progress(void *data, const struct transfer_event *e)
{
    struct operation *op = data;
    struct engine *engine = op->plan->engine;
    if (!engine->sink || !e->layer || op->brief)
        return;
    bool done = strstr(e->status, "complete") || strstr(e->status, "exists");
    struct progress_event event = {.id = e->layer,
                                   .parent = op->id,
                                   .state = done ? PROGRESS_DONE : PROGRESS_WORKING,
                                   .text = e->status,
                                   .current = e->current,
                                   .total = e->total};
    engine->sink->event(engine->sink, &event);
}

static void pull_done(void *data, int result, struct image *image UNUSED, const struct error *err)
{
    struct operation *op = data;
    op->work = NULL;
    operation_finish(op, result, err);
}

int op_pull(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    struct transfer_request request = {.kind = TRANSFER_PULL,
                                       .reference = op->name,
                                       .platform = op->platform,
                                       .progress = pull_progress,
                                       .done = pull_done,
                                       .data = op};
    struct transfer *transfer;
    int r = transfer_start(op, engine->images, &engine->loop, &request, &transfer, err);
    if (r < 0)
        return error_wrap(err, "image %s", op->name);
    op->work = transfer;
    return OP_PENDING;
}

void op_pull_cancel(struct operation *op)
{
    talloc_free(op->work);
    op->work = NULL;
}

int op_image_remove(struct operation *op, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct engine *engine = op->plan->engine;
    char **references, **layers;
    int r = engine_images_in_use(tmp, engine, &references, &layers, err);
    if (r < 0)
        return r;
    r = image_remove(engine->images, op->name, layers, err);
    return r < 0 ? r : 0;
}
