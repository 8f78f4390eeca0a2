/*
 * Reading the state of containers. The status file in the run directory is what the monitor says; the
 * processes are what is true. A monitor holds a lock on <run>/containers/<id>/lock for as long as it lives,
 * so its absence is certain and not a matter of pids. After a reboot the run directory is empty, and the
 * last record in the container's directory counts, in which nothing can be running any more.
 */
#include "runtime/private.h"

#include "sys/fd.h"
#include "sys/fs.h"

#include <sys/epoll.h>
#include <sys/inotify.h>

static int load_file(const char *path, struct container_status *ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text;
    int r = fs_read_file(tmp, path, STATUS_TEXT_SIZE * 2, &text, NULL, err);
    if (r != 0)
        return r < 0 ? r : CONTAINER_ABSENT;
    if (!status_parse(text, ret))
        return error_set(err, EINVAL, "'%s' is damaged", path);
    return 0;
}

int status_load(const struct container_paths *paths, struct container_status *ret, struct error *err)
{
    int r = load_file(paths->status, ret, err);
    if (r != CONTAINER_ABSENT)
        return r;
    r = load_file(paths->record, ret, err);
    if (r == CONTAINER_ABSENT && fs_exists(paths->spec)) {
        /* The record is replaced by removing it first: this one was about to run. */
        *ret = (struct container_status){.state = STATE_DEAD, .exit_code = -1};
        return 0;
    }
    if (r != 0)
        return r;
    if (ret->state == STATE_RUNNING || ret->state == STATE_PAUSED || ret->state == STATE_RESTARTING) {
        ret->state = STATE_DEAD;
        ret->exit_code = -1;
    }
    ret->pid = ret->monitor_pid = 0;
    return 0;
}

int status_store(const struct container_paths *paths, const struct container_status *status,
                 struct error *err)
{
    char text[STATUS_TEXT_SIZE];
    size_t n = status_print(status, text, sizeof(text));
    int r = fs_write_file(paths->record, text, n, 0600, false, err);
    return r < 0 ? r : fs_write_file(paths->status, text, n, 0600, false, err);
}

bool monitor_lives(const struct container_paths *paths)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = mem_printf(tmp, "%s/lock", paths->run);
    if (!fs_exists(path))
        return false;
    cleanup_close int fd = -1;
    return fs_lock(path, true, false, &fd, NULL) == LOCK_BUSY;
}

int container_status_read(const struct runtime_dirs *dirs, const char *id, struct container_status *ret,
                          struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_paths paths;
    struct container_status status;
    int r = paths_make(tmp, dirs, id, &paths, err);
    if (r == 0)
        r = status_load(&paths, &status, err);
    if (r != 0)
        return r;
    bool was_up = status.state == STATE_RUNNING || status.state == STATE_PAUSED;
    if ((was_up || status.state == STATE_RESTARTING) &&
        !status_process_lives(status.monitor_pid, status.monitor_start)) {
        bool lives = was_up && status_process_lives(status.pid, status.pid_start);
        if (!lives) {
            /* The monitor may have written its last word between our two looks. */
            struct container_status again;
            if (status_load(&paths, &again, NULL) == 0 && again.state != status.state) {
                *ret = again;
                return 0;
            }
            status.state = STATE_DEAD;
            status.exit_code = -1;
            status.pid = 0;
            status.health = HEALTH_NONE;
        }
    }
    *ret = status;
    return 0;
}

enum { RECHECK_NS = 10 * 1000 * 1000 };

struct container_watch {
    struct loop *loop;
    struct loop_source inotify, process, first;
    int inotify_fd, process_fd;
    pid_t watched_pid;
    struct runtime_dirs dirs;
    char *id;
    void (*changed)(void *data, const struct container_status *status);
    void *data;
    char last[STATUS_TEXT_SIZE];
};

static int watch_destroy(struct container_watch *watch)
{
    loop_remove(watch->loop, &watch->inotify);
    loop_remove(watch->loop, &watch->process);
    loop_remove(watch->loop, &watch->first);
    cleanup_close_fn(&watch->inotify_fd);
    cleanup_close_fn(&watch->process_fd);
    return 0;
}

static int watch_process_gone(struct loop *loop, struct loop_source *source, uint32_t events, void *data,
                              struct error *err);
