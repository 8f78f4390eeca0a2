#pragma once
/*
 * A snapshot of what is there for one project: records, and for each container its status as processes and
 * monitors tell it. Taking it also heals: a container whose monitor died gets a new one; records that a
 * killed command left half-made are marked for removal (not ready).
 */
#include "engine/internal.h"

struct actual_container {
    struct container_record *record;
    struct container_status status;
    bool has_healthcheck;
    bool obsolete; /* planning: goes away */
    char *change;  /* planning: what differs from the service's configuration; NULL: not known */
};

struct actual {
    char *project;
    struct actual_container **containers; /* sorted by service, one-offs last, number */
    size_t container_count;
    struct network_record **networks;
    size_t network_count;
    struct volume_record **volumes;
    size_t volume_count;
};

/* `project` NULL: of all projects. */
int actual_read(const void *owner, struct engine *engine, const char *project, struct actual **ret,
                struct error *err);

static inline bool actual_is_up(const struct actual_container *c)
{
    return c->status.state == STATE_RUNNING || c->status.state == STATE_PAUSED ||
           c->status.state == STATE_RESTARTING;
}

/* The replica, or NULL. */
struct actual_container *actual_find(const struct actual *actual, const char *service, int number);

struct pick_options {
    const char *service;
    int index;    /* replica, 0: the first that fits */
    bool oneoffs; /* those of `run` too, after the others */
    bool running; /* a paused one is up, but not running */
};

/* The one container that a command works on. */
int actual_pick(const struct actual *actual, const struct pick_options *options,
                struct actual_container **ret, struct error *err);
