#pragma once
/*
 * What the engine tells while it works. The cli turns it into a display (tty, plain, json, quiet); the engine
 * knows nothing of terminals. Events are values: a sink that keeps one copies it.
 */
#include <stdbool.h>
#include <stdint.h>

enum progress_state { PROGRESS_WORKING, PROGRESS_DONE, PROGRESS_WARNING, PROGRESS_ERROR, PROGRESS__COUNT };

struct progress_event {
    const char *id;     /* "Container demo-web-1", "Network demo_default", "Image nginx", a layer's digest */
    const char *parent; /* id of the resource it belongs to, or NULL */
    enum progress_state state;
    const char *action; /* the beginning of a step of a plan: "create", "stop" ...; otherwise NULL */
    const char *text; /* docker compose's word: "Creating", "Created", "Waiting", "Healthy", "Pulling" ... */
    const char *details;    /* a reason or an error text, or NULL */
    int64_t current, total; /* bytes, 0 when there is nothing to count */
};

struct progress_sink {
    void (*event)(struct progress_sink *sink, const struct progress_event *event);
    void (*tick)(
        struct progress_sink *sink); /* at most ten times a second while something runs; may be NULL */
    /* Before anything else prints to the terminal; and when the operation is over. May be NULL. */
    void (*finish)(struct progress_sink *sink);
    bool dry_run; /* renderers put " DRY-RUN MODE - " in front */
};
