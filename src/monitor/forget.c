/*
 * Clearing away after a process has ended. For crun this is three kinds of directory, removed here in
 * microseconds; starting `crun delete` for it costs more than everything else at the end of a container.
 * Whatever is not as expected (a cgroup that still has processes, an unknown runtime) is left to the runtime.
 */
#include "monitor/monitor.h"

#include "base/str.h"

#include <fcntl.h>

static bool remove_at(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTDIR;
}

/* The container's cgroup below every hierarchy: /sys/fs/cgroup itself (v2) or its directories (v1). */
static bool remove_cgroups(const char *path)
{
    char name[PATH_MAX + 300];
    cleanup_dir DIR *dir = opendir("/sys/fs/cgroup");
    if (!dir || path[0] != '/' || !path[1] || strstr(path, ".."))
        return false;
    if (!remove_at(dirfd(dir), path + 1))
        return false;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_LNK))
            continue;
        snprintf(name, sizeof(name), "%s%s", e->d_name, path);
        if (!remove_at(dirfd(dir), name))
            return false;
    }
    return true;
}

/* crun's record: a directory of plain files. */
static bool remove_record(const struct monitor *m)
{
    char path[PATH_MAX + 160];
    snprintf(path, sizeof(path), "%s/runtime/%s", m->conf.run, m->conf.id);
    cleanup_dir DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT;
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            unlinkat(dirfd(dir), e->d_name, 0) < 0)
            return false;
    return rmdir(path) == 0;
}

bool forget_container(const struct monitor *m)
{
    const char *name = strrchr(m->conf.runtime, '/');
    return str_eq(name ? name + 1 : m->conf.runtime, "crun") && remove_cgroups(m->conf.cgroup) &&
           remove_record(m);
}
