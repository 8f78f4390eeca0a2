/*
 * Published UDP ports: datagrams that come to our sockets instead of being redirected by the kernel. Each
 * client gets a socket towards the container, so that replies find their way; one that was silent for
 * PEER_TIME loses it, and when there are too many the one that was silent longest does. Replies leave from
 * the address that the client had sent to.
 */
#include "netd/netd.h"

#include <sys/epoll.h>

enum { PEERS_MAX = 512, BATCH = 32, DATAGRAM_MAX = 65535 };

struct peer {
    struct endpoint_socket *socket;
    struct loop_source source; /* towards the container */
    struct wait wait;
    char *key;
    struct sockaddr_storage client;
    socklen_t client_size;
    struct in6_pktinfo to6; /* the host's address that it uses */
    struct in_pktinfo to4;
};

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static uint8_t datagram[DATAGRAM_MAX];

static int peer_gone(struct peer *peer)
{
    struct netd *netd = peer->socket->netd;
    int fd = peer->source.fd;
    wait_stop(&netd->peer_waits, &peer->wait);
    loop_remove(&netd->loop, &peer->source);
    cleanup_close_fn(&fd);
    netd->peer_count--;
    return 0;
}

static void peer_end(struct peer *peer)
{
    omap_remove(peer->socket->peers, peer->key);
    talloc_free(peer);
}

static void peer_expired(void *data)
{
    peer_end(data);
}

/* To the client, from the address that it knows. */
static void send_back(struct peer *peer, size_t size)
{
    union control control = {0};
    struct iovec iov = {.iov_base = datagram, .iov_len = size};
    struct msghdr message = {.msg_name = &peer->client,
                             .msg_namelen = peer->client_size,
                             .msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.room};
    bool is_four = peer->client.ss_family == AF_INET;
    size_t length = is_four ? sizeof(peer->to4) : sizeof(peer->to6);
    message.msg_controllen = CMSG_SPACE(length);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = is_four ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = is_four ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(c), is_four ? (void *)&peer->to4 : (void *)&peer->to6, length);
    ssize_t ignored UNUSED = sendmsg(peer->socket->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int peer_ready(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED,
                      void *data, struct error *err UNUSED)
{
    struct peer *peer = data;
    for (int i = 0; i < BATCH; i++) {
        ssize_t n = recv(source->fd, datagram, sizeof(datagram), MSG_DONTWAIT);
        if (n < 0)
            break; /* nothing more, or nobody listens there: the client will find out by itself */
        send_back(peer, (size_t)n);
        wait_start(&peer->socket->netd->peer_waits, &peer->wait);
    }
    return 0;
}

static struct peer *peer_new(struct endpoint_socket *socket_, const char *key)
{
    struct netd *netd = socket_->netd;
    struct sockaddr_storage address;
    const struct port_map *map = store_next_target(netd, socket_);
    if (!map)
        return NULL;
    if (netd->peer_count >= PEERS_MAX)
        peer_end(TAILQ_FIRST(&netd->peer_waits.list)->data);
    socklen_t size = socket_address(map->address, map->port, &address);
    cleanup_close int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0)
        return NULL;
    struct peer *peer = mem_new(socket_, struct peer);
    peer->socket = socket_;
    peer->wait = (struct wait){.expired = peer_expired, .data = peer};
    peer->key = mem_strdup(peer, key);
    peer->source.fd = -1;
    if (loop_add(&netd->loop, &peer->source, fd, EPOLLIN, peer_ready, peer, NULL) < 0) {
        talloc_free(peer);
        return NULL;
    }
    (void)TAKE_FD(fd);
    netd->peer_count++;
    talloc_set_destructor(peer, peer_gone);
    omap_set(socket_->peers, key, peer);
    return peer;
}

/* The address that a datagram was sent to. */
static void take_destination(struct peer *peer, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            peer->to4 = (struct in_pktinfo){.ipi_spec_dst = info.ipi_addr};
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&peer->to6, CMSG_DATA(c), sizeof(peer->to6));
        }
    }
}

/* Clients are told apart by address and port. */
static void client_key(const struct sockaddr_storage *client, char key[64])
{
    struct prefix prefix = {.family = client->ss_family};
    const struct sockaddr_in *in = (const struct sockaddr_in *)client;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)client;
    bool is_four = prefix.family == AF_INET;
    memcpy(prefix.bytes, is_four ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr,
           prefix_size(&prefix));
    char text[PREFIX_TEXT];
    prefix_print_address(&prefix, text);
    snprintf(key, 64, "%.45s %u", text, ntohs(is_four ? in->sin_port : in6->sin6_port));
}

int datagram_ready(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                   struct error *err UNUSED)
{
    struct endpoint_socket *socket_ = data;
    if (!socket_->peers)
        socket_->peers = omap_new(socket_);
    for (int i = 0; i < BATCH; i++) {
        union control control;
        struct sockaddr_storage client;
        struct iovec iov = {.iov_base = datagram, .iov_len = sizeof(datagram)};
        struct msghdr message = {.msg_name = &client,
                                 .msg_namelen = sizeof(client),
                                 .msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = control.room,
                                 .msg_controllen = sizeof(control.room)};
        ssize_t n = recvmsg(source->fd, &message, MSG_DONTWAIT);
        if (n < 0)
            break;
        char key[64];
        client_key(&client, key);
        struct peer *peer = omap_get(socket_->peers, key);
        if (!peer && !(peer = peer_new(socket_, key)))
            continue;
        peer->client = client;
        peer->client_size = message.msg_namelen;
        take_destination(peer, &message);
        wait_start(&socket_->netd->peer_waits, &peer->wait);
        ssize_t ignored UNUSED = send(peer->source.fd, datagram, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return 0;
}
