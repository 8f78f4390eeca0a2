/*
 * Published ports: [IP:][HOST[-HOST]:]CONTAINER[-CONTAINER][/PROTOCOL], an IPv6 address in brackets. A range
 * of container ports becomes one entry for each port, in the order of their texts ("10/tcp" before "9/tcp"),
 * as docker compose has them; a range of host ports for one container port stays a range.
 */
#include "model/project.h"
#include "model/table_macros.h"
#include "model/tables.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>

#define PORT_FORM "[IP:][HOST:]CONTAINER[/PROTOCOL]"

static const struct schema_field port_fields[] = {
    ROW(type_string, "name", MEMBER(struct port, name, char *)),
    ROW(type_string, "mode", MEMBER(struct port, mode, char *)),
    ROW(type_string, "host_ip", MEMBER(struct port, host_ip, char *)),
    ROW(type_int, "target", .flags = FIELD_REQUIRED | FIELD_WHOLE, .ranged = true, .min = 1, .max = 65535),
    ROW(type_scalar_string, "published", MEMBER(struct port, published, char *)),
    ROW(type_string, "protocol", MEMBER(struct port, protocol, char *)),
    ROW(type_string, "app_protocol", MEMBER(struct port, app_protocol, char *)),
};

struct port_range {
    unsigned first, last;
};

static bool parse_range(const char *text, struct port_range *ret)
{
    const char *dash = strchr(text, '-');
    char first[8];
    uint64_t a, b;
    if (!dash) {
        if (!str_to_u64(text, 0, 65535, &a))
            return false;
        *ret = (struct port_range){(unsigned)a, (unsigned)a};
        return true;
    }
    if ((size_t)(dash - text) >= sizeof(first))
        return false;
    memcpy(first, text, (size_t)(dash - text));
    first[dash - text] = '\0';
    if (!str_to_u64(first, 0, 65535, &a) || !str_to_u64(dash + 1, 0, 65535, &b) || b < a)
        return false;
    *ret = (struct port_range){(unsigned)a, (unsigned)b};
    return true;
}

struct port_spec {
    char *ip, *host, *container, *protocol;
};

/* Cuts a copy of the text into its parts; absent ones are "". */
static void cut_spec(char *text, struct port_spec *spec)
{
    static char none[] = "";
    char *slash = strchr(text, '/');
    *spec = (struct port_spec){none, none, text, none};
    if (slash) {
        *slash = '\0';
        spec->protocol = slash + 1;
        for (char *c = spec->protocol; *c; c++)
            *c = (char)tolower((unsigned char)*c);
    }
    char *colon = strrchr(text, ':');
    if (!colon)
        return;
    *colon = '\0';
    spec->container = colon + 1;
    spec->host = text;
    colon = strrchr(text, ':');
    if (!colon)
        return;
    *colon = '\0';
    spec->host = colon + 1;
    spec->ip = text;
}

/* The address without brackets, or NULL when it is none. */
static const char *check_address(char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    size_t n = strlen(text);
    if (n > 1 && text[0] == '[' && text[n - 1] == ']') {
        text[n - 1] = '\0';
        return inet_pton(AF_INET6, text + 1, bytes) == 1 ? text + 1 : NULL;
    }
    return !*text || inet_pton(AF_INET, text, bytes) == 1 ? text : NULL;
}

static struct node *make_port(struct schema_pass *pass, const struct node *at, const char *ip,
                              unsigned target, const char *published, const char *protocol)
{
    struct arena *arena = pass->arena;
    struct node *map = node_new(arena, NODE_MAP, at);
    node_set(arena, map, "mode", node_string(arena, "ingress", at))->row = &port_fields[1];
    if (*ip)
        node_set(arena, map, "host_ip", node_string(arena, ip, at))->row = &port_fields[2];
    node_set(arena, map, "target", node_int(arena, target, at))->row = &port_fields[3];
    if (*published)
        node_set(arena, map, "published", node_string(arena, published, at))->row = &port_fields[4];
    node_set(arena, map, "protocol", node_string(arena, protocol, at))->row = &port_fields[5];
    return map;
}

struct port_target {
    unsigned port;
    char text[12];
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct port_target *)a)->text, ((const struct port_target *)b)->text);
}

