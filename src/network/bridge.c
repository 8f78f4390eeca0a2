/* A network: its bridge, and its elements in the rules (nft.c). */
#include "base/str.h"
#include "network/link.h"
#include "network/network.h"
#include "network/nft.h"
#include "network/sysctl.h"
#include "sys/fs.h"

#include <dirent.h>

/* 02:42 and the IPv4 address, as everyone expects; for IPv6 alone its last four bytes. */
static void mac_of(const struct prefix *address, uint8_t mac[6])
{
    mac[0] = 0x02;
    mac[1] = 0x42;
    memcpy(mac + 2, address->bytes + prefix_size(address) - 4, 4);
}

/* The gateway with the subnet's length: what the bridge has as its address. */
static int gateway_prefix(const char *subnet, const char *gateway, struct prefix *ret, struct error *err)
{
    struct prefix net;
    if (!prefix_parse(subnet, &net))
        return error_set(err, EINVAL, "'%s' is not a subnet", subnet);
    if (!gateway || !prefix_parse(gateway, ret))
        return error_set(err, EINVAL, "'%s' is not a gateway address", gateway ? gateway : "");
    if (!prefix_contains(&net, ret))
        return error_set(err, EINVAL, "gateway '%s' is not inside subnet '%s'", gateway, subnet);
    ret->length = net.length;
    return 0;
}

static int bridge_sysctl(const struct network_spec *spec, const char *name, const char *value,
                         struct error *err)
{
    char path[128];
    snprintf(path, sizeof(path), "ipv6/conf/%s/%s", spec->bridge, name);
    return sysctl_set(path, value, err);
}

