/*
 * Which subnet a network gets, and which address a container. What is taken is the caller's to know; only the
 * machine's routes and resolvers are looked up here.
 *
 * Pools: 10.89.0.0/24 to 10.255.255.0/24, then 192.168.0.0/24 and on. Addresses are handed out serially after
 * the last one and come back only after a full turn, so that a peer with a stale address in its cache meets
 * nobody rather than a stranger.
 */
#include "network/link.h"
#include "network/network.h"
#include "sys/fs.h"

static const struct {
    const char *first; /* a /24 */
    unsigned count;
} pools[] = {
    {"10.89.0.0/24",   (256 - 89) * 256},
    {"192.168.0.0/24", 256             },
};

struct occupied {
    struct prefix *prefixes;
    size_t count;
};

static int note_route(const struct prefix *destination, void *data)
{
    struct occupied *occupied = data;
    mem_append(occupied, occupied->prefixes, occupied->count, *destination);
    return 0;
}

/* Name servers count as taken: a network on top of one would hide it. */
static void note_resolvers(struct occupied *occupied)
{
    cleanup_file FILE *file = fopen("/etc/resolv.conf", "re");
    char line[512], address[64];
    struct prefix prefix;
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "nameserver %63s", address) == 1 && prefix_parse(address, &prefix))
            note_route(&prefix, occupied);
}

static bool is_occupied(const struct occupied *occupied, const struct prefix *candidate)
{
    for (size_t i = 0; i < occupied->count; i++)
        if (prefix_overlaps(&occupied->prefixes[i], candidate))
            return true;
    return false;
}

static bool overlaps_taken(const struct prefix *candidate, char *const *taken, const char **ret_which)
{
    struct prefix other;
    for (size_t i = 0; taken && taken[i]; i++)
        if (prefix_parse(taken[i], &other) && prefix_overlaps(candidate, &other)) {
            *ret_which = taken[i];
            return true;
        }
    return false;
}

int ipam_choose_subnet(const void *owner, char *const *taken, char **ret_subnet, char **ret_gateway,
                       struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct occupied *occupied = mem_new(tmp, struct occupied);
    cleanup_rtnl struct rtnl rtnl = RTNL_INIT;
    int r = rtnl_open(&rtnl, err);
    if (r == 0)
        r = route_foreach(&rtnl, note_route, occupied, err);
    if (r < 0)
        return r;
    note_resolvers(occupied);

    for (size_t p = 0; p < ARRAY_SIZE(pools); p++) {
        struct prefix candidate;
        prefix_parse(pools[p].first, &candidate);
        for (unsigned i = 0; i < pools[p].count; i++) {
            const char *which;
            if (!is_occupied(occupied, &candidate) && !overlaps_taken(&candidate, taken, &which)) {
                char text[PREFIX_TEXT];
                prefix_print(&candidate, text);
                *ret_subnet = mem_strdup(owner, text);
                prefix_increment(&candidate);
                prefix_print_address(&candidate, text);
                *ret_gateway = mem_strdup(owner, text);
                return 0;
            }
            if (++candidate.bytes[2] == 0)
                candidate.bytes[1]++;
        }
    }
    error_set(err, EADDRNOTAVAIL,
              "no subnet is free: all of 10.89.0.0 to 10.255.255.0 and 192.168.0.0/16 "
              "are in use or routed");
    return error_hint(err, "give the network a subnet of its own under 'ipam.config'");
}

/* FNV-1a with a final mix, so that similar seeds differ in all bytes. */
static uint64_t hash_text(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 0x100000001b3u;
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    return h ^ (h >> 33);
}

/* A unique local prefix (RFC 4193): fd, 40 bits from the seed, subnet 0. */
int ipam_choose_subnet6(const void *owner, const char *seed, char **ret_subnet, char **ret_gateway,
                        struct error *err UNUSED)
{
    uint64_t h = hash_text(seed);
    struct prefix prefix = {.family = AF_INET6, .length = 64, .bytes = {0xfd}};
    for (unsigned i = 1; i < 6; i++)
        prefix.bytes[i] = (uint8_t)(h >> (8 * i));
    char text[PREFIX_TEXT];
    prefix_print(&prefix, text);
    *ret_subnet = mem_strdup(owner, text);
    prefix_increment(&prefix);
    prefix_print_address(&prefix, text);
    *ret_gateway = mem_strdup(owner, text);
    return 0;
}

