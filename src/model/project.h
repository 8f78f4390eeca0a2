#pragma once
/*
 * The project: what the Compose files say after loading, in C structs. Filled by compose/load.c from the
 * checked node tree, read by the engine. Everything is a talloc child of the project; nothing is changed
 * after loading, apart from what a command line overrides (scale, pull policy).
 *
 * Unset values: NULL for strings, vectors and objects, -1 for numbers where 0 has a meaning, as said at the
 * field. Durations are nanoseconds, sizes bytes. Maps are omaps in the order of the file; their values are
 * named at the field. Source: the Compose specification, as docker compose v2.40 acts on it.
 */
#include "base/omap.h"
#include "base/strv.h"

#include <stdbool.h>
#include <stdint.h>

struct node;
struct load_record;

enum restart_policy {
    RESTART_NO,
    RESTART_ALWAYS,
    RESTART_ON_FAILURE,
    RESTART_UNLESS_STOPPED,
    RESTART__COUNT
};

enum depend_condition { DEPEND_STARTED, DEPEND_HEALTHY, DEPEND_COMPLETED, DEPEND__COUNT };

struct dependency {
    char *service;
    enum depend_condition condition;
    bool required; /* false: a missing or failed dependency is a warning */
    bool restart;  /* restart the dependent when compose restarts the dependency */
};

enum mount_type {
    MOUNT_BIND,
    MOUNT_VOLUME,
    MOUNT_TMPFS,
    MOUNT_IMAGE,
    MOUNT_NPIPE,
    MOUNT_CLUSTER,
    MOUNT__COUNT
};

struct volume_mount {
    enum mount_type type;
    char *source; /* host path, volume key, or NULL for an anonymous volume or tmpfs */
    char *target;
    bool read_only;
    char *propagation;     /* bind: "rprivate" ... or NULL */
    bool create_host_path; /* bind */
    char *recursive;       /* bind: enabled, disabled, writable, readonly, or NULL */
    char *selinux;         /* bind: z or Z, or NULL */
    bool nocopy;           /* volume */
    char *subpath;         /* volume, image */
    int64_t tmpfs_size;    /* -1 unset */
    int64_t tmpfs_mode;    /* -1 unset */
};

struct port {
    char *host_ip;   /* NULL: all addresses */
    char *published; /* "8080", a range "8080-8090", or NULL for any free port */
    uint16_t target;
    char *protocol; /* tcp, udp, sctp */
    char *mode, *name, *app_protocol;
};

struct healthcheck {
    bool disable;
    char **test; /* {"CMD", ...} or {"CMD-SHELL", text}; NULL: the image's */
    int64_t interval, timeout, start_period, start_interval; /* ns; -1 unset */
    int64_t retries;                                         /* -1 unset */
};

struct service_network {
    char **aliases;
    char **link_local_ips;
    char *ipv4_address, *ipv6_address, *mac_address, *interface_name;
    struct omap *driver_opts; /* char * */
    int64_t priority, gw_priority;
};

/* A config or secret as a service uses it. */
struct file_reference {
    char *source; /* key in the project's configs or secrets */
    char *target; /* absolute path, or a name below /run/secrets, or NULL for the default */
    char *uid, *gid;
    int64_t mode; /* -1 unset */
};

struct ulimit {
    int64_t soft, hard; /* -1: unlimited */
};

struct device_mapping {
    char *source, *target, *permissions;
};

/* One limit of blkio_config: "weight" without a path, or "device_read_bps" and the like. */
struct blkio_limit {
    char *key, *path;
    int64_t value;
};

/* gpus, deploy.resources.reservations.devices */
struct device_request {
    char *driver;
    char **capabilities, **ids;
    int64_t count; /* -1: all */
};

struct logging {
    char *driver;         /* NULL: json-file */
    struct omap *options; /* char * */
};

struct hook {
    char **command;
    char *user, *working_dir;
    char **environment; /* K=V */
    bool privileged;
};

/* One rule of develop.watch. */
struct watch_rule {
    char *action, *path, *target; /* target NULL: nothing is copied */
    char **include, **ignore;
    struct hook exec; /* sync+exec */
    bool initial_sync;
};

struct service {
    char *name;
    struct node *node; /* where it stands, for messages */
    char *config_hash; /* 64 hexadecimal digits; changes when the containers must be made anew */

    char *image;
    char *pull_policy; /* NULL: missing */
    char *platform;
    char *provider; /* the program that makes what the service stands for; NULL: it has containers */
    struct omap *provider_options; /* char ** */
    bool has_build;                /* a build section is there (acted on by the builder) */

    char **command, **entrypoint; /* an empty vector clears the image's; NULL keeps it */
    struct omap *environment;     /* char *, NULL value: remove the image's; env_file is merged in */
    struct omap *labels;          /* char * */
    struct omap *annotations;     /* char * */
    char *working_dir, *user, *hostname, *domainname, *container_name;
    char **group_add;

