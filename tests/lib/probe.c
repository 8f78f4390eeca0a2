/*
 * Runs inside a container, static, and tells what it may and may not do there: one "name=value" in each line,
 * where a value is "ok", the name of an errno, or what was read. tests/cli/confinement.bats has what each
 * must be.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *name, long result)
{
    printf("%s=%s\n", name, result >= 0 ? "ok" : strerrorname_np(errno));
}

static void tell_call(const char *name, long number)
{
    tell(name, syscall(number, 0, 0, 0, 0, 0, 0));
}

static void tell_write(const char *name, const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    tell(name, fd);
    if (fd >= 0)
        close(fd);
}

static void tell_lines(const char *prefix, const char *path, const char *const *keys)
{
    char line[512];
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        for (const char *const *key = keys; *key; key++)
            if (strncmp(line, *key, strlen(*key)) == 0)
                printf("%s%s=%s\n", prefix, *key, line + strcspn(line, "\t") + 1);
    }
    if (f)
        fclose(f);
}

static void tell_names(const char *name, const char *path)
{
    struct dirent **list;
    int n = scandir(path, &list, NULL, alphasort);
    printf("%s=", name);
    for (int i = 0; i < n; i++)
        if (strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
            printf("%s ", list[i]->d_name);
    printf("\n");
}

/* A descriptor that came from outside would have a number besides those of the listing itself. */
static void tell_descriptors(void)
{
    int extra = 0;
    for (int fd = 3; fd < 1024; fd++)
        extra += fcntl(fd, F_GETFD) >= 0;
    printf("descriptors=%d\n", extra);
}

static void tell_files(void)
{
    char byte;
    int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
    printf("kcore=%s\n", fd < 0 ? strerrorname_np(errno) : read(fd, &byte, 1) == 0 ? "empty" : "readable");
    tell_write("write_sysctl", "/proc/sys/kernel/core_pattern");
    tell_write("write_sysrq", "/proc/sysrq-trigger");
    tell_write("write_sys", "/sys/kernel/mm/ksm/run");
    tell("mkdir_cgroup", mkdir("/sys/fs/cgroup/probe", 0755));
    tell("mkdir_cgroup_v1", mkdir("/sys/fs/cgroup/memory/probe", 0755));
    tell("mkdir_cgroup_top", mkdir("/sys/fs/cgroup/probe", 0755));
    tell("mknod_mem", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)));
    tell_write("open_mem", "/tmp/mem");
    unlink("/tmp/mem");
    tell("mknod_null", mknod("/tmp/null", S_IFCHR | 0600, makedev(1, 3)));
    tell_write("open_null", "/tmp/null");
    unlink("/tmp/null");
    tell_names("dev", "/dev");
    tell_names("sys_firmware", "/sys/firmware");
    tell_names("proc_acpi", "/proc/acpi");
    tell_names("proc_scsi", "/proc/scsi");
}

static void tell_calls(void)
{
    tell("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
    tell("unshare_user", unshare(CLONE_NEWUSER));
    tell("unshare_mount", unshare(CLONE_NEWNS));
    tell("clone_user", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
    tell_call("clone3", SYS_clone3);
    tell("setns", setns(0, 0));
    tell("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
    tell_call("add_key", SYS_add_key);
    tell_call("bpf", SYS_bpf);
    tell_call("perf_event_open", SYS_perf_event_open);
    tell_call("userfaultfd", SYS_userfaultfd);
    tell_call("io_uring_setup", SYS_io_uring_setup);
    tell_call("open_by_handle_at", SYS_open_by_handle_at);
    tell_call("init_module", SYS_init_module);
    tell_call("kexec_load", SYS_kexec_load);
    tell_call("pivot_root", SYS_pivot_root);
    tell_call("swapon", SYS_swapon);
    tell_call("reboot", SYS_reboot);
    tell_call("unknown", 1000);
    tell_call("x32", 0x40000000 | 39);
    tell("socket_alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
    tell("socket_alg_upper_half", syscall(SYS_socket, (1UL << 32) | AF_ALG, SOCK_SEQPACKET, 0));
    tell("socket_vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    tell("socket_inet", socket(AF_INET, SOCK_STREAM, 0));
    tell("personality", syscall(SYS_personality, 0x0400000));
    tell("chroot", chroot("/"));
    tell("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
}

int main(void)
{
    static const char *const keys[] = {"CapInh", "CapPrm",   "CapEff",     "CapBnd",
                                       "CapAmb", "Seccomp:", "NoNewPrivs", NULL};
    setvbuf(stdout, NULL, _IOLBF, 0);
    tell_descriptors();
    tell_lines("", "/proc/self/status", keys);
    char text[4096];
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(text, sizeof(text), f))
        printf("cgroup=%s", strrchr(text, ':') + 1);
    if (f)
        fclose(f);
    f = fopen("/proc/self/oom_score_adj", "re");
    if (f && fgets(text, sizeof(text), f))
        printf("oom_score_adj=%s", text);
    printf("pid=%d\n", (int)getpid());
    tell_files();
    tell_calls();
    return 0;
}