int ipam_check_subnet(const char *subnet, char *const *taken, struct error *err)
{
    struct prefix prefix;
    if (!strchr(subnet, '/') || !prefix_parse(subnet, &prefix))
        return error_set(err, EINVAL, "'%s' is not a subnet like 10.89.3.0/24", subnet);
    if (prefix_has_host_bits(&prefix)) {
        char text[PREFIX_TEXT];
        prefix_clear_host_bits(&prefix);
        prefix_print(&prefix, text);
        return error_set(err, EINVAL, "subnet '%s' has bits set behind its prefix: '%s' is meant?", subnet,
                         text);
    }
    if (prefix.length == 0 || prefix_is_loopback(&prefix))
        return error_set(err, EINVAL, "'%s' cannot be the subnet of a network", subnet);
    const char *which;
    if (overlaps_taken(&prefix, taken, &which))
        return error_set(err, EEXIST, "subnet '%s' overlaps '%s' of another network", subnet, which);
    return 0;
}

int ipam_gateway6(const void *owner, const char *subnet, char **ret, struct error *err)
{
    enum { LONGEST = 96 };
    struct prefix prefix;
    char text[PREFIX_TEXT];
    if (!prefix_parse(subnet, &prefix) || prefix.family != AF_INET6)
        return error_set(err, EINVAL, "'%s' is not an IPv6 subnet", subnet);
    if (prefix.length > LONGEST)
        return error_set(err, EINVAL, "IPv6 subnet '%s' is too small: at most /%d is possible", subnet,
                         LONGEST);
    prefix_clear_host_bits(&prefix);
    prefix_increment(&prefix);
    prefix_print_address(&prefix, text);
    *ret = mem_strdup(owner, text);
    return 0;
}

bool ipam_contains(const char *subnet, const char *address)
{
    struct prefix outer, inner;
    return prefix_parse(subnet, &outer) && prefix_parse(address, &inner) &&
           (inner.length = prefix_size(&inner) * 8) && prefix_contains(&outer, &inner);
}

struct allocation {
    struct prefix subnet, gateway;
    bool has_gateway;
    const struct omap *used;
};

static bool is_assignable(const struct allocation *a, const struct prefix *address)
{
    struct prefix last;
    char text[PREFIX_TEXT];
    if (a->has_gateway && prefix_compare(address, &a->gateway) == 0)
        return false;
    if (a->subnet.length + 1 < prefix_size(&a->subnet) * 8) {
        prefix_last(&a->subnet, &last);
        if (prefix_compare(address, &a->subnet) == 0)
            return false;
        if (address->family == AF_INET && prefix_compare(address, &last) == 0)
            return false;
    }
    prefix_print_address(address, text);
    if (omap_has(a->used, text))
        return false;
    struct prefix with_length = *address;
    with_length.length = a->subnet.length;
    prefix_print(&with_length, text);
    return !omap_has(a->used, text);
}

int ipam_next_address(const void *owner, const char *subnet, const char *range, const char *gateway,
                      const char *last, const struct omap *used, char **ret, struct error *err)
{
    struct allocation a = {.used = used};
    struct prefix pool, candidate;
    if (!prefix_parse(subnet, &a.subnet))
        return error_set(err, EINVAL, "'%s' is not a subnet", subnet);
    prefix_clear_host_bits(&a.subnet);
    pool = a.subnet;
    if (range && (!prefix_parse(range, &pool) || !prefix_contains(&a.subnet, &pool)))
        return error_set(err, EINVAL, "range '%s' is not inside subnet '%s'", range, subnet);
    prefix_clear_host_bits(&pool);
    a.has_gateway = gateway && prefix_parse(gateway, &a.gateway);

    candidate = pool;
    candidate.length = prefix_size(&pool) * 8;
    struct prefix previous;
    if (last && prefix_parse(last, &previous)) {
        previous.length = candidate.length;
        if (prefix_contains(&pool, &previous)) {
            candidate = previous;
            prefix_increment(&candidate);
        }
    }
    /* Besides the used ones only gateway, network and broadcast address can be in the way. */
    size_t tries = (used ? used->count : 0) + 4;
    for (size_t i = 0; i < tries; i++) {
        if (!prefix_contains(&pool, &candidate)) {
            memcpy(candidate.bytes, pool.bytes, sizeof(pool.bytes));
        }
        if (is_assignable(&a, &candidate)) {
            char text[PREFIX_TEXT];
            candidate.length = a.subnet.length;
            prefix_print(&candidate, text);
            *ret = mem_strdup(owner, text);
            return 0;
        }
        prefix_increment(&candidate);
    }
    return error_set(err, EADDRNOTAVAIL, "no address is free in '%s'", range ? range : subnet);
}
