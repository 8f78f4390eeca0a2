#include "runtime/private.h"

#include "base/path.h"
#include "sys/fs.h"

enum { ID_MIN = 8, ID_MAX = 64 };

int paths_make(const void *owner, const struct runtime_dirs *dirs, const char *id,
               struct container_paths *ret, struct error *err)
{
    size_t n = id ? strlen(id) : 0;
    if (n < ID_MIN || n > ID_MAX || strspn(id, "0123456789abcdef") != n)
        return error_set(err, EINVAL, "'%s' is not a container id", id ? id : "");
    struct container_paths p = {
        .dir = mem_printf(owner, "%s/containers/%s", dirs->root, id),
        .run = mem_printf(owner, "%s/containers/%s", dirs->run, id),
        .cgroup = mem_printf(owner, "%s/%s", dirs->cgroup, id),
    };
    p.merged = mem_printf(owner, "%s/merged", p.dir);
    p.bundle = mem_printf(owner, "%s/bundle", p.dir);
    p.shm = mem_printf(owner, "%s/shm", p.bundle);
    p.record = mem_printf(owner, "%s/status", p.dir);
    p.status = mem_printf(owner, "%s/status", p.run);
    p.runtime = mem_printf(owner, "%s/runtime", p.run);
    *ret = p;
    return 0;
}

int bundle_json_write(const json_t *json, const char *path, struct error *err)
{
    cleanup_malloc char *text = json_dumps(json, JSON_COMPACT);
    if (!text)
        return error_set(err, EINVAL, "write '%s': a value is not valid UTF-8", path);
    return fs_write_file(path, text, strlen(text), 0600, false, err);
}

void paths_set_cgroup(const void *owner, struct container_paths *paths, const struct container_spec *spec)
{
    if (str_is_empty(spec->cgroup_parent))
        return;
    char *parent = path_join(owner, "/", spec->cgroup_parent);
    paths->cgroup = mem_printf(owner, "%s/%s", str_eq(parent, "/") ? "" : parent, spec->id);
}
