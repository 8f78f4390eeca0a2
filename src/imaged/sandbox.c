#include "imaged/sandbox.h"

#include "base/mem.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { NOBODY = 65534, MAX_KEPT = 8 };

struct sandbox {
    bool rootless;
    uid_t uid;
    gid_t gid;
    struct sock_fprog filters[SANDBOX__COUNT];
};

/* What any process needs that computes and reports. The second row is what the sanitizers' run-time adds. No
 * tgkill: these processes share a user with others, root among them, and whom it may kill is not checked. */
#define SYSCALLS_COMPUTE                                                                                     \
    "read", "write", "close", "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "futex",             \
        "exit_group", "exit", "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "restart_syscall",           \
        "clock_gettime", "getrandom", "sysinfo", "sched_yield", "gettid", "getpid"
#define SYSCALLS_SANITIZER "sigaltstack", "getrlimit", "prlimit64", "writev", "readlink", "fstat", "lseek"

static const char *const inflate_calls[] = {SYSCALLS_COMPUTE,
#if defined(__SANITIZE_ADDRESS__)
                                            SYSCALLS_SANITIZER,
#endif
                                            NULL};

static const char *const unpack_calls[] = {SYSCALLS_COMPUTE,
                                           "pread64",
                                           "pwrite64",
                                           "lseek",
                                           "openat",
                                           "openat2",
                                           "fstat",
                                           "newfstatat",
                                           "statx",
                                           "fstatfs",
                                           "mkdirat",
                                           "mknodat",
                                           "symlinkat",
                                           "linkat",
                                           "unlinkat",
                                           "renameat2",
                                           "fchown",
                                           "fchownat",
                                           "fchmod",
                                           "fchmodat",
                                           "fchmodat2",
                                           "fsetxattr",
                                           "utimensat",
                                           "ftruncate",
                                           "getdents64",
                                           "fcntl",
                                           "dup",
                                           "unlink",
                                           "rmdir",
                                           "mkdir",
                                           "fadvise64",
                                           "poll",
#if defined(__SANITIZE_ADDRESS__)
                                           SYSCALLS_SANITIZER,
#endif
                                           NULL};

static const char *const pack_calls[] = {SYSCALLS_COMPUTE,
                                         "pread64",
                                         "lseek",
                                         "openat",
                                         "openat2",
                                         "fstat",
                                         "newfstatat",
                                         "statx",
                                         "fstatfs",
                                         "getdents64",
                                         "readlinkat",
                                         "flistxattr",
                                         "fgetxattr",
                                         "fcntl",
                                         "fadvise64",
                                         "poll",
#if defined(__SANITIZE_ADDRESS__)
                                         SYSCALLS_SANITIZER,
#endif
                                         NULL};

/* The resolver and TLS libraries use a wide set that changes, so here is listed what they must not do. */
static const char *const fetch_denied[] = {"execve",
                                           "execveat",
                                           "ptrace",
                                           "process_vm_readv",
                                           "process_vm_writev",
                                           "mount",
                                           "umount2",
                                           "pivot_root",
                                           "chroot",
                                           "open_tree",
                                           "move_mount",
                                           "fsopen",
                                           "fsconfig",
                                           "fsmount",
                                           "fspick",
                                           "mount_setattr",
                                           "unshare",
                                           "setns",
                                           "bpf",
                                           "perf_event_open",
                                           "keyctl",
                                           "add_key",
                                           "request_key",
                                           "userfaultfd",
                                           "io_uring_setup",
                                           "io_uring_enter",
                                           "io_uring_register",
                                           "init_module",
                                           "finit_module",
                                           "delete_module",
                                           "kexec_load",
                                           "kexec_file_load",
                                           "reboot",
                                           "swapon",
                                           "swapoff",
                                           "acct",
                                           "quotactl",
                                           "syslog",
                                           "settimeofday",
                                           "clock_settime",
                                           "adjtimex",
                                           "clock_adjtime",
                                           "sethostname",
                                           "setdomainname",
                                           "name_to_handle_at",
                                           "open_by_handle_at",
                                           "kcmp",
                                           "personality",
                                           "mknod",
                                           "mknodat",
                                           "unlink",
                                           "unlinkat",
                                           "rename",
                                           "renameat",
                                           "renameat2",
                                           "link",
                                           "linkat",
                                           "symlink",
                                           "symlinkat",
                                           "mkdir",
                                           "mkdirat",
                                           "rmdir",
                                           "chmod",
                                           "fchmod",
                                           "fchmodat",
                                           "chown",
                                           "lchown",
                                           "fchown",
                                           "fchownat",
                                           "setxattr",
                                           "lsetxattr",
                                           "fsetxattr",
                                           "pidfd_open",
                                           "pidfd_getfd",
                                           "pidfd_send_signal",
                                           "kill",
                                           "tkill",
                                           "vfork",
                                           "listen",
                                           "accept",
                                           "accept4",
                                           NULL};

