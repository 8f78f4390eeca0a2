#include "cli/commands.h"

#include "cli/session.h"

struct commit_flags {
    char *author, *message;
    char **change;
    int64_t index;
    bool pause;
};
#define OPTIONS struct commit_flags

static const struct flag flags[] = {
    FLAG("author", 'a', STRING, author, "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"),
    FLAG("change", 'c', LIST, change, "Apply Dockerfile instruction to the created image", .metavar = "list"),
    FLAG("index", 0, INT, index, "index of the container if service has multiple replicas.", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("message", 'm', STRING, message, "Commit message"),
    FLAG("pause", 'p', BOOL, pause, "Pause container during commit", .fallback = "true"),
    FLAG_END,
};

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct commit_flags *f = data;
    const struct commit_options commit = {.service = args[0],
                                          .reference = args[1],
                                          .author = f->author,
                                          .message = f->message,
                                          .changes = f->change,
                                          .index = (int)f->index,
                                          .pause = f->pause};
    struct session *session;
    char *id = NULL;
    int r = session_open(app, &(struct session_options){.need = SESSION_NAME, .title = "Committing"},
                         &session, err);
    if (r < 0)
        return r;
    r = engine_commit(session, session->engine, session->name, &commit, &id, err);
    session_finish(session);
    return r;
}

const struct command command_commit = {
    .name = "commit",
    .args = "[OPTIONS] SERVICE [REPOSITORY[:TAG]]",
    .summary = "Create a new image from a service container's changes",
    .flags = flags,
    .options_size = sizeof(struct commit_flags),
    .min_args = 1,
    .max_args = 2,
    .complete = "service",
    .run = run,
};
