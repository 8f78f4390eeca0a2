#include "runtime/private.h"

#include "sys/fs.h"

#include <time.h>

enum { SPEC_LIMIT = 16 << 20 };

static int64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The run directory is made under a lock, so that a removal never takes the cgroup parent away beneath it. */
static int make_run_dir(const struct runtime_dirs *dirs, const struct container_paths *paths,
                        struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = fs_mkdir_p(dirs->run, 0700, err);
    if (r < 0)
        return r;
    cleanup_close int lock = -1;
    r = fs_lock(mem_printf(tmp, "%s/cgroup.lock", dirs->run), true, true, &lock, err);
    if (r < 0)
        return r;
    return fs_mkdir_p(paths->run, 0700, err);
}

/* Whole or not at all: it is what makes a container. */
static int spec_save(const json_t *json, const char *path, struct error *err)
{
    cleanup_malloc char *text = json_dumps(json, JSON_COMPACT);
    if (!text)
        return error_set(err, EINVAL, "the container's description is not valid UTF-8");
    return fs_write_file(path, text, strlen(text), 0600, false, err);
}

int container_create(const struct runtime_dirs *dirs, const struct container_spec *spec, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_paths paths;
    int r = paths_make(tmp, dirs, spec->id, &paths, err);
    if (r < 0)
        return r;
    if (!spec->argv || !spec->argv[0])
        return error_set(err, EINVAL, "no command is given, and the image has none");
    r = fs_mkdir_p(paths.dir, 0700, err);
    if (r == 0)
        r = make_run_dir(dirs, &paths, err);
    static const char *const parts[] = {"upper", "work", "merged", "bundle", "log"};
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
        r = fs_mkdir_p(mem_printf(tmp, "%s/%s", paths.dir, parts[i]), str_eq(parts[i], "upper") ? 0755 : 0700,
                       err);
    /* It is what everybody in the container has as "/", whatever the caller's umask. */
    char *upper = mem_printf(tmp, "%s/upper", paths.dir);
    if (r == 0 && chmod(upper, 0755) < 0)
        r = error_errno(err, "set mode of '%s'", upper);
    if (r < 0)
        return r;
    struct container_status status;
    r = container_status_read(dirs, spec->id, &status, err);
    if (r == CONTAINER_ABSENT) {
        status = (struct container_status){.state = STATE_CREATED, .exit_code = -1, .created = wall_ns()};
        r = status_store(&paths, &status, err);
    }
    if (r < 0)
        return r;
    cleanup_json json_t *json = spec_to_json(spec);
    return spec_save(json, paths.spec, err);
}

int container_load(const void *owner, const struct runtime_dirs *dirs, const char *id,
                   struct container_spec **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_paths paths;
    int r = paths_make(tmp, dirs, id, &paths, err);
    if (r < 0)
        return r;
    char *text;
    size_t size;
    r = fs_read_file(tmp, paths.spec, SPEC_LIMIT, &text, &size, err);
    if (r == FS_ABSENT)
        return error_set(err, ENOENT, "no container '%s'", id);
    if (r < 0)
        return r;
    json_error_t problem;
    cleanup_json json_t *json = json_loadb(text, size, 0, &problem);
    if (!json)
        return error_set(err, EINVAL, "'%s': %s", paths.spec, problem.text);
    return spec_from_json(owner, json, ret, err);
}
