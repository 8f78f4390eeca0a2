/*
 * The OCI bundle: config.json in the form of the OCI runtime specification 1.0, with the defaults that
 * Docker gives its containers. The masked and read-only paths are the union of Docker's and Podman's lists.
 */
#include "runtime/private.h"

#include "sys/fs.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/resource.h>

static const char *const masked_paths[] = {
    "/proc/acpi",       "/proc/asound",        "/proc/interrupts",  "/proc/kcore",
    "/proc/keys",       "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
    "/proc/timer_list", "/proc/timer_stats",   "/sys/firmware",     "/sys/devices/virtual/powercap",
    "/sys/fs/selinux",
};

static const char *const readonly_paths[] = {"/proc/asound", "/proc/bus", "/proc/fs",
                                             "/proc/irq",    "/proc/sys", "/proc/sysrq-trigger"};

void json_add_strings(json_t *array, ...)
{
    va_list ap;
    va_start(ap, array);
    for (const char *s; (s = va_arg(ap, const char *));)
        json_array_append_new(array, json_string_nocheck(s));
    va_end(ap);
}

static json_t *strings(char *const *v)
{
    json_t *array = json_array();
    for (; v && *v; v++)
        json_add_strings(array, *v, NULL);
    return array;
}

const char *security_option(const struct container_spec *spec, const char *name)
{
    size_t n = strlen(name);
    for (char **o = spec->security_opt; o && *o; o++)
        if (strncmp(*o, name, n) == 0 && ((*o)[n] == '=' || (*o)[n] == ':' || (*o)[n] == '\0'))
            return (*o)[n] ? *o + n + 1 : "true";
    return NULL;
}

bool spec_no_new_privileges(const struct container_spec *spec)
{
    const char *option = security_option(spec, "no-new-privileges");
    return spec->no_new_privileges || (option && !str_eq(option, "false"));
}

static const struct {
    const char *name;
    int resource;
} ulimits[] = {
    {"AS",         RLIMIT_AS        },
    {"CORE",       RLIMIT_CORE      },
    {"CPU",        RLIMIT_CPU       },
    {"DATA",       RLIMIT_DATA      },
    {"FSIZE",      RLIMIT_FSIZE     },
    {"LOCKS",      RLIMIT_LOCKS     },
    {"MEMLOCK",    RLIMIT_MEMLOCK   },
    {"MSGQUEUE",   RLIMIT_MSGQUEUE  },
    {"NICE",       RLIMIT_NICE      },
    {"NOFILE",     RLIMIT_NOFILE    },
    {"NPROC",      RLIMIT_NPROC     },
    {"RSS",        RLIMIT_RSS       },
    {"RTPRIO",     RLIMIT_RTPRIO    },
    {"RTTIME",     RLIMIT_RTTIME    },
    {"SIGPENDING", RLIMIT_SIGPENDING},
    {"STACK",      RLIMIT_STACK     },
};

bool ulimit_is_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(ulimits); i++)
        if (strcasecmp(ulimits[i].name, name) == 0)
            return true;
    return false;
}

/* CAP_SYS_RESOURCE, without which hard limits only go down and the out-of-memory score only up. */
static bool has_resource_privilege(void)
{
    return caps_all() & (UINT64_C(1) << 24);
}

/* The highest hard limit that can be set. For descriptors the kernel has a ceiling that no privilege lifts.
 */
static rlim_t rlimit_ceiling(int resource)
{
    struct rlimit current;
    if (!has_resource_privilege() && getrlimit((__rlimit_resource_t)resource, &current) == 0)
        return current.rlim_max;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text;
    int64_t ceiling;
    if (resource != RLIMIT_NOFILE || fs_read_file(tmp, "/proc/sys/fs/nr_open", 64, &text, NULL, NULL) != 0)
        return RLIM_INFINITY;
    text[strcspn(text, "\n")] = '\0';
    return str_to_i64(text, 1, INT64_MAX, &ceiling) ? (rlim_t)ceiling : RLIM_INFINITY;
}

