/*
 * Volumes that are file systems of their own: `driver_opts` of the local driver.
 *
 * Such a volume is mounted over its directory in the mount namespace of the start, which the monitor keeps:
 * there when a container uses it, gone with the last one, whatever ends it, and never in the machine's mount
 * table. All containers have the same mount: the first one makes it, the others take a clone of it from the
 * namespace of one that has it, so that a tmpfs is one tmpfs and a disk is mounted once.
 *
 *   <run>/volumes.lock             held while a start looks for users and mounts
 *   <run>/volumes/<name>/<id>      who may have it mounted; whether that is true is asked of its monitor
 *
 * Between its mounts and its monitor's first status a start has the container's lock, but nobody can enter
 * its namespace yet: others wait for it. It needs no lock of ours any more by then, so nobody waits in a
 * circle.
 */
#include "runtime/private.h"

#include "base/path.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <netdb.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>

enum { WAIT_ROUNDS = 6000, WAIT_ROUND_MS = 5 };

/* ---- what is mounted ---- */

/* The words of mount(8) that are flags; everything else is the file system's. */
static const struct {
    const char *word;
    unsigned long set, clear;
} mount_flags[] = {
    {"async",         0,                MS_SYNCHRONOUS},
    {"atime",         0,                MS_NOATIME    },
    {"bind",          MS_BIND,          0             },
    {"defaults",      0,                0             },
    {"dev",           0,                MS_NODEV      },
    {"diratime",      0,                MS_NODIRATIME },
    {"dirsync",       MS_DIRSYNC,       0             },
    {"exec",          0,                MS_NOEXEC     },
    {"noatime",       MS_NOATIME,       0             },
    {"nodev",         MS_NODEV,         0             },
    {"nodiratime",    MS_NODIRATIME,    0             },
    {"noexec",        MS_NOEXEC,        0             },
    {"norelatime",    0,                MS_RELATIME   },
    {"nostrictatime", 0,                MS_STRICTATIME},
    {"nosuid",        MS_NOSUID,        0             },
    {"rbind",         MS_BIND | MS_REC, 0             },
    {"relatime",      MS_RELATIME,      0             },
    {"ro",            MS_RDONLY,        0             },
    {"rw",            0,                MS_RDONLY     },
    {"strictatime",   MS_STRICTATIME,   0             },
    {"suid",          0,                MS_NOSUID     },
    {"sync",          MS_SYNCHRONOUS,   0             },
};

static bool apply_flag(const char *word, unsigned long *flags)
{
    for (size_t i = 0; i < ARRAY_SIZE(mount_flags); i++)
        if (strcmp(mount_flags[i].word, word) == 0) {
            *flags = (*flags & ~mount_flags[i].clear) | mount_flags[i].set;
            return true;
        }
    return false;
}

bool volume_options_bind(const char *options)
{
    char **words = strv_split(NULL, options ? options : "", ',');
    bool bind = strv_contains(words, "bind") || strv_contains(words, "rbind");
    talloc_free(words);
    return bind;
}

/* The kernel's network file systems take addresses; people write names. */
static int resolve(const void *owner, const char *host, char **ret, struct error *err)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    char text[INET6_ADDRSTRLEN + 16];
    int r = getaddrinfo(host, NULL, &hints, &found);
    if (r != 0)
        return error_set(err, EHOSTUNREACH, "host '%s': %s", host, gai_strerror(r));
    r = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    if (r != 0)
        return error_set(err, EHOSTUNREACH, "host '%s': %s", host, gai_strerror(r));
    *ret = mem_strdup(owner, text);
    return 0;
}

/* Flags, and what is left for the file system; NFS learns its server's address from the device. */
static int parse_options(const void *owner, const struct mount_spec *m, unsigned long *flags, char **data,
                         struct error *err)
{
    char **rest = NULL, *address;
    char **words = strv_split(owner, m->fs_options ? m->fs_options : "", ',');
    bool has_address = false;
    *flags = 0;
    for (char **w = words; *w; w++) {
        const char *host = str_after(*w, "addr=");
        if (!**w || apply_flag(*w, flags))
            continue;
        int r = host ? resolve(owner, host, &address, err) : 0;
        if (r < 0)
            return r;
        rest = host ? strv_addf(owner, rest, "addr=%s", address) : strv_add(owner, rest, *w);
        has_address |= host != NULL;
    }
    const char *colon = strchr(m->fs_device, ':');
    if (str_starts(m->fs_type, "nfs") && !has_address && colon && colon != m->fs_device) {
        char *host = mem_strndup(owner, m->fs_device, (size_t)(colon - m->fs_device));
        int r = resolve(owner, host, &address, err);
        if (r < 0)
            return r;
        rest = strv_addf(owner, rest, "addr=%s", address);
    }
    *data = strv_join(owner, rest, ",");
    return 0;
}

static int mount_volume(const struct mount_spec *m, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    unsigned long flags;
    char *data;
    int r = parse_options(tmp, m, &flags, &data, err);
    /* A bind takes its other flags at a second call only. */
    unsigned long bind = flags & MS_BIND ? flags & (MS_BIND | MS_REC) : 0;
    if (r == 0 &&
        (mount(m->fs_device, m->source, m->fs_type, bind ? bind : flags, data) < 0 ||
         (bind && flags != bind &&
          mount(NULL, m->source, NULL, MS_REMOUNT | MS_BIND | (flags & ~(unsigned long)MS_REC), NULL) < 0))) {
        error_errno(err, "mount '%s' (type '%s', options '%s')", m->fs_device, m->fs_type,
                    m->fs_options ? m->fs_options : "");
        r = error_hint(err, "these are the driver_opts device, type and o of the volume");
    }
    return r < 0 ? error_wrap(err, "volume %s", m->volume) : 0;
}

