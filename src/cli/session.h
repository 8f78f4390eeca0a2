#pragma once
/*
 * What most commands start with: the project from its files, or only its name; the progress display; the
 * engine; and Ctrl-C. Freeing the session closes them all.
 */
#include "cli/app.h"
#include "cli/render.h"

#include "compose/load.h"
#include "engine/engine.h"

enum session_need {
    SESSION_PROJECT, /* a Compose file */
    SESSION_RUNNING, /* a Compose file, or a name for what runs already: `project` may be NULL */
    SESSION_NAME,    /* the name only; files are not looked into more than that takes */
    SESSION_MACHINE, /* no project at all */
};

struct session_options {
    enum session_need need;
    const char *title;     /* header of the display: "Running", "Stopping" ... NULL: Running */
    char *const *services; /* from the command line; empty or NULL: all */
    bool keep_signals;     /* Ctrl-C ends the program as usual */
};

struct session {
    struct app *app;
    struct engine *engine;
    struct renderer *renderer;
    struct project *project;
    char *name;
    char *const *services; /* NULL when none were named */
    struct loop_source signals;
    int interrupts; /* how often SIGINT or SIGTERM came */
    /* Instead of cancelling what the engine does; may be NULL. */
    void (*on_interrupt)(struct session *session, void *data);
    void *data;
};

int session_open(struct app *app, const struct session_options *options, struct session **ret,
                 struct error *err);

/* Prints "warning: TEXT"; `data` is for those who want a callback. */
void session_warn(void *data, const char *text);

/* Takes the display off the terminal's last lines, before something else prints. */
void session_finish(struct session *session);

/* Loads the project as the global flags say; LOAD_NO_FILE when there is none. Warnings are printed. */
int session_load(struct app *app, const struct session_options *options, struct project **ret,
                 struct error *err);

/* For a caller with load options of its own (config): the global flags' part, and loading with reports. */
void session_load_options(const struct app *app, struct load_options *ret);
int session_load_project(struct app *app, const struct load_options *options, struct project **ret,
                         struct error *err); /* no file is an error */

/* A variable of the environment or else of the project's .env files; NULL when empty or unset. */
const char *session_variable(const struct session *session, const char *name);

/* The display that --progress and --ansi ask for. */
int session_renderer(const void *owner, const struct app *app, const char *title, struct renderer **ret,
                     struct error *err);
