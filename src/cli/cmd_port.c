#include "cli/commands.h"

#include "cli/session.h"

#include "base/str.h"

struct port_options {
    int64_t index;
    char *protocol;
};
#define OPTIONS struct port_options

static const char *const protocols[] = {"tcp", "udp", NULL};

static const struct flag flags[] = {
    FLAG("index", 0, INT, index, "Index of the container if service has multiple replicas", .fallback = "0",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("protocol", 0, STRING, protocol, "tcp or udp", .choices = protocols, .fallback = "tcp"),
    FLAG_END,
};

static int print_port(const struct container_view *view, uint16_t port, const char *protocol,
                      struct error *err)
{
    for (size_t i = 0; i < view->port_count; i++) {
        const struct published_port *p = &view->ports[i];
        if (p->port != port || !p->host_ip || !str_eq(p->protocol, protocol))
            continue;
        printf(strchr(p->host_ip, ':') ? "[%s]:%u\n" : "%s:%u\n", p->host_ip, p->host_port);
        return 0;
    }
    return error_set(err, ENOENT, "no port %u/%s for container %s", port, protocol, view->name);
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct port_options *options = data;
    uint64_t port;
    if (!str_to_u64(args[1], 1, 65535, &port))
        return error_set(err, EINVAL, "'%s' is not a port number", args[1]);
    struct session *session;
    int r = session_open(app, &(struct session_options){.need = SESSION_NAME, .keep_signals = true}, &session,
                         err);
    if (r < 0)
        return r;
    struct container_view **views;
    size_t count;
    char *const services[] = {args[0], NULL};
    const struct container_filter filter = {
        .project = session->name, .services = services, .index = (int)options->index};
    r = engine_containers(session, session->engine, &filter, &views, &count, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if (views[i]->status.state == STATE_RUNNING || views[i]->status.state == STATE_PAUSED)
            return print_port(views[i], (uint16_t)port, options->protocol, err);
    return error_set(err, ESRCH, "service \"%s\" is not running", args[0]);
}

const struct command command_port = {
    .name = "port",
    .args = "[OPTIONS] SERVICE PRIVATE_PORT",
    .summary = "Print the public port for a port binding",
    .flags = flags,
    .options_size = sizeof(struct port_options),
    .min_args = 2,
    .max_args = 2,
    .complete = "service",
    .run = run,
};
