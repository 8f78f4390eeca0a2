/*
 * Runs a plan. Operations whose needs are met begin in the order of the plan; those that take time (pulls,
 * starts, stops, waits) answer OP_PENDING and finish from the loop, so many are under way at once in one
 * process.
 *
 * The first failure stops the beginning of anything new; what is under way is waited for, so that nothing is
 * left in an unknown state. Cancelling (Ctrl-C) is the same with ECANCELED as the error.
 */
#include "base/log.h"
#include "engine/plan.h"

struct execution {
    struct plan *plan;
    size_t running, finished;
    size_t first_waiting; /* operations before this one have all begun */
    bool failed;
    struct error error;
};

struct plan *plan_new(const void *owner, struct engine *engine, const char *project_name,
                      const struct project *project, struct actual *actual)
{
    struct plan *plan = mem_new(owner, struct plan);
    plan->engine = engine;
    plan->project_name = mem_strdup(plan, project_name);
    plan->project = project;
    plan->actual = actual;
    return plan;
}

struct operation *plan_add(struct plan *plan, enum op_kind kind, const char *id, const char *reason, ...)
{
    struct operation *op = mem_new(plan, struct operation);
    op->plan = plan;
    op->kind = kind;
    op->id = mem_strdup(op, id);
    op->index = plan->count;
    op->timeout = -1;
    va_list ap;
    va_start(ap, reason);
    op->reason = mem_vprintf(op, reason, ap);
    va_end(ap);
    mem_append(plan, plan->operations, plan->count, op);
    return op;
}

void plan_need(struct operation *operation, const struct operation *first)
{
    if (first)
        mem_append(operation, operation->needs, operation->need_count, first->index);
}

void operation_report(const struct operation *op, enum progress_state state, const char *text,
                      const char *details)
{
    if (!op->quiet || state == PROGRESS_ERROR)
        engine_report(op->plan->engine, op->id, state, text, details);
}

/* Ready when everything it needs is done; skipped when one of them will never be. */
static enum op_state readiness(const struct plan *plan, const struct operation *op)
{
    for (size_t i = 0; i < op->need_count; i++) {
        const struct operation *first = plan->operations[op->needs[i]];
        if (first->state == OP_FAILED || first->state == OP_SKIPPED) {
            if (!first->optional)
                return OP_SKIPPED;
        } else if (first->state != OP_DONE) {
            return OP_WAITING;
        }
    }
    return OP_RUNNING;
}

static void fail(struct operation *op, const struct error *err)
{
    struct execution *execution = op->execution;
    op->state = OP_FAILED;
    if (op->optional) {
        operation_report(op, PROGRESS_WARNING, "Skipped", err->text);
        return;
    }
    operation_report(op, PROGRESS_ERROR, "Error", err->text);
    if (!execution->failed) {
        execution->failed = true;
        execution->error = *err;
    }
}

static void conclude(struct operation *op, int result, const struct error *err)
{
    const struct op_row *row = &op_rows[op->kind];
    op->execution->running--;
    op->execution->finished++;
    log_debug("%s: %s %s", op->id, row->doing, result < 0 ? err->text : "is done");
    if (result < 0) {
        fail(op, err);
        return;
    }
    op->state = OP_DONE;
    if (row->done && !op->partial)
        operation_report(op, PROGRESS_DONE, row->done, NULL);
}

static void begin(struct operation *op)
{
    const struct op_row *row = &op_rows[op->kind];
    struct plan *plan = op->plan;
    op->state = OP_RUNNING;
    op->execution->running++;
    log_debug("%s: %s (%s)", op->id, row->doing, op->reason);
    if (!op->quiet && plan->engine->sink) {
        const struct progress_event event = {.id = op->id,
                                             .action = row->action,
                                             .text = op->doing ? op->doing : row->doing,
                                             .details = plan->engine->dry_run ? op->reason : NULL};
        plan->engine->sink->event(plan->engine->sink, &event);
    }
    if (plan->engine->dry_run) {
        conclude(op, 0, NULL);
        return;
    }
    struct error err = ERROR_INIT;
    int r = row->begin(op, &err);
    if (r != OP_PENDING)
        conclude(op, r, &err);
}

/* Begins what can begin. Finishing one may make others ready, so this goes on until nothing changes. */
static void schedule(struct execution *execution)
{
    struct plan *plan = execution->plan;
    int limit = plan->engine->parallel;
    bool changed = true;
    while (changed && !execution->failed && !plan->engine->cancelled) {
        changed = false;
        for (size_t i = execution->first_waiting; i < plan->count; i++) {
            struct operation *op = plan->operations[i];
            if (op->state != OP_WAITING) {
                if (i == execution->first_waiting)
                    execution->first_waiting++;
                continue;
            }
            enum op_state next = readiness(plan, op);
            if (next == OP_SKIPPED) {
                op->state = OP_SKIPPED;
                execution->finished++;
                changed = true;
            } else if (next == OP_RUNNING && (limit <= 0 || execution->running < (size_t)limit)) {
                begin(op);
                changed = true;
                if (execution->failed || plan->engine->cancelled)
                    return;
            }
        }
    }
}

void operation_finish(struct operation *op, int result, const struct error *err)
{
    conclude(op, result, err);
    schedule(op->execution);
}

/* What only waits (for health, for bytes) is given up; what changes something is let finish. */
static void give_up_waiting(struct execution *execution)
{
    for (size_t i = 0; i < execution->plan->count; i++) {
        struct operation *op = execution->plan->operations[i];
        if (op->state != OP_RUNNING || !op_rows[op->kind].cancel)
            continue;
        op_rows[op->kind].cancel(op);
        op->state = OP_FAILED;
        execution->running--;
        execution->finished++;
    }
}

enum { TICK_MS = 100 };

int plan_run(struct plan *plan, struct error *err)
{
    struct engine *engine = plan->engine;
    struct execution execution = {.plan = plan};
    for (size_t i = 0; i < plan->count; i++)
        plan->operations[i]->execution = &execution;
    schedule(&execution);
    while (execution.running) {
        if (execution.failed || engine->cancelled)
            give_up_waiting(&execution);
        if (!execution.running)
            break;
        int r = loop_once(&engine->loop, TICK_MS, err);
        if (r < 0)
            return r;
        if (engine->sink && engine->sink->tick)
            engine->sink->tick(engine->sink);
    }
    if (execution.failed) {
        *err = execution.error;
        return -err->code;
    }
    if (engine->cancelled)
        return error_set(err, ECANCELED, "canceled");
    return 0;
}
