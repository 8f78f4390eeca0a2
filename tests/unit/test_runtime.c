#include "lib/unit.h"

#include "runtime/private.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/stat.h>

static void *context;
static char dir[] = "/tmp/compote-test-runtime.XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    context = mem_ctx();
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    talloc_free(context);
    return fs_remove_tree(dir, NULL);
}

static void put(const char *name, const char *text)
{
    char *path = mem_printf(context, "%s/%s", dir, name);
    assert_int_equal(fs_mkdir_p(mem_printf(context, "%s/etc", dir), 0755, NULL), 0);
    assert_int_equal(fs_write_file(path, text, strlen(text), 0644, false, NULL), 0);
}

/* --- The recorded spec --- */

static void test_spec_round_trip(void **state)
{
    (void)state;
    struct mount_spec mounts[] = {
        {.type = MOUNT_VOLUME, .source = (char[]){"/v"}, .target = (char[]){"/t"}, .copy_up = true}
    };
    struct ulimit limit = {.soft = -1, .hard = 5};
    struct healthcheck check = {.test = strv_new(context, "CMD", "true", NULL), .interval = 7};
    struct container_spec spec = {
        .id = (char[]){"abcdef0123"},
        .layers = strv_new(context, "/l1", "/l2", NULL),
        .argv = strv_new(context, "a", "", "b c", NULL),
        .labels = omap_new(context),
        .ulimits = omap_new(context),
        .mounts = mounts,
        .mount_count = 1,
        .tty = true,
        .cpus = 1.5,
        .oom_score_adj = INT64_MIN,
        .restart = RESTART_ON_FAILURE,
        .healthcheck = &check,
    };
    omap_set_str(spec.labels, "k", "v");
    omap_set_str(spec.labels, "a", "");
    omap_set(spec.ulimits, "nofile", &limit);
    cleanup_json json_t *json = spec_to_json(&spec);
    cleanup_malloc char *text = json_dumps(json, 0);
    cleanup_json json_t *read = json_loads(text, 0, NULL);
    struct container_spec *back;
    assert_int_equal(spec_from_json(context, read, &back, NULL), 0);
    cleanup_json json_t *again = spec_to_json(back);
    assert_true(json_equal(json, again));
    assert_string_equal(back->argv[2], "b c");
    assert_int_equal(strv_len(back->argv), 3);
    assert_int_equal(back->mounts[0].type, MOUNT_VOLUME);
    assert_true(back->oom_score_adj == INT64_MIN);
    assert_string_equal(back->labels->entries[0].key, "k");
    assert_int_equal(((struct ulimit *)omap_get(back->ulimits, "nofile"))->hard, 5);
    assert_null(back->user);
}

static void test_spec_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "{\"id\":\"x\"}",
                                      "{\"id\":\"x\",\"argv\":[]}",
                                      "{\"id\":\"x\",\"argv\":[1]}",
                                      "{\"id\":\"x\",\"argv\":\"a\"}",
                                      "{\"id\":1,\"argv\":[\"a\"]}",
                                      "{\"id\":\"x\",\"argv\":[\"a\"],\"tty\":1}",
                                      "{\"id\":\"x\",\"argv\":[\"a\"],\"mounts\":{}}",
                                      "{\"id\":\"x\",\"argv\":[\"a\"],\"mounts\":[1]}",
                                      "{\"id\":\"x\",\"argv\":[\"a\"],\"ulimits\":{\"a\":1}}"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cleanup_json json_t *json = json_loads(bad[i], 0, NULL);
        struct container_spec *spec;
        struct error err = ERROR_INIT;
        assert_true(spec_from_json(context, json, &spec, &err) < 0);
        assert_true(error_is_set(&err));
    }
}

static void test_ids(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "../../etc/passwd", "abc",
                                      "ABCDEF0123", "abcdef012/",       "abcdef012g"};
    struct runtime_dirs dirs = {"/r", "/run", "/l", "/c"};
    struct container_paths paths;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(paths_make(context, &dirs, bad[i], &paths, NULL) < 0);
    assert_int_equal(paths_make(context, &dirs, "abcdef0123", &paths, NULL), 0);
    assert_string_equal(paths.cgroup, "/c/abcdef0123");
    struct container_spec spec = {.id = (char[]){"abcdef0123"}, .cgroup_parent = (char[]){"../../x/../y"}};
    paths_set_cgroup(context, &paths, &spec);
    assert_string_equal(paths.cgroup, "/y/abcdef0123");
}

/* --- Users --- */

