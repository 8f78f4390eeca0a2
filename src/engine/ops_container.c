/* Starting, stopping, waiting for and removing containers. */
#include "engine/events.h"
#include "engine/hooks.h"
#include "engine/ops.h"
#include "engine/view.h"

#include <signal.h>

/* ---- start ---- */

static int make_namespace(struct engine *engine, const struct container_record *record, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct endpoint *endpoints = mem_array(tmp, struct endpoint, record->endpoint_count);
    for (size_t i = 0; i < record->endpoint_count; i++) {
        const struct endpoint_record *e = &record->endpoints[i];
        struct network_record *network;
        int r = state_network_get(tmp, engine->state, e->network, &network, err);
        if (r == STATE_ABSENT)
            r = error_set(err, ENOENT, "network %s is not there", e->network);
        if (r < 0)
            return r;
        endpoints[i] = (struct endpoint){.bridge = network->bridge,
                                         .interface = e->interface,
                                         .host_interface = e->host_interface,
                                         .address = e->address,
                                         .address6 = e->address6,
                                         .gateway = e->gateway ? network->gateway : NULL,
                                         .gateway6 = e->gateway && e->address6 ? network->gateway6 : NULL,
                                         .mac = e->mac};
    }
    return netns_create(record->netns, endpoints, record->endpoint_count, err);
}

static int publish(struct engine *engine, const struct container_record *record, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct netd_record names = {.container = record->id,
                                .netns = record->netns,
                                .internal_only = true,
                                .networks = mem_array(tmp, struct netd_network, record->endpoint_count),
                                .network_count = record->endpoint_count,
                                .links = record->links,
                                .dns = record->dns,
                                .ports = record->ports,
                                .port_count = record->port_count};
    for (size_t i = 0; i < record->endpoint_count; i++) {
        const struct endpoint_record *e = &record->endpoints[i];
        struct netd_network *n = &names.networks[i];
        n->network = e->network;
        n->address = e->address ? mem_strndup(tmp, e->address, strcspn(e->address, "/")) : NULL;
        n->address6 = e->address6 ? mem_strndup(tmp, e->address6, strcspn(e->address6, "/")) : NULL;
        n->names = e->names;
        if (e->gateway)
            names.internal_only = false;
    }
    int r = netd_publish(&engine->network, record->project, &names, err);
    if (r == 0 && record->port_count)
        r = ports_add(&engine->network, record->ports, record->port_count, err);
    return r;
}

int container_unpublish(struct engine *engine, const struct container_record *record, struct error *err)
{
    if (record->netns_owner || !record->endpoint_count)
        return 0;
    /* A record that was left half-made may have no address yet; then nothing was published. */
    bool published = record->port_count && record->ports[0].address[0];
    int r = published ? ports_remove(&engine->network, record->ports, record->port_count, err) : 0;
    return r < 0 ? r : netd_withdraw(&engine->network, record->project, record->id, err);
}

static void finish_container(struct operation *op, int result, const struct error *err)
{
    struct error wrapped = ERROR_INIT;
    if (result < 0) {
        wrapped = *err;
        error_wrap(&wrapped, "container %s", op->container->record->name);
    }
    operation_finish(op, result, &wrapped);
}

static void start_done(void *data, int result, const struct error *err)
{
    struct operation *op = data;
    struct error problem = ERROR_INIT;
    struct hooks hooks = hooks_post_start(op);
    if (result < 0 || !hooks.count) {
        finish_container(op, result, err);
        return;
    }
    int r = hooks_run(op, hooks, finish_container, &problem);
    if (r < 0)
        finish_container(op, r, &problem);
}

int op_container_start(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    const struct container_record *record = op->container->record;
    if (op->plan->attach)
        op->plan->attach(op->plan->attach_data, view_make(op, engine, record, &op->container->status));
    int r = 0;
    if (record->netns && !record->netns_owner)
        r = make_namespace(engine, record, err);
    if (r == 0 && record->endpoint_count)
        r = publish(engine, record, err);
    if (r == 0 && record->stopped)
        r = state_container_set_stopped(engine->state, record->id, false, err);
    struct container_start *start;
    if (r == 0)
        r = container_start(op, &engine->dirs, record->id, &engine->loop, NULL, start_done, op, &start, err);
    return r < 0 ? error_wrap(err, "container %s", record->name) : OP_PENDING;
}

/* ---- wait ---- */

struct wait {
    struct operation *op;
    struct container_watch *watch;
    struct loop_source timer, settle;
    struct loop *loop;
    bool finished;
};

static void wait_release(struct wait *wait)
{
    wait->finished = true;
    loop_remove(wait->loop, &wait->timer);
    loop_remove(wait->loop, &wait->settle);
    wait->op->work = NULL;
}

