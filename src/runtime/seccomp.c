/*
 * The default seccomp program.
 *
 * Goal: exactly what Docker's default profile lets through, refuses the rest; a call that the profile knows
 * and denies fails with EPERM, one that is newer than the profile with ENOSYS, so that C libraries fall back
 * to older calls. The tables below hold names; libseccomp says which number a name has on an architecture.
 * The program is generated here and not by libseccomp, because (a) searching a sorted list of numbers costs
 * a handful of instructions for each system call instead of a chain of hundreds, (b) compiling takes
 * microseconds instead of ten milliseconds, so that no cache on disk is needed, and (c) arguments that the
 * kernel reads as 32 bits are compared as 32 bits: a filter that compares 64 is passed by setting the
 * upper half.
 *
 * Shape: check the architecture; then for each one a binary search over ranges of numbers with the same
 * verdict; a leaf is a return, or for a few calls a check of one argument. x32 calls get ENOSYS.
 * Sources: moby's profiles/seccomp (names, capability and argument rules), seccomp(2), linux/filter.h.
 */
#include "runtime/private.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

/* Calls that every container may make. */
static const char allowed[] =
    "accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 "
    "clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
    "eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
    "fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync "
    "fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync "
    "ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat "
    "getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
    "getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid "
    "getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt "
    "get_thread_area gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr "
    "listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack "
    "membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap "
    "mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
    "name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open "
    "pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 "
    "preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read "
    "readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages "
    "removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction "
    "rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam "
    "sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
    "sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 "
    "sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 "
    "setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
    "setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setuid32 "
    "setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask "
    "sigreturn socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync "
    "sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime "
    "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink "
    "unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write "
    "writev "
    /* since Linux 4.8 a tracer cannot escape the filter any more */
    "process_vm_readv process_vm_writev ptrace "
    /* each exists on some architectures only */
    "arch_prctl modify_ldt arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush "
    "set_tls s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr riscv_flush_icache riscv_hwprobe";

/* Calls that are denied with EPERM, unless the capability allows them. */
static const struct {
    int cap; /* -1: never allowed */
    const char *names;
} restricted[] = {
    {-1,                  "_sysctl add_key create_module get_kernel_syms io_uring_enter io_uring_register io_uring_setup "
         "kexec_file_load kexec_load keyctl migrate_pages move_pages nfsservctl pivot_root "
         "query_module request_key swapoff swapon sysfs uselib userfaultfd ustat vm86 vm86old"          },
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"                                                                   },
    {CAP_SYS_ADMIN,       "bpf clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie "
                    "mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd "
                    "setdomainname sethostname setns statmount syslog umount umount2 unshare"},
    {CAP_SYS_BOOT,        "reboot"                                                                              },
    {CAP_SYS_CHROOT,      "chroot"                                                                              },
    {CAP_SYS_MODULE,      "delete_module init_module finit_module"                                              },
    {CAP_SYS_PACCT,       "acct"                                                                                },
    {CAP_SYS_PTRACE,      "kcmp pidfd_getfd process_madvise"                                                    },
    {CAP_SYS_RAWIO,       "iopl ioperm"                                                                         },
    {CAP_SYS_TIME,        "settimeofday stime clock_settime clock_settime64"                                    },
    {CAP_SYS_TTY_CONFIG,  "vhangup"                                                                             },
    {CAP_SYS_NICE,        "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"                           },
    {CAP_SYSLOG,          "syslog"                                                                              },
    {CAP_BPF,             "bpf"                                                                                 },
    {CAP_PERFMON,         "perf_event_open"                                                                     },
};

enum verdict {
    VERDICT_ENOSYS,
    VERDICT_EPERM,
    VERDICT_ALLOW,
    VERDICT_SOCKET,
    VERDICT_PERSONALITY,
    VERDICT_CLONE
};

enum { NUMBER_MAX = 1024, PROGRAM_MAX = 4096, X32_BIT = 0x40000000 };

/* New namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
static const uint32_t clone_denied =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
static const uint32_t personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

struct program {
    struct sock_filter code[PROGRAM_MAX];
    size_t size;
};

static void emit(struct program *program, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    if (program->size < PROGRAM_MAX)
        program->code[program->size++] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
}

static void emit_return(struct program *program, uint32_t value)
{
    emit(program, BPF_RET | BPF_K, 0, 0, value);
}

static void emit_load(struct program *program, size_t offset)
{
    emit(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* The lower half of an argument. */
