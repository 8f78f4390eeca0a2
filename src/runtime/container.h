#pragma once
/*
 * Containers on this machine: how one is described, started, controlled and taken away. The engine resolves
 * image and service into a struct container_spec; everything below that is this module's.
 *
 * A start is a forked child that makes its own mount namespace, mounts the overlay there, looks up the user
 * in the image, copies image content into new volumes, writes the OCI bundle, and then becomes
 * compote-monitor (src/monitor), which calls the OCI runtime and stays as the container's parent. So nothing
 * of this is seen in the host's mount table, and a dead monitor leaves no mount behind.
 *
 *   <root>/containers/<id>/{upper,work,merged,init,bundle/config.json,monitor.conf,hosts,hostname,resolv.conf,log/container.log}
 *   <run>/containers/<id>/{status,control,stdin,stdout,stderr,runtime/}
 */
#include "base/error.h"
#include "model/project.h"
#include "monitor/status.h"
#include "sys/loop.h"

#include <sys/types.h>

struct mount_spec {
    enum mount_type type; /* MOUNT_BIND, MOUNT_VOLUME (source is the volume's directory), MOUNT_TMPFS,
                             MOUNT_IMAGE (source is its reference) */
    char *source;
    char *target;
    bool read_only;
    bool copy_up; /* volume: fill it with the image's content at the target when it is empty */
    char *subpath;
    char *propagation;
    bool create_host_path;
    char *recursive;  /* bind: enabled, disabled, writable, readonly, or NULL */
    char **options;   /* tmpfs: "size=...", "mode=..." */
    char **layers;    /* image: as the container's own */
    char *volume;     /* volume: its name */
    char *fs_type;    /* volume: a file system of its own, mounted at the source: the type or "none", ... */
    char *fs_device;  /* ... what is mounted, ... */
    char *fs_options; /* ... and how: comma-separated, as for mount(8), or NULL */
};

/* A secret or config: content that appears as a read-only file. */
struct file_spec {
    char *target;           /* absolute path in the container */
    char *source;           /* host file that is bound, or NULL */
    char *content;          /* else this, written into the bundle */
    int64_t uid, gid, mode; /* -1: root's, 0444; a host file with one of them is copied */
};

struct container_spec {
    char *id; /* 64 hexadecimal digits */
    char *name;
    char *project;
    char **layers; /* absolute directories, lowest first */
    char **argv;   /* entrypoint + command; never empty */
    char **env;    /* K=V */
    char *cwd;     /* NULL: "/" */
    char *user;    /* "name|uid[:group|gid]", NULL: root; looked up in the image */
    char **group_add;
    char *hostname, *domainname;
    struct omap *labels; /* char *; not given to the container, kept with it */
    struct omap *annotations;
    char *event; /* what its events say about it, for the monitor's lines in the journal (engine/events.h) */

    struct mount_spec *mounts;
    size_t mount_count;
    struct file_spec *files;
    size_t file_count;
    char *hosts, *resolv_conf; /* contents of the files; NULL: as the host's (network_mode: host) */
    char *netns;               /* path of the network namespace; NULL: the host's */
    char *pid_mode, *ipc_mode, *uts_mode, *cgroup_mode; /* "host", "container:<id>", NULL: private */

    bool privileged, read_only, tty, stdin_open, init, no_new_privileges;
    char **cap_add, **cap_drop, **security_opt, **device_cgroup_rules;
    struct device_mapping *devices;
    size_t device_count; /* paths, patterns of paths, CDI names */
    struct device_request *requests;
    size_t request_count;
    struct blkio_limit *blkio;
    size_t blkio_count;
    struct omap *sysctls; /* char * */
    struct omap *ulimits; /* struct ulimit *; names: ulimit_is_known */
    int64_t shm_size;     /* -1: 64 MiB */
    /* Resources as in struct service; -1 unset. */
    int64_t mem_limit, mem_reservation, memswap_limit, mem_swappiness;
    double cpus;
    int64_t cpu_shares, cpu_quota, cpu_period, cpu_rt_runtime, cpu_rt_period;
    char *cpuset;
    int64_t pids_limit, oom_score_adj;
    bool oom_kill_disable;
    char *cgroup_parent;
    char *runtime; /* NULL: crun */

    char *stop_signal;  /* NULL: SIGTERM */
    int64_t stop_grace; /* ns */
    enum restart_policy restart;
    int64_t restart_max, restart_delay, restart_window;
    bool auto_remove;                /* run --rm: the engine removes it; the monitor does not restart it */
    struct healthcheck *healthcheck; /* test is set, or NULL: none */
    char *log_driver;                /* json-file, local, none, syslog, journald */
    int64_t log_max_size;            /* bytes, -1 unlimited */
    int64_t log_max_file;
    char *log_tag;                                 /* or NULL */
    struct omap *log_attributes;                   /* char *: labels and variables that go with each record */
    char *log_address, *log_facility, *log_format; /* syslog: as in the file, NULL: the standard */
};

/* Devices that vendors describe: an error when one that is asked for is not there. */
int container_devices_check(const struct container_spec *spec, struct error *err);

