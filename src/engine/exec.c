/* `exec`, and waiting for containers to end. */
#include "engine/actual.h"
#include "engine/events.h"
#include "engine/view.h"

enum { COMMAND_MAX = 1000 }; /* bytes of a command in an event */

static int exec_and_tell(struct engine *engine, const struct container_record *record,
                         const struct exec_options *options, int *ret_status, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *id = engine_new_id(tmp), *command = strv_join(tmp, options->argv, " ");
    command = mem_strndup(tmp, command, COMMAND_MAX);
    events_tell(engine, record, mem_printf(tmp, "exec_create: %s", command), "execID", id, NULL);
    events_tell(engine, record, mem_printf(tmp, "exec_start: %s", command), "execID", id, NULL);
    int r = container_exec(&engine->dirs, record->id, options, ret_status, err);
    if (r == 0 && !options->detach)
        events_tell(engine, record, "exec_die", "execID", id, "exitCode", mem_printf(tmp, "%d", *ret_status),
                    NULL);
    return r;
}

int engine_exec(struct engine *engine, const char *name, const char *service, int index,
                const struct exec_options *options, int *ret_status, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct actual *actual;
    int r = actual_read(tmp, engine, name, &actual, err);
    if (r < 0)
        return r;
    const struct pick_options pick = {.service = service, .index = index, .running = true};
    struct actual_container *found;
    r = actual_pick(actual, &pick, &found, err);
    if (r < 0)
        return r;
    return exec_and_tell(engine, found->record, options, ret_status, err);
}

int engine_signal(struct engine *engine, const struct container_view *container, int signal_number,
                  struct error *err)
{
    return engine->dry_run ? 0 : container_kill(&engine->dirs, container->id, signal_number, err);
}

int engine_pause(struct engine *engine, const struct container_view *container, bool pause, struct error *err)
{
    return engine->dry_run ? 0 : container_pause(&engine->dirs, container->id, pause, err);
}

/* ---- waiting for the end ---- */

struct exit_wait {
    struct engine *engine;
    size_t running;
    void (*exited)(void *data, const struct container_view *container, int code, bool restarting);
    void *data;
};

struct exit_watch {
    struct exit_wait *wait;
    struct container_view *view;
    struct container_watch *watch;
    bool ended;
};

static void exit_changed(void *data, const struct container_status *status)
{
    struct exit_watch *w = data;
    if (w->ended)
        return;
    bool restarting = status->state == STATE_RESTARTING && w->view->status.state != STATE_RESTARTING;
    bool ended = status->state == STATE_EXITED || status->state == STATE_DEAD;
    w->view->status = *status;
    if ((ended || restarting) && w->wait->exited)
        w->wait->exited(w->wait->data, w->view, status->exit_code, restarting);
    if (ended) {
        w->ended = true;
        w->wait->running--;
    }
}

enum { TICK_MS = 100 };

int engine_wait_exit(struct engine *engine, struct container_view *const *containers, size_t count,
                     void (*exited)(void *data, const struct container_view *container, int code,
                                    bool restarting),
                     void *data, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct exit_wait wait = {.engine = engine, .running = count, .exited = exited, .data = data};
    for (size_t i = 0; i < count; i++) {
        struct exit_watch *w = mem_new(tmp, struct exit_watch);
        w->wait = &wait;
        w->view = containers[i];
        int r = container_watch(w, &engine->dirs, containers[i]->id, &engine->loop, exit_changed, w,
                                &w->watch, err);
        if (r < 0)
            return r;
    }
    while (wait.running) {
        if (engine->cancelled)
            return error_set(err, ECANCELED, "canceled");
        int r = loop_once(&engine->loop, TICK_MS, err);
        if (r < 0)
            return r;
    }
    return 0;
}