void volume_add_flags(const struct mount_spec *m, json_t *options)
{
    static const char *const kept[] = {"nodev", "noexec", "nosuid"};
    char **words = strv_split(NULL, m->fs_options ? m->fs_options : "", ',');
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (strv_contains(words, kept[i]))
            json_add_strings(options, kept[i], NULL);
    talloc_free(words);
}

/* ---- who has it ---- */

static char *users_dir(const void *owner, const struct runtime_dirs *dirs, const char *volume)
{
    return mem_printf(owner, "%s/volumes/%s", dirs->run, volume);
}

enum { USER_GONE = 1, USER_STARTING = 2 };

/* Clones the mount from the namespace of another container's monitor. */
static int take_from(const struct runtime_dirs *dirs, const char *id, const struct mount_spec *m)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int pidfd = -1;
    struct container_paths paths;
    struct container_status status;
    if (paths_make(tmp, dirs, id, &paths, NULL) < 0 || !fs_exists(paths.run))
        return USER_GONE;
    if (!monitor_lives(&paths) && (container_adopt(dirs, id, NULL) < 0 || !monitor_lives(&paths)))
        return USER_GONE;
    if (status_load(&paths, &status, NULL) != 0 ||
        !status_process_lives(status.monitor_pid, status.monitor_start))
        return USER_STARTING;
    if (pidfd_open_process(status.monitor_pid, &pidfd, NULL) < 0 ||
        !status_process_lives(status.monitor_pid, status.monitor_start))
        return USER_STARTING; /* ended at this moment: its lock tells the next time */
    return rootfs_take_mount(pidfd, m->source, m->source, false, NULL) < 0 ? USER_GONE : 0;
}

static int share(const struct runtime_dirs *dirs, const char *own_id, const struct mount_spec *m,
                 struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *dir = users_dir(tmp, dirs, m->volume), **users;
    int r = fs_list(tmp, dir, &users, err);
    if (r < 0)
        return r;
    for (; users && *users; users++) {
        if (str_eq(*users, own_id))
            continue;
        r = take_from(dirs, *users, m);
        for (int round = 0; r == USER_STARTING && round < WAIT_ROUNDS; round++) {
            nanosleep(&(struct timespec){.tv_nsec = WAIT_ROUND_MS * 1000000L}, NULL);
            r = take_from(dirs, *users, m);
        }
        if (r == 0)
            return 0;
        if (r == USER_STARTING)
            return error_set(err, EBUSY, "volume %s: another container that has it does not come up",
                             m->volume);
    }
    return USER_GONE;
}

static int provide(const struct runtime_dirs *dirs, const char *id, const struct mount_spec *m,
                   struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *dir = users_dir(tmp, dirs, m->volume);
    int r = fs_mkdir_p(dir, 0700, err);
    if (r == 0)
        r = fs_write_file(mem_printf(tmp, "%s/%s", dir, id), "", 0, 0600, false, err);
    if (r == 0)
        r = share(dirs, id, m, err);
    return r == USER_GONE ? mount_volume(m, err) : r;
}

/* ---- of a container ---- */

/* A volume can be at two places of a container; it is mounted once. */
static bool is_first(const struct container_spec *spec, size_t i)
{
    for (size_t n = 0; n < i; n++)
        if (str_eq(spec->mounts[n].volume, spec->mounts[i].volume))
            return false;
    return spec->mounts[i].fs_type != NULL;
}

int volumes_mount(const struct runtime_dirs *dirs, const struct container_spec *spec, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    int r = 0;
    for (size_t i = 0; r == 0 && i < spec->mount_count; i++) {
        if (!is_first(spec, i))
            continue;
        if (lock < 0)
            r = fs_lock(mem_printf(tmp, "%s/volumes.lock", dirs->run), false, true, &lock, err);
        if (r == 0)
            r = provide(dirs, spec->id, &spec->mounts[i], err);
    }
    return r;
}

void volumes_take(const struct runtime_dirs *dirs, const struct container_spec *spec, int pidfd)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct mount_spec *m = &spec->mounts[i];
        if (!is_first(spec, i))
            continue;
        /* The container goes on with what it has; a restart without the mount fails and says why. */
        if (!str_is_empty(m->subpath) || rootfs_take_mount(pidfd, m->target, m->source, false, NULL) < 0)
            provide(dirs, spec->id, m, NULL);
    }
}

void volumes_forget(const struct runtime_dirs *dirs, const struct container_spec *spec)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (size_t i = 0; i < spec->mount_count; i++) {
        if (!is_first(spec, i))
            continue;
        char *dir = users_dir(tmp, dirs, spec->mounts[i].volume);
        unlink(mem_printf(tmp, "%s/%s", dir, spec->id));
        rmdir(dir);
    }
    rmdir(mem_printf(tmp, "%s/volumes", dirs->run));
}