/* Options of a log that cannot be understood. */
int container_log_check(const struct container_spec *spec, struct error *err);

/* Whether options of a volume ("ro,bind") mount a directory in place of a file system. */
bool volume_options_bind(const char *options);

bool ulimit_is_known(const char *name); /* "nofile" and the like, in any case */

/* Where the pieces are: made once by the engine. */
struct runtime_dirs {
    const char *root;    /* persistent */
    const char *run;     /* gone after a reboot */
    const char *libexec; /* compote-monitor, compote-init */
    const char *cgroup;  /* parent cgroup, "/compote" or with a hash for another root */
};

/* Makes the container's directories and records its spec (<root>/containers/<id>/spec.json). Idempotent. */
int container_create(const struct runtime_dirs *dirs, const struct container_spec *spec, struct error *err);

/* Reads back what container_create recorded. */
int container_load(const void *owner, const struct runtime_dirs *dirs, const char *id,
                   struct container_spec **ret, struct error *err);

struct container_start; /* talloc; freeing it stops watching, not the container */

/*
 * Starts it. `prepare` (may be NULL) runs first in the forked child, still in the host's namespaces: the
 * engine uses it for network set-up. `done` is called once from the loop: result 0 when the process runs
 * (or ran: a short command may have ended already), negative with `err` when it could not be started.
 * Starting a container that runs is a success that does nothing.
 */
int container_start(const void *owner, const struct runtime_dirs *dirs, const char *id, struct loop *loop,
                    int (*prepare)(void *data, struct error *err),
                    void (*done)(void *data, int result, const struct error *err), void *data,
                    struct container_start **ret, struct error *err);

enum { CONTAINER_ABSENT = 1 };

/* Reality first: status file checked against the processes. CONTAINER_ABSENT when nothing is recorded. */
int container_status_read(const struct runtime_dirs *dirs, const char *id, struct container_status *ret,
                          struct error *err);

/* A monitor that died left a running container: starts a new one that adopts it (no-op otherwise). */
int container_adopt(const struct runtime_dirs *dirs, const char *id, struct error *err);

/* Requests to the monitor. stop and restart return at once; the loop's status watch tells the end. */
int container_stop(const struct runtime_dirs *dirs, const char *id, int64_t grace_ns,
                   struct error *err); /* grace -1: the spec's */
int container_kill(const struct runtime_dirs *dirs, const char *id, int signal_number, struct error *err);
int container_pause(const struct runtime_dirs *dirs, const char *id, bool pause, struct error *err);

/* inotify on the status file: `changed` is called with each new status, and once at the start. */
struct container_watch;
int container_watch(const void *owner, const struct runtime_dirs *dirs, const char *id, struct loop *loop,
                    void (*changed)(void *data, const struct container_status *status), void *data,
                    struct container_watch **ret, struct error *err);

/* Takes away everything that the container has: processes, cgroup, runtime state, directories. Idempotent. */
int container_remove(const struct runtime_dirs *dirs, const char *id, struct error *err);

struct exec_options {
    char **argv;
    char **env; /* K=V, added to the container's */
    char *user, *cwd;
    bool tty, privileged, detach;
    int std[3]; /* descriptors; with tty the caller's terminal, which is put into raw mode */
};

/* Runs a process in a running container and waits (unless detached); *ret_status as spawn_wait gives it. */
int container_exec(const struct runtime_dirs *dirs, const char *id, const struct exec_options *options,
                   int *ret_status, struct error *err);

/* A program that is given the container's files (files.c). */
struct files_request {
    char **argv;  /* argv[0] is an absolute path */
    int std[3];   /* -1: /dev/null; errors of the preparation are written to std[2] as one line */
    bool mounts;  /* it sees what is mounted in the container, volumes and the like, too */
    bool as_user; /* "--owner=UID:GID" is added to argv, when the container's process is not root */
};

/* Starts it with the container's root as current directory; *ret_pid must be waited for. */
int container_files_run(const struct runtime_dirs *dirs, const char *id, const struct files_request *request,
                        pid_t *ret_pid, struct error *err);

/*
 * Attaches to the main process through the monitor (monitor/proto.h): a SOCK_SEQPACKET socket. For a
 * container that is to be attached before its first output, call after container_create: the start waits for
 * nobody, but output since the start is replayed from the log by the caller.
 */
int container_attach(const struct runtime_dirs *dirs, const char *id, int *ret_socket, struct error *err);

/* What a running container uses; all numbers count up but memory and pids. */
struct container_usage {
    uint64_t cpu_ns;
    uint64_t memory, memory_cache,
        memory_limit; /* memory without the part of the cache that nobody used lately */
    uint64_t io_read, io_written, net_received, net_sent;
    uint64_t pids;
    int64_t at; /* when, on the monotonic clock, ns */
};

enum { USAGE_NONE = 1 }; /* it does not run */

int container_usage(const struct runtime_dirs *dirs, const char *id, struct container_usage *ret,
                    struct error *err);

/* Host pids of the container's processes, from its cgroup. */
int container_pids(const void *owner, const struct runtime_dirs *dirs, const char *id, pid_t **ret,
                   size_t *ret_count, struct error *err);
