/*
 * The container's cgroup as seen from outside the runtime: who is in it, the end of all of them, and its
 * removal. Hosts have one v2 hierarchy, several v1 ones, or both; the same path is used below each. Only
 * directories below the path given are touched.
 */
#include "runtime/private.h"

#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

enum { ROUNDS = 400, ROUND_MS = 5 };

static void pause_ms(long ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000};
    nanosleep(&t, NULL);
}

char **cgroup_mounts(const void *owner)
{
    char **points = NULL;
    char *text;
    if (fs_read_file(owner, "/proc/self/mountinfo", 4 << 20, &text, NULL, NULL) != 0)
        return NULL;
    for (char *line; (line = strsep(&text, "\n"));) {
        char point[512], *separator = strstr(line, " - cgroup");
        if (separator && sscanf(line, "%*s %*s %*s %*s %511s", point) == 1)
            points = strv_add(owner, points, point);
    }
    return points;
}

static bool path_is_ours(const char *path)
{
    if (path[0] != '/' || !path[1])
        return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part++;
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

static void collect(const void *owner, const char *dir, pid_t **pids, size_t *count)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text;
    if (fs_read_file(tmp, mem_printf(tmp, "%s/cgroup.procs", dir), 1 << 20, &text, NULL, NULL) == 0)
        for (char *line; (line = strsep(&text, "\n"));) {
            int64_t pid;
            if (str_to_i64(line, 1, INT32_MAX, &pid))
                mem_append(owner, *pids, *count, (pid_t)pid);
        }
    cleanup_dir DIR *list = opendir(dir);
    for (struct dirent *e; list && (e = readdir(list));)
        if (e->d_type == DT_DIR && e->d_name[0] != '.')
            collect(owner, mem_printf(tmp, "%s/%s", dir, e->d_name), pids, count);
}

int cgroup_pids(const void *owner, const char *path, pid_t **ret, size_t *ret_count, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    pid_t *pids = NULL;
    size_t count = 0;
    if (!path_is_ours(path))
        return error_set(err, EINVAL, "'%s' is not a cgroup path", path);
    char **points = cgroup_mounts(tmp);
    for (size_t i = 0; points && points[i] && count == 0; i++)
        collect(owner, mem_printf(tmp, "%s%s", points[i], path), &pids, &count);
    *ret = pids;
    *ret_count = count;
    return 0;
}

static void write_text(const char *path, const char *text)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored UNUSED = write(fd, text, strlen(text));
    }
}

/* True when the process that `pidfd` refers to was in the cgroup after it had been opened. */
static bool is_member(pid_t pid, const char *path)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text;
    if (fs_read_file(tmp, mem_printf(tmp, "/proc/%d/cgroup", (int)pid), 1 << 16, &text, NULL, NULL) != 0)
        return false;
    char *found = strstr(text, path);
    char after = found ? found[strlen(path)] : 'x';
    return after == '\n' || after == '/' || after == '\0';
}

void cgroup_kill(const char *path)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (!path_is_ours(path))
        return;
    char **points = cgroup_mounts(tmp);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t *pids;
        size_t count;
        if (cgroup_pids(tmp, path, &pids, &count, NULL) < 0 || count == 0)
            return;
        for (size_t i = 0; points && points[i]; i++)
            write_text(mem_printf(tmp, "%s%s/cgroup.kill", points[i], path), "1");
        for (size_t i = 0; i < count; i++) {
            cleanup_close int pidfd = -1;
            if (pidfd_open_process(pids[i], &pidfd, NULL) == 0 && is_member(pids[i], path))
                pidfd_signal(pidfd, SIGKILL, NULL);
        }
        /* Frozen processes die only when they are let go. */
        for (size_t i = 0; points && points[i]; i++) {
            write_text(mem_printf(tmp, "%s%s/freezer.state", points[i], path), "THAWED");
            write_text(mem_printf(tmp, "%s%s/cgroup.freeze", points[i], path), "0");
        }
        talloc_free(pids);
        pause_ms(ROUND_MS);
    }
}

static bool remove_dirs(const char *dir)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (rmdir(dir) == 0 || errno == ENOENT || errno == ENOTDIR)
        return true;
    cleanup_dir DIR *list = opendir(dir);
    for (struct dirent *e; list && (e = readdir(list));)
        if (e->d_type == DT_DIR && e->d_name[0] != '.')
            remove_dirs(mem_printf(tmp, "%s/%s", dir, e->d_name));
    return rmdir(dir) == 0 || errno != EBUSY;
}

void cgroup_rmdir(const char *path)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (!path_is_ours(path))
        return;
    char **points = cgroup_mounts(tmp);
    for (size_t i = 0; points && points[i]; i++) {
        char *dir = mem_printf(tmp, "%s%s", points[i], path);
        for (int round = 0; round < ROUNDS / 4 && !remove_dirs(dir); round++)
            pause_ms(ROUND_MS);
    }
}
