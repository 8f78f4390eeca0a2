#include "runtime/private.h"

#include "monitor/proto.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { REPLY_TIMEOUT_S = 30 };
enum { NOT_RUNNING = 1 };

/* Connects to the monitor. NOT_RUNNING when the container is not up; a lost monitor is replaced first. */
static int connect_monitor(const struct runtime_dirs *dirs, const char *id, int *ret_fd, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_paths paths;
    int r = paths_make(tmp, dirs, id, &paths, err);
    for (int attempt = 0; r == 0 && attempt < 2; attempt++) {
        cleanup_close int dir = -1;
        struct error problem = ERROR_INIT;
        if (monitor_lives(&paths) && fs_open_dir(paths.run, &dir, &problem) == 0 &&
            fd_unix_connect(dir, "control", ret_fd, &problem) == 0)
            return 0;
        struct container_status status;
        r = container_status_read(dirs, id, &status, err);
        if (r != 0)
            return r < 0 ? r : error_set(err, ENOENT, "no container '%s'", id);
        if (status.state != STATE_RUNNING && status.state != STATE_PAUSED && status.state != STATE_RESTARTING)
            return NOT_RUNNING;
        r = container_adopt(dirs, id, err);
        if (attempt == 1 && r == 0)
            return error_set(err, problem.code ? problem.code : EIO,
                             "the monitor of '%s' does not answer: %s", id, problem.text);
    }
    return r;
}

static int read_reply(int fd, struct error *err)
{
    struct {
        struct proto_head head;
        char text[1024];
    } reply;
    struct timeval timeout = {.tv_sec = REPLY_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    ssize_t n = RETRY_EINTR(recv(fd, &reply, sizeof(reply) - 1, 0));
    if (n < 0)
        return error_errno(err, "answer of the monitor");
    if ((size_t)n < sizeof(reply.head) || reply.head.type != PROTO_REPLY)
        return error_set(err, EIO, "the monitor ended before it answered");
    ((char *)&reply)[n] = '\0';
    return reply.head.value ? error_set(err, (int)reply.head.value, "%s", reply.text) : 0;
}

static int request(const struct runtime_dirs *dirs, const char *id, enum proto_type type, int64_t value,
                   struct error *err)
{
    cleanup_close int fd = -1;
    int r = connect_monitor(dirs, id, &fd, err);
    if (r != 0)
        return r;
    struct proto_head head = {.type = type, .value = value};
    r = fd_send(fd, &head, sizeof(head), NULL, 0, err);
    return r < 0 ? r : read_reply(fd, err);
}

static int require_running(int r, const char *id, struct error *err)
{
    return r == NOT_RUNNING ? error_set(err, ESRCH, "container '%.12s' is not running", id) : r;
}

/* A request whose aim is the container's end: a monitor that ended while we asked has nothing more to do. */
static int request_end(const struct runtime_dirs *dirs, const char *id, enum proto_type type, int64_t value,
                       struct error *err)
{
    struct error problem = ERROR_INIT;
    int r = request(dirs, id, type, value, &problem);
    struct container_status status;
    if (r < 0 && container_status_read(dirs, id, &status, NULL) == 0 &&
        (status.state == STATE_EXITED || status.state == STATE_DEAD))
        return 0;
    return r < 0 ? error_set(err, problem.code, "%s", problem.text) : r;
}

int container_stop(const struct runtime_dirs *dirs, const char *id, int64_t grace_ns, struct error *err)
{
    int r = request_end(dirs, id, PROTO_STOP, grace_ns < 0 ? -1 : grace_ns, err);
    return r < 0 ? r : 0;
}

int container_kill(const struct runtime_dirs *dirs, const char *id, int signal_number, struct error *err)
{
    if (signal_number < 1 || signal_number > 64)
        return error_set(err, EINVAL, "signal %d", signal_number);
    int r = signal_number == SIGKILL ? request_end(dirs, id, PROTO_SIGNAL, signal_number, err)
                                     : request(dirs, id, PROTO_SIGNAL, signal_number, err);
    return require_running(r, id, err);
}

int container_pause(const struct runtime_dirs *dirs, const char *id, bool pause, struct error *err)
{
    return require_running(request(dirs, id, pause ? PROTO_PAUSE : PROTO_UNPAUSE, 0, err), id, err);
}

int container_attach(const struct runtime_dirs *dirs, const char *id, int *ret_socket, struct error *err)
{
    return require_running(connect_monitor(dirs, id, ret_socket, err), id, err);
}

int container_pids(const void *owner, const struct runtime_dirs *dirs, const char *id, pid_t **ret,
                   size_t *ret_count, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_paths paths;
    struct container_spec *spec;
    int r = paths_make(tmp, dirs, id, &paths, err);
    if (r == 0)
        r = container_load(tmp, dirs, id, &spec, err);
    if (r < 0)
        return r;
    paths_set_cgroup(tmp, &paths, spec);
    return cgroup_pids(owner, paths.cgroup, ret, ret_count, err);
}
