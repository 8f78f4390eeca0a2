#pragma once
/*
 * What compote remembers: <root>/state.db. A record is written before the thing that it describes is made,
 * and goes after the thing is gone; so whatever a killed command left behind has a record that leads to it.
 *
 * Reality wins over records: whether a container runs is asked of its monitor and process, never of this
 * database.
 */
#include "base/error.h"
#include "base/omap.h"
#include "network/network.h"

#include <stdbool.h>
#include <stdint.h>

struct state;

int state_open(const void *owner, const char *root, struct state **ret, struct error *err);

/* Groups several changes into one transaction, as db_begin and db_end do. */
int state_begin(struct state *state, struct error *err);
int state_end(struct state *state, int result, struct error *err);

/* Where a container is attached to a network. */
struct endpoint_record {
    char *network;            /* real name */
    char *interface;          /* eth0 ... */
    char *host_interface;     /* the veth's other end */
    char *address, *address6; /* with prefix length, or NULL */
    char *mac;                /* or NULL */
    bool gateway;             /* the default route goes here */
    char **names;             /* what DNS answers on this network */
};

struct mount_record {
    char *volume; /* name, or NULL for a bind */
    char *source;
    char *target;
};

struct container_record {
    char *id, *name, *project, *service;
    int number; /* 0: one-off */
    bool oneoff;
    bool ready;   /* made completely; false: a command died while making it */
    bool stopped; /* a person stopped it: `unless-stopped` stays down */
    char *config_hash, *image, *image_id;
    char *config;      /* what the hash is of (service_config); not read back before it is asked for */
    int64_t created;   /* ns since the epoch */
    char *command;     /* for listings */
    char *netns;       /* path, or NULL */
    char *netns_owner; /* id of the container whose namespace is joined (network_mode: service:x), or NULL */
    struct omap *labels; /* char * */
    struct endpoint_record *endpoints;
    size_t endpoint_count;
    struct port_map *ports;
    size_t port_count;
    char **exposed; /* "80/tcp" */
    struct mount_record *mounts;
    size_t mount_count;
    char **links;      /* "alias target" (network.h) */
    char **dns;        /* resolvers of its own */
    char **depends_on; /* services, for the order of stopping */
    bool attach, tty, auto_remove;
    int64_t stop_grace; /* ns */
};

struct network_record {
    char *name, *project, *key, *config_hash, *bridge;
    char *subnet, *gateway, *subnet6, *gateway6, *ip_range;
    bool internal;
    char *last_address; /* where the search for the next lease begins */
};

struct volume_record {
    char *name, *project, *key; /* key NULL: anonymous */
    char *driver;
    struct omap *options, *labels; /* char *; NULL when empty */
    char *service;                 /* anonymous: whose it is ... */
    int number;                    /* ... which replica's ... */
    char *target;                  /* ... and where; all NULL once its container is removed for good */
    char *config_hash;
};

struct project_record {
    char *name, *working_dir, *config_files, *environment_files;
};

enum { STATE_ABSENT = 1, STATE_TAKEN = 2 };

int state_project_put(struct state *state, const struct project_record *project, struct error *err);
int state_project_get(const void *owner, struct state *state, const char *name, struct project_record **ret,
                      struct error *err);
int state_project_remove(struct state *state, const char *name, struct error *err);
int state_projects(const void *owner, struct state *state, struct project_record ***ret, size_t *ret_count,
                   struct error *err);

/* Inserts or replaces by id; STATE_TAKEN when another container has the name. */
int state_container_put(struct state *state, const struct container_record *container, struct error *err);
int state_container_remove(struct state *state, const char *id, struct error *err); /* and its leases */

/* `project` NULL: all; sorted by project, service, one-offs last, number. */
int state_containers(const void *owner, struct state *state, const char *project,
                     struct container_record ***ret, size_t *ret_count, struct error *err);
/* Before a removal begins: what is half gone counts as half-made. */
int state_container_unready(struct state *state, const char *id, struct error *err);
/* Fills `config`, which stays NULL when it was made by a version that did not keep it. */
int state_container_config(struct state *state, struct container_record *container, struct error *err);
int state_container_set_stopped(struct state *state, const char *id, bool stopped, struct error *err);

int state_network_put(struct state *state, const struct network_record *network, struct error *err);
int state_network_get(const void *owner, struct state *state, const char *name, struct network_record **ret,
                      struct error *err);
int state_network_remove(struct state *state, const char *name, struct error *err); /* and its leases */
int state_networks(const void *owner, struct state *state, const char *project, struct network_record ***ret,
                   size_t *ret_count, struct error *err);

/*
 * Leases an address of the network to a container: `wanted` (plain address) or the next free one. The
 * container keeps one that it has. STATE_TAKEN when `wanted` belongs to another. *ret is "address/length".
 */
int state_lease(const void *owner, struct state *state, const char *network, const char *container,
                const char *wanted, char **ret, struct error *err);

/* A volume that another project has stays as it is. */
int state_volume_put(struct state *state, const struct volume_record *volume, struct error *err);
int state_volume_get(const void *owner, struct state *state, const char *name, struct volume_record **ret,
                     struct error *err);
/* The anonymous volume of a replica's mount point, to be handed on when the container is made anew. */
int state_volume_find_anonymous(const void *owner, struct state *state, const char *project,
                                const char *service, int number, const char *target,
                                struct volume_record **ret, struct error *err);
int state_volume_detach(struct state *state, const char *project, const char *service, int number,
                        struct error *err);
int state_volume_remove(struct state *state, const char *name, struct error *err);
int state_volumes(const void *owner, struct state *state, const char *project, struct volume_record ***ret,
                  size_t *ret_count, struct error *err);