static size_t argument(unsigned index)
{
    size_t at = offsetof(struct seccomp_data, args) + index * sizeof(uint64_t);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? at + 4 : at;
}

static void emit_leaf(struct program *program, enum verdict verdict, uint32_t arch)
{
    const uint32_t eperm = SECCOMP_RET_ERRNO | EPERM;
    switch (verdict) {
    case VERDICT_ENOSYS:
        emit_return(program, SECCOMP_RET_ERRNO | ENOSYS);
        break;
    case VERDICT_EPERM:
        emit_return(program, eperm);
        break;
    case VERDICT_ALLOW:
        emit_return(program, SECCOMP_RET_ALLOW);
        break;
    case VERDICT_SOCKET:
        emit_load(program, argument(0));
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AF_ALG);
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, AF_VSOCK);
        emit_return(program, eperm);
        emit_return(program, SECCOMP_RET_ALLOW);
        break;
    case VERDICT_PERSONALITY:
        emit_load(program, argument(0));
        for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
            emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(ARRAY_SIZE(personalities) - i), 0,
                 personalities[i]);
        emit_return(program, eperm);
        emit_return(program, SECCOMP_RET_ALLOW);
        break;
    case VERDICT_CLONE:
        emit_load(program, argument(arch == AUDIT_ARCH_S390X ? 1 : 0));
        emit(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, clone_denied);
        emit_return(program, eperm);
        emit_return(program, SECCOMP_RET_ALLOW);
        break;
    }
}

/* The numbers from starts[first] up to starts[last + 1] have the verdicts[first..last]. */
struct ranges {
    uint32_t starts[NUMBER_MAX];
    uint8_t verdicts[NUMBER_MAX];
    size_t count;
};

