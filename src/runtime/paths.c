#include "runtime/private.h"

#include "base/path.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <sys/stat.h>

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
    p.spec = mem_printf(owner, "%s/spec.json", p.dir);
    p.merged = mem_printf(owner, "%s/merged", p.dir);
    p.bundle = mem_printf(owner, "%s/bundle", p.dir);
    p.shm = mem_printf(owner, "%s/shm", p.bundle);
    p.record = mem_printf(owner, "%s/status", p.dir);
    p.status = mem_printf(owner, "%s/status", p.run);
    p.runtime = mem_printf(owner, "%s/runtime", p.run);
    *ret = p;
    return 0;
}

int file_renew(const char *path, const char *text, mode_t mode, struct error *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, "replace '%s'", path);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_errno(err, "create '%s'", path);
    int r = fd_write_all(fd, text, strlen(text), err);
    if (r == 0 && fchmod(fd, mode) < 0)
        r = error_errno(err, "chmod");
    return r < 0 ? error_wrap(err, "'%s'", path) : 0;
}

int bundle_json_write(const json_t *json, const char *path, struct error *err)
{
    cleanup_malloc char *text = json_dumps(json, JSON_COMPACT);
    if (!text)
        return error_set(err, EINVAL, "write '%s': a value is not valid UTF-8", path);
    return file_renew(path, text, 0600, err);
}

void paths_set_cgroup(const void *owner, struct container_paths *paths, const struct container_spec *spec)
{
    if (str_is_empty(spec->cgroup_parent))
        return;
    char *parent = path_join(owner, "/", spec->cgroup_parent);
    paths->cgroup = mem_printf(owner, "%s/%s", str_eq(parent, "/") ? "" : parent, spec->id);
}
