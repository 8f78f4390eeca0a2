#include "runtime/private.h"

#include "sys/fs.h"
#include "sys/spawn.h"

const char *ociruntime_name(const struct container_spec *spec)
{
    return spec && !str_is_empty(spec->runtime) ? spec->runtime : "crun";
}

int ociruntime_delete(const struct container_paths *paths, const struct container_spec *spec, const char *id,
                      struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (!fs_exists(mem_printf(tmp, "%s/%s", paths->runtime, id)))
        return 0;
    char text[1024];
    int status;
    struct spawn spawn = {
        .argv = strv_new(tmp, ociruntime_name(spec), "--root", paths->runtime, "delete", "--force", id, NULL),
        .std = {-1, -1, -1},
        .hide_cgroup2 = true,
    };
    int r = spawn_run(&spawn, text, sizeof(text), &status, err);
    if (r < 0)
        return error_wrap(err, "delete container");
    /* A record that the runtime itself cannot read any more is thrown away; the processes are ended by
       cgroup. */
    return fs_remove_tree(mem_printf(tmp, "%s/%s", paths->runtime, id), err);
}