static int watch_first(struct loop *loop, struct loop_source *source, uint32_t events, void *data,
                       struct error *err);

/*
 * A monitor that is killed writes nothing, so its process is watched as well; and when it is gone already,
 * the container's.
 */
static void watch_process(struct container_watch *watch, const struct container_status *status)
{
    bool monitored = status_process_lives(status->monitor_pid, status->monitor_start);
    pid_t pid = monitored ? status->monitor_pid : status->pid;
    uint64_t start = monitored ? status->monitor_start : status->pid_start;
    if (pid == watch->watched_pid)
        return;
    loop_remove(watch->loop, &watch->process);
    cleanup_close_fn(&watch->process_fd);
    watch->process_fd = -1;
    watch->watched_pid = 0;
    if (pid <= 0)
        return;
    bool lives = pidfd_open_process(pid, &watch->process_fd, NULL) == 0 && status_process_lives(pid, start);
    if (lives && loop_add(watch->loop, &watch->process, watch->process_fd, EPOLLIN, watch_process_gone, watch,
                          NULL) == 0)
        watch->watched_pid = pid;
    else if (status->state == STATE_RUNNING || status->state == STATE_PAUSED)
        loop_timer(watch->loop, &watch->first, RECHECK_NS, watch_first, watch, NULL);
}

static void watch_report(struct container_watch *watch)
{
    struct container_status status;
    char text[STATUS_TEXT_SIZE];
    if (container_status_read(&watch->dirs, watch->id, &status, NULL) != 0)
        return;
    watch_process(watch, &status);
    status_print(&status, text, sizeof(text));
    if (str_eq(text, watch->last))
        return;
    memcpy(watch->last, text, sizeof(text));
    watch->changed(watch->data, &status); /* may free the watch */
}

static int watch_process_gone(struct loop *loop, struct loop_source *source, uint32_t events UNUSED,
                              void *data, struct error *err UNUSED)
{
    struct container_watch *watch = data;
    loop_remove(loop, source);
    watch->watched_pid = 0;
    watch_report(watch);
    return 0;
}

static int watch_first(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                       struct error *err UNUSED)
{
    loop_remove(loop, source);
    watch_report(data);
    return 0;
}

static int watch_event(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED,
                       void *data, struct error *err UNUSED)
{
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool relevant = false;
    ssize_t n;
    while ((n = RETRY_EINTR(read(source->fd, buffer, sizeof(buffer)))) > 0)
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)p;
            relevant |= event->len && str_eq(event->name, "status");
            p += sizeof(*event) + event->len;
        }
    if (relevant)
        watch_report(data);
    return 0;
}

int container_watch(const void *owner, const struct runtime_dirs *dirs, const char *id, struct loop *loop,
                    void (*changed)(void *data, const struct container_status *status), void *data,
                    struct container_watch **ret, struct error *err)
{
    struct container_watch *watch = mem_new(owner, struct container_watch);
    *watch = (struct container_watch){.loop = loop,
                                      .inotify = LOOP_SOURCE_INIT,
                                      .process = LOOP_SOURCE_INIT,
                                      .first = LOOP_SOURCE_INIT,
                                      .process_fd = -1,
                                      .inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
                                      .dirs = *dirs,
                                      .changed = changed,
                                      .data = data};
    watch->id = mem_strdup(watch, id);
    talloc_set_destructor(watch, watch_destroy);
    struct container_paths paths;
    int r = watch->inotify_fd < 0 ? error_errno(err, "inotify") : paths_make(watch, dirs, id, &paths, err);
    if (r == 0)
        r = fs_mkdir_p(paths.run, 0700, err);
    if (r == 0 && inotify_add_watch(watch->inotify_fd, paths.run, IN_MOVED_TO | IN_ONLYDIR) < 0)
        r = error_errno(err, "watch '%s'", paths.run);
    if (r == 0)
        r = loop_add(loop, &watch->inotify, watch->inotify_fd, EPOLLIN, watch_event, watch, err);
    if (r == 0)
        r = loop_timer(loop, &watch->first, 0, watch_first, watch, err);
    if (r < 0) {
        talloc_free(watch);
        return r;
    }
    *ret = watch;
    return 0;
}
