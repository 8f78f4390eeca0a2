/* `exec`, and waiting for containers to end. */
#include "engine/actual.h"
#include "engine/events.h"
#include "engine/exitwait.h"
#include "engine/view.h"

enum { COMMAND_MAX = 1000 }; /* bytes of a command in an event */

int exec_and_tell(struct engine *engine, const struct container_record *record,
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
    struct exit_watch **watches;
    size_t count, running;
    bool restarts; /* an end is that of a restart, until exit_wait_release */
    exit_callback *exited;
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
    struct exit_wait *wait = w->wait;
    if (w->ended || (wait->restarts && w->view->status.state == STATE_RESTARTING))
        return;
    bool over = status->state == STATE_EXITED || status->state == STATE_DEAD, ended = over && !wait->restarts;
    bool restarting = w->view->status.state != STATE_RESTARTING &&
                      (status->state == STATE_RESTARTING || (over && wait->restarts));
    w->view->status = *status;
    if (restarting)
        w->view->status.state = STATE_RESTARTING;
    if ((ended || restarting) && wait->exited)
        wait->exited(wait->data, w->view, status->exit_code, restarting);
    if (ended) {
        w->ended = true;
        wait->running--;
    }
}

int exit_wait_new(const void *owner, struct engine *engine, struct container_view *const *containers,
                  size_t count, exit_callback *exited, void *data, struct exit_wait **ret, struct error *err)
{
    struct exit_wait *wait = mem_new(owner, struct exit_wait);
    *wait = (struct exit_wait){.engine = engine,
                               .watches = mem_array(wait, struct exit_watch *, count),
                               .count = count,
                               .running = count,
                               .exited = exited,
                               .data = data};
    for (size_t i = 0; i < count; i++) {
        struct exit_watch *w = wait->watches[i] = mem_new(wait, struct exit_watch);
        w->wait = wait;
        w->view = containers[i];
        int r = container_watch(w, &engine->dirs, containers[i]->id, &engine->loop, exit_changed, w,
                                &w->watch, err);
        if (r < 0)
            return r;
    }
    *ret = wait;
    return 0;
}

bool exit_wait_is_over(const struct exit_wait *wait)
{
    return wait->running == 0;
}

void exit_wait_hold(struct exit_wait *wait)
{
    wait->restarts = true;
}

void exit_wait_release(struct exit_wait *wait)
{
    wait->restarts = false;
    for (size_t i = 0; i < wait->count; i++) {
        struct exit_watch *w = wait->watches[i];
        struct container_status status;
        int r = container_status_read(&wait->engine->dirs, w->view->id, &status, NULL);
        if (r != 0)
            continue; /* gone: the watch tells */
        bool runs_again = w->ended && (status.state == STATE_RUNNING || status.state == STATE_PAUSED);
        w->ended &= !runs_again;
        wait->running += runs_again;
        exit_changed(w, &status);
    }
}

enum { TICK_MS = 100 };

int engine_wait_exit(struct engine *engine, struct container_view *const *containers, size_t count,
                     exit_callback *exited, void *data, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct exit_wait *wait;
    int r = exit_wait_new(tmp, engine, containers, count, exited, data, &wait, err);
    while (r == 0 && !exit_wait_is_over(wait)) {
        if (engine->cancelled)
            return error_set(err, ECANCELED, "canceled");
        r = loop_once(&engine->loop, TICK_MS, err);
    }
    return r;
}
