#include "cli/doctor.h"

#include "cli/human.h"

#include "base/path.h"
#include "base/str.h"
#include "network/link.h"
#include "sys/fs.h"
#include "sys/spawn.h"

#include <fcntl.h>
#include <jansson.h>
#include <linux/magic.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

static void say(struct doctor_result *ret, enum doctor_state state, char *detail, char *advice)
{
    *ret = (struct doctor_result){state, detail, advice};
}

#define SAY(state, detail, advice)                                                                           \
    say(ret, state, mem_strdup(doctor->ctx, detail), mem_strdup(doctor->ctx, advice))

static void check_root(const struct doctor *doctor, struct doctor_result *ret)
{
    if (geteuid() == 0)
        SAY(DOCTOR_OK, "running as root", NULL);
    else
        SAY(DOCTOR_MISSING, "not running as root", "run compote with sudo; a rootless mode is not there yet");
}

static void check_kernel(const struct doctor *doctor, struct doctor_result *ret)
{
    struct utsname name;
    int major = 0, minor = 0;
    uname(&name);
    (void)sscanf(name.release, "%d.%d", &major, &minor);
    char *detail = mem_printf(doctor->ctx, "Linux %s on %s", name.release, name.machine);
    bool good = major > 5 || (major == 5 && minor >= 10);
    say(ret, good ? DOCTOR_OK : DOCTOR_MISSING, detail,
        good ? NULL
             : mem_strdup(doctor->ctx,
                          "Linux 5.10 or later is needed (openat2, pidfd, overlayfs in namespaces)"));
}

/* A line of a list of module files, "kernel/fs/overlayfs/overlay.ko[.xz]", names the module. */
static bool list_names(const char *text, const char *module)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *file = mem_printf(tmp, "/%s.ko", module);
    for (const char *p = text; (p = strstr(p, file)); p++) {
        const char *line = p;
        while (line > text && line[-1] != '\n')
            line--;
        const char *colon = strpbrk(line, ":\n");
        if (!colon || p < colon)
            return true;
    }
    return false;
}

bool doctor_kernel_has(const char *module)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (fs_exists(mem_printf(tmp, "/sys/module/%s", module)))
        return true;
    struct utsname name;
    uname(&name);
    static const char *const lists[] = {"modules.builtin", "modules.dep"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        char *text;
        size_t size;
        if (fs_read_file(tmp, mem_printf(tmp, "/lib/modules/%s/%s", name.release, lists[i]), 16 << 20, &text,
                         &size, NULL) == 0 &&
            list_names(text, module))
            return true;
    }
    return false;
}

static void check_overlay(const struct doctor *doctor, struct doctor_result *ret)
{
    char *text;
    size_t size;
    bool known = fs_read_file(doctor->ctx, "/proc/filesystems", 65536, &text, &size, NULL) == 0 &&
                 strstr(text, "\toverlay\n");
    if (known || doctor_kernel_has("overlay"))
        SAY(DOCTOR_OK, "available", NULL);
    else
        SAY(DOCTOR_MISSING, "not in this kernel",
            "containers' file systems are overlays: use a kernel with CONFIG_OVERLAY_FS");
}

static void check_namespaces(const struct doctor *doctor, struct doctor_result *ret)
{
    static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid", "uts"};
    char *missing = mem_strdup(doctor->ctx, "");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!fs_exists(mem_printf(doctor->ctx, "/proc/self/ns/%s", names[i])))
            missing = mem_append_printf(missing, " %s", names[i]);
    if (!*missing)
        SAY(DOCTOR_OK, "cgroup, ipc, mnt, net, pid, uts", NULL);
    else
        say(ret, DOCTOR_MISSING, mem_printf(doctor->ctx, "missing:%s", missing),
            mem_strdup(doctor->ctx, "use a kernel with these namespaces"));
}

const char *doctor_cgroup_mode(const char *mount_point)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct statfs top, unified;
    if (statfs(mount_point, &top) != 0)
        return NULL;
    if (top.f_type == CGROUP2_SUPER_MAGIC)
        return "v2";
    bool has_unified = statfs(mem_printf(tmp, "%s/unified", mount_point), &unified) == 0 &&
                       unified.f_type == CGROUP2_SUPER_MAGIC;
    bool has_v1 = fs_exists(mem_printf(tmp, "%s/memory", mount_point)) ||
                  fs_exists(mem_printf(tmp, "%s/pids", mount_point));
    return has_v1 && has_unified ? "v1 with v2 beside it (hybrid)" : has_v1 ? "v1" : NULL;
}

static void check_cgroups(const struct doctor *doctor, struct doctor_result *ret)
{
    const char *mode = doctor_cgroup_mode("/sys/fs/cgroup");
    if (mode)
        say(ret, DOCTOR_OK, mem_strdup(doctor->ctx, mode), NULL);
    else
        SAY(DOCTOR_MISSING, "not mounted", "mount cgroup2 on /sys/fs/cgroup (systemd and cgroupfs-mount do)");
}

