#pragma once
/* Links, addresses and routes of the namespace that an rtnl socket belongs to. */
#include "network/prefix.h"
#include "network/rtnl.h"

#include <net/if.h>

struct link {
    int index;
    int master;         /* bridge that it is a port of, or 0 */
    int peer;           /* veth: index of the other end, in its namespace */
    int peer_namespace; /* veth: netns id of the other end, -1 when it is in this namespace or unknown */
    unsigned flags;     /* IFF_* */
    unsigned mtu;
    char name[IFNAMSIZ];
    char kind[16]; /* "veth", "bridge", "tun", ... or "" */
};

enum { LINK_ABSENT = 1 };
int link_find(struct rtnl *rtnl, const char *name, struct link *ret, struct error *err);
int link_get(struct rtnl *rtnl, int index, struct link *ret, struct error *err); /* LINK_ABSENT */

/* Calls `each` for every link until it returns something other than 0, which is then the result. */
typedef int link_visitor(const struct link *link, void *data, struct error *err);
int link_foreach(struct rtnl *rtnl, link_visitor *each, void *data, struct error *err);

/* Succeeds when a link of that name is there already. */
int link_create_bridge(struct rtnl *rtnl, const char *name, const uint8_t mac[6], struct error *err);

/* A veth whose other end comes into being inside `netns_fd` under its final name; this end is up and a port
 * of `master`. */
struct veth {
    const char *name;
    int master;
    uint32_t group; /* for link_delete_group */
    unsigned mtu;
    int netns_fd;
    const char *peer_name;
    uint8_t peer_mac[6];
};
int link_create_veth(struct rtnl *rtnl, const struct veth *veth, struct error *err);

int link_set_up(struct rtnl *rtnl, int index, struct error *err);
int link_set_mtu(struct rtnl *rtnl, int index, unsigned mtu, struct error *err);
int link_set_master(struct rtnl *rtnl, int index, int master, struct error *err);
int link_set_hairpin(struct rtnl *rtnl, int index, struct error *err);
int link_delete(struct rtnl *rtnl, int index, struct error *err); /* absent is fine */

/* All links of a group at once, which the kernel does much faster than one after the other; an empty group is
 * fine. The ports of one bridge make a group. */
static inline uint32_t link_group_of(int bridge)
{
    return 0x63707400u + (uint32_t)bridge; /* far from the small numbers that people choose */
}
int link_delete_group(struct rtnl *rtnl, uint32_t group, struct error *err);

/* An address that is there already is fine. IPv6 addresses are usable at once (no duplicate detection). */
int link_add_address(struct rtnl *rtnl, int index, const struct prefix *address, struct error *err);
bool link_has_address(struct rtnl *rtnl, int index, const struct prefix *address);

/* Default route of the gateway's family; replaces another. */
int route_set_default(struct rtnl *rtnl, int index, const struct prefix *gateway, struct error *err);

/* Calls `each` for every route's destination, in any table; default routes are left out. */
typedef int route_visitor(const struct prefix *destination, void *data);
int route_foreach(struct rtnl *rtnl, route_visitor *each, void *data, struct error *err);

/* The link of the IPv4 or else IPv6 default route; LINK_ABSENT when there is none. */
int route_default_link(struct rtnl *rtnl, struct link *ret, struct error *err);