static struct node *expand_ports(struct schema_pass *pass, const struct node *at, const char *ip,
                                 struct port_range container, const struct port_range *host,
                                 const char *protocol)
{
    struct node *list = node_new(pass->arena, NODE_LIST, at);
    unsigned count = container.last - container.first + 1;
    pass->expanded += count - 1; /* one for one is no blow-up */
    if (pass->expanded > SCHEMA_MAX_EXPANDED) {
        schema_error(pass, at, NULL, "port ranges make more than %d ports", SCHEMA_MAX_EXPANDED);
        return list;
    }
    struct port_target *targets = arena_array(pass->arena, struct port_target, count);
    for (unsigned i = 0; i < count; i++) {
        targets[i].port = container.first + i;
        snprintf(targets[i].text, sizeof(targets[i].text), "%u/", targets[i].port);
    }
    qsort(targets, count, sizeof(*targets), by_text);
    for (unsigned i = 0; i < count; i++) {
        char published[16] = "";
        if (host && count == 1 && host->last != host->first)
            snprintf(published, sizeof(published), "%u-%u", host->first, host->last);
        else if (host)
            snprintf(published, sizeof(published), "%u", host->first + (targets[i].port - container.first));
        node_list_add(pass->arena, list, make_port(pass, at, ip, targets[i].port, published, protocol));
    }
    return list;
}

static const char *port_hint(const char *text)
{
    bool number = *text && !text[strspn(text, "0123456789")];
    return number ? "ports go from 1 to 65535" : "write it as [IP:][HOST:]CONTAINER[/PROTOCOL]";
}

static struct node *port_from_text(struct schema_pass *pass, struct node *in, const char *text)
{
    static const char form[] = "write it as " PORT_FORM;
    struct port_spec spec;
    struct port_range container, host;
    cut_spec(arena_strdup(pass->arena, text), &spec);
    const char *ip = check_address(spec.ip), *protocol = *spec.protocol ? spec.protocol : "tcp";
    if (!*spec.container)
        schema_error(pass, in, form, "'%s' names no container port", text);
    else if (!ip)
        schema_error(pass, in,
                     strchr(spec.ip, ':') ? "IPv6 addresses stand in brackets" : "write it like 127.0.0.1",
                     "'%s' is not an IP address", spec.ip);
    else if (!parse_range(spec.container, &container) || container.first == 0)
        schema_error(pass, in, port_hint(spec.container), "'%s' is not a container port", spec.container);
    else if (*spec.host && !parse_range(spec.host, &host))
        schema_error(pass, in, port_hint(spec.host), "'%s' is not a host port", spec.host);
    else if (!str_eq(protocol, "tcp") && !str_eq(protocol, "udp") && !str_eq(protocol, "sctp"))
        schema_error(pass, in, NULL, "'%s' is not a protocol: tcp, udp or sctp", protocol);
    else if (*spec.host && container.last != container.first &&
             host.last - host.first != container.last - container.first)
        schema_error(pass, in, NULL, "the ranges '%s' and '%s' differ in length", spec.host, spec.container);
    else
        return expand_ports(pass, in, ip, container, *spec.host ? &host : NULL, protocol);
    return NULL;
}

static struct node *port_from_short(struct schema_pass *pass, const struct schema_object *object UNUSED,
                                    struct node *in)
{
    if (in->kind != NODE_STRING && in->kind != NODE_INT) {
        schema_expected(pass, in, NULL, "a port: a string, a number or a mapping");
        return NULL;
    }
    return port_from_text(pass, in, scalar_text(pass->arena, in));
}

static void port_finish(struct schema_pass *pass, struct node *map)
{
    struct node *published = node_get(map, "published");
    if (!node_get(map, "mode"))
        schema_put(pass->arena, &object_port, map, "mode", node_string(pass->arena, "ingress", map));
    if (!node_get(map, "protocol"))
        schema_put(pass->arena, &object_port, map, "protocol", node_string(pass->arena, "tcp", map));
    if (str_eq(node_text(published), ""))
        node_remove(map, "published");
}

static const char *port_key(struct arena *arena, const struct node *map)
{
    const char *ip = node_get_text(map, "host_ip"), *published = node_get_text(map, "published");
    const struct node *target = node_get(map, "target");
    return arena_printf(arena, "%s:%s:%lld/%s", ip ? ip : "0.0.0.0", published ? published : "",
                        node_is(target, NODE_INT) ? (long long)target->integer : 0,
                        node_get_text(map, "protocol"));
}

static bool is_address(const char *text)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static void port_check(struct schema_pass *pass, const struct node *map)
{
    struct port_range range;
    const struct node *published = node_get(map, "published");
    const struct node *ip = node_get(map, "host_ip");
    const char *text = node_text(published);
    if (node_text(ip) && !(pass->lenient && strchr(ip->text, '$')) && !is_address(ip->text))
        schema_error(pass, ip, NULL, "'%s' is not an IP address", ip->text);
    if (text && !(pass->lenient && strchr(text, '$')) && !parse_range(text, &range))
        schema_error(pass, published, NULL, "'%s' is not a port or a range of ports", text);
}

const struct schema_object object_port =
    OBJECT("port", port_fields, .extensions = true, .short_form = PORT_FORM, .from_short = port_from_short,
           .finish = port_finish, .list_key = port_key, .check = port_check);
