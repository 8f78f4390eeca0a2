#include "oci/platform.h"

#include "base/macro.h"
#include "base/str.h"

#include <ctype.h>
#include <sys/utsname.h>

/* Kernel and common names on the left, Go's GOARCH and variant on the right. */
static const struct {
    const char *name, *architecture, *variant;
} synonyms[] = {
    {"x86_64",  "amd64",   ""  },
    {"x86-64",  "amd64",   ""  },
    {"i386",    "386",     ""  },
    {"i486",    "386",     ""  },
    {"i586",    "386",     ""  },
    {"i686",    "386",     ""  },
    {"aarch64", "arm64",   ""  },
    {"armhf",   "arm",     "v7"},
    {"armv7l",  "arm",     "v7"},
    {"armel",   "arm",     "v6"},
    {"armv6l",  "arm",     "v6"},
    {"armv5l",  "arm",     "v5"},
    {"ppc64el", "ppc64le", ""  },
};

static const char *const architectures[] = {"386",     "amd64",   "arm",    "arm64",    "loong64",
                                            "mips",    "mipsle",  "mips64", "mips64le", "ppc64",
                                            "ppc64le", "riscv64", "s390x",  "wasm"};

static bool is_architecture(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
        if (str_eq(architectures[i], text))
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
        if (str_eq(synonyms[i].name, text))
            return true;
    return false;
}

void platform_set(struct platform *platform, const char *os, const char *architecture, const char *variant)
{
    struct platform p = {0};
    if (!architecture)
        architecture = "";
    if (!variant)
        variant = "";
    for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
        if (str_eq(synonyms[i].name, architecture)) {
            architecture = synonyms[i].architecture;
            if (!*variant)
                variant = synonyms[i].variant;
            break;
        }
    if (str_eq(architecture, "arm64") && (str_eq(variant, "v8") || str_eq(variant, "8")))
        variant = "";
    if (str_eq(architecture, "amd64") && str_eq(variant, "v1"))
        variant = "";
    if (str_eq(architecture, "arm") && !*variant)
        variant = "v7";
    str_copy(p.os, sizeof(p.os), os ? os : "");
    str_copy(p.architecture, sizeof(p.architecture), architecture);
    snprintf(p.variant, sizeof(p.variant), "%s%.16s", isdigit((unsigned char)*variant) ? "v" : "", variant);
    *platform = p;
}

int platform_parse(const char *text, struct platform *ret, struct error *err)
{
    char parts[3][PLATFORM_PART] = {"", "", ""};
    size_t count = 0;
    const char *p = text;
    for (; count < 3; count++) {
        size_t n = strcspn(p, "/");
        if (n == 0 || n >= PLATFORM_PART || strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789._-") < n)
            return error_set(err, EINVAL, "'%s' is not a platform (os/architecture[/variant])", text);
        memcpy(parts[count], p, n);
        p += n;
        if (*p != '/') {
            count++;
            break;
        }
        p++;
    }
    if (*p)
        return error_set(err, EINVAL, "'%s' is not a platform (os/architecture[/variant])", text);
    struct platform host;
    platform_host(&host);
    if (count == 1 && is_architecture(parts[0]))
        platform_set(ret, host.os, parts[0], "");
    else if (count == 1)
        platform_set(ret, parts[0], host.architecture, host.variant);
    else
        platform_set(ret, parts[0], parts[1], parts[2]);
    return 0;
}

void platform_host(struct platform *ret)
{
    struct utsname name;
    const char *machine = uname(&name) == 0 ? name.machine : "";
    if (str_eq(machine, "loongarch64"))
        machine = "loong64";
    platform_set(ret, "linux", machine, "");
}

void platform_print(const struct platform *platform, char text[PLATFORM_TEXT])
{
    snprintf(text, PLATFORM_TEXT, "%s/%s%s%s", platform->os, platform->architecture,
             platform->variant[0] ? "/" : "", platform->variant);
}

/* The number of "v7"; `none` for an empty variant; -1 for anything else. */
static int variant_level(const char *variant, int none)
{
    uint64_t level;
    if (!*variant)
        return none;
    return *variant == 'v' && str_to_u64(variant + 1, 1, 99, &level) ? (int)level : -1;
}

int platform_match(const struct platform *want, const struct platform *have)
{
    if (!str_eq(want->os, have->os) || !str_eq(want->architecture, have->architecture))
        return -1;
    if (str_eq(want->variant, have->variant))
        return 0;
    int none = str_eq(want->architecture, "amd64") ? 1 : str_eq(want->architecture, "arm64") ? 8 : 0;
    int wanted = variant_level(want->variant, none), level = variant_level(have->variant, none);
    /* A processor runs what was made for an older one of its line. */
    return wanted >= 0 && level >= 0 && level <= wanted ? wanted - level : -1;
}