#define CAPABILITIES_WRITE                                                                                   \
    (1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER | 1ull << CAP_FSETID |                \
     1ull << CAP_MKNOD | 1ull << CAP_SETFCAP)
#define MOUNT_INERT (MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
#define NAMESPACES (CLONE_NEWNET | CLONE_NEWIPC)
#define DENY SCMP_ACT_ERRNO(EPERM)
#define ALLOW SCMP_ACT_ALLOW
#define KILL SCMP_ACT_KILL_PROCESS
/* Only who has CAP_SYS_ADMIN reads trusted.overlay.*; no call of pack's list gets more from it. */
#define CAPABILITIES_READ (1ull << CAP_DAC_READ_SEARCH)
#define CAPABILITIES_MARKS (CAPABILITIES_READ | 1ull << CAP_SYS_ADMIN)
#define MOUNT_READ (MOUNT_INERT | MOUNT_ATTR_RDONLY)

static const struct role {
    const char *const *calls;
    uint32_t otherwise, listed;
    int namespaces;        /* that it gets of its own */
    bool has_directory;    /* it sees one directory, mounted with `mount_attributes` */
    bool has_mounts_below; /* and what is mounted in there */
    uint64_t mount_attributes, capabilities;
} roles[] = {
    [SANDBOX_FETCH] = {fetch_denied,  ALLOW, DENY,  0,          false, false, 0,           0                 },
    [SANDBOX_INFLATE] = {inflate_calls, KILL,  ALLOW, NAMESPACES, false, false, 0,           0                 },
    [SANDBOX_UNPACK] = {unpack_calls,  KILL,  ALLOW, NAMESPACES, true,  false, MOUNT_INERT, CAPABILITIES_WRITE},
    [SANDBOX_PLACE] = {unpack_calls,  KILL,  ALLOW, NAMESPACES, true,  true,  MOUNT_INERT, CAPABILITIES_WRITE},
    [SANDBOX_PACK] = {pack_calls,    KILL,  ALLOW, NAMESPACES, true,  true,  MOUNT_READ,  CAPABILITIES_READ },
    [SANDBOX_PACK_LAYER] = {pack_calls,    KILL,  ALLOW, NAMESPACES, true,  false, MOUNT_READ,  CAPABILITIES_MARKS},
};

static int filter_export(struct sandbox *sandbox, enum sandbox_role role, scmp_filter_ctx ctx,
                         struct error *err)
{
    for (const char *const *name = roles[role].calls; *name; name++) {
        int number = seccomp_syscall_resolve_name(*name);
        if (number == __NR_SCMP_ERROR || number < 0)
            continue; /* this architecture, or the library, has no such call */
        int r = seccomp_rule_add(ctx, roles[role].listed, number, 0);
        if (r < 0)
            return error_set(err, -r, "seccomp rule for %s", *name);
    }
    if (role == SANDBOX_FETCH) {
        /* Unix, IPv4, IPv6 and netlink (which the resolver asks) are all at or below AF_NETLINK. */
        seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                         SCMP_A0_64(SCMP_CMP_GT, AF_NETLINK, 0));
    }
    cleanup_close int fd = memfd_create("filter", MFD_CLOEXEC);
    struct stat st;
    size_t got;
    if (fd < 0 || seccomp_export_bpf(ctx, fd) < 0 || fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(err, "compile seccomp filter");
    void *code = mem_array(sandbox, char, (size_t)st.st_size);
    int r = fd_read_full(fd, code, (size_t)st.st_size, &got, err);
    sandbox->filters[role] =
        (struct sock_fprog){.len = (unsigned short)(got / sizeof(struct sock_filter)), .filter = code};
    return r;
}

static int filter_compile(struct sandbox *sandbox, enum sandbox_role role, struct error *err)
{
    scmp_filter_ctx ctx = seccomp_init(roles[role].otherwise);
    if (!ctx)
        return error_set(err, ENOMEM, "seccomp");
    int r = filter_export(sandbox, role, ctx, err);
    seccomp_release(ctx);
    return r;
}

int sandbox_new(const void *owner, enum sandbox_role first, enum sandbox_role last, struct sandbox **ret,
                struct error *err)
{
    struct sandbox *sandbox = mem_new(owner, struct sandbox);
    sandbox->uid = geteuid();
    sandbox->gid = getegid();
    sandbox->rootless = sandbox->uid != 0;
    for (int role = (int)first; role <= (int)last; role++) {
        int r = filter_compile(sandbox, (enum sandbox_role)role, err);
        if (r < 0)
            return r;
    }
    *ret = sandbox;
    return 0;
}

bool sandbox_is_rootless(const struct sandbox *sandbox)
{
    return sandbox->rootless;
}

static int write_text(const char *path, const char *text, struct error *err)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return error_errno(err, "write '%s'", path);
    return 0;
}

