/* Resource limits and devices of a bundle. */
#include "runtime/private.h"

#include "base/path.h"
#include "sys/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { PERIOD_DEFAULT = 100000 };

static void set_integer(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, json_integer(value));
}

static bool swap_is_accounted(void)
{
    return !fs_exists("/sys/fs/cgroup/memory/memory.limit_in_bytes") ||
           fs_exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
}

static json_t *memory_part(const struct container_spec *spec)
{
    json_t *memory = json_object();
    if (spec->mem_limit > 0)
        set_integer(memory, "limit", spec->mem_limit);
    if (spec->mem_reservation > 0)
        set_integer(memory, "reservation", spec->mem_reservation);
    if (swap_is_accounted()) {
        if (spec->memswap_limit == -2 && spec->mem_limit > 0)
            set_integer(memory, "swap", -1);
        else if (spec->memswap_limit > 0)
            set_integer(memory, "swap", spec->memswap_limit);
        else if (spec->mem_limit > 0) /* as Docker: as much swap as memory */
            set_integer(memory, "swap", spec->mem_limit * 2);
    }
    if (spec->mem_swappiness >= 0 && fs_exists("/sys/fs/cgroup/memory/memory.swappiness"))
        set_integer(memory, "swappiness", spec->mem_swappiness);
    if (spec->oom_kill_disable && fs_exists("/sys/fs/cgroup/memory/memory.oom_control"))
        json_object_set_new(memory, "disableOOMKiller", json_true());
    return memory;
}

static json_t *cpu_part(const struct container_spec *spec)
{
    json_t *cpu = json_object();
    if (spec->cpu_shares > 0)
        set_integer(cpu, "shares", spec->cpu_shares);
    if (spec->cpus > 0) {
        set_integer(cpu, "quota", (int64_t)(spec->cpus * PERIOD_DEFAULT));
        set_integer(cpu, "period", PERIOD_DEFAULT);
    } else {
        if (spec->cpu_quota > 0)
            set_integer(cpu, "quota", spec->cpu_quota);
        if (spec->cpu_period > 0)
            set_integer(cpu, "period", spec->cpu_period);
    }
    if (spec->cpu_rt_period > 0)
        set_integer(cpu, "realtimePeriod", spec->cpu_rt_period);
    if (spec->cpu_rt_runtime > 0)
        set_integer(cpu, "realtimeRuntime", spec->cpu_rt_runtime);
    if (!str_is_empty(spec->cpuset))
        json_object_set_new(cpu, "cpus", json_string_nocheck(spec->cpuset));
    return cpu;
}

/* Weights need an I/O scheduler that knows them; without one they are left out, as docker does. */
static bool weight_is_known(void)
{
    return fs_exists("/sys/fs/cgroup/cgroup.controllers") || fs_exists("/sys/fs/cgroup/blkio/blkio.weight") ||
           fs_exists("/sys/fs/cgroup/blkio/blkio.bfq.weight");
}

static int blkio_part(const struct container_spec *spec, json_t *resources, struct error *err)
{
    static const struct {
        const char *key, *list, *value;
    } rows[] = {
        {"device_read_bps",   "throttleReadBpsDevice",   "rate"  },
        {"device_read_iops",  "throttleReadIOPSDevice",  "rate"  },
        {"device_write_bps",  "throttleWriteBpsDevice",  "rate"  },
        {"device_write_iops", "throttleWriteIOPSDevice", "rate"  },
        {"weight_device",     "weightDevice",            "weight"},
    };
    json_t *block = json_object();
    json_object_set_new(resources, "blockIO", block);
    for (size_t i = 0; i < spec->blkio_count; i++) {
        const struct blkio_limit *limit = &spec->blkio[i];
        struct stat st;
        if (str_starts(limit->key, "weight") && !weight_is_known())
            continue;
        if (!limit->path) {
            set_integer(block, limit->key, limit->value);
            continue;
        }
        if (stat(limit->path, &st) < 0)
            return error_errno(err, "blkio_config.%s: '%s'", limit->key, limit->path);
        if (!S_ISBLK(st.st_mode))
            return error_set(err, ENOTBLK, "blkio_config.%s: '%s' is not a block device", limit->key,
                             limit->path);
        for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
            if (!str_eq(rows[k].key, limit->key))
                continue;
            if (!json_object_get(block, rows[k].list))
                json_object_set_new(block, rows[k].list, json_array());
            json_array_append_new(json_object_get(block, rows[k].list),
                                  json_pack("{s:I, s:I, s:I}", "major", (json_int_t)major(st.st_rdev),
                                            "minor", (json_int_t)minor(st.st_rdev), rows[k].value,
                                            (json_int_t)limit->value));
        }
    }
    return 0;
}

