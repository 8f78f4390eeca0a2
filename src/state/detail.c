#include "state/detail.h"

#include "base/str.h"
#include "base/strv.h"

#include <jansson.h>

static json_t *print_vector(char *const *v)
{
    json_t *array = json_array();
    for (; v && *v; v++)
        json_array_append_new(array, json_string(*v));
    return array;
}

static void print_text(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

static json_t *print_endpoint(const struct endpoint_record *e)
{
    json_t *o = json_object();
    print_text(o, "network", e->network);
    print_text(o, "interface", e->interface);
    print_text(o, "host_interface", e->host_interface);
    print_text(o, "address", e->address);
    print_text(o, "address6", e->address6);
    print_text(o, "mac", e->mac);
    json_object_set_new(o, "gateway", json_boolean(e->gateway));
    json_object_set_new(o, "names", print_vector(e->names));
    return o;
}

static json_t *print_port(const struct port_map *p)
{
    json_t *o = json_object();
    json_object_set_new(o, "protocol", json_integer(p->protocol));
    print_text(o, "host_ip", p->host_ip);
    json_object_set_new(o, "host_port", json_integer(p->host_port));
    print_text(o, "address", p->address);
    json_object_set_new(o, "port", json_integer(p->port));
    return o;
}

static json_t *print_mount(const struct mount_record *m)
{
    json_t *o = json_object();
    print_text(o, "volume", m->volume);
    print_text(o, "source", m->source);
    print_text(o, "target", m->target);
    return o;
}

static json_t *print_map(const struct omap *map)
{
    json_t *o = json_object();
    omap_foreach (e, map)
        print_text(o, e->key, e->value);
    return o;
}

/* Takes `o`. */
static char *dump(const void *owner, json_t *o)
{
    char *dumped = json_dumps(o, JSON_COMPACT);
    char *text = mem_strdup(owner, mem_check(dumped));
    free(dumped);
    json_decref(o);
    return text;
}

char *map_print(const void *owner, const struct omap *map)
{
    return map && map->count ? dump(owner, print_map(map)) : NULL;
}

char *detail_print(const void *owner, const struct container_record *c)
{
    json_t *o = json_object(), *endpoints = json_array();
    json_t *ports = json_array(), *mounts = json_array();
    for (size_t i = 0; i < c->endpoint_count; i++)
        json_array_append_new(endpoints, print_endpoint(&c->endpoints[i]));
    for (size_t i = 0; i < c->port_count; i++)
        json_array_append_new(ports, print_port(&c->ports[i]));
    for (size_t i = 0; i < c->mount_count; i++)
        json_array_append_new(mounts, print_mount(&c->mounts[i]));
    print_text(o, "command", c->command);
    print_text(o, "netns", c->netns);
    print_text(o, "netns_owner", c->netns_owner);
    json_object_set_new(o, "labels", print_map(c->labels));
    json_object_set_new(o, "endpoints", endpoints);
    json_object_set_new(o, "ports", ports);
    json_object_set_new(o, "mounts", mounts);
    json_object_set_new(o, "exposed", print_vector(c->exposed));
    json_object_set_new(o, "links", print_vector(c->links));
    json_object_set_new(o, "dns", print_vector(c->dns));
    json_object_set_new(o, "depends_on", print_vector(c->depends_on));
    json_object_set_new(o, "attach", json_boolean(c->attach));
    json_object_set_new(o, "tty", json_boolean(c->tty));
    json_object_set_new(o, "auto_remove", json_boolean(c->auto_remove));
    json_object_set_new(o, "stop_grace", json_integer(c->stop_grace));
    return dump(owner, o);
}

static char *parse_text(const void *owner, const json_t *object, const char *key)
{
    return mem_strdup(owner, json_string_value(json_object_get(object, key)));
}

static char **parse_vector(const void *owner, const json_t *array)
{
    char **v = NULL;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *s = json_string_value(json_array_get(array, i));
        v = strv_add(owner, v, s ? s : "");
    }
    return v;
}

