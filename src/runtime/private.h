#pragma once
/*
 * What the files of this folder share: where a container's pieces lie, and the steps of a start. Nobody
 * outside includes it.
 */
#include "runtime/container.h"

#include <jansson.h>

/* Absolute paths of one container's pieces. Strings belong to the context given to paths_make. */
struct container_paths {
    char *dir;     /* <root>/containers/<id> */
    char *run;     /* <run>/containers/<id> */
    char *spec;    /* spec.json in dir */
    char *merged;  /* where the overlay is mounted */
    char *bundle;  /* config.json, health.json, secrets */
    char *shm;     /* in bundle: where the /dev/shm of a joined IPC namespace is mounted */
    char *status;  /* in run */
    char *record;  /* in dir: the last status, which survives a reboot */
    char *runtime; /* state directory of the OCI runtime */
    char *cgroup;  /* "/compote/<id>" */
};

/* Refuses ids that are not hexadecimal digits, so that an id can be part of a path. */
int paths_make(const void *owner, const struct runtime_dirs *dirs, const char *id,
               struct container_paths *ret, struct error *err);

static inline void cleanup_json_fn(json_t **json)
{
    json_decref(*json);
}
#define cleanup_json CLEANUP(cleanup_json_fn)

/* The recorded form of a spec (spec.c). */
json_t *spec_to_json(const struct container_spec *spec);
int spec_from_json(const void *owner, const json_t *json, struct container_spec **ret, struct error *err);

/* The cgroup below the spec's cgroup_parent, when it has one. */
void paths_set_cgroup(const void *owner, struct container_paths *paths, const struct container_spec *spec);

/* A new file in the place of the old one, without the wait that an atomic replacement can mean. */
int file_renew(const char *path, const char *text, mode_t mode, struct error *err);

/* Serialises and writes with mode 0600, as file_renew. */
int bundle_json_write(const json_t *json, const char *path, struct error *err);

/* Who a process in the container runs as, resolved against the image's files (passwd.c). */
enum { USER_MAX_GROUPS = 256 };
struct user_ids {
    uint32_t uid, gid;
    uint32_t groups[USER_MAX_GROUPS]; /* supplementary; with gid */
    size_t group_count;
    char home[256];
};

/*
 * Resolves "name|uid[:group|gid]" (NULL: root) and `group_add` below the directory `root_fd`. Numbers are
 * strict and never looked up as names; files are opened as in a chroot, must be regular and are size-capped.
 */
int user_resolve(int root_fd, const char *user, char *const *group_add, struct user_ids *ret,
                 struct error *err);

/* The 41 capabilities: bit sets (caps.c). */
uint64_t caps_default(void);
uint64_t caps_all(void); /* those that this kernel has */
int caps_make(char *const *add, char *const *drop, bool privileged, uint64_t *ret, struct error *err);
json_t *caps_to_json(uint64_t caps); /* array of names */

/* Default seccomp program for this machine as base64 (seccomp.c). */
char *seccomp_program(const void *owner, uint64_t caps);

/* The user's profile in Docker's format as the linux.seccomp of a bundle (seccomp_file.c). */
int seccomp_profile_read(const char *path, uint64_t caps, json_t **ret, struct error *err);

/* The mount namespace of a start, and the root file system in it (rootfs.c). */
int rootfs_enter_namespace(struct error *err);
int rootfs_mount(const struct runtime_dirs *dirs, const struct container_paths *paths,
                 const struct container_spec *spec, struct error *err);
/* An image's content as a directory that cannot be written. */
int rootfs_mount_image(char *const *layers, const char *target, struct error *err);
/* Clones what is mounted at `path` (with `mounts`, also below it) in the mount namespace of a container and
 * mounts it at `target` here. */
int rootfs_take_mount(int pidfd, const char *path, const char *target, bool mounts, struct error *err);

/* Mounts what `fd` refers to at `target`, which is made anew, with or without what is mounted below. Only in
 * the mount namespace of a start. */
int rootfs_mount_opened(int fd, const char *target, bool recursive, struct error *err);
/* Its halves: a clone that is not mounted yet (-1 and errno), and its place. */
int rootfs_open_tree(int fd, const char *path, bool recursive);
int rootfs_mount_tree(int tree, const char *target, struct error *err);
/* Binds that share their mounts with the machine: cloned before the namespace of a start is made, ... */
int shared_open(const struct container_spec *spec, int **ret_trees, struct error *err);
/* ... and mounted at their places in it (bundle_mounts.c). */
int shared_place(const struct container_paths *paths, const struct container_spec *spec, const int *trees,
                 struct error *err);
