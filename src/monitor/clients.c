#include "monitor/monitor.h"

#include "sys/fd.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

static const int64_t blocked_limit = INT64_C(10) * 1000000000; /* ns that a client may stand still */
enum { FINISH_TIMEOUT_S = 2, FINISH_LINGER_MS = 500 };

static void client_drop(struct monitor *m, struct client *c)
{
    loop_remove(&m->loop, &c->source);
    cleanup_close_fn(&c->fd);
    c->fd = -1;
    c->attached = c->blocked = false;
    if (m->listener.fd >= 0)
        loop_modify(&m->loop, &m->listener, EPOLLIN, NULL);
}

static bool any_blocked(const struct monitor *m)
{
    for (int i = 0; i < CLIENT_MAX; i++)
        if (m->clients[i].fd >= 0 && m->clients[i].blocked)
            return true;
    return false;
}

static void unblock(struct monitor *m)
{
    if (any_blocked(m))
        return;
    loop_remove(&m->loop, &m->blocked_timer);
    stdio_pause(m, false);
}

static uint32_t wanted_events(const struct monitor *m, const struct client *c)
{
    bool hold = c->attached && m->stdin_size > 0;
    return (hold ? 0u : (uint32_t)EPOLLIN) | (c->blocked ? (uint32_t)EPOLLOUT : 0u);
}

static int on_blocked_limit(struct loop *loop UNUSED, struct loop_source *source UNUSED,
                            uint32_t events UNUSED, void *data, struct error *err UNUSED)
{
    struct monitor *m = data;
    for (int i = 0; i < CLIENT_MAX; i++)
        if (m->clients[i].fd >= 0 && m->clients[i].blocked)
            client_drop(m, &m->clients[i]);
    unblock(m);
    return 0;
}

