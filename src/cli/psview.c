#include "cli/psview.h"

#include "cli/human.h"
#include "cli/text.h"

#include "base/str.h"
#include "base/strv.h"
#include "base/units.h"
#include "sys/fs.h"

#include <time.h>

int64_t ps_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

const char *ps_state(const struct container_view *view)
{
    return container_state_name(view->status.state);
}

static char *status_up(const void *owner, const struct container_status *status, const char *since)
{
    static const char *const health[] = {[HEALTH_NONE] = "",
                                         [HEALTH_STARTING] = " (health: starting)",
                                         [HEALTH_HEALTHY] = " (healthy)",
                                         [HEALTH_UNHEALTHY] = " (unhealthy)"};
    _Static_assert(ARRAY_SIZE(health) == HEALTH__COUNT, "one text for each state of health");
    return mem_printf(owner, "Up %s%s", since,
                      status->state == STATE_PAUSED ? " (Paused)" : health[status->health]);
}

char *ps_status(const void *owner, const struct container_status *status, int64_t now)
{
    char since[HUMAN_TEXT], ago[HUMAN_TEXT], code[16];
    human_duration(now - status->started, since);
    human_duration(now - status->finished, ago);
    snprintf(code, sizeof(code), "%d", status->exit_code);
    const char *exit_code = status->exit_code < 0 ? "unknown" : code;
    switch (status->state) {
    case STATE_RUNNING:
    case STATE_PAUSED:
        return status_up(owner, status, since);
    case STATE_RESTARTING:
        return mem_printf(owner, "Restarting (%s) %s ago", exit_code, ago);
    case STATE_EXITED:
        return mem_printf(owner, "Exited (%s) %s ago", exit_code, ago);
    case STATE_DEAD:
        return mem_strdup(owner, "Dead");
    case STATE_CREATED:
    case STATE__COUNT:
    default:
        return mem_strdup(owner, "Created");
    }
}

static int compare_ports(const void *a, const void *b)
{
    const struct published_port *p = a, *q = b;
    if (p->port != q->port)
        return p->port < q->port ? -1 : 1;
    int by_ip = strcmp(p->host_ip ? p->host_ip : "", q->host_ip ? q->host_ip : "");
    if (by_ip)
        return by_ip;
    if (p->host_port != q->host_port)
        return p->host_port < q->host_port ? -1 : 1;
    return strcmp(p->protocol, q->protocol);
}

/* Ports that have the same number on both sides, or none outside, gather into ranges per address and
 * protocol. */
struct port_group {
    const struct published_port *port;
    uint16_t first, last;
};

static bool same_group(const struct port_group *group, const struct published_port *port)
{
    return str_eq(group->port->host_ip, port->host_ip) && str_eq(group->port->protocol, port->protocol);
}

static char *address_text(const void *owner, const char *ip)
{
    return strchr(ip, ':') ? mem_printf(owner, "[%s]", ip) : mem_strdup(owner, ip);
}

static char **add_group(const void *owner, char **texts, const struct port_group *group)
{
    const struct published_port *p = group->port;
    char *range = group->first == group->last ? mem_printf(owner, "%u", group->first)
                                              : mem_printf(owner, "%u-%u", group->first, group->last);
    if (!p->host_ip)
        return strv_addf(owner, texts, "%s/%s", range, p->protocol);
    return strv_addf(owner, texts, "%s:%s->%s/%s", address_text(owner, p->host_ip), range, range,
                     p->protocol);
}

char *ps_ports(const void *owner, const struct published_port *ports, size_t count)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (count == 0)
        return mem_strdup(owner, "");
    struct published_port *sorted = mem_dup(tmp, ports, count * sizeof(*ports));
    qsort(sorted, count, sizeof(*sorted), compare_ports);
    struct port_group *groups = mem_array(tmp, struct port_group, count);
    size_t group_count = 0;
    char **texts = NULL, **mapped = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct published_port *p = &sorted[i];
        if (p->host_ip && p->host_port != p->port) {
            mapped = strv_addf(tmp, mapped, "%s:%u->%u/%s", address_text(tmp, p->host_ip), p->host_port,
                               p->port, p->protocol);
            continue;
        }
        size_t g = 0;
        while (g < group_count && !same_group(&groups[g], p))
            g++;
        if (g == group_count) {
            groups[group_count++] = (struct port_group){p, p->port, p->port};
        } else if (p->port == groups[g].last + 1) {
            groups[g].last = p->port;
        } else {
            texts = add_group(tmp, texts, &groups[g]);
            groups[g] = (struct port_group){p, p->port, p->port};
        }
    }
    for (size_t g = 0; g < group_count; g++)
        texts = add_group(tmp, texts, &groups[g]);
    return strv_join(owner, strv_extend(tmp, texts, mapped), ", ");
}