static int add_rule(json_t *rules, const char *text, struct error *err)
{
    char type, major_text[16], minor_text[16], access[8];
    int64_t major_number, minor_number;
    int end = 0;
    if (sscanf(text, "%c %15[0-9*]:%15[0-9*] %7[rwm]%n", &type, major_text, minor_text, access, &end) != 4 ||
        text[end] != '\0' || !strchr("abc", type))
        return error_set(err, EINVAL, "device_cgroup_rules: '%s' is not like \"c 1:3 rwm\"", text);
    json_t *rule = json_pack("{s:b, s:s%, s:s}", "allow", 1, "type", &type, (size_t)1, "access", access);
    json_array_append_new(rules, rule);
    if (str_to_i64(major_text, 0, UINT32_MAX, &major_number))
        set_integer(rule, "major", major_number);
    else if (!str_eq(major_text, "*"))
        return error_set(err, EINVAL, "device_cgroup_rules: '%s' is not a device number", major_text);
    if (str_to_i64(minor_text, 0, UINT32_MAX, &minor_number))
        set_integer(rule, "minor", minor_number);
    else if (!str_eq(minor_text, "*"))
        return error_set(err, EINVAL, "device_cgroup_rules: '%s' is not a device number", minor_text);
    return 0;
}

static void add_node(const struct stat *st, const char *target, const char *access, json_t *devices,
                     json_t *rules)
{
    const char *type = S_ISBLK(st->st_mode) ? "b" : "c";
    json_int_t major_number = major(st->st_rdev), minor_number = minor(st->st_rdev);
    json_array_append_new(devices, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "type", type, "path",
                                             target, "major", major_number, "minor", minor_number, "fileMode",
                                             (json_int_t)(st->st_mode & 0777), "uid", (json_int_t)st->st_uid,
                                             "gid", (json_int_t)st->st_gid));
    if (access)
        json_array_append_new(rules, json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type", type, "major",
                                               major_number, "minor", minor_number, "access", access));
}

/* A device, or all devices below a directory. Links and what is made by the runtime itself are left out. */
static int add_tree(const char *source, const char *target, const char *access, int depth, json_t *devices,
                    json_t *rules, struct error *err)
{
    static const char *const skipped[] = {"pts",  "shm",  "fd",  "mqueue", "console", "ptmx", "null",
                                          "zero", "full", "tty", "random", "urandom", "core"};
    struct stat st;
    if ((depth ? lstat(source, &st) : stat(source, &st)) < 0)
        return depth ? 0 : error_errno(err, "device '%s'", source);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        add_node(&st, target, access, devices, rules);
        return 0;
    }
    if (!S_ISDIR(st.st_mode))
        return depth ? 0 : error_set(err, ENODEV, "'%s' is not a device", source);
    if (depth > 4)
        return 0;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, source, &names, err);
    for (size_t i = 0; r == 0 && names && names[i]; i++) {
        bool skip = names[i][0] == '.';
        for (size_t k = 0; !skip && depth == 0 && str_eq(target, "/dev") && k < ARRAY_SIZE(skipped); k++)
            skip = str_eq(names[i], skipped[k]);
        if (!skip)
            r = add_tree(mem_printf(tmp, "%s/%s", source, names[i]),
                         mem_printf(tmp, "%s/%s", target, names[i]), access, depth + 1, devices, rules, err);
    }
    return r;
}

/* A path, or a pattern whose matches keep their names below the target's directory. */
static int add_device(const struct device_mapping *d, json_t *devices, json_t *rules, struct error *err)
{
    const char *target = str_is_empty(d->target) ? d->source : d->target,
               *access = str_is_empty(d->permissions) ? "rwm" : d->permissions;
    if (!strpbrk(d->source, "*?[") || fs_exists(d->source))
        return add_tree(d->source, target, access, 0, devices, rules, err);
    glob_t found;
    if (glob(d->source, 0, NULL, &found) != 0)
        return error_set(err, ENODEV, "no device matches '%s'", d->source);
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = 0;
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        char *to = str_eq(target, d->source) ? mem_strdup(tmp, path)
                                             : path_join(tmp, path_parent(tmp, target), path_name(path));
        r = add_tree(path, to, access, 0, devices, rules, err);
    }
    globfree(&found);
    return r;
}

int bundle_devices(const struct bundle *bundle, json_t *linux_part, json_t *rules, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    json_t *devices = json_array();
    json_object_set_new(linux_part, "devices", devices);
    int r = spec->privileged ? add_tree("/dev", "/dev", NULL, 0, devices, rules, err) : 0;
    for (size_t i = 0; r == 0 && i < spec->device_count; i++)
        r = cdi_is_name(spec->devices[i].source) ? 0 : add_device(&spec->devices[i], devices, rules, err);
    for (char **rule = spec->device_cgroup_rules; r == 0 && rule && *rule; rule++)
        r = add_rule(rules, *rule, err);
    return r;
}

int bundle_resources(const struct bundle *bundle, json_t *linux_part, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    json_t *rules = json_array();
    json_t *resources =
        json_pack("{s:o, s:o, s:o}", "memory", memory_part(spec), "cpu", cpu_part(spec), "devices", rules);
    json_object_set_new(linux_part, "resources", resources);
    json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", spec->privileged ? 1 : 0, "access", "rwm"));
    if (spec->pids_limit > 0)
        json_object_set_new(resources, "pids", json_pack("{s:I}", "limit", (json_int_t)spec->pids_limit));
    int r = blkio_part(spec, resources, err);
    return r < 0 ? r : bundle_devices(bundle, linux_part, rules, err);
}