/* A user namespace in which this user is root; the other namespaces then need no privilege. */
static int become_root_of_own(const struct sandbox *sandbox, struct error *err)
{
    char map[64];
    if (unshare(CLONE_NEWUSER) < 0) {
        error_errno(err, "make a user namespace");
        return error_hint(err, "allow unprivileged user namespaces, or run as root");
    }
    int r = write_text("/proc/self/setgroups", "deny", err);
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)sandbox->uid);
    if (r == 0)
        r = write_text("/proc/self/uid_map", map, err);
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)sandbox->gid);
    return r < 0 ? r : write_text("/proc/self/gid_map", map, err);
}

/*
 * Nothing but the current directory is left to see; device nodes and set-user-ID bits in it have no force
 * here. The mount is a clone that covers the directory, so that pivot_root(2) has a mount point to take.
 */
static int enter_directory(const struct role *role, struct error *err)
{
    struct mount_attr restrict_attr = {.attr_set = role->mount_attributes};
    unsigned below = role->has_mounts_below ? AT_RECURSIVE : 0;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(err, "make mounts private");
    cleanup_close int tree = open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | below);
    if (tree < 0)
        return error_errno(err, "clone the directory");
    if (mount_setattr(tree, "", AT_EMPTY_PATH | below, &restrict_attr, sizeof(restrict_attr)) < 0)
        return error_errno(err, "restrict the directory");
    if (move_mount(tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(tree) < 0)
        return error_errno(err, "enter the directory");
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return error_errno(err, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return error_errno(err, "leave the host's files");
    return 0;
}

/* Needs CAP_SETPCAP, so it comes before the change of user. */
static void limit_capabilities(uint64_t keep)
{
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
        if (!(keep >> cap & 1))
            prctl(PR_CAPBSET_DROP, cap); /* refused without privileges; then there is nothing to drop */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int drop_capabilities(uint64_t keep, struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted = (uint32_t)(keep >> (32 * i));
    if (syscall(SYS_capset, &header, data) < 0)
        return error_errno(err, "drop capabilities");
    return 0;
}

static int become_nobody(struct error *err)
{
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return error_errno(err, "give up root");
    return 0;
}

static int enter_namespaces(const struct sandbox *sandbox, const struct role *role, int dir_fd,
                            struct error *err)
{
    if (!role->namespaces)
        return 0;
    /* The current directory moves into the new mount namespace; a descriptor would stay in the old one. */
    if (role->has_directory && fchdir(dir_fd) < 0)
        return error_errno(err, "enter the directory");
    int r = sandbox->rootless ? become_root_of_own(sandbox, err) : 0;
    if (r < 0)
        return r;
    if (unshare(role->namespaces | (role->has_directory ? CLONE_NEWNS : 0)) < 0)
        return error_errno(err, "make namespaces");
    return role->has_directory ? enter_directory(role, err) : 0;
}

int sandbox_enter(const struct sandbox *sandbox, enum sandbox_role role, int dir_fd, struct error *err)
{
    uint64_t keep = roles[role].capabilities;
    int r = enter_namespaces(sandbox, &roles[role], dir_fd, err);
    if (r == 0)
        limit_capabilities(keep);
    if (r == 0 && !roles[role].has_directory && !sandbox->rootless)
        r = become_nobody(err);
    if (r == 0)
        r = drop_capabilities(keep, err);
    if (r < 0)
        return error_wrap(err, "confine");
    umask(0);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    /* After the change of user, which clears it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, "confine: no_new_privs");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &sandbox->filters[role]) < 0)
        return error_errno(err, "confine: seccomp");
    return 0;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes everything above 2 but the descriptors of `keep`. */
static void close_others(const int *keep, size_t count)
{
    int sorted[MAX_KEPT + 1];
    memcpy(sorted, keep, count * sizeof(int));
    qsort(sorted, count, sizeof(int), by_number);
    unsigned next = 3;
    for (size_t i = 0; i < count; i++) {
        if (sorted[i] < (int)next)
            continue;
        if (sorted[i] > (int)next)
            close_range(next, (unsigned)sorted[i] - 1, 0);
        next = (unsigned)sorted[i] + 1;
    }
    close_range(next, ~0u, 0);
}

int sandbox_fork(const int *keep, size_t keep_count, int (*main)(void *data), void *data, pid_t *ret_pid,
                 int *ret_pidfd, struct error *err)
{
    if (keep_count > MAX_KEPT)
        return error_set(err, EINVAL, "%zu descriptors for a child", keep_count);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return error_errno(err, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        bool keeps_stdin = false;
        for (size_t i = 0; i < keep_count; i++)
            keeps_stdin |= keep[i] == 0;
        if (null < 0 || (!keeps_stdin && dup2(null, 0) < 0) || dup2(null, 1) < 0)
            _exit(1);
#if !defined(__SANITIZE_ADDRESS__)
        dup2(null, 2);
#endif
        /* Whoever takes it over must not find the user's terminal, where input can be faked (TIOCSTI). */
        setsid();
        close_others(keep, keep_count);
        _exit(main(data) < 0 ? 1 : 0);
    }
    int r = pidfd_open_process(pid, ret_pidfd, err);
    if (r < 0)
        return r;
    *ret_pid = pid;
    return 0;
}
