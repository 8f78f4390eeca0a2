#pragma once
/*
 * Progress displays: sinks for the engine's events (engine/progress.h), one per value of --progress. They go
 * to standard error, so that standard output stays data.
 *
 *   tty    a header and a line for each resource, redrawn in place at most ten times a second
 *   plain  a line for each change
 *   json   an object for each change
 *   quiet  nothing
 *   plan   an object for each step as it begins, with its reason: what --dry-run --format json prints
 *
 * An event without id is a message of its own, which all of them show.
 *
 * Output gathers in `out` and is written to `fd`, or stays there when fd is negative: the tests read it, with
 * a clock and a terminal size of their own.
 */
#include "engine/progress.h"

#include "base/error.h"
#include "base/mem.h"

struct render_entry;

struct render_options {
    const char *mode;  /* "tty", "plain", "json", "quiet", "plan" */
    const char *title; /* tty: the word in the header: "Running" */
    bool color;
    bool dry_run;
    int fd;
    int64_t (*now)(void);                          /* ns; NULL: CLOCK_MONOTONIC */
    void (*size)(int fd, int *columns, int *rows); /* NULL: terminal_size */
};

struct renderer {
    struct progress_sink sink; /* first: sinks are renderers */
    struct render_options options;
    size_t mode; /* row of render.c's table */
    char *out;
    /* Entries in order of appearance, and where they are in the array by "parent/id". plain keeps them to
     * drop repetitions, tty to draw them. */
    struct render_entry *entries;
    size_t count;
    struct omap *index; /* -> entry number + 1, as a pointer */
    /* tty: widths of the lines that stand on the screen above the cursor. */
    int *drawn;
    size_t drawn_count;
    int64_t drawn_at;
    bool dirty, muted;
};

struct render_entry {
    char *id, *parent, *text, *details;
    enum progress_state state;
    int64_t current, total;
    int64_t started, ended; /* ns; ended 0 while it is working */
};

/* An unknown mode is a bug of the caller. */
struct renderer *renderer_new(const void *owner, const struct render_options *options);

/* Names the next block: "Stopping" ... `title` must stay. */
void renderer_set_title(struct renderer *renderer, const char *title);

/* While muted a display in place shows nothing but messages and errors: the terminal is somebody else's. */
void renderer_mute(struct renderer *renderer, bool mute);

/* Takes a display in place off the screen, so that somebody else can print; it comes back below that. */
void renderer_clear(struct renderer *renderer);

/* The message's text as a line of its own. */
void render_message(struct renderer *renderer, const struct progress_event *event);

/* For the renderers: keeps the event; false when it changes nothing but byte counts. */
bool render_keep(struct renderer *renderer, const struct progress_event *event, struct render_entry **ret);
void render_forget(struct renderer *renderer);
void render_flush(struct renderer *renderer);
int64_t render_now(const struct renderer *renderer);

/* The rows of the table in render.c. */
void render_tty_event(struct progress_sink *sink, const struct progress_event *event);
void render_tty_tick(struct progress_sink *sink);
void render_tty_finish(struct progress_sink *sink);
bool render_tty_clear(struct renderer *renderer); /* whether there was a frame */
void render_tty_message(struct renderer *renderer, const struct progress_event *event);
void render_plain_event(struct progress_sink *sink, const struct progress_event *event);
void render_json_event(struct progress_sink *sink, const struct progress_event *event);
void render_plan_event(struct progress_sink *sink, const struct progress_event *event);
void render_quiet_event(struct progress_sink *sink, const struct progress_event *event);
