/*
 * What a container uses, from its cgroup and its network namespace. The same values have other names in the
 * two versions of cgroups, and a machine may have both mounted: each is read from the first hierarchy that
 * has it.
 */
#include "runtime/private.h"

#include "sys/fs.h"

#include <inttypes.h>

static const struct counter {
    const char *file, *key; /* key NULL: the file is the number */
    uint64_t scale;
    size_t offset;
} counters[] = {
#define AT(member) offsetof(struct container_usage, member)
    {"cpu.stat",              "usage_usec",          1000, AT(cpu_ns)      },
    {"cpuacct.usage",         NULL,                  1,    AT(cpu_ns)      },
    {"memory.current",        NULL,                  1,    AT(memory)      },
    {"memory.usage_in_bytes", NULL,                  1,    AT(memory)      },
    {"memory.max",            NULL,                  1,    AT(memory_limit)},
    {"memory.limit_in_bytes", NULL,                  1,    AT(memory_limit)},
    {"memory.stat",           "total_inactive_file", 1,    AT(memory_cache)},
    {"memory.stat",           "inactive_file",       1,    AT(memory_cache)},
    {"pids.current",          NULL,                  1,    AT(pids)        },
#undef AT
};

/* The number of the line "key number", or the file's only one. */
static bool find_number(char *text, const char *key, uint64_t *ret)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        char *number = key ? strchr(line, ' ') : line;
        if (!number)
            continue;
        if (key) {
            *number++ = '\0';
            if (!str_eq(line, key))
                continue;
        }
        return str_to_u64(number, 0, UINT64_MAX, ret);
    }
    return false;
}

static void read_counters(const char *dir, struct container_usage *usage, uint64_t *known)
{
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        const struct counter *c = &counters[i];
        uint64_t value, bit = 1ull << (c->offset / sizeof(uint64_t));
        char *text;
        if (*known & bit ||
            fs_read_file(tmp, mem_printf(tmp, "%s/%s", dir, c->file), 1 << 16, &text, NULL, NULL) != 0 ||
            !find_number(text, c->key, &value))
            continue;
        *(uint64_t *)((char *)usage + c->offset) = value * c->scale;
        *known |= bit;
    }
}

/* v2: "8:0 rbytes=1 wbytes=2 ..."; v1: "8:0 Read 1". Each of the devices. */
static bool read_io(const char *dir, struct container_usage *usage)
{
    static const char *const files[] = {"io.stat", "blkio.throttle.io_service_bytes_recursive",
                                        "blkio.throttle.io_service_bytes"};
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char *text;
        if (fs_read_file(tmp, mem_printf(tmp, "%s/%s", dir, files[i]), 1 << 16, &text, NULL, NULL) != 0)
            continue;
        for (char *line; (line = strsep(&text, "\n"));) {
            uint64_t read = 0, written = 0;
            if (sscanf(line, "%*s rbytes=%" SCNu64 " wbytes=%" SCNu64, &read, &written) == 0 &&
                sscanf(line, "%*s Read %" SCNu64, &read) == 0)
                sscanf(line, "%*s Write %" SCNu64, &written);
            usage->io_read += read;
            usage->io_written += written;
        }
        return true;
    }
    return false;
}

/* Everything but the loopback of the namespace that the process is in. */
static void read_network(pid_t pid, struct container_usage *usage)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text;
    if (fs_read_file(tmp, mem_printf(tmp, "/proc/%d/net/dev", (int)pid), 1 << 16, &text, NULL, NULL) != 0)
        return;
    for (char *line; (line = strsep(&text, "\n"));) {
        char name[32];
        uint64_t received, sent;
        if (sscanf(line, " %31[^:]: %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name, &received,
                   &sent) == 3 &&
            !str_eq(name, "lo")) {
            usage->net_received += received;
            usage->net_sent += sent;
        }
    }
}

/* A limit above the machine's memory is none. */
static void limit_memory(struct container_usage *usage, bool known)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text, *found;
    uint64_t kib = 0;
    if (fs_read_file(tmp, "/proc/meminfo", 1 << 16, &text, NULL, NULL) == 0 &&
        (found = strstr(text, "MemTotal:")))
        sscanf(found, "MemTotal: %" SCNu64, &kib);
    if (kib && (!known || usage->memory_limit > kib * 1024))
        usage->memory_limit = kib * 1024;
}

int container_usage(const struct runtime_dirs *dirs, const char *id, struct container_usage *ret,
                    struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_paths paths;
    struct container_spec *spec;
    struct container_status status;
    struct container_usage usage = {.at = loop_now_ns()};
    uint64_t known = 0;
    bool has_io = false;
    int r = paths_make(tmp, dirs, id, &paths, err);
    if (r == 0)
        r = container_load(tmp, dirs, id, &spec, err);
    if (r == 0)
        r = container_status_read(dirs, id, &status, err);
    if (r < 0)
        return r;
    if (r == CONTAINER_ABSENT || status.pid <= 0)
        return USAGE_NONE;
    paths_set_cgroup(tmp, &paths, spec);
    char **points = cgroup_mounts(tmp);
    for (; points && *points; points++) {
        char *dir = mem_printf(tmp, "%s%s", *points, paths.cgroup);
        read_counters(dir, &usage, &known);
        has_io = has_io || read_io(dir, &usage);
    }
    if (!known)
        return USAGE_NONE; /* it ended meanwhile */
    usage.memory -= usage.memory_cache < usage.memory ? usage.memory_cache : usage.memory;
    limit_memory(&usage, known & 1ull << (offsetof(struct container_usage, memory_limit) / sizeof(uint64_t)));
    if (spec->netns)
        read_network(status.pid, &usage);
    *ret = usage;
    return 0;
}