char *ps_command(const void *owner, const char *command, bool whole)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *out = mem_strdup(owner, "\"");
    const char *cut = whole ? command : text_cut(tmp, command, 20);
    for (; *cut; cut++) {
        char escaped[8] = {*cut};
        if (*cut == '"' || *cut == '\\')
            snprintf(escaped, sizeof(escaped), "\\%c", *cut);
        else if (*cut == '\n' || *cut == '\t')
            snprintf(escaped, sizeof(escaped), "\\%c", *cut == '\n' ? 'n' : 't');
        else if ((unsigned char)*cut < 0x20)
            snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char)*cut);
        out = mem_append_str(out, escaped);
    }
    return mem_append_str(out, "\"");
}

const struct template_field ps_fields[] = {
    {"Command",      "COMMAND"      },
    {"CreatedAt",    "CREATED AT"   },
    {"ExitCode",     "EXIT CODE"    },
    {"Health",       "HEALTH"       },
    {"ID",           "CONTAINER ID" },
    {"Image",        "IMAGE"        },
    {"Labels",       "LABELS"       },
    {"LocalVolumes", "LOCAL VOLUMES"},
    {"Mounts",       "MOUNTS"       },
    {"Name",         "NAME"         },
    {"Names",        "NAMES"        },
    {"Networks",     "NETWORKS"     },
    {"Ports",        "PORTS"        },
    {"Project",      "PROJECT"      },
    {"Publishers",   "PUBLISHERS"   },
    {"RunningFor",   "CREATED"      },
    {"Service",      "SERVICE"      },
    {"Size",         "SIZE"         },
    {"State",        "STATE"        },
    {"Status",       "STATUS"       },
    {NULL,           NULL           },
};

/* Takes any bytes: JSON wants valid UTF-8. */
static void set_text(json_t *object, const char *key, const char *value)
{
    char *clean = text_clean(NULL, value ? value : "");
    json_object_set_new(object, key, json_string(clean));
    talloc_free(clean);
}

static json_t *publishers(const struct container_view *view)
{
    json_t *list = json_array();
    for (size_t i = 0; i < view->port_count; i++) {
        const struct published_port *p = &view->ports[i];
        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s}", "URL", p->host_ip ? p->host_ip : "",
                                              "TargetPort", p->port, "PublishedPort", p->host_port,
                                              "Protocol", p->protocol));
    }
    return list;
}

static char *labels_text(const void *owner, const struct omap *labels)
{
    char **pairs = NULL;
    omap_foreach (e, labels)
        pairs = strv_addf(owner, pairs, "%s=%s", e->key, (char *)e->value);
    return strv_join(owner, pairs, ",");
}

struct template_row ps_row(const struct container_view *view, bool no_trunc, int64_t now)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    json_t *row = json_object();
    char age[HUMAN_TEXT], made[HUMAN_TEXT];
    human_duration(now - view->status.created, age);
    human_time(view->status.created, made);
    const char *health = view->status.health == HEALTH_NONE ? "" : health_state_name(view->status.health);
    set_text(row, "Command", ps_command(tmp, view->command ? view->command : "", no_trunc));
    set_text(row, "CreatedAt", made);
    json_object_set_new(row, "ExitCode",
                        json_integer(view->status.exit_code < 0 ? 0 : view->status.exit_code));
    set_text(row, "Health", health);
    set_text(row, "ID", no_trunc ? view->id : mem_strndup(tmp, view->id, 12));
    set_text(row, "Image", view->image);
    set_text(row, "Labels", labels_text(tmp, view->labels));
    set_text(row, "LocalVolumes", mem_printf(tmp, "%zu", strv_len(view->local_volumes)));
    set_text(row, "Mounts", strv_join(tmp, view->mounts, ","));
    set_text(row, "Name", view->name);
    set_text(row, "Names", view->name);
    set_text(row, "Networks", strv_join(tmp, view->networks, ","));
    set_text(row, "Ports", ps_ports(tmp, view->ports, view->port_count));
    set_text(row, "Project", view->project);
    json_object_set_new(row, "Publishers", publishers(view));
    set_text(row, "RunningFor", mem_printf(tmp, "%s ago", age));
    set_text(row, "Service", view->service);
    set_text(row, "Size", "0B");
    set_text(row, "State", ps_state(view));
    set_text(row, "Status", ps_status(tmp, &view->status, now));
    return (struct template_row){row, view->labels};
}

char *ps_configured_format(const void *owner, const char *docker_config)
{
    char *text = NULL;
    size_t size;
    if (!docker_config)
        return NULL;
    char *path = mem_printf(owner, "%s/config.json", docker_config);
    if (fs_read_file(owner, path, 1 << 20, &text, &size, NULL) != 0)
        return NULL;
    json_t *config = json_loads(text, 0, NULL);
    char *format = mem_strdup(owner, json_string_value(json_object_get(config, "psFormat")));
    json_decref(config);
    return str_is_empty(format) ? NULL : format;
}