static void check_runtime(const struct doctor *doctor, struct doctor_result *ret)
{
    static const char *const names[] = {"crun", "runc"};
    char path[4096];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!spawn_find(names[i], path, sizeof(path)))
            continue;
        char out[256] = "";
        int status = 0;
        char *const argv[] = {path, "--version", NULL};
        const struct spawn spawn = {
            .argv = argv, .std = {-1, -1, -1}
        };
        bool works = spawn_run(&spawn, out, sizeof(out), &status, NULL) == 0 && status == 0;
        out[strcspn(out, "\n")] = '\0';
        enum doctor_state state = !works ? DOCTOR_MISSING : i == 0 ? DOCTOR_OK : DOCTOR_WARNING;
        const char *advice = !works   ? "it does not run; install crun anew"
                             : i == 0 ? NULL
                                      : "crun is what compote calls by default: apt-get install crun";
        say(ret, state, mem_printf(doctor->ctx, "%s (%s)", works ? out : names[i], path),
            mem_strdup(doctor->ctx, advice));
        return;
    }
    SAY(DOCTOR_MISSING, "crun is not installed", "apt-get install crun");
}

static void check_helpers(const struct doctor *doctor, struct doctor_result *ret)
{
    static const char *const names[] = {"compote-monitor", "compote-netd", "compote-image", "compote-init"};
    char *missing = mem_strdup(doctor->ctx, "");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (access(mem_printf(doctor->ctx, "%s/%s", doctor->app->config.libexec, names[i]), X_OK) != 0)
            missing = mem_append_printf(missing, " %s", names[i]);
    if (!*missing)
        say(ret, DOCTOR_OK, mem_strdup(doctor->ctx, doctor->app->config.libexec), NULL);
    else
        say(ret, DOCTOR_MISSING,
            mem_printf(doctor->ctx, "not in %s:%s", doctor->app->config.libexec, missing),
            mem_strdup(doctor->ctx, "install compote as a whole, or set COMPOTE_LIBEXEC to their directory"));
}

/*
 * Tries something in a network namespace of its own, which goes away with the child: 0 when it works there.
 * Asking the kernel beats looking for modules, which may be built in without a trace.
 */
static bool works_in_namespace(int (*try)(struct error *err))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWNET) == 0 && try(NULL) == 0 ? 0 : 1);
    int status = 1;
    return pid > 0 && spawn_wait(pid, &status, NULL) == 0 && status == 0;
}

static int try_nftables(struct error *err)
{
    static const char rules[] = "add table inet doctor\n"
                                "add chain inet doctor out { type nat hook postrouting priority 100; }\n"
                                "add rule inet doctor out masquerade\n";
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    nft_ctx_buffer_error(nft);
    return nft_run_cmd_from_buffer(nft, rules) == 0 ? 0 : error_set(err, ENOTSUP, "no nftables");
}

static int try_links(struct error *err)
{
    static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 1};
    struct rtnl rtnl = RTNL_INIT;
    struct link bridge;
    cleanup_close int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int r = rtnl_open(&rtnl, err);
    if (r == 0)
        r = link_create_bridge(&rtnl, "doctor0", mac, err);
    if (r == 0)
        r = link_find(&rtnl, "doctor0", &bridge, err);
    if (r == 0) {
        const struct veth veth = {
            .name = "doctor1",
            .master = bridge.index,
            .mtu = 1500,
            .netns_fd = netns,
            .peer_name = "doctor2",
            .peer_mac = {0x02, 0, 0, 0, 0, 2}
        };
        r = link_create_veth(&rtnl, &veth, err);
    }
    rtnl_close(&rtnl);
    return r;
}

static void check_nftables(const struct doctor *doctor, struct doctor_result *ret)
{
    if (geteuid() != 0)
        SAY(DOCTOR_NOTE, "not looked at", "run as root to see whether rules can be made");
    else if (works_in_namespace(try_nftables))
        SAY(DOCTOR_OK, "rules and NAT work", NULL);
    else
        SAY(DOCTOR_MISSING, "rules or NAT do not work",
            "networks and published ports need them: modprobe nf_tables nft_masq, or CONFIG_NF_TABLES_INET "
            "and "
            "CONFIG_NFT_MASQ");
}

static void check_links(const struct doctor *doctor, struct doctor_result *ret)
{
    if (geteuid() != 0)
        SAY(DOCTOR_NOTE, "not looked at", "run as root to see whether bridges can be made");
    else if (works_in_namespace(try_links))
        SAY(DOCTOR_OK, "bridge and veth work", NULL);
    else
        SAY(DOCTOR_MISSING, "bridge or veth cannot be made", "networks need them: modprobe bridge veth");
}

static void check_forwarding(const struct doctor *doctor, struct doctor_result *ret)
{
    char *text;
    size_t size;
    if (fs_read_file(doctor->ctx, "/proc/sys/net/ipv4/ip_forward", 4096, &text, &size, NULL) != 0)
        SAY(DOCTOR_MISSING, "cannot be read", "mount /proc");
    else if (text[0] == '1')
        SAY(DOCTOR_OK, "on", NULL);
    else
        SAY(DOCTOR_NOTE, "off", "compote switches it on with the first network");
}