static void test_users(void **state)
{
    (void)state;
    put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                      "bad line\n"
                      "evil:x:4294967296:0::/:\n"
                      "12:x:77:77::/:\n"
                      "web:x:1000:1001:Web:/home/web:/bin/sh\n"
                      "short:x:5\n");
    put("etc/group", "root:x:0:\nweb:x:1001:\nmore:x:7:a,web,b\nalmost:x:8:webb\nbig:x:4294967295:web\n");
    static const struct {
        const char *user;
        int64_t uid; /* -1: refused */
        uint32_t gid;
        const char *groups;
    } cases[] = {
        {NULL,             0,          0,    "0"     },
        {"",               0,          0,    "0"     },
        {"root",           0,          0,    "0"     },
        {"web",            1000,       1001, "7 1001"},
        {"1000",           1000,       1001, "7 1001"},
        {"web:more",       1000,       7,    "7"     },
        {"web:0",          1000,       0,    "0"     },
        {"5000",           5000,       0,    "0"     },
        {"5000:6000",      5000,       6000, "6000"  },
        {"12",             12,         0,    "0"     }, /* a number is never a name */
        {"4294967294",     4294967294, 0,    "0"     },
        {"4294967295",     -1,         0,    ""      },
        {"4294967296",     -1,         0,    ""      },
        {"evil",           -1,         0,    ""      },
        {"short",          -1,         0,    ""      },
        {"nobody",         -1,         0,    ""      },
        {"-1",             -1,         0,    ""      },
        {" 0",             -1,         0,    ""      },
        {"web:nogroup",    -1,         0,    ""      },
        {"web:4294967295", -1,         0,    ""      },
    };
    int root;
    assert_int_equal(fs_open_dir(dir, &root, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct user_ids ids = {.uid = 1};
        int r = user_resolve(root, cases[i].user, NULL, &ids, NULL);
        assert_int_equal(r < 0, cases[i].uid < 0);
        if (r < 0)
            continue;
        assert_int_equal(ids.uid, cases[i].uid);
        assert_int_equal(ids.gid, cases[i].gid);
        char groups[128] = "";
        for (size_t k = 0; k < ids.group_count; k++)
            snprintf(groups + strlen(groups), sizeof(groups) - strlen(groups), "%s%u", k ? " " : "",
                     ids.groups[k]);
        assert_string_equal(groups, cases[i].groups);
    }
    close(root);
}

static void test_user_files_are_hostile(void **state)
{
    (void)state;
    int root;
    struct user_ids ids;
    put("etc/passwd", "");
    char *path = mem_printf(context, "%s/etc/passwd", dir);
    assert_int_equal(fs_open_dir(dir, &root, NULL), 0);
    unlink(path);
    assert_int_equal(user_resolve(root, NULL, NULL, &ids, NULL), 0); /* no file at all */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(user_resolve(root, "root", NULL, &ids, NULL) < 0);
    unlink(path);
    /* A link out of the root leads to the root. */
    assert_int_equal(symlink("/../../../../../../etc/passwd", path), 0);
    assert_true(user_resolve(root, "root", NULL, &ids, NULL) < 0);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, 1 << 30), 0);
    close(fd);
    assert_true(user_resolve(root, "root", NULL, &ids, NULL) < 0);
    unlink(path);
    close(root);
}

/* --- Capabilities, signals --- */

static void test_caps(void **state)
{
    (void)state;
    uint64_t caps, all = caps_all();
    assert_true(caps_default() == 0xa80425fb);
    char **everything = strv_new(context, "ALL", NULL), **chown = strv_new(context, "cap_chown", NULL),
         **wrong = strv_new(context, "FLY", NULL);
    assert_int_equal(caps_make(NULL, NULL, false, &caps, NULL), 0);
    assert_true(caps == (caps_default() & all));
    assert_int_equal(caps_make(chown, everything, false, &caps, NULL), 0);
    assert_true(caps == 1);
    assert_int_equal(caps_make(everything, chown, false, &caps, NULL), 0);
    assert_true(caps == (all & ~UINT64_C(1)));
    assert_int_equal(caps_make(NULL, NULL, true, &caps, NULL), 0);
    assert_true(caps == all);
    assert_true(caps_make(wrong, NULL, false, &caps, NULL) < 0);
    assert_true(caps_make(NULL, wrong, false, &caps, NULL) < 0);
    cleanup_json json_t *names = caps_to_json(caps_default());
    assert_int_equal(json_array_size(names), 14);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "CAP_CHOWN");
}