static void client_send(struct monitor *m, struct client *c, const void *data, size_t size)
{
    ssize_t n = RETRY_EINTR(send(c->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (n >= 0)
        return;
    if (errno != EAGAIN || c->blocked) {
        client_drop(m, c);
        return;
    }
    memcpy(m->pending[c - m->clients], data, size);
    c->pending_size = size;
    c->blocked = true;
    loop_modify(&m->loop, &c->source, wanted_events(m, c), NULL);
    stdio_pause(m, true);
    if (m->blocked_timer.fd < 0)
        loop_timer(&m->loop, &m->blocked_timer, blocked_limit, on_blocked_limit, m, NULL);
}

static void reply(struct monitor *m, struct client *c, int code, const void *data, size_t size)
{
    struct {
        struct proto_head head;
        char data[2048];
    } message = {
        .head = {.type = PROTO_REPLY, .size = (uint32_t)size, .value = code}
    };
    if (size > sizeof(message.data))
        size = sizeof(message.data);
    memcpy(message.data, data, size);
    client_send(m, c, &message, sizeof(message.head) + size);
}

static void reply_result(struct monitor *m, struct client *c, int result, const struct error *err)
{
    reply(m, c, result < 0 ? (err->code > 0 ? err->code : EIO) : 0, err->text,
          result < 0 ? strlen(err->text) : 0);
}

struct output_message {
    struct proto_head head;
    char data[PROTO_DATA_MAX];
};

static size_t make_output(struct output_message *message, enum stream stream, const char *data, size_t size)
{
    message->head = (struct proto_head){.type = stream == STREAM_OUT ? PROTO_STDOUT : PROTO_STDERR,
                                        .size = (uint32_t)size};
    memcpy(message->data, data, size);
    return sizeof(message->head) + size;
}

void clients_output(struct monitor *m, enum stream stream, const char *data, size_t size)
{
    struct output_message message;
    size_t length = 0;
    for (int i = 0; i < CLIENT_MAX; i++) {
        struct client *c = &m->clients[i];
        if (c->fd < 0 || !c->attached)
            continue;
        if (!length)
            length = make_output(&message, stream, data, size);
        client_send(m, c, &message, length);
    }
}

void clients_accept_input(struct monitor *m)
{
    for (int i = 0; i < CLIENT_MAX; i++)
        if (m->clients[i].fd >= 0 && m->clients[i].attached)
            loop_modify(&m->loop, &m->clients[i].source, wanted_events(m, &m->clients[i]), NULL);
}

static void attach(struct monitor *m, struct client *c)
{
    logfile_flush(&m->log, false);
    struct proto_attached attached = {.log_offset = (uint64_t)m->log.size,
                                      .log_rotations = (uint64_t)m->log.rotations};
    c->attached = true;
    reply(m, c, 0, &attached, sizeof(attached));
    /* A line that is not finished, such as a shell's prompt, is not in the log yet. */
    for (unsigned s = 0; s < STREAM__COUNT && c->fd >= 0; s++) {
        struct output_message message;
        if (m->log.used[s])
            client_send(m, c, &message,
                        make_output(&message, (enum stream)s, m->log.line[s], m->log.used[s]));
    }
}

static void handle(struct monitor *m, struct client *c, const struct proto_head *head, const char *data)
{
    struct error err = ERROR_INIT;
    switch (head->type) {
    case PROTO_ATTACH:
        attach(m, c);
        return;
    case PROTO_STDIN:
        stdin_write(m, data, head->size);
        return;
    case PROTO_STDIN_EOF:
        stdin_end(m);
        return;
    case PROTO_RESIZE:
        stdio_resize(m, (unsigned)(head->value >> 16 & 0xffff), (unsigned)(head->value & 0xffff));
        return;
    case PROTO_SIGNAL:
        reply_result(m, c, container_signal(m, (int)head->value, &err), &err);
        return;
    case PROTO_STOP:
        reply_result(m, c, container_stop_request(m, head->value, &err), &err);
        return;
    case PROTO_PAUSE:
    case PROTO_UNPAUSE:
        reply_result(m, c, container_freeze(m, head->type == PROTO_PAUSE, &err), &err);
        return;
    default:
        client_drop(m, c);
    }
}

static void client_read(struct monitor *m, struct client *c)
{
    ssize_t n = RETRY_EINTR(recv(c->fd, m->chunk, sizeof(m->chunk), MSG_DONTWAIT | MSG_TRUNC));
    if (n < 0 && errno == EAGAIN)
        return;
    struct proto_head head;
    if (n < (ssize_t)sizeof(head) || n > (ssize_t)sizeof(m->chunk)) {
        client_drop(m, c);
        return;
    }
    memcpy(&head, m->chunk, sizeof(head));
    if (head.size != (size_t)n - sizeof(head)) {
        client_drop(m, c);
        return;
    }
    handle(m, c, &head, m->chunk + sizeof(head));
}

static int on_client(struct loop *loop UNUSED, struct loop_source *source, uint32_t events, void *data,
                     struct error *err UNUSED)
{
    struct monitor *m = data;
    struct client *c = (struct client *)((char *)source - offsetof(struct client, source));
    if (events & EPOLLOUT && c->blocked) {
        if (RETRY_EINTR(
                send(c->fd, m->pending[c - m->clients], c->pending_size, MSG_DONTWAIT | MSG_NOSIGNAL)) >= 0) {
            c->blocked = false;
            loop_modify(&m->loop, &c->source, wanted_events(m, c), NULL);
        } else if (errno != EAGAIN) {
            client_drop(m, c);
        }
    }
    if (c->fd >= 0 && events & EPOLLIN)
        client_read(m, c);
    else if (c->fd >= 0 && events & (EPOLLHUP | EPOLLERR))
        client_drop(m, c);
    unblock(m);
    return 0;
}

static struct client *free_client(struct monitor *m)
{
    for (int i = 0; i < CLIENT_MAX; i++)
        if (m->clients[i].fd < 0)
            return &m->clients[i];
    return NULL;
}

static int on_connection(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                         struct error *err UNUSED)
{
    struct monitor *m = data;
    struct client *c = free_client(m);
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (!c) { /* whoever comes now waits until one has gone */
        loop_modify(loop, source, 0, NULL);
        return 0;
    }
    cleanup_close int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        (peer.uid != 0 && peer.uid != geteuid()) ||
        loop_add(loop, &c->source, fd, EPOLLIN, on_client, m, NULL) < 0)
        return 0;
    c->fd = TAKE_FD(fd);
    c->attached = c->blocked = false;
    return 0;
}

int clients_listen(struct monitor *m, struct error *err)
{
    int r = fd_unix_listen(m->run_dir_fd, "control", &m->listen_fd, err);
    return r < 0 ? r : loop_add(&m->loop, &m->listener, m->listen_fd, EPOLLIN, on_connection, m, err);
}

/*
 * Reads away what the client still sends until it closes: a socket that is closed with unread input is reset,
 * and the client would get an error in place of our last messages.
 */
static void linger(struct monitor *m, int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    shutdown(fd, SHUT_WR);
    while (poll(&wait, 1, FINISH_LINGER_MS) > 0 && recv(fd, m->chunk, sizeof(m->chunk), MSG_DONTWAIT) > 0)
        ;
}

void clients_finish(struct monitor *m)
{
    struct proto_head end = {.type = PROTO_EXIT, .value = m->status.exit_code};
    struct timeval timeout = {.tv_sec = FINISH_TIMEOUT_S};
    for (int i = 0; i < CLIENT_MAX; i++) {
        struct client *c = &m->clients[i];
        if (c->fd < 0)
            continue;
        setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        bool sent = !c->blocked || send(c->fd, m->pending[i], c->pending_size, MSG_NOSIGNAL) >= 0;
        if (sent && c->attached && send(c->fd, &end, sizeof(end), MSG_NOSIGNAL) >= 0)
            linger(m, c->fd);
        client_drop(m, c);
    }
    unblock(m);
}
