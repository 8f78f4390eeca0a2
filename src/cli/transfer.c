#include "cli/transfer.h"

struct run_state {
    struct session *session;
    char *id;
    bool finished;
    int result;
    struct image *image;
    struct error error;
};

static void on_progress(void *data, const struct transfer_event *event)
{
    struct run_state *state = data;
    struct progress_sink *sink = &state->session->renderer->sink;
    const struct progress_event shown = {
        .id = event->layer ? event->layer : state->id,
        .parent = event->layer ? state->id : NULL,
        .state = event->total && event->current >= event->total ? PROGRESS_DONE : PROGRESS_WORKING,
        .text = event->status,
        .current = event->current,
        .total = event->total,
    };
    sink->event(sink, &shown);
}

static void on_done(void *data, int result, struct image *image, const struct error *err)
{
    struct run_state *state = data;
    state->finished = true;
    state->result = result;
    state->image = image;
    if (result < 0)
        state->error = *err;
    else if (image)
        mem_steal(state->session, image);
}

static void report(struct run_state *state, enum progress_state kind, const char *text)
{
    struct progress_sink *sink = &state->session->renderer->sink;
    sink->event(sink, &(struct progress_event){.id = state->id, .state = kind, .text = text});
}

int transfer_run(struct session *session, enum transfer_kind kind, const char *reference,
                 const char *platform, const char *path, struct image **ret, struct error *err)
{
    enum { TICK_MS = 100 };
    static const char *const words[][2] = {
        [TRANSFER_PULL] = {"Pulling",    "Pulled"   },
          [TRANSFER_IMPORT] = {"Importing",  "Imported" },
        [TRANSFER_LOAD] = {"Loading",    "Loaded"   },
          [TRANSFER_COMMIT] = {"Committing", "Committed"},
        [TRANSFER_DIGEST] = {"Resolving",  "Resolved" },
    };
    struct run_state state = {.session = session, .error = ERROR_INIT};
    state.id = mem_printf(session, "Image %s", reference ? reference : path);
    const struct transfer_request request = {.kind = kind,
                                             .reference = reference,
                                             .platform = platform,
                                             .path = path,
                                             .progress = on_progress,
                                             .done = on_done,
                                             .data = &state};
    struct transfer *transfer;
    report(&state, PROGRESS_WORKING, words[kind][0]);
    int r = transfer_start(session, engine_images(session->engine), engine_loop(session->engine), &request,
                           &transfer, err);
    while (r == 0 && !state.finished) {
        r = loop_once(engine_loop(session->engine), TICK_MS, err);
        if (r == 0 && !state.finished && engine_is_cancelled(session->engine)) {
            talloc_free(transfer);
            return error_set(err, ECANCELED, "canceled");
        }
        if (session->renderer->sink.tick)
            session->renderer->sink.tick(&session->renderer->sink);
    }
    if (r == 0 && state.result < 0) {
        *err = state.error;
        r = state.result;
    }
    report(&state, r < 0 ? PROGRESS_ERROR : PROGRESS_DONE, r < 0 ? "Error" : words[kind][1]);
    session_finish(session);
    if (r == 0)
        *ret = state.image;
    return r;
}