static json_t *rlimits(const struct container_spec *spec)
{
    json_t *array = json_array();
    omap_foreach (e, spec->ulimits) {
        const struct ulimit *wanted = e->value;
        for (size_t i = 0; i < ARRAY_SIZE(ulimits); i++) {
            if (strcasecmp(ulimits[i].name, e->key) != 0)
                continue;
            rlim_t ceiling = rlimit_ceiling(ulimits[i].resource);
            rlim_t hard = wanted->hard < 0 ? RLIM_INFINITY : (rlim_t)wanted->hard;
            rlim_t soft = wanted->soft < 0 ? RLIM_INFINITY : (rlim_t)wanted->soft;
            hard = hard > ceiling ? ceiling : hard;
            soft = soft > hard ? hard : soft;
            char type[32];
            snprintf(type, sizeof(type), "RLIMIT_%s", ulimits[i].name);
            /* RLIM_INFINITY does not fit into a signed JSON integer of 64 bits; -1 reads back as it. */
            json_array_append_new(array, json_pack("{s:s, s:I, s:I}", "type", type, "hard", (json_int_t)hard,
                                                   "soft", (json_int_t)soft));
        }
    }
    return array;
}

static bool env_has(const json_t *env, const char *name)
{
    size_t n = strlen(name), i;
    json_t *value;
    json_array_foreach ((json_t *)(uintptr_t)env, i, value) {
        const char *s = json_string_value(value);
        if (strncmp(s, name, n) == 0 && s[n] == '=')
            return true;
    }
    return false;
}

static void env_default(json_t *env, const char *name, const char *value)
{
    char text[512];
    if (!env_has(env, name) && snprintf(text, sizeof(text), "%s=%s", name, value) < (int)sizeof(text))
        json_add_strings(env, text, NULL);
}

/* A later setting of a variable takes the place of an earlier one, as a shell would have it. */
static json_t *make_env(const struct bundle *bundle, char *const *more, bool tty)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *map = omap_new(tmp);
    char *const *lists[] = {bundle->spec->env, more};
    for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
        for (char *const *e = lists[l]; e && *e; e++) {
            char *equal = strchr(*e, '=');
            char *key = equal ? mem_strndup(tmp, *e, (size_t)(equal - *e)) : *e;
            omap_set_str(map, key, *e);
        }
    json_t *env = json_array();
    if (!omap_has(map, "PATH"))
        json_add_strings(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL);
    omap_foreach (e, map)
        json_add_strings(env, (const char *)e->value, NULL);
    if (!str_is_empty(bundle->spec->hostname))
        env_default(env, "HOSTNAME", bundle->spec->hostname);
    if (tty)
        env_default(env, "TERM", "xterm");
    env_default(env, "HOME", bundle->user->home);
    return env;
}

int bundle_oom_score(const struct container_spec *spec)
{
    int64_t current = 0;
    char text[32] = "";
    cleanup_close int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n > 0) {
        text[strcspn(text, "\n")] = '\0';
        str_to_i64(text, -1000, 1000, &current);
    }
    if (spec->oom_score_adj < -1000 || spec->oom_score_adj > 1000)
        return (int)current;
    return (int)(spec->oom_score_adj < current && !has_resource_privilege() ? current : spec->oom_score_adj);
}

json_t *bundle_process(const struct bundle *bundle, char *const *argv, char *const *env, const char *cwd,
                       bool tty)
{
    const struct container_spec *spec = bundle->spec;
    json_t *groups = json_array();
    for (size_t i = 0; i < bundle->user->group_count; i++)
        json_array_append_new(groups, json_integer(bundle->user->groups[i]));
    /* Inheritable and ambient sets stay empty (CVE-2022-24769 and its kin). */
    json_t *process = json_pack(
        "{s:b, s:{s:I, s:I, s:o}, s:o, s:o, s:s, s:{s:o, s:o, s:o}, s:o, s:b, s:I}", //
        "terminal", tty, "user", "uid", (json_int_t)bundle->user->uid, "gid", (json_int_t)bundle->user->gid,
        "additionalGids", groups, "args", strings(argv), "env", make_env(bundle, env, tty), "cwd",
        str_is_empty(cwd) ? "/" : cwd, "capabilities", "bounding", caps_to_json(bundle->caps), "effective",
        caps_to_json(bundle->caps), "permitted", caps_to_json(bundle->caps), "rlimits", rlimits(spec),
        "noNewPrivileges", spec_no_new_privileges(spec), "oomScoreAdj", (json_int_t)bundle_oom_score(spec));
    /* Where the kernel has no AppArmor a profile means nothing, as with docker. */
    const char *apparmor = security_option(spec, "apparmor");
    if (process && apparmor && fs_exists("/sys/kernel/security/apparmor"))
        json_object_set_new(process, "apparmorProfile", json_string_nocheck(apparmor));
    return process;
}