static void emit_search(struct program *program, const struct ranges *ranges, size_t first, size_t last,
                        uint32_t arch)
{
    if (first == last) {
        emit_leaf(program, ranges->verdicts[first], arch);
        return;
    }
    /* A jump that depends on a comparison reaches 255 instructions only, so it goes over an absolute one. */
    size_t middle = (first + last + 1) / 2;
    emit(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, ranges->starts[middle]);
    size_t jump = program->size;
    emit(program, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_search(program, ranges, first, middle - 1, arch);
    if (jump < PROGRAM_MAX)
        program->code[jump].k = (uint32_t)(program->size - jump - 1);
    emit_search(program, ranges, middle, last, arch);
}

/*
 * Where the kernel has socketcall or ipc, libseccomp gives the calls behind these a number of its own making,
 * below 0. The calls have had real ones too since Linux 4.3 and 5.1, among these numbers.
 */
enum { DIRECT_FIRST = 300, DIRECT_LAST = 430 };

/* Names with that number of libseccomp's; index 0 is DIRECT_FIRST. 0: none. */
struct arch_numbers {
    uint32_t arch;
    int pseudo[DIRECT_LAST - DIRECT_FIRST + 1];
};

static struct arch_numbers arch_numbers(uint32_t arch)
{
    struct arch_numbers numbers = {.arch = arch};
    if (seccomp_syscall_resolve_name_arch(arch, "socket") >= 0)
        return numbers;
    for (int number = DIRECT_FIRST; number <= DIRECT_LAST; number++) {
        char *name = seccomp_syscall_resolve_num_arch(arch, number);
        int other = name ? seccomp_syscall_resolve_name_arch(arch, name) : 0;
        if (other < 0 && other != __NR_SCMP_ERROR)
            numbers.pseudo[number - DIRECT_FIRST] = other;
        free(name);
    }
    return numbers;
}

/* Negative when the architecture has no such call. */
static int number_of(const struct arch_numbers *numbers, const char *name)
{
    int number = seccomp_syscall_resolve_name_arch(numbers->arch, name);
    for (size_t i = 0; number < 0 && number != __NR_SCMP_ERROR && i < ARRAY_SIZE(numbers->pseudo); i++)
        if (numbers->pseudo[i] == number)
            return DIRECT_FIRST + (int)i;
    return number;
}

static void set_verdict(uint8_t *verdicts, const struct arch_numbers *numbers, const char *names,
                        enum verdict verdict)
{
    char name[64];
    for (const char *p = names; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (n < sizeof(name)) {
            memcpy(name, p, n);
            name[n] = '\0';
            int number = number_of(numbers, name);
            if (number >= 0 && number < NUMBER_MAX)
                verdicts[number] = (uint8_t)verdict;
        }
        p += n;
    }
}

static void emit_arch(struct program *program, uint32_t arch, uint64_t caps)
{
    uint8_t verdicts[NUMBER_MAX] = {VERDICT_ENOSYS};
    const struct arch_numbers numbers = arch_numbers(arch);
    set_verdict(verdicts, &numbers, allowed, VERDICT_ALLOW);
    for (size_t i = 0; i < ARRAY_SIZE(restricted); i++)
        set_verdict(verdicts, &numbers, restricted[i].names, VERDICT_EPERM);
    set_verdict(verdicts, &numbers, "clone3", VERDICT_ENOSYS); /* its flags lie in memory: use clone */
    set_verdict(verdicts, &numbers, "clone", VERDICT_CLONE);
    for (size_t i = 0; i < ARRAY_SIZE(restricted); i++)
        if (restricted[i].cap >= 0 && caps & (UINT64_C(1) << restricted[i].cap))
            set_verdict(verdicts, &numbers, restricted[i].names, VERDICT_ALLOW);
    if (caps & (UINT64_C(1) << CAP_SYS_ADMIN))
        set_verdict(verdicts, &numbers, "clone", VERDICT_ALLOW);
    set_verdict(verdicts, &numbers, "socket", VERDICT_SOCKET);
    /* Its arguments lie in memory, where a filter cannot look; C libraries fall back to socket and so on. */
    set_verdict(verdicts, &numbers, "socketcall", VERDICT_ENOSYS);
    set_verdict(verdicts, &numbers, "personality", VERDICT_PERSONALITY);

    struct ranges ranges = {.count = 0};
    for (uint32_t i = 0; i < NUMBER_MAX; i++)
        if (i == 0 || verdicts[i] != verdicts[i - 1]) {
            ranges.starts[ranges.count] = i;
            ranges.verdicts[ranges.count++] = verdicts[i];
        }
    emit_load(program, offsetof(struct seccomp_data, nr));
    emit(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, NUMBER_MAX);
    emit_return(program, SECCOMP_RET_ERRNO | ENOSYS); /* x32 calls among them */
    emit_search(program, &ranges, 0, ranges.count - 1, arch);
}

static uint32_t compat_arch(uint32_t native)
{
    return native == SCMP_ARCH_X86_64    ? SCMP_ARCH_X86
           : native == SCMP_ARCH_AARCH64 ? SCMP_ARCH_ARM
           : native == SCMP_ARCH_S390X   ? SCMP_ARCH_S390
                                         : 0;
}

static void emit_program(struct program *program, uint64_t caps)
{
    uint32_t arches[] = {seccomp_arch_native(), compat_arch(seccomp_arch_native())};
    for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
        if (!arches[i])
            continue;
        /* SCMP_ARCH_* are the AUDIT_ARCH_* values for all of these. */
        emit_load(program, offsetof(struct seccomp_data, arch));
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, arches[i]);
        size_t jump = program->size;
        emit(program, BPF_JMP | BPF_JA, 0, 0, 0);
        emit_arch(program, arches[i], caps);
        if (jump < PROGRAM_MAX)
            program->code[jump].k = (uint32_t)(program->size - jump - 1);
    }
    emit_return(program, SECCOMP_RET_KILL_PROCESS);
}

static char *to_base64(const void *owner, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = mem_array(owner, char, (size + 2) / 3 * 4 + 1), *to = text;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t word = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                        (left > 2 ? (uint32_t)data[i + 2] : 0);
        *to++ = digits[word >> 18];
        *to++ = digits[word >> 12 & 63];
        *to++ = left > 1 ? digits[word >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[word & 63] : '=';
    }
    *to = '\0';
    return text;
}

char *seccomp_program(const void *owner, uint64_t caps)
{
    struct program *program = mem_new(NULL, struct program);
    emit_program(program, caps);
    char *text =
        to_base64(owner, (const unsigned char *)program->code, program->size * sizeof(program->code[0]));
    talloc_free(program);
    return text;
}
