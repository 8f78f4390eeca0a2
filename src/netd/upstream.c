/*
 * Queries passed on to the resolvers of the host, in its network namespace (one on 127.0.0.53 included), or
 * to those that the container was given (dns:). A query goes out as the bytes that came, with an id of our
 * own from a socket of its own, so that an answer cannot be guessed; the answer comes back as it is, with the
 * client's id. A server that says nothing for QUERY_TIME, or SERVFAIL or REFUSED, is followed by the next;
 * the last one's refusal is passed on.
 *
 * /etc/resolv.conf is looked at (not read) for each query, because it changes under a laptop.
 */
#include "base/str.h"
#include "netd/message.h"
#include "netd/netd.h"

#include <ctype.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { SERVERS_MAX = 3, QUERIES_MAX = 512, DNS_PORT = 53 };

struct upstream_servers {
    struct timespec changed;
    ino_t inode;
    char addresses[SERVERS_MAX][INET6_ADDRSTRLEN];
    unsigned count;
};

struct exchange {
    struct netd *netd;
    struct loop_source source;
    struct wait wait;
    upstream_done *done;
    void *data;
    bool is_tcp;
    unsigned server; /* the one being asked */
    char (*addresses)[INET6_ADDRSTRLEN];
    unsigned server_count;
    uint16_t client_id, id;
    size_t size;
    uint8_t *query; /* two bytes of length, then the message */
    size_t sent;    /* TCP: how much of the query */
    uint8_t *reply; /* TCP: what has come, with its length */
    size_t got, reply_size;
    uint8_t *last_refusal; /* what the last server said that refused */
    size_t last_refusal_size;
};

static void read_servers(struct upstream_servers *servers)
{
    cleanup_file FILE *file = fopen("/etc/resolv.conf", "re");
    char line[512], address[INET6_ADDRSTRLEN];
    servers->count = 0;
    while (file && servers->count < SERVERS_MAX && fgets(line, sizeof(line), file)) {
        struct prefix prefix;
        /* A zone ("fe80::1%eth0") ends the address for us: such a server cannot be used. */
        if (sscanf(line, " nameserver %45[0-9a-fA-F.:]", address) == 1 && prefix_parse(address, &prefix))
            memcpy(servers->addresses[servers->count++], address, sizeof(address));
    }
}

static const struct upstream_servers *current_servers(struct netd *netd)
{
    struct stat st = {0};
    if (!netd->servers)
        netd->servers = mem_new(netd, struct upstream_servers);
    struct upstream_servers *servers = netd->servers;
    if (stat("/etc/resolv.conf", &st) < 0 || st.st_ino != servers->inode ||
        st.st_mtim.tv_sec != servers->changed.tv_sec || st.st_mtim.tv_nsec != servers->changed.tv_nsec) {
        read_servers(servers);
        servers->inode = st.st_ino;
        servers->changed = st.st_mtim;
    }
    return servers;
}

static void take_own_servers(struct upstream_servers *servers, char *const *own)
{
    struct prefix prefix;
    servers->count = 0;
    for (; *own && servers->count < SERVERS_MAX; own++)
        if (prefix_parse(*own, &prefix))
            str_copy(servers->addresses[servers->count++], INET6_ADDRSTRLEN, *own);
}

static void disconnect(struct exchange *exchange)
{
    int fd = exchange->source.fd;
    wait_stop(&exchange->netd->query_waits, &exchange->wait);
    loop_remove(&exchange->netd->loop, &exchange->source);
    cleanup_close_fn(&fd);
}

static int exchange_gone(struct exchange *exchange)
{
    disconnect(exchange);
    exchange->netd->query_count--;
    return 0;
}

static void finish(struct exchange *exchange, uint8_t *reply, size_t size)
{
    upstream_done *done = exchange->done;
    void *data = exchange->data, *tmp = mem_ctx();
    if (reply)
        dns_put16(reply, exchange->client_id);
    mem_steal(tmp, exchange);
    disconnect(exchange);
    done(reply, size, data);
    talloc_free(tmp);
}

static bool ask_server(struct exchange *exchange);

/* Asks the server whose turn it is, or the next that can be asked. */
static bool ask_any(struct exchange *exchange)
{
    for (; exchange->server < exchange->server_count; exchange->server++)
        if (ask_server(exchange))
            return true;
    return false;
}

/* The next server, or the end. */
static void server_failed(struct exchange *exchange)
{
    disconnect(exchange);
    exchange->server++;
    if (!ask_any(exchange))
        finish(exchange, exchange->last_refusal, exchange->last_refusal_size);
}

static void expired(void *data)
{
    server_failed(data);
}

/* Whether a message answers our question: same id, a reply, the same question section. */
static bool is_our_reply(const struct exchange *exchange, const uint8_t *reply, size_t size)
{
    struct dns_query asked;
    const uint8_t *query = exchange->query + 2;
    if (size < DNS_HEADER || dns_get16(reply) != exchange->id || !(reply[2] & 0x80))
        return false;
    if (dns_query_parse(query, exchange->size, &asked) != DNS_NOERROR)
        return true;
    if (dns_get16(reply + 4) == 0)
        return true; /* refused without repeating the question */
    if (size < asked.question_end)
        return false;
    /* Whatever the case: some servers change it. */
    for (size_t i = DNS_HEADER; i < asked.question_end; i++)
        if (tolower(reply[i]) != tolower(query[i]))
            return false;
    return true;
}