static void test_signals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int number; /* 0: refused */
    } cases[] = {
        {"SIGTERM",    SIGTERM},
        {"term",       SIGTERM},
        {"Sigusr1",    SIGUSR1},
        {"9",          9      },
        {"64",         64     },
        {"SIGRTMIN",   34     },
        {"RTMIN+3",    37     },
        {"SIGRTMAX-1", 63     },
        {"RTMIN-1",    0      },
        {"RTMIN+x",    0      },
        {"0",          0      },
        {"65",         0      },
        {"-9",         0      },
        {"SIG",        0      },
        {"SIGNOPE",    0      },
        {"",           0      },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int number = 0;
        assert_int_equal(stop_signal_parse(cases[i].text, &number, NULL) == 0, cases[i].number != 0);
        assert_int_equal(number, cases[i].number);
    }
}

/* --- Seccomp: the program is run by an interpreter of the few instructions that it uses --- */

static struct sock_filter *decode(const char *text, size_t *ret_count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char *bytes = mem_array(context, unsigned char, strlen(text) + 8);
    size_t n = 0;
    for (const char *p = text; *p; p += 4) {
        uint32_t word = 0;
        for (int i = 0; i < 4; i++)
            word = word << 6 | (p[i] == '=' ? 0 : (uint32_t)(strchr(digits, p[i]) - digits));
        for (int i = 0; i < 3 && p[i + 1] != '='; i++)
            bytes[n++] = (unsigned char)(word >> (16 - 8 * i));
    }
    assert_int_equal(n % sizeof(struct sock_filter), 0);
    *ret_count = n / sizeof(struct sock_filter);
    return (struct sock_filter *)bytes;
}

static uint32_t interpret(const struct sock_filter *code, size_t count, const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (size_t pc = 0; pc < count; pc++) {
        const struct sock_filter *i = &code[pc];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k + 4 <= sizeof(*data));
            memcpy(&a, (const char *)data + i->k, 4);
            break;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += a & i->k ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            fail_msg("instruction %x", i->code);
        }
    }
    fail_msg("the program has no end");
    return 0;
}

struct seccomp_case {
    const char *name;
    uint64_t argument;
    uint64_t caps;
    uint32_t verdict;
};

static const uint32_t allow = SECCOMP_RET_ALLOW, eperm = SECCOMP_RET_ERRNO | EPERM,
                      enosys = SECCOMP_RET_ERRNO | ENOSYS;

static void check_arch(uint32_t arch, const struct seccomp_case *cases, size_t case_count)
{
    for (size_t i = 0; i < case_count; i++) {
        int number = seccomp_syscall_resolve_name_arch(arch, cases[i].name);
        if (number < 0)
            continue;
        size_t count;
        struct sock_filter *code = decode(seccomp_program(context, cases[i].caps), &count);
        struct seccomp_data data = {.nr = number, .arch = arch, .args = {cases[i].argument}};
        uint32_t got = interpret(code, count, &data);
        if (got != cases[i].verdict)
            fail_msg("%s(%llx): %x, not %x", cases[i].name, (unsigned long long)cases[i].argument, got,
                     cases[i].verdict);
    }
}

static void test_seccomp(void **state)
{
    (void)state;
    const uint64_t docker = 0xa80425fb, admin = docker | UINT64_C(1) << CAP_SYS_ADMIN;
    const struct seccomp_case cases[] = {
        {"read",              0,                        docker,                             allow },
        {"exit_group",        0,                        docker,                             allow },
        {"openat2",           0,                        docker,                             allow },
        {"ptrace",            0,                        docker,                             allow },
        {"mount",             0,                        docker,                             eperm },
        {"mount",             0,                        admin,                              allow },
        {"unshare",           0,                        docker,                             eperm },
        {"bpf",               0,                        docker,                             eperm },
        {"bpf",               0,                        docker | UINT64_C(1) << CAP_BPF,    allow },
        {"io_uring_setup",    0,                        admin,                              eperm },
        {"keyctl",            0,                        admin,                              eperm },
        {"userfaultfd",       0,                        admin,                              eperm },
        {"clone3",            0,                        docker,                             enosys},
        {"clone3",            0,                        admin,                              allow },
        {"clone",             0x01200011,               docker,                             allow },
        {"clone",             0x10000000,               docker,                             eperm },
        {"clone",             0x00020000,               docker,                             eperm },
        {"clone",             0x10000000,               admin,                              allow },
        {"chroot",            0,                        docker,                             allow },
        {"chroot",            0,                        0,                                  eperm },
        {"socket",            2,                        docker,                             allow },
        {"socket",            38,                       docker,                             eperm },
        {"socket",            39,                       docker,                             allow },
        {"socket",            40,                       docker,                             eperm },
        {"socket",            (UINT64_C(1) << 32) | 38, docker,                             eperm },
        {"socket",            (UINT64_C(1) << 32) | 40, admin,                              eperm },
        {"socketcall",        1,                        docker,                             enosys},
        {"personality",       0,                        docker,                             allow },
        {"personality",       8,                        docker,                             allow },
        {"personality",       0x20000,                  docker,                             allow },
        {"personality",       0x20008,                  docker,                             allow },
        {"personality",       0xffffffff,               docker,                             allow },
        {"personality",       0x0400000,                docker,                             eperm },
        {"open_by_handle_at", 0,                        docker,                             eperm },
        {"open_by_handle_at", 0,                        UINT64_C(1) << CAP_DAC_READ_SEARCH, allow },
        {"settimeofday",      0,                        docker,                             eperm },
        {"settimeofday",      0,                        UINT64_C(1) << CAP_SYS_TIME,        allow },
    };
    check_arch(seccomp_arch_native(), cases, ARRAY_SIZE(cases));
    if (seccomp_arch_native() == SCMP_ARCH_X86_64)
        check_arch(SCMP_ARCH_X86, cases, ARRAY_SIZE(cases));
}