int joined_container(const struct runtime_dirs *dirs, const char *mode, struct container_status *ret,
                     struct error *err)
{
    const char *id = str_after(mode, "container:");
    int r = container_status_read(dirs, id, ret, err);
    if (r < 0)
        return r;
    if (r == CONTAINER_ABSENT || ret->pid <= 0)
        return error_set(err, ESRCH, "container '%.12s', whose namespace is to be joined, is not running",
                         id);
    return 0;
}

static int add_namespace(const struct bundle *bundle, json_t *list, const char *type, const char *kind,
                         const char *mode, struct error *err)
{
    char path[64];
    if (str_eq(mode, "host"))
        return 0;
    if (mode && str_starts(mode, "container:")) {
        struct container_status status;
        int r = joined_container(bundle->dirs, mode, &status, err);
        if (r < 0)
            return r;
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)status.pid, kind);
        json_array_append_new(list, json_pack("{s:s, s:s}", "type", type, "path", path));
        return 0;
    }
    json_array_append_new(list, json_pack("{s:s}", "type", type));
    return 0;
}

static int add_namespaces(const struct bundle *bundle, json_t *linux_part, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    json_t *list = json_array();
    json_object_set_new(linux_part, "namespaces", list);
    int r = add_namespace(bundle, list, "mount", "mnt", NULL, err);
    if (r == 0)
        r = add_namespace(bundle, list, "pid", "pid", spec->pid_mode, err);
    if (r == 0)
        r = add_namespace(bundle, list, "ipc", "ipc", spec->ipc_mode, err);
    if (r == 0)
        r = add_namespace(bundle, list, "uts", "uts", spec->uts_mode, err);
    if (r == 0)
        r = add_namespace(bundle, list, "cgroup", "cgroup", spec->cgroup_mode, err);
    if (r == 0 && spec->netns)
        json_array_append_new(list, json_pack("{s:s, s:s}", "type", "network", "path", spec->netns));
    return r;
}

/* A sysctl belongs to a namespace that the container has of its own, or it would change the host. */
static bool sysctl_allowed(const struct container_spec *spec, const char *key)
{
    static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                      "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                      "kernel.shmmni", "kernel.shm_rmid_forced"};
    if (strstr(key, "..") || strchr(key, '/'))
        return false;
    if (str_starts(key, "net."))
        return spec->netns != NULL;
    if (str_eq(key, "kernel.hostname") || str_eq(key, "kernel.domainname"))
        return !str_eq(spec->uts_mode, "host");
    for (size_t i = 0; i < ARRAY_SIZE(ipc); i++)
        if (str_eq(key, ipc[i]))
            return !str_eq(spec->ipc_mode, "host");
    return str_starts(key, "fs.mqueue.") && !str_eq(spec->ipc_mode, "host");
}

static int add_sysctls(const struct bundle *bundle, json_t *linux_part, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    json_t *object = json_object();
    json_object_set_new(linux_part, "sysctl", object);
    if (spec->netns) {
        json_object_set_new(object, "net.ipv4.ip_unprivileged_port_start", json_string("0"));
        json_object_set_new(object, "net.ipv4.ping_group_range", json_string("0 2147483647"));
    }
    if (!str_is_empty(spec->domainname) && !str_eq(spec->uts_mode, "host"))
        json_object_set_new(object, "kernel.domainname", json_string_nocheck(spec->domainname));
    omap_foreach (e, spec->sysctls) {
        if (!sysctl_allowed(spec, e->key))
            return error_set(err, EPERM, "sysctl '%s' does not belong to a namespace of the container",
                             e->key);
        json_object_set_new(object, e->key, json_string_nocheck(e->value ? e->value : ""));
    }
    return 0;
}

static json_t *path_list(const char *const *paths, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_add_strings(array, paths[i], NULL);
    return array;
}

/* Each processor's thermal_throttle directory tells about the load of others. */
static void mask_thermal(json_t *masked)
{
    char path[96];
    for (long i = 0, n = sysconf(_SC_NPROCESSORS_CONF); i < n; i++) {
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/thermal_throttle", i);
        if (fs_exists(path))
            json_add_strings(masked, path, NULL);
    }
}

