/*
 * Queries of containers, on the sockets inside their namespaces. Over TCP a client gets one answer at a time;
 * it has CLIENT_TIME to send the next query, and when there are too many clients a new one is turned away, so
 * that nobody can keep the others from being served.
 */
#include "base/str.h"
#include "netd/answer.h"

#include <sys/epoll.h>

enum { UDP_BATCH = 32, REPLY_MAX = 4096 };
enum { CLIENTS_MAX = 256, CLIENTS_OF_ONE_MAX = 32, QUERIES_OF_ONE_MAX = 128 };

/* A datagram whose answer is asked for elsewhere. */
struct udp_query {
    struct endpoint_socket *socket;
    struct sockaddr_storage client;
    socklen_t client_size;
    size_t size;
    uint8_t query[];
};

static void udp_reply(struct endpoint_socket *socket, const struct sockaddr_storage *client, socklen_t size,
                      const uint8_t *reply, size_t reply_size)
{
    /* A full buffer loses it, as the network might. */
    ssize_t ignored UNUSED = sendto(socket->source.fd, reply, reply_size, MSG_DONTWAIT | MSG_NOSIGNAL,
                                    (const struct sockaddr *)client, size);
}

static size_t refuse(const uint8_t *query, size_t size, unsigned code, uint8_t reply[DNS_UDP_MIN])
{
    struct dns_query parsed;
    if (dns_query_parse(query, size, &parsed) == DNS_IGNORE)
        return 0;
    return dns_refuse(reply, DNS_UDP_MIN, query, &parsed, code);
}

static void udp_forwarded(const uint8_t *reply, size_t size, void *data)
{
    struct udp_query *query = data;
    uint8_t failure[DNS_UDP_MIN];
    if (!reply) {
        size = refuse(query->query, query->size, DNS_SERVFAIL, failure);
        reply = failure;
    }
    udp_reply(query->socket, &query->client, query->client_size, reply, size);
    talloc_free(query);
}

static int udp_query_gone(struct udp_query *query)
{
    query->socket->query_count--;
    return 0;
}

/* The resolvers that the container was given, or NULL. */
static char *const *own_servers(const struct endpoint_socket *socket)
{
    const struct stored_record *stored = store_find_by_namespace(socket->netd, socket->namespace);
    return stored ? stored->record->dns : NULL;
}

/* Passes a query on; false when that is not possible. */
static bool udp_forward(struct endpoint_socket *socket, const uint8_t *data, size_t size,
                        const struct sockaddr_storage *client, socklen_t client_size)
{
    if (socket->query_count >= QUERIES_OF_ONE_MAX)
        return false;
    struct udp_query *query = mem_check(talloc_size(socket, sizeof(*query) + size));
    *query =
        (struct udp_query){.socket = socket, .client = *client, .client_size = client_size, .size = size};
    memcpy(query->query, data, size);
    socket->query_count++;
    talloc_set_name_const(query, "struct udp_query");
    talloc_set_destructor(query, udp_query_gone);
    if (upstream_ask(query, socket->netd, own_servers(socket), data, size, false, udp_forwarded, query))
        return true;
    talloc_free(query);
    return false;
}

static void udp_query(struct endpoint_socket *socket, const uint8_t *data, size_t size,
                      const struct sockaddr_storage *client, socklen_t client_size)
{
    uint8_t reply[REPLY_MAX];
    struct netd *netd = socket->netd;
    size_t reply_size = 0;
    int r = answer_query(netd->records, store_find_by_namespace(netd, socket->namespace), data, size, true,
                         reply, sizeof(reply), &reply_size);
    if (r == ANSWER_FORWARD) {
        if (udp_forward(socket, data, size, client, client_size))
            return;
        reply_size = refuse(data, size, DNS_SERVFAIL, reply);
    }
    if (r != ANSWER_NONE)
        udp_reply(socket, client, client_size, reply, reply_size);
}

int server_udp_ready(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *err UNUSED)
{
    uint8_t query[REPLY_MAX];
    for (int i = 0; i < UDP_BATCH; i++) {
        struct sockaddr_storage client;
        socklen_t client_size = sizeof(client);
        ssize_t n = recvfrom(source->fd, query, sizeof(query), MSG_DONTWAIT | MSG_TRUNC,
                             (struct sockaddr *)&client, &client_size);
        if (n < 0)
            break;
        if ((size_t)n <= sizeof(query))
            udp_query(data, query, (size_t)n, &client, client_size);
    }
    return 0;
}

/* A TCP client: reads a length and a query, then waits for its answer, then writes it, and again. */
struct client {
    struct endpoint_socket *socket;
    struct loop_source source;
    struct wait wait;
    bool is_writing;
    size_t done, size; /* of `buffer`, which holds the length too */
    uint8_t length[2];
    uint8_t *buffer;
    struct exchange *exchange;
};