static int set_up_bridge(struct rtnl *rtnl, const struct network_spec *spec, const struct prefix *addresses,
                         size_t count, struct error *err)
{
    uint8_t mac[6];
    struct link link, out;
    mac_of(&addresses[0], mac);
    int r = link_find(rtnl, spec->bridge, &link, err);
    if (r == LINK_ABSENT) {
        r = link_create_bridge(rtnl, spec->bridge, mac, err);
        if (r == 0)
            r = link_find(rtnl, spec->bridge, &link, err);
    }
    if (r != 0)
        return r < 0 ? r : error_set(err, ENODEV, "bridge '%s' vanished", spec->bridge);
    if (!str_eq(link.kind, "bridge"))
        return error_set(err, EEXIST, "interface '%s' is there and is not a bridge", spec->bridge);

    unsigned mtu = (unsigned)spec->mtu;
    if (mtu == 0) {
        r = route_default_link(rtnl, &out, err);
        if (r < 0)
            return r;
        mtu = r == 0 ? out.mtu : 1500;
    }
    /* Set even when it is right by chance: a bridge whose MTU was never set follows its ports'. */
    if ((r = link_set_mtu(rtnl, link.index, mtu, err)) < 0)
        return r;
    /* Without duplicate detection its link-local address can be used from the first packet on. */
    if ((r = bridge_sysctl(spec, "accept_dad", "0", err)) < 0 ||
        (r = bridge_sysctl(spec, "accept_ra", "0", err)) < 0 ||
        (r = bridge_sysctl(spec, "disable_ipv6", spec->subnet6 ? "0" : "1", err)) < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if ((r = link_add_address(rtnl, link.index, &addresses[i], err)) < 0)
            return r;
    return link_set_up(rtnl, link.index, err);
}

/*
 * A host that forwards ignores router advertisements unless accept_ra is 2: switching forwarding on would
 * take away its own default route.
 */
static int keep_router_advertisements(struct error *err)
{
    cleanup_dir DIR *dir = opendir("/proc/sys/net/ipv6/conf");
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || str_eq(entry->d_name, "all"))
            continue;
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        char *name = mem_printf(tmp, "ipv6/conf/%s/accept_ra", entry->d_name), *now;
        size_t size;
        if (fs_read_file(tmp, mem_printf(tmp, "/proc/sys/net/%s", name), 4096, &now, &size, NULL) != 0 ||
            now[0] != '1')
            continue;
        int r = sysctl_set(name, "2", err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int enable_forwarding(const struct network_spec *spec, struct error *err)
{
    int r = spec->subnet ? sysctl_set("ipv4/ip_forward", "1", err) : 0;
    if (r < 0 || !spec->subnet6)
        return r;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *now;
    size_t size;
    r = fs_read_file(tmp, "/proc/sys/net/ipv6/conf/all/forwarding", 4096, &now, &size, err);
    if (r != 0 || now[0] == '1')
        return r < 0 ? r : 0;
    r = keep_router_advertisements(err);
    return r < 0 ? r : sysctl_set("ipv6/conf/all/forwarding", "1", err);
}

/* An element that is there and one that is not: adding first makes deleting succeed. */
static char *set_membership(char *commands, const char *table, const char *set, const char *element,
                            bool is_member)
{
    commands = mem_append_printf(commands, "add element inet %s %s { %s }\n", table, set, element);
    if (!is_member)
        commands = mem_append_printf(commands, "delete element inet %s %s { %s }\n", table, set, element);
    return commands;
}

static char *set_own_subnet(char *commands, const char *table, const char *set, const char *subnet,
                            const char *bridge, bool is_member)
{
    if (!subnet)
        return commands;
    char element[PREFIX_TEXT + IFNAMSIZ + 8];
    snprintf(element, sizeof(element), "%s . \"%s\"", subnet, bridge);
    return set_membership(commands, table, set, element, is_member);
}

/* The rules' elements of a network, all of them or none. */
static int change_rules(const struct network_context *context, const struct network_spec *spec, bool present,
                        struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_nft struct nft nft = NFT_INIT;
    int r = nft_open(&nft, context, err);
    if (r < 0)
        return r;
    char *name = mem_printf(tmp, "\"%s\"", spec->bridge);
    char *pair = mem_printf(tmp, "\"%s\" . \"%s\"", spec->bridge, spec->bridge);
    char *commands = nft_skeleton(tmp, context->table);
    bool masquerade = spec->masquerade && !spec->internal;
    commands = set_membership(commands, context->table, "bridges", name, present);
    commands = set_membership(commands, context->table, "pairs", pair, present);
    commands = set_own_subnet(commands, context->table, "own4", spec->subnet, spec->bridge, present);
    commands = set_own_subnet(commands, context->table, "own6", spec->subnet6, spec->bridge, present);
    commands = set_membership(commands, context->table, "internal", name, present && spec->internal);
    commands = set_membership(commands, context->table, "isolated", name, present && spec->isolate);
    commands = set_membership(commands, context->table, "hidden", name, present && masquerade);
    return nft_run(&nft, commands, err);
}

int network_create(const struct network_context *context, const struct network_spec *spec, struct error *err)
{
    struct prefix addresses[2];
    size_t count = 0;
    int r = 0;
    if (spec->subnet)
        r = gateway_prefix(spec->subnet, spec->gateway, &addresses[count++], err);
    if (r == 0 && spec->subnet6)
        r = gateway_prefix(spec->subnet6, spec->gateway6, &addresses[count++], err);
    if (r == 0 && count == 0)
        r = error_set(err, EINVAL, "it has no subnet");
    cleanup_rtnl struct rtnl rtnl = RTNL_INIT;
    if (r == 0)
        r = rtnl_open(&rtnl, err);
    /* Rules first: no bridge is ever up without them. */
    if (r == 0)
        r = change_rules(context, spec, true, err);
    if (r == 0)
        r = set_up_bridge(&rtnl, spec, addresses, count, err);
    if (r == 0 && !spec->internal)
        r = enable_forwarding(spec, err);
    return r < 0 ? error_wrap(err, "network '%s'", spec->name) : 0;
}

int network_remove(const struct network_context *context, const struct network_spec *spec, struct error *err)
{
    struct link link;
    cleanup_rtnl struct rtnl rtnl = RTNL_INIT;
    int r = rtnl_open(&rtnl, err);
    if (r < 0)
        return r;
    r = link_find(&rtnl, spec->bridge, &link, err);
    if (r == 0) {
        r = link_delete_group(&rtnl, link_group_of(link.index), err);
        if (r == 0)
            r = link_delete(&rtnl, link.index, err);
    }
    if (r >= 0)
        r = change_rules(context, spec, false, err);
    return r < 0 ? error_wrap(err, "network '%s'", spec->name) : 0;
}

int network_table_remove_unused(const struct network_context *context, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_nft struct nft nft = NFT_INIT;
    struct json_t *elements = NULL;
    int r = nft_open(&nft, context, err);
    if (r == 0)
        r = nft_elements(&nft, "bridges", &elements, err);
    if (r != 0)
        return r < 0 ? r : 0;
    bool in_use = elements != NULL;
    nft_elements_free(elements);
    if (in_use)
        return 0;
    return nft_run(&nft, mem_printf(tmp, "delete table inet %s\n", context->table), err);
}