static void wait_finish(struct wait *wait, int result, const struct error *err)
{
    struct operation *op = wait->op;
    wait_release(wait);
    operation_finish(op, result, err);
}

static const char *exit_words(char *text, size_t size, const struct container_status *status)
{
    if (status->exit_code < 0)
        str_copy(text, size, "unknown");
    else
        snprintf(text, size, "%d%s", status->exit_code, status->oom_killed ? ", out of memory" : "");
    return text;
}

/* 0: not yet; 1: holds; negative: never will. */
static int judge(const struct operation *op, const struct container_status *s, const char **word,
                 struct error *err)
{
    char code[64];
    const char *name = op->container->record->name;
    bool ended = s->state == STATE_EXITED || s->state == STATE_DEAD;
    exit_words(code, sizeof(code), s);
    if (op->wait_for == WAIT_COMPLETED) {
        *word = "Exited";
        if (ended && s->exit_code != 0)
            return error_set(err, ECHILD, "service \"%s\" didn't complete successfully: exit %s",
                             op->container->record->service, code);
        return ended;
    }
    if (ended)
        return error_set(err, ECHILD, "container %s exited (%s)", name, code);
    bool healthy = op->wait_for == WAIT_HEALTHY || (op->wait_for == WAIT_READY && s->health != HEALTH_NONE);
    if (!healthy) {
        *word = "Healthy"; /* docker compose's word here too */
        return s->state == STATE_RUNNING;
    }
    if (s->state == STATE_RUNNING && s->health == HEALTH_NONE)
        return error_set(err, EINVAL, "container %s has no healthcheck configured", name);
    if (s->health == HEALTH_UNHEALTHY) {
        error_set(err, ECHILD, "container %s is unhealthy", name);
        return s->error[0] ? error_hint(err, "its last check said: %s", s->error) : -ECHILD;
    }
    *word = "Healthy";
    return s->state == STATE_RUNNING && s->health == HEALTH_HEALTHY;
}

/*
 * Without a health check, "ready" is to have run for a moment, so that a command that fails at once is seen
 * (docker compose looks every half second). Returns what is left of that moment.
 */
static int64_t settling_ns(const struct operation *op, const struct container_status *s)
{
    enum { SETTLE_NS = 500 * 1000 * 1000 };
    if (op->wait_for != WAIT_READY || s->health != HEALTH_NONE)
        return 0;
    int64_t age = engine_clock_ns() - s->started;
    return age >= 0 && age < SETTLE_NS ? SETTLE_NS - age : 0;
}

static void wait_changed(void *data, const struct container_status *status);

static int settled(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                   void *data, struct error *ignored UNUSED)
{
    struct wait *wait = data;
    struct container_status status = wait->op->container->status;
    wait_changed(wait, &status);
    return 0;
}

static void wait_changed(void *data, const struct container_status *status)
{
    struct wait *wait = data;
    if (wait->finished)
        return;
    struct operation *op = wait->op;
    struct error err = ERROR_INIT;
    const char *word = "Healthy";
    op->container->status = *status;
    int r = judge(op, status, &word, &err);
    int64_t rest = r > 0 ? settling_ns(op, status) : 0;
    if (rest)
        r = loop_timer(wait->loop, &wait->settle, rest, settled, wait, &err);
    if (r < 0 && op->timeout < 0 && op->wait_for != WAIT_COMPLETED)
        error_wrap(&err, "dependency failed to start");
    if (r > 0)
        operation_report(op, PROGRESS_DONE, word, NULL);
    if (r != 0)
        wait_finish(wait, r > 0 ? 0 : r, &err);
}

static int wait_expired(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                        void *data, struct error *ignored UNUSED)
{
    struct wait *wait = data;
    struct error err = ERROR_INIT;
    error_set(&err, ETIMEDOUT, "application not healthy after %llds", (long long)wait->op->timeout);
    wait_finish(wait, -ETIMEDOUT, &err);
    return 0;
}

int op_container_wait(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    struct wait *wait = mem_new(op, struct wait);
    wait->op = op;
    wait->loop = &engine->loop;
    wait->timer = wait->settle = (struct loop_source)LOOP_SOURCE_INIT;
    op->work = wait;
    int r = 0;
    if (op->timeout > 0)
        r = loop_timer(&engine->loop, &wait->timer, op->timeout * 1000000000, wait_expired, wait, err);
    if (r == 0)
        r = container_watch(wait, &engine->dirs, op->container->record->id, &engine->loop, wait_changed, wait,
                            &wait->watch, err);
    if (r < 0) {
        op_container_wait_cancel(op);
        return r;
    }
    return OP_PENDING;
}

