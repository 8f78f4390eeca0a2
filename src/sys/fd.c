#include "sys/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>

int fd_write_all(int fd, const void *data, size_t size, struct error *err)
{
    const char *p = data;
    while (size) {
        ssize_t n = RETRY_EINTR(write(fd, p, size));
        if (n < 0)
            return error_errno(err, "write");
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int fd_read_full(int fd, void *data, size_t size, size_t *ret_got, struct error *err)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = RETRY_EINTR(read(fd, (char *)data + got, size - got));
        if (n < 0)
            return error_errno(err, "read");
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret_got = got;
    return 0;
}

int fd_set_nonblocking(int fd, struct error *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno(err, "make descriptor %d non-blocking", fd);
    return 0;
}

int fd_seqpacket_pair(int ret[2], struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
        return error_errno(err, "socketpair");
    return 0;
}

int fd_pipe(int ret[2], struct error *err)
{
    if (pipe2(ret, O_CLOEXEC) < 0)
        return error_errno(err, "pipe");
    return 0;
}

static int unix_address(int dir_fd, const char *name, struct sockaddr_un *address, struct error *err)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    int n = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
    if (n < 0 || (size_t)n >= sizeof(address->sun_path))
        return error_set(err, ENAMETOOLONG, "socket name '%s' is too long", name);
    return 0;
}

static int unix_socket(int dir_fd, const char *name, struct sockaddr_un *address, int *ret_fd,
                       struct error *err)
{
    int r = unix_address(dir_fd, name, address, err);
    if (r < 0)
        return r;
    *ret_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return *ret_fd < 0 ? error_errno(err, "socket") : 0;
}

int fd_unix_listen(int dir_fd, const char *name, int *ret_fd, struct error *err)
{
    struct sockaddr_un address;
    cleanup_close int fd = -1;
    int r = unix_socket(dir_fd, name, &address, &fd, err);
    if (r < 0)
        return r;
    if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
        return error_errno(err, "remove stale socket '%s'", name);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno(err, "bind socket '%s'", name);
    if (listen(fd, 64) < 0)
        return error_errno(err, "listen on socket '%s'", name);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int fd_unix_connect(int dir_fd, const char *name, int *ret_fd, struct error *err)
{
    struct sockaddr_un address;
    cleanup_close int fd = -1;
    int r = unix_socket(dir_fd, name, &address, &fd, err);
    if (r < 0)
        return r;
    if (RETRY_EINTR(connect(fd, (struct sockaddr *)&address, sizeof(address))) < 0)
        return error_errno(err, "connect to socket '%s'", name);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

enum { MAX_FDS = 8 };

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int) * MAX_FDS)];
};

int fd_send(int sock, const void *data, size_t size, const int *fds, size_t fd_count, struct error *err)
{
    union control control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count > MAX_FDS)
        return error_set(err, EINVAL, "%zu descriptors in one message", fd_count);
    if (fd_count) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    if (RETRY_EINTR(sendmsg(sock, &msg, MSG_NOSIGNAL)) < 0)
        return error_errno(err, "send message");
    return 0;
}

int fd_receive(int sock, void *data, size_t size, size_t *ret_size, int *fds, size_t fd_room, size_t *ret_fds,
               struct error *err)
{
    union control control;
    struct iovec iov = {.iov_base = data, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    ssize_t n = RETRY_EINTR(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC));
    if (n < 0)
        return error_errno(err, "receive message");
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (count < fd_room)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
    *ret_size = (size_t)n;
    if (ret_fds)
        *ret_fds = count;
    return 0;
}

int pidfd_open_process(pid_t pid, int *ret_fd, struct error *err)
{
    int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return error_errno(err, "open process %d", (int)pid);
    *ret_fd = fd;
    return 0;
}

int process_start_time(pid_t pid, uint64_t *ret_ticks, struct error *err)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "open '%s'", path);
    size_t got;
    int r = fd_read_full(fd, text, sizeof(text) - 1, &got, err);
    if (r < 0)
        return r;
    text[got] = '\0';
    /* The command name may hold blanks and parentheses: count fields from its last ')'. */
    char *p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (!p)
        return error_set(err, EIO, "'%s' has no start time", path);
    *ret_ticks = strtoull(p + 1, NULL, 10);
    return 0;
}

int pidfd_signal(int pidfd, int signal_number, struct error *err)
{
    if (pidfd_send_signal(pidfd, signal_number, NULL, 0) < 0)
        return error_errno(err, "send signal %d", signal_number);
    return 0;
}
