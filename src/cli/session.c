#include "cli/session.h"

#include "cli/text.h"

#include "base/str.h"
#include "base/strv.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

int session_renderer(const void *owner, const struct app *app, const char *title, struct renderer **ret,
                     struct error *err)
{
    const char *mode = app->globals.progress;
    bool never = app->globals.no_ansi || str_eq(app->globals.ansi, "never");
    if (str_eq(mode, "tty") && never)
        return error_set(err, EINVAL, "can't use --progress tty while ANSI support is disabled");
    if (str_eq(mode, "auto"))
        mode = !never && app->config.err_tty ? "tty" : "plain";
    /* A plan for tools is data. */
    bool plan = app->globals.dry_run && str_eq(app->globals.format, "json");
    const struct render_options options = {
        .mode = plan ? "plan" : mode,
        .title = title,
        .color = app_color(app, app->config.err_tty),
        .dry_run = app->globals.dry_run,
        .fd = plan || config_is_true(config_get(&app->config, "COMPOSE_STATUS_STDOUT")) ? STDOUT_FILENO
                                                                                        : STDERR_FILENO,
    };
    *ret = renderer_new(owner, &options);
    return 0;
}

void session_load_options(const struct app *app, struct load_options *ret)
{
    const struct globals *g = &app->globals;
    *ret = (struct load_options){
        .files = g->files,
        .project_name = g->project_name,
        .project_directory = g->project_directory,
        .env_files = g->env_files,
        .profiles = g->profiles,
        .all_resources = g->all_resources,
        .compatibility = g->compatibility,
        .environment = app->config.environment,
        .cwd = app->config.cwd,
        .with_dependencies = true,
    };
}

void session_warn(void *data UNUSED, const char *text)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    fprintf(stderr, "warning: %s\n", text_clean(tmp, text));
}

/*
 * Warnings go out at once. Of several errors all but the last are printed here, in the file's order, and the
 * last becomes the error that main prints.
 */
static void report_diagnostics(const struct app *app, const struct diagnostics *diagnostics,
                               struct error *err)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        if (!diagnostics->items[i].is_error)
            session_warn(NULL, diagnostics->items[i].text);
    for (size_t i = 0; i < diagnostics->count && error_is_set(err); i++)
        if (diagnostics->items[i].is_error) {
            app_report(app, err);
            error_set(err, err->code, "%s", diagnostics->items[i].text);
        }
}

static int no_file(const struct app *app, struct error *err)
{
    error_set(err, ENOENT, "no configuration file provided: not found");
    return error_hint(err,
                      "looked for compose.yaml in %s and above; name a file with -f, or a project with -p",
                      app->config.cwd);
}

static int load(struct app *app, const struct load_options *options, struct project **ret, struct error *err)
{
    struct diagnostics diagnostics = {0};
    int r = project_load(app->ctx, options, ret, &diagnostics, err);
    if (r == LOAD_NO_FILE)
        error_clear(err);
    report_diagnostics(app, &diagnostics, err);
    return r;
}

int session_load_project(struct app *app, const struct load_options *options, struct project **ret,
                         struct error *err)
{
    int r = load(app, options, ret, err);
    return r == LOAD_NO_FILE ? no_file(app, err) : r;
}

int session_load(struct app *app, const struct session_options *options, struct project **ret,
                 struct error *err)
{
    struct load_options load_options;
    session_load_options(app, &load_options);
    load_options.services = strv_len(options->services) ? (char **)options->services : NULL;
    return load(app, &load_options, ret, err);
}

static int find_name(struct app *app, char **ret, struct error *err)
{
    struct load_options load;
    session_load_options(app, &load);
    int r = project_name_find(app->ctx, &load, ret, err);
    return r == LOAD_NO_FILE ? no_file(app, err) : r;
}

/* Project and name, as far as the command needs them. */
static int find_project(struct session *session, const struct session_options *options, struct error *err)
{
    struct app *app = session->app;
    if (options->need == SESSION_MACHINE)
        return 0;
    if (options->need == SESSION_NAME)
        return find_name(app, &session->name, err);
    int r = session_load(app, options, &session->project, err);
    if (r < 0)
        return r;
    if (r != LOAD_NO_FILE) {
        session->name = session->project->name;
        return 0;
    }
    if (options->need == SESSION_PROJECT)
        return no_file(app, err);
    return find_name(app, &session->name, err);
}

static int on_signal(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *err UNUSED)
{
    struct session *session = data;
    struct signalfd_siginfo info;
    while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        session->interrupts++;
        if (session->on_interrupt)
            session->on_interrupt(session, session->data);
        else
            engine_cancel(session->engine);
    }
    return 0;
}

static int open_engine(struct session *session, const struct session_options *options, struct error *err)
{
    struct app *app = session->app;
    char *data, *run;
    config_dirs(session, &app->config, app->globals.root, &data, &run);
    const struct engine_options engine = {
        .root = data,
        .run = run,
        .libexec = app->config.libexec,
        .registries = app->config.registry_config,
        .environment = app->config.environment,
        .sink = &session->renderer->sink,
        .dry_run = app->globals.dry_run,
        .parallel = (int)app->globals.parallel,
    };
    int r = engine_open(session, &engine, &session->engine, err);
    if (r < 0 || options->keep_signals)
        return r;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return loop_signals(engine_loop(session->engine), &session->signals, &set, on_signal, session, err);
}

int session_open(struct app *app, const struct session_options *options, struct session **ret,
                 struct error *err)
{
    struct session *session = mem_new(app->ctx, struct session);
    session->app = app;
    session->signals = (struct loop_source)LOOP_SOURCE_INIT;
    session->services = strv_len(options->services) ? options->services : NULL;
    int r = session_renderer(session, app, options->title, &session->renderer, err);
    if (r == 0)
        r = find_project(session, options, err);
    if (r == 0)
        r = open_engine(session, options, err);
    if (r == 0)
        *ret = session;
    return r;
}

void session_finish(struct session *session)
{
    if (session->renderer->sink.finish)
        session->renderer->sink.finish(&session->renderer->sink);
}

const char *session_variable(const struct session *session, const char *name)
{
    const char *value = config_get(&session->app->config, name);
    if (!value && session->project)
        value = omap_get(session->project->environment, name);
    return str_is_empty(value) ? NULL : value;
}
