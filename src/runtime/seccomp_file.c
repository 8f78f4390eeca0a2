/*
 * A seccomp profile of the user's (security_opt: seccomp=FILE) in Docker's format: the OCI runtime
 * specification's linux.seccomp, in which each rule may say by capability, architecture and kernel version
 * whether it takes part. What remains is handed to the runtime, which compiles it.
 */
#include "runtime/private.h"

#include "sys/fs.h"

#include <sys/utsname.h>

enum { PROFILE_LIMIT = 4 << 20 };

/* The machine as Docker calls it, and as libseccomp does. */
static const struct {
    const char *machine, *docker, *seccomp;
} machines[] = {
    {"x86_64",  "amd64",   "SCMP_ARCH_X86_64" },
    {"aarch64", "arm64",   "SCMP_ARCH_AARCH64"},
    {"ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE"},
    {"s390x",   "s390x",   "SCMP_ARCH_S390X"  },
    {"riscv64", "riscv64", "SCMP_ARCH_RISCV64"},
};

struct profile {
    struct utsname host;
    const char *docker_arch, *seccomp_arch;
    json_t *caps; /* array of names */
};

static bool has_string(const json_t *array, const char *text)
{
    size_t i;
    json_t *value;
    json_array_foreach ((json_t *)(uintptr_t)array, i, value)
        if (str_eq(json_string_value(value), text))
            return true;
    return false;
}

static bool kernel_is_at_least(const struct profile *profile, const char *wanted)
{
    int have_major = 0, have_minor = 0, major_number = 0, minor_number = 0;
    if (sscanf(profile->host.release, "%d.%d", &have_major, &have_minor) != 2 ||
        sscanf(wanted, "%d.%d", &major_number, &minor_number) != 2)
        return false;
    return have_major != major_number ? have_major > major_number : have_minor >= minor_number;
}

/* "includes": every condition must hold. */
static bool is_included(const struct profile *profile, const json_t *filter)
{
    const json_t *caps = json_object_get(filter, "caps"), *arches = json_object_get(filter, "arches");
    const char *kernel = json_string_value(json_object_get(filter, "minKernel"));
    size_t i;
    json_t *cap;
    json_array_foreach ((json_t *)(uintptr_t)caps, i, cap)
        if (!has_string(profile->caps, json_string_value(cap)))
            return false;
    if (json_array_size(arches) > 0 && !has_string(arches, profile->docker_arch))
        return false;
    return !kernel || kernel_is_at_least(profile, kernel);
}

/* "excludes": any condition is enough. */
static bool is_excluded(const struct profile *profile, const json_t *filter)
{
    const json_t *caps = json_object_get(filter, "caps");
    const char *kernel = json_string_value(json_object_get(filter, "minKernel"));
    size_t i;
    json_t *cap;
    json_array_foreach ((json_t *)(uintptr_t)caps, i, cap)
        if (has_string(profile->caps, json_string_value(cap)))
            return true;
    return has_string(json_object_get(filter, "arches"), profile->docker_arch) ||
           (kernel && kernel_is_at_least(profile, kernel));
}

static void copy_member(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);
    if (value && !json_is_null(value))
        json_object_set(to, key, value);
}

static void add_rule(const struct profile *profile, const json_t *rule, json_t *rules)
{
    if (!is_included(profile, json_object_get(rule, "includes")) ||
        is_excluded(profile, json_object_get(rule, "excludes")))
        return;
    json_t *out = json_object();
    json_array_append_new(rules, out);
    copy_member(out, rule, "names");
    const json_t *name = json_object_get(rule, "name");
    if (!json_object_get(out, "names") && json_is_string(name))
        json_object_set_new(out, "names", json_pack("[O]", name));
    copy_member(out, rule, "action");
    copy_member(out, rule, "errnoRet");
    copy_member(out, rule, "args");
}

static void add_architectures(const struct profile *profile, const json_t *json, json_t *out)
{
    size_t i;
    json_t *entry;
    copy_member(out, json, "architectures");
    json_array_foreach (json_object_get(json, "archMap"), i, entry) {
        const char *name = json_string_value(json_object_get(entry, "architecture"));
        if (!str_eq(name, profile->seccomp_arch))
            continue;
        json_t *all = json_array();
        json_add_strings(all, name, NULL);
        json_array_extend(all, json_object_get(entry, "subArchitectures"));
        json_object_set_new(out, "architectures", all);
    }
}

static int read_profile(const void *owner, const char *path, json_t **ret, struct error *err)
{
    char *text;
    size_t size;
    json_error_t problem;
    int r = fs_read_file(owner, path, PROFILE_LIMIT, &text, &size, err);
    if (r != 0)
        return r < 0 ? r : error_set(err, ENOENT, "there is no file '%s'", path);
    json_t *json = json_loadb(text, size, 0, &problem);
    if (!json)
        return error_set(err, EINVAL, "'%s' line %d: %s", path, problem.line, problem.text);
    *ret = json;
    return 0;
}

int seccomp_profile_read(const char *path, uint64_t caps, json_t **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_json json_t *names = caps_to_json(caps);
    cleanup_json json_t *json = NULL;
    struct profile profile = {.caps = names, .docker_arch = "", .seccomp_arch = ""};
    int r = read_profile(tmp, path, &json, err);
    if (r < 0)
        return error_wrap(err, "seccomp profile");
    uname(&profile.host);
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (str_eq(machines[i].machine, profile.host.machine)) {
            profile.docker_arch = machines[i].docker;
            profile.seccomp_arch = machines[i].seccomp;
        }
    if (!json_is_string(json_object_get(json, "defaultAction")))
        return error_set(err, EINVAL, "seccomp profile '%s' has no defaultAction", path);
    json_t *out = json_object(), *rules = json_array(), *rule;
    size_t i;
    copy_member(out, json, "defaultAction");
    copy_member(out, json, "defaultErrnoRet");
    copy_member(out, json, "flags");
    add_architectures(&profile, json, out);
    json_object_set_new(out, "syscalls", rules);
    json_array_foreach (json_object_get(json, "syscalls"), i, rule)
        add_rule(&profile, rule, rules);
    *ret = out;
    return 0;
}