/* The output of `list chains`: a chain with "hook forward" and "policy drop" belongs to somebody else. */
static char *dropping_chain(const void *owner, const char *listing)
{
    char table[64] = "";
    for (const char *line = listing; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        size_t n = strcspn(line, "\n");
        (void)sscanf(line, "table %*s %63s", table);
        const char *hook = memmem(line, n, "hook forward", 12);
        if (hook && memmem(line, n, "policy drop", 11) && !str_starts(table, "compote"))
            return mem_strdup(owner, table);
    }
    return NULL;
}

static void check_firewall(const struct doctor *doctor, struct doctor_result *ret)
{
    struct nft_ctx *nft = geteuid() == 0 ? nft_ctx_new(NFT_CTX_DEFAULT) : NULL;
    if (!nft) {
        SAY(DOCTOR_NOTE, "not looked at", "run as root to see whether a firewall drops forwarded packets");
        return;
    }
    nft_ctx_buffer_output(nft);
    nft_ctx_buffer_error(nft);
    char *table = nft_run_cmd_from_buffer(nft, "list chains") == 0
                      ? dropping_chain(doctor->ctx, nft_ctx_get_output_buffer(nft))
                      : NULL;
    nft_ctx_free(nft);
    if (!table)
        SAY(DOCTOR_OK, "no forward chain with policy drop", NULL);
    else
        say(ret, DOCTOR_WARNING, mem_printf(doctor->ctx, "table %s drops forwarded packets", table),
            mem_strdup(doctor->ctx, "containers may not reach each other: accept the bridges, "
                                    "as in nft insert rule ip filter FORWARD iifname \"cpt*\" accept"));
}

static void check_disk(const struct doctor *doctor, struct doctor_result *ret)
{
    enum { MIB = 1024 * 1024 };
    char *path = mem_strdup(doctor->ctx, doctor->data);
    struct statvfs st;
    while (statvfs(path, &st) != 0 && !str_eq(path, "/") && !str_eq(path, "."))
        path = path_parent(doctor->ctx, path);
    int64_t bytes = (int64_t)st.f_bavail * (int64_t)st.f_frsize;
    char size[HUMAN_TEXT];
    human_size(bytes, 3, size);
    char *detail = mem_printf(doctor->ctx, "%s free for %s", size, doctor->data);
    if (bytes < 1024LL * MIB || (st.f_files && st.f_favail < 20000))
        say(ret, DOCTOR_WARNING, detail,
            mem_strdup(doctor->ctx,
                       "images need room: compote image prune -a, or another place with --root"));
    else
        say(ret, DOCTOR_OK, detail, NULL);
}

static void check_registries(const struct doctor *doctor, struct doctor_result *ret)
{
    const char *path = doctor->app->config.registry_config;
    if (!path) {
        SAY(DOCTOR_OK, "no mirrors configured: images come from the registries they name", NULL);
        return;
    }
    json_error_t error;
    json_t *config = json_load_file(path, 0, &error);
    if (config)
        say(ret, DOCTOR_OK, mem_strdup(doctor->ctx, path), NULL);
    else
        say(ret, DOCTOR_MISSING, mem_printf(doctor->ctx, "%s:%d: %s", path, error.line, error.text),
            mem_strdup(doctor->ctx, "mend the file, or remove it"));
    json_decref(config);
}

static void check_seccomp(const struct doctor *doctor, struct doctor_result *ret)
{
    if (fs_exists("/proc/sys/kernel/seccomp/actions_avail"))
        SAY(DOCTOR_OK, "available", NULL);
    else
        SAY(DOCTOR_WARNING, "not in this kernel", "containers would run without system call filter");
}

static void check_machines(const struct doctor *doctor, struct doctor_result *ret)
{
    char path[4096];
    bool kvm = access("/dev/kvm", R_OK | W_OK) == 0,
         qemu = spawn_find("qemu-system-x86_64", path, sizeof(path));
    char *detail = mem_printf(doctor->ctx, "%s, %s", kvm ? "/dev/kvm is there" : "no /dev/kvm",
                              qemu ? path : "no qemu-system-x86_64");
    say(ret, DOCTOR_NOTE, detail,
        kvm && qemu ? NULL
                    : mem_strdup(doctor->ctx, "only needed for services that run in virtual machines"));
}

const struct doctor_check doctor_checks[] = {
    {"root",              check_root      },
    {"kernel",            check_kernel    },
    {"namespaces",        check_namespaces},
    {"overlayfs",         check_overlay   },
    {"cgroups",           check_cgroups   },
    {"seccomp",           check_seccomp   },
    {"container runtime", check_runtime   },
    {"helper programs",   check_helpers   },
    {"nftables",          check_nftables  },
    {"network links",     check_links     },
    {"ip forwarding",     check_forwarding},
    {"firewall",          check_firewall  },
    {"disk",              check_disk      },
    {"registries",        check_registries},
    {"virtual machines",  check_machines  },
    {NULL,                NULL            },
};