static void parse_endpoint(const void *owner, struct endpoint_record *e, const json_t *o)
{
    *e = (struct endpoint_record){
        .network = parse_text(owner, o, "network"),
        .interface = parse_text(owner, o, "interface"),
        .host_interface = parse_text(owner, o, "host_interface"),
        .address = parse_text(owner, o, "address"),
        .address6 = parse_text(owner, o, "address6"),
        .mac = parse_text(owner, o, "mac"),
        .gateway = json_is_true(json_object_get(o, "gateway")),
        .names = parse_vector(owner, json_object_get(o, "names")),
    };
}

static void parse_port(struct port_map *p, const json_t *o)
{
    const char *host_ip = json_string_value(json_object_get(o, "host_ip"));
    const char *address = json_string_value(json_object_get(o, "address"));
    p->protocol = (int)json_integer_value(json_object_get(o, "protocol"));
    p->host_port = (uint16_t)json_integer_value(json_object_get(o, "host_port"));
    p->port = (uint16_t)json_integer_value(json_object_get(o, "port"));
    str_copy(p->host_ip, sizeof(p->host_ip), host_ip ? host_ip : "");
    str_copy(p->address, sizeof(p->address), address ? address : "");
}

static void parse_lists(struct container_record *c, const json_t *o)
{
    const json_t *endpoints = json_object_get(o, "endpoints"), *ports = json_object_get(o, "ports");
    const json_t *mounts = json_object_get(o, "mounts");
    c->endpoint_count = json_array_size(endpoints);
    c->endpoints = mem_array(c, struct endpoint_record, c->endpoint_count);
    for (size_t i = 0; i < c->endpoint_count; i++)
        parse_endpoint(c, &c->endpoints[i], json_array_get(endpoints, i));
    c->port_count = json_array_size(ports);
    c->ports = mem_array(c, struct port_map, c->port_count);
    for (size_t i = 0; i < c->port_count; i++)
        parse_port(&c->ports[i], json_array_get(ports, i));
    c->mount_count = json_array_size(mounts);
    c->mounts = mem_array(c, struct mount_record, c->mount_count);
    for (size_t i = 0; i < c->mount_count; i++) {
        const json_t *m = json_array_get(mounts, i);
        c->mounts[i] = (struct mount_record){.volume = parse_text(c, m, "volume"),
                                             .source = parse_text(c, m, "source"),
                                             .target = parse_text(c, m, "target")};
    }
}

static struct omap *parse_map(const void *owner, const json_t *o)
{
    struct omap *map = omap_new(owner);
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)o, key, value)
        omap_set_str(map, key, json_string_value(value));
    return map;
}

int map_parse(const void *owner, const char *text, struct omap **ret, struct error *err)
{
    json_error_t where;
    *ret = NULL;
    json_t *o = text ? json_loads(text, 0, &where) : NULL;
    if (text && !o)
        return error_set(err, EIO, "state database: %s", where.text);
    if (o)
        *ret = parse_map(owner, o);
    json_decref(o);
    return 0;
}

int detail_parse(struct container_record *c, const char *text, struct error *err)
{
    json_error_t where;
    json_t *o = json_loads(text ? text : "{}", 0, &where);
    if (!o)
        return error_set(err, EIO, "state database: container %s: %s", c->id, where.text);
    c->command = parse_text(c, o, "command");
    c->netns = parse_text(c, o, "netns");
    c->netns_owner = parse_text(c, o, "netns_owner");
    c->labels = parse_map(c, json_object_get(o, "labels"));
    parse_lists(c, o);
    c->exposed = parse_vector(c, json_object_get(o, "exposed"));
    c->links = parse_vector(c, json_object_get(o, "links"));
    c->dns = parse_vector(c, json_object_get(o, "dns"));
    c->depends_on = parse_vector(c, json_object_get(o, "depends_on"));
    c->attach = json_is_true(json_object_get(o, "attach"));
    c->tty = json_is_true(json_object_get(o, "tty"));
    c->auto_remove = json_is_true(json_object_get(o, "auto_remove"));
    c->stop_grace = json_integer_value(json_object_get(o, "stop_grace"));
    json_decref(o);
    return 0;
}