/* What the root of the container's mounts must be for the propagation of what is mounted in it. */
const char *root_propagation(const struct container_spec *spec);
/* Places of mounts once more, in the mount namespace of a new monitor (bundle_mounts.c). */
void places_take(const struct container_paths *paths, const struct container_spec *spec);

/* Volumes that are file systems of their own (volume.c): in the mount namespace of a start, ... */
int volumes_mount(const struct runtime_dirs *dirs, const struct container_spec *spec, struct error *err);
/* ... once more in that of a new monitor, from the container's process, ... */
void volumes_take(const struct runtime_dirs *dirs, const struct container_spec *spec, int pidfd);
/* ... with their flags for the runtime, whose own mount would lose them, ... */
void volume_add_flags(const struct mount_spec *m, json_t *options);
/* ... and what is noted of them when the container goes. */
void volumes_forget(const struct runtime_dirs *dirs, const struct container_spec *spec);

/* Opens the merged root and refuses one where /dev, /proc or /sys is not a real directory. */
int rootfs_open_checked(const struct container_paths *paths, int *ret_fd, struct error *err);

/* Makes a directory (and its parents) as a process with the root `root_fd` would see it. */
int rootfs_mkdir(int root_fd, const char *path, const struct user_ids *user, struct error *err);

/* Copies what the image has at `target` into the empty directory `volume` (copyup.c). */
int volume_copy_up(int root_fd, const char *target, const char *volume, struct error *err);

/* Everything a bundle is made from. */
struct bundle {
    const struct runtime_dirs *dirs;
    const struct container_paths *paths;
    const struct container_spec *spec;
    const struct user_ids *user;
    uint64_t caps;
    int root_fd;
};
int bundle_write(const struct bundle *bundle, struct error *err);
json_t *bundle_process(const struct bundle *bundle, char *const *argv, char *const *env, const char *cwd,
                       bool tty);
int bundle_mounts(const struct bundle *bundle, json_t *mounts, struct error *err); /* bundle_mounts.c */
/* True when the user mounts something at `target`, which then takes the place of ours. */
bool bundle_target_is_taken(const struct container_spec *spec, const char *target);
int bundle_resources(const struct bundle *bundle, json_t *linux_part, struct error *err); /* bundle_res.c */
int bundle_devices(const struct bundle *bundle, json_t *linux_part, json_t *rules, struct error *err);
/* What the container's processes have in /proc/PID/oom_score_adj: as asked for, or as this process has it. */
int bundle_oom_score(const struct container_spec *spec);

/* Devices of the Container Device Interface (cdi.c): "vendor/class=device"; edits of the whole config.json.
 */
bool cdi_is_name(const char *source);
int cdi_apply(const struct container_spec *spec, json_t *config, struct error *err);

/* "container:<id>" of a mode, as the running process of that container. */
int joined_container(const struct runtime_dirs *dirs, const char *mode, struct container_status *ret,
                     struct error *err);

/* "bind", "ro", ... appended to an array. */
void json_add_strings(json_t *array, ...) __attribute__((sentinel));

/* Text after `prefix` in security_opt ("seccomp=" or "seccomp:"), or NULL. */
const char *security_option(const struct container_spec *spec, const char *name);
bool spec_no_new_privileges(const struct container_spec *spec);

/* Appends what the monitor does with the log (logconf.c). */
int conf_add_log(const struct bundle *bundle, char **conf, struct error *err);

/* Writes monitor.conf, and health.json when there is a health check (conf.c). */
int conf_write(const struct bundle *bundle, struct error *err);

/* Signal by name ("SIGTERM", "term") or number. */
int stop_signal_parse(const char *text, int *ret, struct error *err);

/* cgroup.c: "path" is below each hierarchy's mount point. */
char **cgroup_mounts(const void *owner); /* mount points of all hierarchies */
int cgroup_pids(const void *owner, const char *path, pid_t **ret, size_t *ret_count, struct error *err);
void cgroup_kill(const char *path);  /* every process in it and below, until none is left */
void cgroup_rmdir(const char *path); /* with what is below; absent is fine */

/* status.c's file, without a look at the processes. CONTAINER_ABSENT when there is none. */
int status_load(const struct container_paths *paths, struct container_status *ret, struct error *err);
int status_store(const struct container_paths *paths, const struct container_status *status,
                 struct error *err);

/* True while a monitor holds the container's lock. */
bool monitor_lives(const struct container_paths *paths);

/* Calls the OCI runtime with "--root <runtime>" and the arguments, to its end (ociruntime.c). */
int ociruntime_delete(const struct container_paths *paths, const struct container_spec *spec, const char *id,
                      struct error *err);
const char *ociruntime_name(const struct container_spec *spec);