static void take_reply(struct exchange *exchange, uint8_t *reply, size_t size)
{
    unsigned code = reply[3] & 0x0f;
    if (code != DNS_SERVFAIL && code != DNS_REFUSED) {
        finish(exchange, reply, size);
        return;
    }
    talloc_free(exchange->last_refusal);
    exchange->last_refusal = mem_dup(exchange, reply, size);
    exchange->last_refusal_size = size;
    server_failed(exchange);
}

static int udp_ready(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *err UNUSED)
{
    static uint8_t reply[DNS_MESSAGE_MAX];
    struct exchange *exchange = data;
    ssize_t n = recv(source->fd, reply, sizeof(reply), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        server_failed(exchange);
    else if (is_our_reply(exchange, reply, (size_t)n))
        take_reply(exchange, reply, (size_t)n);
    return 0;
}

static void tcp_send(struct exchange *exchange)
{
    size_t size = exchange->size + 2;
    ssize_t n = send(exchange->source.fd, exchange->query + exchange->sent, size - exchange->sent,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        server_failed(exchange);
        return;
    }
    exchange->sent += n > 0 ? (size_t)n : 0;
    if (exchange->sent == size && loop_modify(&exchange->netd->loop, &exchange->source, EPOLLIN, NULL) < 0)
        server_failed(exchange);
}

static void tcp_receive(struct exchange *exchange)
{
    uint8_t *to = exchange->reply + exchange->got;
    ssize_t n = recv(exchange->source.fd, to, exchange->reply_size - exchange->got, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        server_failed(exchange);
        return;
    }
    exchange->got += (size_t)n;
    if (exchange->got < exchange->reply_size)
        return;
    if (exchange->reply_size == 2) {
        exchange->reply_size = 2u + dns_get16(exchange->reply);
        exchange->reply = mem_grow(exchange, exchange->reply, uint8_t, exchange->reply_size);
        if (exchange->reply_size < 2 + DNS_HEADER)
            server_failed(exchange);
    } else if (is_our_reply(exchange, exchange->reply + 2, exchange->reply_size - 2)) {
        take_reply(exchange, exchange->reply + 2, exchange->reply_size - 2);
    } else {
        server_failed(exchange);
    }
}

static int tcp_ready(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events, void *data,
                     struct error *err UNUSED)
{
    struct exchange *exchange = data;
    if (events & EPOLLERR)
        server_failed(exchange);
    else if (exchange->sent < exchange->size + 2)
        tcp_send(exchange);
    else
        tcp_receive(exchange);
    return 0;
}

static bool connect_server(struct exchange *exchange)
{
    struct sockaddr_storage address;
    socklen_t size = socket_address(exchange->addresses[exchange->server], DNS_PORT, &address);
    int type = exchange->is_tcp ? SOCK_STREAM : SOCK_DGRAM;
    cleanup_close int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS))
        return false;
    uint32_t events = exchange->is_tcp ? EPOLLOUT : EPOLLIN;
    if (loop_add(&exchange->netd->loop, &exchange->source, fd, events,
                 exchange->is_tcp ? tcp_ready : udp_ready, exchange, NULL) < 0)
        return false;
    (void)TAKE_FD(fd);
    return true;
}

/* False when it is clear at once that it cannot be reached. */
static bool ask_server(struct exchange *exchange)
{
    struct netd *netd = exchange->netd;
    if (getrandom(&exchange->id, sizeof(exchange->id), GRND_NONBLOCK) < 0)
        return false;
    dns_put16(exchange->query, (uint16_t)exchange->size);
    dns_put16(exchange->query + 2, exchange->id);
    exchange->sent = exchange->got = 0;
    if (exchange->is_tcp) {
        exchange->reply_size = 2;
        exchange->reply = mem_grow(exchange, exchange->reply, uint8_t, 2);
    }
    if (!connect_server(exchange))
        return false;
    if (!exchange->is_tcp &&
        send(exchange->source.fd, exchange->query + 2, exchange->size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        disconnect(exchange);
        return false;
    }
    wait_start(&netd->query_waits, &exchange->wait);
    return true;
}

struct exchange *upstream_ask(const void *owner, struct netd *netd, char *const *own, const uint8_t *query,
                              size_t size, bool tcp, upstream_done *done, void *data)
{
    struct upstream_servers given;
    const struct upstream_servers *servers = &given;
    if (own)
        take_own_servers(&given, own);
    else
        servers = current_servers(netd);
    if (netd->query_count >= QUERIES_MAX || servers->count == 0 || size < DNS_HEADER)
        return NULL;
    struct exchange *exchange = mem_new(owner, struct exchange);
    exchange->netd = netd;
    exchange->source.fd = -1;
    exchange->wait = (struct wait){.expired = expired, .data = exchange};
    exchange->done = done;
    exchange->data = data;
    exchange->is_tcp = tcp;
    exchange->addresses = mem_dup(exchange, servers->addresses, sizeof(servers->addresses));
    exchange->server_count = servers->count;
    exchange->client_id = dns_get16(query);
    exchange->size = size;
    exchange->query = mem_array(exchange, uint8_t, size + 2);
    memcpy(exchange->query + 2, query, size);
    netd->query_count++;
    talloc_set_destructor(exchange, exchange_gone);
    if (ask_any(exchange))
        return exchange;
    talloc_free(exchange);
    return NULL;
}
