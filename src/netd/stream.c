/*
 * Published TCP ports: connections that come to our listening sockets instead of being redirected by the
 * kernel. Bytes move through a pipe with splice(2) and never enter this process. A direction holds a pipe
 * only while bytes are in it, so an idle connection costs two descriptors. Ends are passed on one direction
 * at a time; a failure on one side is a reset on the other.
 *
 * Events are edge-triggered: both directions are moved as far as they go on every event.
 */
#include "netd/netd.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

enum { CHUNK = 64 * 1024, ROUNDS = 16 };

struct direction {
    int from, to;
    int pipe[2];
    size_t held; /* bytes in the pipe */
    bool at_end, is_shut;
};

struct stream {
    struct netd *netd;
    struct loop_source client, target;
    bool is_connected;
    struct direction up, down;
};

static void close_pipe(struct direction *direction)
{
    cleanup_close_fn(&direction->pipe[0]);
    cleanup_close_fn(&direction->pipe[1]);
    direction->pipe[0] = direction->pipe[1] = -1;
}

static int stream_gone(struct stream *stream)
{
    int client = stream->client.fd, target = stream->target.fd;
    loop_remove(&stream->netd->loop, &stream->client);
    loop_remove(&stream->netd->loop, &stream->target);
    cleanup_close_fn(&client);
    cleanup_close_fn(&target);
    close_pipe(&stream->up);
    close_pipe(&stream->down);
    stream->netd->stream_count--;
    stream_resume(stream->netd);
    return 0;
}

/* Ends a connection with resets. */
static void stream_fail(struct stream *stream)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(stream->client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    setsockopt(stream->target.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    talloc_free(stream);
}

enum { MOVED_ALL = 0, MOVED_PART = 1, MOVE_FAILED = -1 };

/* Into the pipe, as far as there is something to read. */
static int fill(struct direction *d)
{
    if (d->at_end || d->held > 0)
        return 0;
    if (d->pipe[0] < 0 && pipe2(d->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return MOVE_FAILED;
    ssize_t n = splice(d->from, NULL, d->pipe[1], NULL, CHUNK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0)
        d->held = (size_t)n;
    else if (n == 0)
        d->at_end = true;
    else if (errno != EAGAIN && errno != EINTR)
        return MOVE_FAILED;
    return 0;
}

/* MOVED_PART when there may be more to do at once. */
static int move(struct direction *d)
{
    for (int round = 0; round < ROUNDS; round++) {
        if (fill(d) < 0)
            return MOVE_FAILED;
        if (d->held == 0)
            break;
        ssize_t n = splice(d->pipe[0], NULL, d->to, NULL, d->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? MOVED_ALL : MOVE_FAILED;
        d->held -= (size_t)n;
        if (round == ROUNDS - 1)
            return MOVED_PART;
    }
    close_pipe(d);
    if (d->at_end && !d->is_shut) {
        shutdown(d->to, SHUT_WR);
        d->is_shut = true;
    }
    return MOVED_ALL;
}

static const uint32_t all_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

static int stream_ready(struct loop *loop, struct loop_source *source, uint32_t events, void *data,
                        struct error *err UNUSED)
{
    struct stream *stream = data;
    if (!stream->is_connected) {
        if (source != &stream->target)
            return events & (EPOLLERR | EPOLLHUP) ? (stream_fail(stream), 0) : 0;
        int code = 0;
        socklen_t size = sizeof(code);
        getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &code, &size);
        if (code != 0) {
            stream_fail(stream);
            return 0;
        }
        if (!(events & EPOLLOUT))
            return 0;
        stream->is_connected = true;
    }
    int up = move(&stream->up);
    int down = up == MOVE_FAILED ? up : move(&stream->down);
    if (up == MOVE_FAILED || down == MOVE_FAILED) {
        stream_fail(stream);
        return 0;
    }
    if (stream->up.is_shut && stream->down.is_shut) {
        talloc_free(stream);
        return 0;
    }
    /* Others get their turn, and then we are called again. */
    if ((up == MOVED_PART || down == MOVED_PART) && loop_modify(loop, source, all_events, NULL) < 0)
        stream_fail(stream);
    return 0;
}

static void set_options(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static int connect_target(struct endpoint_socket *socket_)
{
    struct sockaddr_storage address;
    const struct port_map *map = store_next_target(socket_->netd, socket_);
    if (!map)
        return -1;
    socklen_t size = socket_address(map->address, map->port, &address);
    cleanup_close int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS))
        return -1;
    return TAKE_FD(fd);
}

/* Takes both descriptors. */
static void stream_start(struct netd *netd, int client, int target)
{
    struct stream *stream = mem_new(netd, struct stream);
    stream->netd = netd;
    stream->up = (struct direction){
        .from = client, .to = target, .pipe = {-1, -1}
    };
    stream->down = (struct direction){
        .from = target, .to = client, .pipe = {-1, -1}
    };
    stream->client.fd = stream->target.fd = -1;
    set_options(client);
    set_options(target);
    netd->stream_count++;
    talloc_set_destructor(stream, stream_gone);
    if (loop_add(&netd->loop, &stream->client, client, all_events, stream_ready, stream, NULL) < 0) {
        close(client);
        close(target);
        talloc_free(stream);
    } else if (loop_add(&netd->loop, &stream->target, target, all_events, stream_ready, stream, NULL) < 0) {
        close(target);
        talloc_free(stream);
    }
}

/* Stops or starts accepting on all published TCP ports. */
static void set_paused(struct netd *netd, bool paused)
{
    if (netd->paused == paused)
        return;
    netd->paused = paused;
    omap_foreach (entry, netd->sockets) {
        struct endpoint_socket *socket = entry->value;
        if (!socket->namespace && socket->protocol == IPPROTO_TCP)
            loop_modify(&netd->loop, &socket->source, paused ? 0 : EPOLLIN, NULL);
    }
}

void stream_resume(struct netd *netd)
{
    if (netd->stream_count < netd->stream_limit)
        set_paused(netd, false);
}

int stream_accept_ready(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED,
                        void *data, struct error *err UNUSED)
{
    struct endpoint_socket *socket = data;
    struct netd *netd = socket->netd;
    if (netd->stream_count >= netd->stream_limit) {
        set_paused(netd, true);
        return 0;
    }
    int client = accept_connection(netd, source->fd);
    if (client < 0)
        return 0;
    int target = connect_target(socket);
    if (target < 0) {
        struct linger at_once = {.l_onoff = 1};
        setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(client);
        return 0;
    }
    stream_start(netd, client, target);
    return 0;
}