void op_container_wait_cancel(struct operation *op)
{
    struct wait *wait = op->work;
    if (wait) {
        wait_release(wait);
        talloc_free(wait);
    }
}

/* ---- stop and kill ---- */

static void stop_changed(void *data, const struct container_status *status)
{
    struct wait *wait = data;
    if (wait->finished ||
        (status->state != STATE_EXITED && status->state != STATE_DEAD && status->state != STATE_CREATED))
        return;
    struct operation *op = wait->op;
    struct error err = ERROR_INIT;
    op->container->status = *status;
    int r = container_unpublish(op->plan->engine, op->container->record, &err);
    wait_finish(wait, r, &err);
}

/* Asks for the end, then watches until it has come. */
static int await_end(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    struct wait *wait = mem_new(op, struct wait);
    wait->op = op;
    wait->loop = &engine->loop;
    wait->timer = wait->settle = (struct loop_source)LOOP_SOURCE_INIT;
    op->work = wait;
    int r = container_watch(wait, &engine->dirs, op->container->record->id, &engine->loop, stop_changed, wait,
                            &wait->watch, err);
    return r < 0 ? r : OP_PENDING;
}

static int stop(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    const struct container_record *record = op->container->record;
    int64_t grace = op->timeout >= 0 ? op->timeout * 1000000000 : record->stop_grace;
    int r = op->comes_back ? 0 : state_container_set_stopped(engine->state, record->id, true, err);
    if (r == 0)
        r = container_stop(&engine->dirs, record->id, grace, err);
    if (r < 0)
        return error_wrap(err, "container %s", record->name);
    return r == CONTAINER_ABSENT ? container_unpublish(engine, record, err) : await_end(op, err);
}

static void stop_after_hooks(struct operation *op, int result, const struct error *err)
{
    struct error problem = ERROR_INIT;
    if (result < 0) {
        finish_container(op, result, err);
        return;
    }
    int r = stop(op, &problem);
    if (r != OP_PENDING)
        operation_finish(op, r, &problem);
}

/* A hook that fails leaves the container running, as docker compose does. */
int op_container_stop(struct operation *op, struct error *err)
{
    struct hooks hooks = hooks_pre_stop(op);
    if (!hooks.count || op->container->status.state != STATE_RUNNING)
        return stop(op, err);
    int r = hooks_run(op, hooks, stop_after_hooks, err);
    return r < 0 ? error_wrap(err, "container %s", op->container->record->name) : OP_PENDING;
}

int op_container_kill(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    const struct container_record *record = op->container->record;
    int r = container_kill(&engine->dirs, record->id, op->signal, err);
    if (r < 0)
        return error_wrap(err, "container %s", record->name);
    return r == 0 && op->signal == SIGKILL ? await_end(op, err) : 0;
}

/* ---- remove ---- */

static int remove_anonymous_volumes(struct operation *op, const struct container_record *record,
                                    struct error *err)
{
    struct plan *plan = op->plan;
    const char *service = record->oneoff ? record->id : record->service;
    if (!op->remove_volumes)
        return op->keep_volumes
                   ? 0
                   : state_volume_detach(plan->engine->state, record->project, service, record->number, err);
    for (size_t i = 0; i < record->mount_count; i++) {
        struct volume_record *volume;
        const struct mount_record *m = &record->mounts[i];
        bool used = false;
        int r = m->volume ? state_volume_get(op, plan->engine->state, m->volume, &volume, err) : STATE_ABSENT;
        if (r == 0 && !volume->key)
            r = volume_is_used(plan->engine, m->volume, record->id, &used, err);
        if (r == 0 && !volume->key && !used)
            r = volume_delete(plan->engine, m->volume, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int op_container_remove(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    const struct container_record *record = op->container->record;
    int r = state_container_unready(engine->state, record->id, err);
    if (r >= 0)
        r = container_unpublish(engine, record, err);
    if (r >= 0)
        r = container_remove(&engine->dirs, record->id, err);
    if (r >= 0 && record->netns && !record->netns_owner)
        r = netns_remove(record->netns, err);
    if (r >= 0)
        r = remove_anonymous_volumes(op, record, err);
    if (r >= 0)
        r = state_container_remove(engine->state, record->id, err);
    if (r >= 0)
        events_tell(engine, record, "destroy", NULL);
    return r < 0 ? error_wrap(err, "container %s", record->name) : 0;
}

/* The old container has ended (an operation before this one saw to it). Its anonymous volumes find their
 * successor by replica and target. */
int op_container_recreate(struct operation *op, struct error *err)
{
    op->keep_volumes = !op->remove_volumes;
    int r = op_container_remove(op, err);
    if (r < 0)
        return r;
    return op_container_create(op, err);
}
