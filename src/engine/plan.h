#pragma once
/*
 * A plan: operations with reasons, and what each must wait for. Planning (up_plan.c, down_plan.c) compares
 * the project with a snapshot of reality and changes nothing; running (run.c) carries the plan out, as much
 * at once as the edges allow. --dry-run prints it instead.
 *
 * Every operation can be done again: after a kill, the next plan starts from what is there.
 */
#include "engine/actual.h"
#include "engine/internal.h"

enum op_kind {
    OP_PULL,
    OP_NETWORK_CREATE,
    OP_VOLUME_CREATE,
    OP_CONTAINER_CREATE,
    OP_CONTAINER_RECREATE, /* the old one is stopped and removed, its volumes handed on */
    OP_CONTAINER_START,
    OP_CONTAINER_WAIT, /* until a dependency's condition holds */
    OP_CONTAINER_STOP,
    OP_CONTAINER_KILL,
    OP_CONTAINER_REMOVE,
    OP_NETWORK_REMOVE,
    OP_VOLUME_REMOVE,
    OP_IMAGE_REMOVE,
    OP_PROVIDER_UP,
    OP_PROVIDER_DOWN,
    OP__COUNT
};

enum op_state { OP_WAITING, OP_RUNNING, OP_DONE, OP_FAILED, OP_SKIPPED };

enum wait_for {
    WAIT_RUNNING,
    WAIT_HEALTHY,
    WAIT_COMPLETED,
    WAIT_READY /* healthy if it has a check, else running */
};

struct operation {
    enum op_kind kind;
    enum op_state state;
    char *id;      /* what the display calls it: "Container demo-web-1" */
    char *reason;  /* why it is in the plan, for people */
    size_t *needs; /* indices of operations that come first */
    size_t need_count;
    size_t index;

    /* What it works on; which of them are set depends on the kind. */
    const struct service *service;
    int number;
    struct actual_container *container; /* existing, or the one that a create will fill in */
    const struct network *network;
    const struct volume *volume;
    char *name; /* network, volume, image reference */
    const char *platform;
    bool optional;       /* a failure is a warning */
    const char *doing;   /* word to show instead of the row's */
    bool partial;        /* another operation on the same object goes on: its end is not shown */
    bool quiet;          /* a part of another step: not shown */
    bool brief;          /* pull: without its layers */
    bool keep_volumes;   /* remove: anonymous volumes wait for the successor */
    bool comes_back;     /* stop: not by a person's wish, `unless-stopped` starts it again */
    bool remove_volumes; /* remove: anonymous volumes go too */
    enum wait_for wait_for;
    int64_t timeout; /* stop: seconds, -1: the container's own; wait: 0 none */
    int signal;      /* kill */
    const struct run_options *oneoff;
    char **variables; /* provider: "K=V" that it has set */

    struct plan *plan;
    struct execution *execution; /* while the plan runs (run.c) */
    void *work;                  /* the operation's own, while it runs */
};

struct plan {
    struct engine *engine;
    const struct project *project; /* may be NULL */
    const char *project_name;
    struct actual *actual;
    struct operation **operations;
    size_t count;
    /* Called with each container right before it starts; may be NULL. */
    void (*attach)(void *data, const struct container_view *container);
    void *attach_data;
};

struct plan *plan_new(const void *owner, struct engine *engine, const char *project_name,
                      const struct project *project, struct actual *actual);
struct operation *plan_add(struct plan *plan, enum op_kind kind, const char *id, const char *reason, ...)
    PRINTF_LIKE(4, 5);
void plan_need(struct operation *operation, const struct operation *first); /* NULL `first` is no edge */

/* run.c */
enum { OP_PENDING = 1 }; /* begun; operation_finish will be called from the loop */

/* One row for each kind: its words, and what does it. */
struct op_row {
    const char *action; /* for tools: progress.h */
    const char *doing, *done;
    int (*begin)(struct operation *operation, struct error *err);
    void (*cancel)(
        struct operation *operation); /* gives up waiting, without finishing; NULL: it ends by itself */
};
extern const struct op_row op_rows[OP__COUNT];

/* Runs the plan to its end. After a failure nothing new begins; what runs is waited for; the first error
 * counts. */
int plan_run(struct plan *plan, struct error *err);

/* Called by an operation that answered OP_PENDING, once. */
void operation_finish(struct operation *operation, int result, const struct error *err);

/* Reports to the sink: the operation's id with another word than its row's. */
void operation_report(const struct operation *operation, enum progress_state state, const char *text,
                      const char *details);
