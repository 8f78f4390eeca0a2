#pragma once
/*
 * The event loop: one epoll for descriptors, timers and signals. Each program has at most one. No
 * threads: whatever runs in parallel is a child process whose pidfd is watched here.
 *
 * Sources are structs in the caller's storage and must outlive their registration; a handler may
 * remove any source, its own included. Needs libc only and allocates nothing.
 */
#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;

/* `events` are EPOLL* bits. A negative return ends loop_run with that error. */
typedef int loop_handler(struct loop *loop, struct loop_source *source, uint32_t events, void *data,
                         struct error *err);

struct loop_source {
    int fd;        /* -1 while not registered; timers and signals own theirs, others belong to the caller */
    bool is_timer; /* drained before the handler runs */
    bool is_owned; /* closed by loop_remove */
    loop_handler *handler;
    void *data;
};

#define LOOP_SOURCE_INIT                                                                                     \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

enum { LOOP_BATCH = 32 };

struct epoll_event;
struct loop {
    int epoll_fd;
    bool stopped;
    /* The events of the round under way, so that loop_remove can withdraw one that is still to come. */
    struct loop_source *pending[LOOP_BATCH];
    int pending_count;
};

int loop_init(struct loop *loop, struct error *err);
void loop_done(struct loop *loop);

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events, loop_handler *handler,
             void *data, struct error *err);
int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events, struct error *err);
void loop_remove(struct loop *loop, struct loop_source *source);

/* One-shot timer on CLOCK_MONOTONIC, `ns` from now; arms again when called again; the handler reads nothing.
 */
int loop_timer(struct loop *loop, struct loop_source *source, int64_t ns, loop_handler *handler, void *data,
               struct error *err);

/* A signalfd for `set`, whose signals it blocks; the handler reads struct signalfd_siginfo from source->fd.
 */
int loop_signals(struct loop *loop, struct loop_source *source, const sigset_t *set, loop_handler *handler,
                 void *data, struct error *err);

/* One round, waiting at most `timeout_ms` (-1: for ever). */
int loop_once(struct loop *loop, int timeout_ms, struct error *err);
int loop_run(struct loop *loop, struct error *err); /* until loop_stop */
void loop_stop(struct loop *loop);

int64_t loop_now_ns(void); /* CLOCK_MONOTONIC */
