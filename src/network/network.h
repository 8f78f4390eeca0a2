#pragma once
/*
 * Networks of this machine: bridges, network namespaces with their interfaces, NAT and published ports, and
 * compote-netd (src/netd), which answers names and forwards what the kernel cannot. Everything here is
 * idempotent and derived from specs that the engine keeps in the state database.
 *
 * Kernel objects carry names made from hashes, never from user text: bridge "cpt" + 10 digits, host side of a
 * veth "cpv" + 10 digits, and one nftables table per root: "compote" (default root) or "compote_" + 8 digits.
 */
#include "base/error.h"
#include "base/omap.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct network_context {
    const char *run;     /* run directory of this root */
    const char *libexec; /* compote-netd */
    const char *table;   /* nftables table's name */
};

struct network_spec {
    char *name;               /* for messages */
    char *bridge;             /* interface name */
    char *subnet;             /* "10.89.3.0/24" or NULL */
    char *gateway;            /* "10.89.3.1" */
    char *subnet6, *gateway6; /* or NULL */
    bool internal;            /* no way out, no published ports */
    int mtu;                  /* 0: that of the host's default route */
    bool masquerade, isolate; /* true by default: NAT outwards; no traffic to other networks */
};

/* Bridge, addresses, rules; forwarding switched on. Makes right what is wrong, leaves alone what is right. */
int network_create(const struct network_context *context, const struct network_spec *spec, struct error *err);

/* With the interfaces that are still attached: whether anybody uses it is the caller's to know. Absent is
 * fine. */
int network_remove(const struct network_context *context, const struct network_spec *spec, struct error *err);

/* One interface of a container. */
struct endpoint {
    char *bridge;
    char *interface;          /* inside: "eth0" ... */
    char *host_interface;     /* the veth's other end */
    char *address;            /* "10.89.3.2/24" or NULL */
    char *address6;           /* or NULL */
    char *gateway, *gateway6; /* the default route goes here; NULL: not through this one */
    char *mac;                /* or NULL: made from the address */
};

/*
 * Makes a network namespace at `path` (a bind mount) unless it is there, with loopback up, the sysctls that
 * containers expect, and the endpoints. With no endpoints it is network_mode: none. Can run in a forked
 * child.
 */
int netns_create(const char *path, const struct endpoint *endpoints, size_t count, struct error *err);
int netns_remove(const char *path, struct error *err); /* the interfaces go with it */

/* A published port, resolved: one host port to one container port. */
struct port_map {
    int protocol;                   /* IPPROTO_TCP, IPPROTO_UDP */
    char host_ip[INET6_ADDRSTRLEN]; /* "" : all addresses, both families */
    uint16_t host_port;
    char address[INET6_ADDRSTRLEN]; /* the container's */
    uint16_t port;
};

enum { PORT_TAKEN = 1 };

/* Whether the host's side can be bound now; PORT_TAKEN with *ret_holder naming who has it, if that can be
 * seen (talloc on owner). */
int port_check(const void *owner, const struct port_map *map, char **ret_holder, struct error *err);

/* Whether both cannot be published at once. */
bool port_overlaps(const struct port_map *a, const struct port_map *b);

/* Kernel side: elements of the maps. Adding what is there and removing what is not are successes. */
int ports_add(const struct network_context *context, const struct port_map *maps, size_t count,
              struct error *err);
int ports_remove(const struct network_context *context, const struct port_map *maps, size_t count,
                 struct error *err);

/* Drops the table when no network is left. */
int network_table_remove_unused(const struct network_context *context, struct error *err);

/*
 * compote-netd: one per project. It keeps no state: it serves the records in <run>/netd/<project>/<container
 * id>.record, each the names, addresses and ports of one container. `ensure` starts it when it is not running
 * (or was killed). It ends when its last record is withdrawn. It holds sockets in the containers' namespaces,
 * which live as long as those: withdraw first, then remove the namespace.
 */
struct netd_record {
    char *container;    /* id */
    char *netns;        /* where to answer on 127.0.0.11 */
    bool internal_only; /* all its networks are internal: names outside are not forwarded */
    struct netd_network {
        char *network;            /* real name: names are visible among containers that share it */
        char *address, *address6; /* plain, without prefix length; or NULL */
        char **names;             /* service, container name, aliases, short id: lower case, no blanks; the
                                     first is the one that a look-up of the address gives */
    } * networks;
    size_t network_count;
    char **links; /* "alias target": names for this container alone; target is one of the others' names */
    char **dns;   /* addresses of its own resolvers, asked in place of the host's */
    struct port_map *ports;
    size_t port_count;
};

int netd_publish(
    const struct network_context *context, const char *project, const struct netd_record *record,
    struct error *err); /* returns when the names are answered and the ports listen; starts netd if needed */
int netd_withdraw(const struct network_context *context, const char *project, const char *container,
                  struct error *err);
int netd_ensure(const struct network_context *context, const char *project, struct error *err);
int netd_stop(const struct network_context *context, const char *project, struct error *err);

/* Address arithmetic for the engine's leases (network/ipam.c): pure. */

/* The first pool (10.89.0.0/16 in /24 steps and on) that overlaps none of `taken` nor a route of this
 * machine. */
int ipam_choose_subnet(const void *owner, char *const *taken, char **ret_subnet, char **ret_gateway,
                       struct error *err);
int ipam_choose_subnet6(const void *owner, const char *seed, char **ret_subnet, char **ret_gateway,
                        struct error *err);
int ipam_check_subnet(const char *subnet, char *const *taken, struct error *err);
/* The first address of an IPv6 subnet, which must have room for the 32 bits of an IPv4 address. */
int ipam_gateway6(const void *owner, const char *subnet, char **ret, struct error *err);

/* The next address after `last` (or the first) of `range` or else `subnet` that is not in `used`;
 * "a.b.c.d/len". */
int ipam_next_address(const void *owner, const char *subnet, const char *range, const char *gateway,
                      const char *last, const struct omap *used, char **ret, struct error *err);
bool ipam_contains(const char *subnet, const char *address);
