/*
 * Published ports: the kernel's half (elements of the maps in nft.c), and questions about host ports.
 *
 * A map names its host side by a key and its container by a value. Changes look at the map first and then
 * make one transaction, so that adding twice is no error, a key passes from one container to its successor
 * in one step, and removing a container's ports leaves those that its successor has taken over.
 */
#include "base/str.h"
#include "network/conntrack.h"
#include "network/holder.h"
#include "network/nft.h"
#include "network/prefix.h"

#include <jansson.h>
#include <sys/socket.h>

/* Which maps (or the set "loopback") a port belongs to: none, one, or for both families without DNAT none. */
struct place {
    const char *set;
    char *key, *value; /* value NULL: a set */
};

static const char *protocol_number(int protocol)
{
    return protocol == IPPROTO_TCP ? "6" : protocol == IPPROTO_UDP ? "17" : "132";
}

static int check_map(const struct port_map *map, struct prefix *host, struct prefix *target,
                     struct error *err)
{
    *host = (struct prefix){0};
    if (!prefix_parse(map->address, target))
        return error_set(err, EINVAL, "published port %u: '%s' is not an address", map->host_port,
                         map->address);
    if (map->host_ip[0] && !prefix_parse(map->host_ip, host))
        return error_set(err, EINVAL, "published port %u: '%s' is not an address", map->host_port,
                         map->host_ip);
    return 0;
}

/* False when the kernel has no part in it: compote-netd forwards between the families. */
static bool find_place(const void *owner, const struct port_map *map, const struct prefix *host,
                       const struct prefix *target, struct place *ret)
{
    bool is_four = target->family == AF_INET;
    const char *protocol = protocol_number(map->protocol);
    if (map->host_ip[0] && prefix_is_loopback(host)) {
        if (host->family != AF_INET)
            return false;
        ret->set = "loopback";
        ret->key = mem_printf(owner, "%s . %u", protocol, map->host_port);
        ret->value = NULL;
        return true;
    }
    if (map->host_ip[0] && host->family != target->family)
        return false;
    ret->value = mem_printf(owner, "%s . %u", map->address, map->port);
    if (map->host_ip[0] && !prefix_is_any(host)) {
        char text[PREFIX_TEXT];
        prefix_print_address(host, text);
        ret->set = is_four ? "one4" : "one6";
        ret->key = mem_printf(owner, "%s . %s . %u", text, protocol, map->host_port);
    } else {
        ret->set = is_four ? "any4" : "any6";
        ret->key = mem_printf(owner, "%s . %u", protocol, map->host_port);
    }
    return true;
}

/* {"concat": [6, 8081]} as "6 . 8081". */
static char *concat_text(const void *owner, json_t *value)
{
    json_t *parts = json_object_get(value, "concat"), *part;
    char *text = mem_strdup(owner, "");
    size_t i;
    json_array_foreach (parts, i, part) {
        const char *separator = i ? " . " : "";
        if (json_is_string(part))
            text = mem_append_printf(text, "%s%s", separator, json_string_value(part));
        else
            text = mem_append_printf(text, "%s%lld", separator, (long long)json_integer_value(part));
    }
    return text;
}

/* What a map holds now: key to value. */
static int read_map(const void *owner, struct nft *nft, const char *set, struct omap **ret, struct error *err)
{
    json_t *elements = NULL, *element;
    int r = nft_elements(nft, set, &elements, err);
    if (r != 0)
        return r;
    struct omap *map = omap_new(owner);
    size_t i;
    json_array_foreach (elements, i, element) {
        bool is_map = json_is_array(element);
        json_t *key = is_map ? json_array_get(element, 0) : element;
        if (json_object_get(key, "elem"))
            key = json_object_get(json_object_get(key, "elem"), "val");
        omap_set(map, concat_text(map, key), is_map ? concat_text(map, json_array_get(element, 1)) : "");
    }
    json_decref(elements);
    *ret = map;
    return 0;
}

