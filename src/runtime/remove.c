/*
 * Taking a container away. Each step is done whether or not the one before found anything, so that a removal
 * which was interrupted, or that finds what a killed monitor left, ends in the same state: the monitor
 * (politely, then by pidfd), the processes (by cgroup), the runtime's record, the cgroups, the directories.
 */
#include "runtime/private.h"

#include "sys/fd.h"
#include "sys/fs.h"

#include <signal.h>
#include <time.h>

enum { WAIT_MS = 10000, STEP_MS = 2 };

static bool wait_for_lock(const char *path, int *ret_fd)
{
    for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
        if (fs_lock(path, false, false, ret_fd, NULL) == 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
    return false;
}

static void kill_process(pid_t pid, uint64_t start)
{
    cleanup_close int pidfd = -1;
    if (pid > 0 && pidfd_open_process(pid, &pidfd, NULL) == 0 && status_process_lives(pid, start))
        pidfd_signal(pidfd, SIGKILL, NULL);
}

/* Ends the monitor and the container; *ret_lock holds the container's lock. */
static int end_monitor(const struct runtime_dirs *dirs, const char *id, const struct container_paths *paths,
                       int *ret_lock, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = mem_printf(tmp, "%s/lock", paths->run);
    struct container_status status = {.state = STATE_EXITED};
    if (monitor_lives(paths)) {
        container_stop(dirs, id, 0, NULL);
        if (wait_for_lock(path, ret_lock))
            return 0;
        if (status_load(paths, &status, NULL) == 0)
            kill_process(status.monitor_pid, status.monitor_start);
    }
    if (status_load(paths, &status, NULL) == 0)
        kill_process(status.pid, status.pid_start);
    if (!wait_for_lock(path, ret_lock))
        return error_set(err, EBUSY, "the monitor of container '%.12s' does not end", id);
    return 0;
}

/* The cgroup above all containers goes with the last of them. Of two that end together, the second has to
   wait to see that it is the last. */
static void remove_parent(const struct runtime_dirs *dirs)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    char **names;
    if (fs_lock(mem_printf(tmp, "%s/cgroup.lock", dirs->run), false, true, &lock, NULL) != 0 ||
        fs_list(tmp, mem_printf(tmp, "%s/containers", dirs->run), &names, NULL) < 0 || (names && names[0]))
        return;
    cgroup_rmdir(dirs->cgroup);
}

int container_remove(const struct runtime_dirs *dirs, const char *id, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_paths paths;
    struct container_spec *spec = NULL;
    cleanup_close int lock = -1;
    int r = paths_make(tmp, dirs, id, &paths, err);
    if (r < 0)
        return r;
    if (!fs_exists(paths.dir) && !fs_exists(paths.run))
        return 0;
    if (container_load(tmp, dirs, id, &spec, NULL) == 0) {
        paths_set_cgroup(tmp, &paths, spec);
        volumes_forget(dirs, spec);
    }
    if (fs_exists(paths.run)) {
        r = end_monitor(dirs, id, &paths, &lock, err);
        if (r < 0)
            return r;
        cgroup_kill(paths.cgroup);
        r = ociruntime_delete(&paths, spec, id, err);
        cgroup_rmdir(paths.cgroup);
        if (r == 0)
            r = fs_remove_tree(paths.run, err);
        if (r < 0)
            return r;
    }
    /* Also when it was cut off right here before. */
    remove_parent(dirs);
    return fs_remove_tree(paths.dir, err);
}