static void test_seccomp_edges(void **state)
{
    (void)state;
    size_t count;
    struct sock_filter *code = decode(seccomp_program(context, caps_default()), &count);
    assert_true(count < BPF_MAXINSNS);
    struct seccomp_data data = {.arch = seccomp_arch_native()};
    static const int numbers[] = {600, 999, 1000, 1023, 1024, 4096, 0x40000000, 0x40000027, -1, INT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        data.nr = numbers[i];
        assert_int_equal(interpret(code, count, &data), enosys);
    }
    data.nr = 0;
    data.arch = AUDIT_ARCH_PPC;
    assert_int_equal(interpret(code, count, &data), SECCOMP_RET_KILL_PROCESS);
    /* Jumps stay inside. */
    for (size_t i = 0; i < count; i++)
        if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].code != (BPF_JMP | BPF_JA))
            assert_true(i + 1 + code[i].jt < count && i + 1 + code[i].jf < count);
}

/* --- Cgroups --- */

static void test_cgroup_paths(void **state)
{
    (void)state;
    static const char *const good[] = {"/compote-test-none/a", "/a..b/c", "/..a/b"};
    static const char *const bad[] = {"", "/", "a", "/..", "/a/..", "/a/../b", "/../a"};
    pid_t *pids;
    size_t count;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_int_equal(cgroup_pids(context, good[i], &pids, &count, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (cgroup_pids(context, bad[i], &pids, &count, NULL) == 0)
            fail_msg("'%s' was taken", bad[i]);
}

/* --- Directories in the container --- */

static void test_mkdir_in_root(void **state)
{
    (void)state;
    int root;
    struct stat st;
    char *base = mem_printf(context, "%s/root", dir), *outside = mem_printf(context, "%s/outside", dir);
    assert_int_equal(fs_mkdir_p(base, 0755, NULL), 0);
    assert_int_equal(fs_mkdir_p(outside, 0755, NULL), 0);
    assert_int_equal(symlink("/../../outside", mem_printf(context, "%s/link", base)), 0);
    assert_int_equal(symlink(outside, mem_printf(context, "%s/absolute", base)), 0);
    assert_int_equal(fs_open_dir(base, &root, NULL), 0);
    assert_int_equal(rootfs_mkdir(root, "/a/b/../c", NULL, NULL), 0);
    assert_int_equal(stat(mem_printf(context, "%s/a/c", base), &st), 0);
    assert_int_equal(rootfs_mkdir(root, "/a/c", NULL, NULL), 0);
    assert_int_equal(rootfs_mkdir(root, "/", NULL, NULL), 0);
    assert_int_equal(rootfs_mkdir(root, "/../../up", NULL, NULL), 0);
    assert_int_equal(stat(mem_printf(context, "%s/up", base), &st), 0);
    /* Links that dangle inside the root are refused, and nothing is made outside. */
    assert_true(rootfs_mkdir(root, "/link/x", NULL, NULL) < 0);
    assert_true(rootfs_mkdir(root, "/absolute/x", NULL, NULL) < 0);
    assert_int_equal(rmdir(outside), 0);
    close(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec_round_trip),
        cmocka_unit_test(test_spec_refuses),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_user_files_are_hostile),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_seccomp),
        cmocka_unit_test(test_seccomp_edges),
        cmocka_unit_test(test_cgroup_paths),
        cmocka_unit_test(test_mkdir_in_root),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
