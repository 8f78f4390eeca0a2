#include "cli/scale.h"

#include "base/str.h"

int scale_parse(const void *owner, const struct project *project, char *const *words, struct omap **ret,
                struct error *err)
{
    struct omap *scale = NULL;
    for (; words && *words; words++) {
        const char *equals = strchr(*words, '=');
        uint64_t count;
        if (!equals || equals == *words)
            return error_set(err, EINVAL, "invalid --scale option \"%s\". Should be SERVICE=NUM", *words);
        char *name = mem_strndup(owner, *words, (size_t)(equals - *words));
        if (!str_to_u64(equals + 1, 0, 10000, &count))
            return error_set(err, EINVAL, "invalid scale specifier: %s=%s", name, equals + 1);
        if (!project_service(project, name))
            return error_set(err, ENOENT, "no such service: %s", name);
        if (!scale)
            scale = omap_new(owner);
        omap_set_str(scale, name, equals + 1);
    }
    *ret = scale;
    return 0;
}
