#include "cli/commands.h"

#include "cli/detachkeys.h"
#include "cli/session.h"

#include "base/str.h"
#include "sys/fs.h"

#include <jansson.h>

struct attach_flags {
    char *detach_keys;
    int64_t index;
    bool no_stdin, sig_proxy;
};
#define OPTIONS struct attach_flags

static const struct flag flags[] = {
    FLAG("detach-keys", 0, STRING, detach_keys, "Override the key sequence for detaching from a container."),
    FLAG("index", 0, INT, index, "index of the container if service has multiple replicas.", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("no-stdin", 0, BOOL, no_stdin, "Do not attach STDIN"),
    FLAG("sig-proxy", 0, BOOL, sig_proxy, "Proxy all received signals to the process", .fallback = "true"),
    FLAG_END,
};

/* detachKeys of docker's config.json, else what docker has without one. */
static char *configured_keys(const struct app *app)
{
    char *text, *keys = NULL;
    size_t size;
    json_t *config = NULL;
    if (app->config.docker_config &&
        fs_read_file(app->ctx, mem_printf(app->ctx, "%s/config.json", app->config.docker_config), 1 << 20,
                     &text, &size, NULL) == 0)
        config = json_loadb(text, size, 0, NULL);
    const char *value = json_string_value(json_object_get(config, "detachKeys"));
    keys = mem_strdup(app->ctx, str_is_empty(value) ? "ctrl-p,ctrl-q" : value);
    json_decref(config);
    return keys;
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct attach_flags *f = data;
    struct session *session;
    struct join_options join = {
        .service = args[0],
        .index = (int)f->index,
        .no_signals = !f->sig_proxy,
        .has_terminal = app->config.in_tty,
        .std = {f->no_stdin ? -1 : STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
    };
    char keys[DETACH_KEYS_MAX];
    int status = 0;
    int r =
        detach_keys_parse(f->detach_keys ? f->detach_keys : configured_keys(app), keys, &join.key_count, err);
    join.keys = keys;
    if (r == 0)
        r = session_open(app, &(struct session_options){.need = SESSION_NAME, .keep_signals = true}, &session,
                         err);
    if (r == 0)
        r = engine_attach(session->engine, session->name, &join, &status, err);
    return r < 0 ? r : status;
}

const struct command command_attach = {
    .name = "attach",
    .args = "[OPTIONS] SERVICE",
    .summary = "Attach local standard input, output, and error streams to a service's running container",
    .flags = flags,
    .options_size = sizeof(struct attach_flags),
    .min_args = 1,
    .max_args = 1,
    .complete = "service",
    .run = run,
};