struct change {
    struct nft *nft;
    struct omap *maps; /* set name to what read_map gave, once looked at */
    char *commands;
    bool table_missing;
    uint16_t *udp_ports; /* of the host, whose flows are to be forgotten after a change */
    size_t udp_count;
};

static int current_map(struct change *change, const char *set, struct omap **ret, struct error *err)
{
    struct omap *map = omap_get(change->maps, set);
    if (!map) {
        int r = read_map(change->maps, change->nft, set, &map, err);
        if (r < 0)
            return r;
        if (r == NFT_ABSENT) {
            change->table_missing = true;
            map = omap_new(change->maps);
        }
        omap_set(change->maps, set, map);
    }
    *ret = map;
    return 0;
}

static int change_place(struct change *change, const struct place *place, bool add, struct error *err)
{
    struct omap *map;
    int r = current_map(change, place->set, &map, err);
    if (r < 0)
        return r;
    const char *table = change->nft->table, *now = omap_get(map, place->key);
    const char *value = place->value ? place->value : "";
    bool is_same = now && str_eq(now, value);
    if (is_same == add || (!add && !now))
        return 0;
    if (!add && !is_same)
        return 0; /* its successor has it */
    if (now) {
        change->commands = mem_append_printf(change->commands, "delete element inet %s %s { %s }\n", table,
                                             place->set, place->key);
        omap_remove(map, place->key);
    }
    if (add) {
        change->commands = mem_append_printf(change->commands, "add element inet %s %s { %s%s%s }\n", table,
                                             place->set, place->key, place->value ? " : " : "", value);
        omap_set_str(map, place->key, value);
    }
    return 0;
}

static int change_ports(const struct network_context *context, const struct port_map *maps, size_t count,
                        bool add, struct error *err)
{
    if (count == 0)
        return 0;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_nft struct nft nft = NFT_INIT;
    int r = nft_open(&nft, context, err);
    if (r < 0)
        return r;
    struct change change = {.nft = &nft, .maps = omap_new(tmp), .commands = mem_strdup(tmp, "")};
    for (size_t i = 0; i < count && r == 0; i++) {
        struct prefix host, target;
        struct place place;
        r = check_map(&maps[i], &host, &target, err);
        if (r == 0 && find_place(tmp, &maps[i], &host, &target, &place))
            r = change_place(&change, &place, add, err);
        if (r == 0 && maps[i].protocol == IPPROTO_UDP)
            mem_append(tmp, change.udp_ports, change.udp_count, maps[i].host_port);
    }
    if (r < 0 || !change.commands[0])
        return r;
    if (change.table_missing)
        change.commands = mem_printf(tmp, "%s%s", nft_skeleton(tmp, context->table), change.commands);
    r = nft_run(&nft, change.commands, err);
    if (r == 0)
        conntrack_forget_udp(change.udp_ports, change.udp_count);
    return r;
}

int ports_add(const struct network_context *context, const struct port_map *maps, size_t count,
              struct error *err)
{
    return change_ports(context, maps, count, true, err);
}

int ports_remove(const struct network_context *context, const struct port_map *maps, size_t count,
                 struct error *err)
{
    return change_ports(context, maps, count, false, err);
}

int port_check(const void *owner, const struct port_map *map, char **ret_holder, struct error *err)
{
    struct prefix addresses[2];
    size_t count = host_addresses(map->host_ip, addresses);
    if (count == 0)
        return error_set(err, EINVAL, "'%s' is not an address of this machine", map->host_ip);
    for (size_t i = 0; i < count; i++) {
        cleanup_close int fd = -1;
        int r = host_socket(map->protocol, &addresses[i], map->host_port, &fd, err);
        if (r < 0)
            return r;
        if (r == PORT_TAKEN) {
            *ret_holder = port_holder(owner, map->protocol, map->host_port);
            return PORT_TAKEN;
        }
    }
    return 0;
}

bool port_overlaps(const struct port_map *a, const struct port_map *b)
{
    return a->protocol == b->protocol && a->host_port == b->host_port &&
           (!a->host_ip[0] || !b->host_ip[0] || strcmp(a->host_ip, b->host_ip) == 0);
}
