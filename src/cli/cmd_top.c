#include "cli/commands.h"

#include "cli/process.h"
#include "cli/session.h"
#include "cli/table.h"

#include <stdio.h>

static int add_container(struct session *session, const struct container_view *view, struct table *table,
                         struct error *err)
{
    pid_t *pids;
    size_t count;
    int r = engine_pids(session, session->engine, view, &pids, &count, err);
    if (r < 0)
        return r;
    char *number = view->oneoff ? mem_strdup(session, "run") : mem_printf(session, "%d", view->number);
    for (size_t i = 0; i < count; i++) {
        struct process_view p;
        if (process_view_read(session, pids[i], &p))
            table_row(table, view->service, number, p.user, p.pid, p.parent, p.cpu, p.started, p.tty, p.time,
                      p.command);
    }
    return 0;
}

static int run(struct app *app, const void *options UNUSED, char *const *args, struct error *err)
{
    struct session *session;
    const struct session_options open = {.need = SESSION_RUNNING, .services = args, .keep_signals = true};
    int r = session_open(app, &open, &session, err);
    if (r < 0)
        return r;
    struct container_view **views;
    size_t count;
    const struct container_filter filter = {
        .project = session->name, .services = session->services, .oneoffs = true};
    r = engine_containers(session, session->engine, &filter, &views, &count, err);
    struct table *table = table_new(session, 4, 2);
    table_row(table, "SERVICE", "#", "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD");
    for (size_t i = 0; r == 0 && i < count; i++)
        if (views[i]->status.state == STATE_RUNNING || views[i]->status.state == STATE_PAUSED)
            r = add_container(session, views[i], table, err);
    if (r == 0 && table->count > 1)
        fputs(table_print(session, table), stdout);
    return r;
}

const struct command command_top = {
    .name = "top",
    .args = "[SERVICES...]",
    .summary = "Display the running processes",
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
