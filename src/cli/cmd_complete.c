#include "cli/commands.h"

#include "cli/command.h"
#include "cli/complete.h"
#include "cli/session.h"
#include "cli/text.h"

#include "base/str.h"
#include "base/strv.h"

/* The -f, -p and other global flags among the words say whose services are meant. */
static void read_globals(struct app *app, char *const *words)
{
    static const struct command *const *const table = command_table;
    struct error err = ERROR_INIT;
    const struct command *command = NULL;
    for (char *const *w = words; *w && !command; w++)
        command = command_find(table, *w);
    char *ignored =
        mem_check(talloc_zero_size(app->ctx, command && command->options_size ? command->options_size : 1));
    struct flag_parser parser = {
        .owner = app->ctx,
        .scopes = {{global_flags, &app->globals}, {command ? command->flags : NULL, ignored}},
        .scope_count = 2,
    };
    (void)flags_parse(&parser, words, &err);
}

/* A shell takes each line for a candidate, so what comes from a file stays on its own. */
static void print_candidate(const char *name, const char *description)
{
    char *clean = text_clean(NULL, description ? description : "");
    printf("%s\t%s\n", name, clean);
    talloc_free(clean);
}

/* Without the words of diagnostics, which nobody could read while typing. */
static void print_services(struct app *app, const char *typed)
{
    struct load_options options;
    struct diagnostics diagnostics = {0};
    struct project *project;
    struct error err = ERROR_INIT;
    session_load_options(app, &options);
    if (project_load(app->ctx, &options, &project, &diagnostics, &err) != 0)
        return;
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        if (str_starts(e->key, typed))
            print_candidate(e->key, service->image);
    }
}

static void print_projects(struct app *app, const char *typed)
{
    struct session *session;
    struct project_view **views;
    size_t count;
    struct error err = ERROR_INIT;
    const struct session_options open = {.need = SESSION_MACHINE, .keep_signals = true};
    if (session_open(app, &open, &session, &err) < 0 ||
        engine_projects(session, session->engine, &views, &count, &err) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (str_starts(views[i]->name, typed))
            print_candidate(views[i]->name, views[i]->config_files);
}

static void print_commands(const char *typed)
{
    for (const struct command *const *c = command_table; *c; c++)
        if (!((*c)->bits & COMMAND_HIDDEN) && str_starts((*c)->name, typed))
            printf("%s\t%s\n", (*c)->name, (*c)->summary);
}

static int run(struct app *app, const void *options UNUSED, char *const *args, struct error *err UNUSED)
{
    struct completion completion;
    char *const *words = args[0] && str_eq(args[0], "--") ? args + 1 : args;
    size_t count = strv_len(words);
    const char *typed = count ? words[count - 1] : "";
    complete_words(app->ctx, words, &completion);
    for (char **line = completion.lines; line && *line; line++)
        puts(*line);
    const char *kind = completion.names;
    if (str_eq(kind, "file") || str_eq(kind, "dir"))
        printf(":%s\n", kind);
    if (count > 0)
        read_globals(app, strv_dup(app->ctx, words));
    if (str_eq(kind, "service"))
        print_services(app, typed);
    else if (str_eq(kind, "project"))
        print_projects(app, typed);
    else if (str_eq(kind, "command"))
        print_commands(typed);
    return 0;
}

const struct command command_complete = {
    .name = "__complete",
    .args = "WORD...",
    .summary = "Print what can stand for the last word",
    ANY_ARGS,
    .bits = COMMAND_HIDDEN | COMMAND_RAW,
    .run = run,
};