static int client_gone(struct client *client)
{
    struct netd *netd = client->socket->netd;
    int fd = client->source.fd;
    wait_stop(&netd->client_waits, &client->wait);
    loop_remove(&netd->loop, &client->source);
    cleanup_close_fn(&fd);
    netd->client_count--;
    client->socket->client_count--;
    return 0;
}

static void client_expired(void *data)
{
    talloc_free(data);
}

static void client_watch(struct client *client, uint32_t events)
{
    struct netd *netd = client->socket->netd;
    wait_start(&netd->client_waits, &client->wait);
    if (loop_modify(&netd->loop, &client->source, events, NULL) < 0)
        talloc_free(client);
}

static void client_read_next(struct client *client)
{
    talloc_free(client->buffer);
    client->buffer = NULL;
    client->is_writing = false;
    client->done = client->size = 0;
    client_watch(client, EPOLLIN);
}

static void client_reply(struct client *client, const uint8_t *reply, size_t size)
{
    if (size == 0 || size > DNS_MESSAGE_MAX) {
        talloc_free(client);
        return;
    }
    uint8_t *buffer = mem_array(client, uint8_t, size + 2);
    dns_put16(buffer, (uint16_t)size);
    memcpy(buffer + 2, reply, size);
    talloc_free(client->buffer);
    client->buffer = buffer;
    client->is_writing = true;
    client->done = 0;
    client->size = size + 2;
    client_watch(client, EPOLLOUT);
}

static void client_refuse(struct client *client, unsigned code)
{
    uint8_t reply[DNS_UDP_MIN];
    client_reply(client, reply, refuse(client->buffer, client->size, code, reply));
}

static void client_forwarded(const uint8_t *reply, size_t size, void *data)
{
    struct client *client = data;
    client->exchange = NULL;
    if (reply)
        client_reply(client, reply, size);
    else
        client_refuse(client, DNS_SERVFAIL);
}

/* The query is whole. */
static void client_query(struct client *client)
{
    struct endpoint_socket *socket = client->socket;
    struct netd *netd = socket->netd;
    uint8_t reply[REPLY_MAX * 2];
    size_t size = 0;
    int r = answer_query(netd->records, store_find_by_namespace(netd, socket->namespace), client->buffer,
                         client->size, false, reply, sizeof(reply), &size);
    if (r == ANSWER_NONE) {
        talloc_free(client);
    } else if (r == 0) {
        client_reply(client, reply, size);
    } else {
        client->exchange = upstream_ask(client, netd, own_servers(socket), client->buffer, client->size, true,
                                        client_forwarded, client);
        if (!client->exchange)
            client_refuse(client, DNS_SERVFAIL);
        else if (loop_modify(&netd->loop, &client->source, 0, NULL) < 0)
            talloc_free(client);
        else
            wait_stop(&netd->client_waits, &client->wait); /* the exchange has its own */
    }
}

static int client_read(struct client *client)
{
    uint8_t *to = client->buffer ? client->buffer + client->done : client->length + client->done;
    size_t room = (client->buffer ? client->size : sizeof(client->length)) - client->done;
    ssize_t n = recv(client->source.fd, to, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        talloc_free(client);
        return 0;
    }
    client->done += (size_t)n;
    if ((size_t)n < room)
        return 0;
    if (client->buffer) {
        client_query(client);
        return 0;
    }
    client->size = dns_get16(client->length);
    client->done = 0;
    if (client->size < DNS_HEADER)
        talloc_free(client);
    else
        client->buffer = mem_array(client, uint8_t, client->size);
    return 0;
}

static int client_ready(struct loop *loop UNUSED, struct loop_source *source, uint32_t events, void *data,
                        struct error *err UNUSED)
{
    struct client *client = data;
    if (events & (EPOLLERR | EPOLLHUP)) {
        talloc_free(client);
        return 0;
    }
    if (!client->is_writing)
        return client_read(client);
    ssize_t n = send(source->fd, client->buffer + client->done, client->size - client->done,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        talloc_free(client);
        return 0;
    }
    client->done += n > 0 ? (size_t)n : 0;
    if (client->done == client->size)
        client_read_next(client);
    return 0;
}

int server_tcp_ready(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *err)
{
    struct endpoint_socket *socket = data;
    struct netd *netd = socket->netd;
    int fd = accept_connection(netd, source->fd);
    if (fd < 0)
        return 0;
    if (netd->client_count >= CLIENTS_MAX || socket->client_count >= CLIENTS_OF_ONE_MAX) {
        close(fd);
        return 0;
    }
    struct client *client = mem_new(socket, struct client);
    client->socket = socket;
    client->wait = (struct wait){.expired = client_expired, .data = client};
    client->source.fd = -1;
    if (loop_add(loop, &client->source, fd, EPOLLIN, client_ready, client, err) < 0) {
        close(fd);
        talloc_free(client);
        return 0;
    }
    netd->client_count++;
    socket->client_count++;
    talloc_set_destructor(client, client_gone);
    wait_start(&netd->client_waits, &client->wait);
    return 0;
}
