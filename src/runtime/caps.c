#include "runtime/private.h"

#include "sys/fd.h"
#include <ctype.h>
#include <fcntl.h>

/* In the order of linux/capability.h. */
static const char *const names[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};
_Static_assert(ARRAY_SIZE(names) == 41, "one name for each capability of linux/capability.h");

/* Docker's fourteen. */
static const char *const default_names[] = {
    "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
    "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE",
};

static int cap_find(const char *name)
{
    if (strncasecmp(name, "CAP_", 4) == 0)
        name += 4;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

uint64_t caps_default(void)
{
    uint64_t caps = 0;
    for (size_t i = 0; i < ARRAY_SIZE(default_names); i++)
        caps |= UINT64_C(1) << cap_find(default_names[i]);
    return caps;
}

/* What we cannot hand on because we do not have it ourselves would make the runtime fail: our bounding set
 * limits. */
uint64_t caps_all(void)
{
    uint64_t known = (UINT64_C(1) << ARRAY_SIZE(names)) - 1;
    char text[4096];
    size_t got = 0;
    cleanup_close int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_full(fd, text, sizeof(text) - 1, &got, NULL) < 0)
        return known;
    text[got] = '\0';
    const char *line = strstr(text, "\nCapBnd:");
    return line ? known & strtoull(line + 8, NULL, 16) : known;
}

static int caps_apply(char *const *list, bool add, uint64_t *caps, struct error *err)
{
    for (size_t i = 0; list && list[i]; i++) {
        if (strcasecmp(list[i], "ALL") == 0) {
            *caps = add ? caps_all() : 0;
            continue;
        }
        int cap = cap_find(list[i]);
        if (cap < 0)
            return error_set(err, EINVAL, "'%s' is not a capability", list[i]);
        if (add)
            *caps |= UINT64_C(1) << cap;
        else
            *caps &= ~(UINT64_C(1) << cap);
    }
    return 0;
}

static bool has_all(char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        if (strcasecmp(list[i], "ALL") == 0)
            return true;
    return false;
}

/* As Docker: with "drop ALL" the additions win, with "add ALL" the removals, else removals come last. */
int caps_make(char *const *add, char *const *drop, bool privileged, uint64_t *ret, struct error *err)
{
    uint64_t caps = privileged ? caps_all() : caps_default();
    int r;
    if (has_all(drop)) {
        r = caps_apply(drop, false, &caps, err);
        caps = 0;
        if (r == 0)
            r = caps_apply(add, true, &caps, err);
    } else {
        r = caps_apply(add, true, &caps, err);
        if (r == 0)
            r = caps_apply(drop, false, &caps, err);
    }
    if (r == 0)
        *ret = caps & caps_all();
    return r;
}

json_t *caps_to_json(uint64_t caps)
{
    json_t *array = json_array();
    char name[64];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (caps & (UINT64_C(1) << i)) {
            snprintf(name, sizeof(name), "CAP_%s", names[i]);
            json_array_append_new(array, json_string(name));
        }
    return array;
}