    struct dependency *depends_on;
    size_t depends_on_count;
    char **profiles;
    int64_t scale; /* replicas, 1 by default */

    struct port *ports;
    size_t port_count;
    char **expose;
    struct volume_mount *volumes;
    size_t volume_count;
    char **volumes_from;
    char **tmpfs; /* "path[:options]" */
    struct file_reference *configs, *secrets;
    size_t config_count, secret_count;
    struct omap
        *networks; /* network key -> struct service_network *, in order of use; NULL with network_mode */
    char *network_mode, *mac_address;
    char **links, **external_links;
    char **dns, **dns_search, **dns_opt;
    struct omap *extra_hosts; /* host -> char ** of addresses ("host-gateway" is special) */

    struct healthcheck *healthcheck; /* NULL: the image's */
    enum restart_policy restart;     /* deploy.restart_policy is merged in */
    int64_t restart_max;             /* 0 is unlimited */
    int64_t restart_delay;           /* ns; -1: a growing one */
    int64_t restart_window;          /* ns: a run that lasts so long is a success; 0: none is */
    char *stop_signal;
    int64_t stop_grace_period; /* ns; -1: 10 s */
    struct hook *post_start, *pre_stop;
    size_t post_start_count, pre_stop_count;
    struct watch_rule *watch;
    size_t watch_count;
    bool attach; /* show its logs in an attached up; true by default */

    bool privileged, read_only, tty, stdin_open, init;
    bool init_set;
    char **cap_add, **cap_drop;
    char **security_opt;
    char **devices_cgroup_rules;
    struct device_mapping *devices;
    size_t device_count;
    struct device_request *requests;
    size_t request_count;
    struct blkio_limit *blkio;
    size_t blkio_count;
    struct omap *sysctls; /* char * */
    struct omap *ulimits; /* struct ulimit * */
    char *ipc, *pid, *uts, *cgroup, *cgroup_parent, *userns_mode, *runtime;
    int64_t shm_size; /* bytes, -1 unset */

    /* Resources, deploy.resources merged in; -1 unset (memswap_limit: -1 unset, -2 unlimited). */
    int64_t mem_limit, mem_reservation, memswap_limit, mem_swappiness;
    double cpus; /* < 0 unset */
    int64_t cpu_shares, cpu_quota, cpu_period, cpu_rt_runtime, cpu_rt_period;
    char *cpuset;
    int64_t pids_limit;
    int64_t oom_score_adj; /* INT64_MIN unset */
    bool oom_kill_disable;

    struct logging *logging; /* NULL: json-file without options */
};

struct ipam_pool {
    char *subnet, *gateway, *ip_range;
    struct omap *aux_addresses; /* char * */
};

struct network {
    char *key;  /* name in the file */
    char *name; /* real name: PROJECT_KEY, or as `name:` says */
    bool external, internal, attachable, enable_ipv6;
    bool enable_ipv4;                  /* true by default */
    char *driver;                      /* NULL: bridge */
    struct omap *driver_opts, *labels; /* char * */
    char *ipam_driver;
    struct ipam_pool *pools;
    size_t pool_count;
};

struct volume {
    char *key, *name;
    bool external;
    char *driver;                      /* NULL: local */
    struct omap *driver_opts, *labels; /* char * */
};

/* A config or secret at the top level; exactly one of the sources is set. */
struct file_object {
    char *key, *name;
    bool external;
    char *file;        /* absolute path */
    char *environment; /* variable's name */
    char *content;     /* inline, or the value of `environment` */
};

struct project {
    char *name;
    const char *separator; /* between the parts of names that are made: "-", or "_" for compatibility */
    char *working_dir;
    char **files;                     /* absolute paths of the Compose files, "-" for standard input */
    char **env_files;                 /* as given, absolute */
    struct omap *environment;         /* char *: what interpolation sees */
    struct omap *services;            /* struct service *: enabled and selected ones */
    struct omap *disabled;            /* struct service *: inactive profiles */
    struct omap *networks;            /* struct network *: those in use */
    struct omap *volumes;             /* struct volume * */
    struct omap *configs, *secrets;   /* struct file_object * */
    struct node *tree;                /* canonical form, which `config` prints */
    bool raw;                         /* variables were not replaced: the tree is for printing only */
    const struct load_record *record; /* of the load, for project_explain */
};

static inline struct service *project_service(const struct project *project, const char *name)
{
    return (struct service *)omap_get(project->services, name);
}

/* What the config hash is made of: all that the service says about its containers, without what only concerns
 * their number, order and making, as canonical JSON. */
char *service_config(const void *owner, const struct service *service);
