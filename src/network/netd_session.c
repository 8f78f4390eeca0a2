#include "network/netd_session.h"

#include "base/str.h"
#include "network/record.h"
#include "sys/fd.h"
#include "sys/fs.h"
#include "sys/spawn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>

void netd_session_close(struct netd_session *session)
{
    cleanup_close_fn(&session->socket);
    cleanup_close_fn(&session->dir_fd);
}

int netd_session_open(struct netd_session *session, const void *owner, const struct network_context *context,
                      const char *project, bool create, struct error *err)
{
    *session = (struct netd_session)SESSION_INIT;
    session->context = context;
    session->project = project;
    session->directory = mem_printf(owner, "%s/netd/%s", context->run, project);
    for (;;) {
        if (create) {
            int r = fs_mkdir_p(session->directory, 0700, err);
            if (r < 0)
                return r;
        }
        cleanup_close int fd = open(session->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
            if (create)
                continue;
            return SESSION_ABSENT;
        }
        if (fd < 0)
            return error_errno(err, "open '%s'", session->directory);
        if (RETRY_EINTR(flock(fd, LOCK_EX)) < 0)
            return error_errno(err, "lock '%s'", session->directory);
        struct stat st;
        if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
            session->dir_fd = TAKE_FD(fd);
            return 0;
        }
        /* Someone removed it while we waited. */
    }
}

int netd_session_connect(struct netd_session *session, struct error *err)
{
    struct error refused = ERROR_INIT;
    int r = fd_unix_connect(session->dir_fd, "control", &session->socket, &refused);
    if (r < 0) {
        if (refused.code == ECONNREFUSED || refused.code == ENOENT)
            return SESSION_ABSENT;
        return error_set(err, refused.code, "compote-netd of project '%s': %s", session->project,
                         refused.text);
    }
    struct timeval limit = {.tv_sec = 10};
    setsockopt(session->socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(session->socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    int room = 2 * RECORD_MAX;
    setsockopt(session->socket, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    return 0;
}

int netd_session_start(struct netd_session *session, const void *tmp, struct error *err)
{
    cleanup_close int listener = -1;
    int r = fd_unix_listen(session->dir_fd, "control", &listener, err);
    if (r < 0)
        return r;
    enum { LISTENER_FD = 3 };
    char *argv[] = {mem_printf(tmp, "%s/compote-netd", session->context->libexec),
                    mem_strdup(tmp, session->project), NULL};
    struct spawn spawn = {
        .argv = argv,
        .std = {-1,  -1, -1},
        .fds = {{.from = listener, .to = LISTENER_FD}},
        .fd_count = 1,
        .cwd = "/",
        .new_session = true
    };
    pid_t pid;
    int status = 0;
    r = spawn_start(&spawn, &pid, NULL, err);
    /* It forks at once, and the first process only says how that went. */
    if (r == 0)
        r = spawn_wait(pid, &status, err);
    if (r == 0 && status != 0)
        r = error_set(err, ECHILD, "'%s' ended with status %d", argv[0], status);
    return r < 0 ? r : netd_session_connect(session, err);
}

int netd_session_read(struct netd_session *session, char *text, size_t size, struct error *err)
{
    size_t got;
    int r = fd_receive(session->socket, text, size - 1, &got, NULL, 0, NULL, err);
    if (r == 0 && got == 0)
        r = error_set(err, ECONNRESET, "it ended");
    if (r < 0)
        return error_wrap(err, "compote-netd of project '%s'", session->project);
    text[got] = '\0';
    return 0;
}

int netd_session_request(struct netd_session *session, const char *request, struct error *err)
{
    char reply[ERROR_TEXT_SIZE];
    int r = fd_send(session->socket, request, strlen(request), NULL, 0, err);
    if (r == 0)
        r = netd_session_read(session, reply, sizeof(reply), err);
    if (r < 0)
        return r;
    return str_eq(reply, "ok\n") ? 0 : error_set(err, EIO, "compote-netd: %s", reply);
}

char *netd_session_path(const void *owner, const struct netd_session *session, const char *container,
                        const char *kind)
{
    return mem_printf(owner, "%s/%s.%s", session->directory, container, kind);
}

void netd_session_wait_for_end(struct netd_session *session)
{
    char text[64];
    size_t got = 1;
    while (got > 0 && fd_receive(session->socket, text, sizeof(text), &got, NULL, 0, NULL, NULL) == 0)
        ;
}