/*
 * With cgroup v1 a runtime may leave the tmpfs above the hierarchies writable. They are named one by one,
 * because covering the tmpfs uncovers what the runtime has still to make read-only below.
 */
static void protect_cgroup1(const struct container_spec *spec, json_t *readonly)
{
    static const char top[] = "/sys/fs/cgroup";
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    if (fs_exists("/sys/fs/cgroup/cgroup.controllers") || bundle_target_is_taken(spec, top) ||
        fs_list(tmp, top, &names, NULL) < 0 || !names)
        return;
    json_add_strings(readonly, top, NULL);
    for (; *names; names++) {
        char *path = mem_printf(tmp, "%s/%s", top, *names), link[8];
        if (!str_eq(*names, "unified") && readlink(path, link, sizeof(link)) < 0)
            json_add_strings(readonly, path, NULL);
    }
}

static int add_linux(const struct bundle *bundle, json_t *linux_part, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    int r = add_namespaces(bundle, linux_part, err);
    if (r == 0)
        r = add_sysctls(bundle, linux_part, err);
    if (r == 0)
        r = bundle_resources(bundle, linux_part, err);
    if (r < 0)
        return r;
    json_object_set_new(linux_part, "cgroupsPath", json_string_nocheck(bundle->paths->cgroup));
    json_object_set_new(linux_part, "rootfsPropagation", json_string(root_propagation(spec)));
    if (!spec->privileged && !str_eq(security_option(spec, "systempaths"), "unconfined")) {
        json_t *masked = path_list(masked_paths, ARRAY_SIZE(masked_paths));
        mask_thermal(masked);
        json_object_set_new(linux_part, "maskedPaths", masked);
        json_t *readonly = path_list(readonly_paths, ARRAY_SIZE(readonly_paths));
        protect_cgroup1(spec, readonly);
        json_object_set_new(linux_part, "readonlyPaths", readonly);
    }
    return 0;
}

static int add_seccomp(const struct bundle *bundle, json_t *annotations, json_t *linux_part,
                       struct error *err)
{
    const char *option = security_option(bundle->spec, "seccomp");
    if (str_eq(option, "unconfined") || (bundle->spec->privileged && !option))
        return 0;
    if (option && !str_eq(option, "builtin") && !str_eq(option, "default")) {
        json_t *profile;
        int r = seccomp_profile_read(option, bundle->caps, &profile, err);
        if (r == 0)
            json_object_set_new(linux_part, "seccomp", profile);
        return r;
    }
    char *program = seccomp_program(NULL, bundle->caps);
    json_object_set_new(annotations, "run.oci.seccomp_bpf_data", json_string(program));
    talloc_free(program);
    return 0;
}

static char **full_argv(const void *owner, const struct container_spec *spec)
{
    char **argv = spec->init ? strv_new(owner, "/dev/init", "--", NULL) : NULL;
    return strv_extend(owner, argv, spec->argv);
}

int bundle_write(const struct bundle *bundle, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    json_t *mounts = json_array(), *linux_part = json_object(), *annotations = json_object();
    cleanup_json json_t *config =
        json_pack("{s:s, s:{s:s, s:b}, s:o, s:o, s:o, s:o}", "ociVersion", "1.0.2", "root", "path",
                  bundle->paths->merged, "readonly", spec->read_only, "mounts", mounts, "linux", linux_part,
                  "annotations", annotations, "process",
                  bundle_process(bundle, full_argv(tmp, spec), NULL, spec->cwd, spec->tty));
    if (!config)
        return error_set(err, EINVAL, "the container's command or environment is not valid UTF-8");
    if (!str_is_empty(spec->hostname) && !str_eq(spec->uts_mode, "host"))
        json_object_set_new(config, "hostname", json_string_nocheck(spec->hostname));
    /* Annotations steer the runtime; those that open doors on the host are ours alone. */
    omap_foreach (e, spec->annotations)
        if (!str_starts(e->key, "run.oci.") && e->value)
            json_object_set_new(annotations, e->key, json_string_nocheck(e->value));
    int r = bundle_mounts(bundle, mounts, err);
    if (r == 0)
        r = add_linux(bundle, linux_part, err);
    if (r == 0)
        r = add_seccomp(bundle, annotations, linux_part, err);
    if (r == 0)
        r = cdi_apply(spec, config, err);
    return r < 0 ? r
                 : bundle_json_write(config, mem_printf(tmp, "%s/config.json", bundle->paths->bundle), err);
}
