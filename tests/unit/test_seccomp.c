/*
 * The generated program against what libseccomp compiles from the same tables: every system call number,
 * with each capability, and for the calls whose first argument counts with arguments on both sides of each
 * limit. The tables are static, so their file is part of this program.
 */
#include "runtime/seccomp.c"

#include "base/strv.h"
#include "lib/unit.h"

#include <sys/mman.h>
#include <unistd.h>

enum { NUMBERS = 600 };

struct code {
    struct sock_filter *filter;
    size_t count;
};

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
    uint32_t value;
    assert_true(offset + sizeof(value) <= sizeof(*data));
    memcpy(&value, (const char *)data + offset, sizeof(value));
    return value;
}

/* What the kernel does with it: classic BPF as seccomp(2) allows it. */
static uint32_t run(const struct code *code, const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (size_t pc = 0; pc < code->count; pc++) {
        const struct sock_filter *i = &code->filter[pc];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            a = load(data, i->k);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > i->k ? i->jt : i->jf;
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

static void add(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR)
        assert_int_equal(seccomp_rule_add(ctx, action, number, 0), 0);
}

static void add_if(scmp_filter_ctx ctx, const char *name, struct scmp_arg_cmp condition)
{
    int number = seccomp_syscall_resolve_name(name);
    assert_int_equal(seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 1, &condition), 0);
}

static bool lists(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = names; (p = strstr(p, name)); p += n)
        if ((p == names || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

static bool is_allowed(const char *name, uint64_t caps)
{
    bool found = lists(allowed, name);
    for (size_t i = 0; i < ARRAY_SIZE(restricted); i++)
        found |= restricted[i].cap >= 0 && caps >> restricted[i].cap & 1 && lists(restricted[i].names, name);
    return found;
}

/* A name may stand in several rows, but libseccomp wants one rule for it. */
static void add_names(scmp_filter_ctx ctx, const char *names, uint64_t caps, struct omap *done)
{
    for (char **list = strv_split(done, names, ' '); *list; list++) {
        bool is_unknown = str_eq(*list, "clone3") && !is_allowed("clone3", caps);
        if (**list && !is_unknown && !omap_has(done, *list))
            add(ctx, is_allowed(*list, caps) ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), *list);
        omap_set(done, *list, done);
    }
}

static void add_conditions(scmp_filter_ctx ctx, uint64_t caps)
{
    add_if(ctx, "socket", (struct scmp_arg_cmp)SCMP_A0(SCMP_CMP_LT, AF_ALG, 0));
    add_if(ctx, "socket", (struct scmp_arg_cmp)SCMP_A0(SCMP_CMP_EQ, AF_ALG + 1, 0));
    add_if(ctx, "socket", (struct scmp_arg_cmp)SCMP_A0(SCMP_CMP_GT, AF_VSOCK, 0));
    for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
        add_if(ctx, "personality", (struct scmp_arg_cmp)SCMP_A0(SCMP_CMP_EQ, personalities[i], 0));
    if (caps >> CAP_SYS_ADMIN & 1)
        add(ctx, SCMP_ACT_ALLOW, "clone");
    else
        add_if(ctx, "clone", (struct scmp_arg_cmp)SCMP_A0(SCMP_CMP_MASKED_EQ, clone_denied, 0));
}

static struct code reference(const void *owner, uint32_t arch, uint64_t caps)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    struct omap *done = omap_new(owner);
    struct code code;
    if (arch != seccomp_arch_native()) {
        assert_int_equal(seccomp_arch_add(ctx, arch), 0);
        assert_int_equal(seccomp_arch_remove(ctx, seccomp_arch_native()), 0);
    }
    add_names(ctx, allowed, caps, done);
    for (size_t i = 0; i < ARRAY_SIZE(restricted); i++)
        add_names(ctx, restricted[i].names, caps, done);
    add_conditions(ctx, caps);

    int fd = memfd_create("program", MFD_CLOEXEC);
    assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
    off_t size = lseek(fd, 0, SEEK_END);
    code.count = (size_t)size / sizeof(struct sock_filter);
    code.filter = mem_array(owner, struct sock_filter, code.count);
    assert_int_equal(pread(fd, code.filter, (size_t)size, 0), size);
    close(fd);
    seccomp_release(ctx);
    return code;
}

static void compare(uint32_t arch, uint64_t caps)
{
    static const char *const by_argument[] = {"clone", "socket", "personality"};
    static const uint32_t arguments[] = {
        0,         1,          8,          9,          37,         38,         39,        40,
        41,        0x11,       0x20000,    0x20008,    0x20009,    0x1200011,  0x2000000, 0x4000000,
        0x8000000, 0x10000000, 0x7e020000, 0x80000000, 0x81000000, 0xfffffffe, 0xffffffff};
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct code theirs = reference(tmp, arch, caps);
    struct program *program = mem_new(tmp, struct program);
    emit_program(program, caps);
    const struct code ours = {.filter = program->code, .count = program->size};
    for (int number = -1; number < NUMBERS; number++) {
        char *name = seccomp_syscall_resolve_num_arch(arch, number);
        bool counts = false;
        for (size_t i = 0; i < ARRAY_SIZE(by_argument); i++)
            counts |= str_eq(name, by_argument[i]);
        for (size_t i = 0; i < (counts ? ARRAY_SIZE(arguments) : 1); i++) {
            struct seccomp_data data = {.nr = number, .arch = arch, .args = {arguments[i]}};
            uint32_t got = run(&ours, &data), expected = run(&theirs, &data);
            /* It has no "otherwise" for these, and makes rules of its own for socketcall. */
            if (counts && expected != SECCOMP_RET_ALLOW)
                expected = SECCOMP_RET_ERRNO | EPERM;
            if (str_eq(name, "socketcall"))
                expected = SECCOMP_RET_ERRNO | ENOSYS;
            if (got != expected)
                fail_msg("%s (%d) with %x and capabilities %llx: %x, not %x", name ? name : "?", number,
                         arguments[i], (unsigned long long)caps, got, expected);
        }
        free(name);
    }
}

static void test_same_as_libseccomp(void **state UNUSED)
{
    uint64_t sets[3 + ARRAY_SIZE(restricted)] = {0, caps_default(), (UINT64_C(1) << 41) - 1};
    size_t count = 3;
    for (size_t i = 0; i < ARRAY_SIZE(restricted); i++)
        if (restricted[i].cap >= 0)
            sets[count++] = UINT64_C(1) << restricted[i].cap;
    for (size_t i = 0; i < count; i++) {
        compare(seccomp_arch_native(), sets[i]);
        if (seccomp_arch_native() == SCMP_ARCH_X86_64)
            compare(SCMP_ARCH_X86, sets[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_libseccomp)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
