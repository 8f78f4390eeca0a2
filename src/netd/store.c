/* Records and the sockets that they need. */
#include "base/str.h"
#include "base/strv.h"
#include "netd/netd.h"

#include <fcntl.h>
#include <sys/epoll.h>

struct stored_record *store_find_by_namespace(const struct netd *netd, const char *namespace)
{
    omap_foreach (entry, netd->records) {
        struct stored_record *stored = entry->value;
        if (str_eq(stored->namespace, namespace))
            return stored;
    }
    return NULL;
}

bool store_has_socket(const struct netd *netd, const char *name)
{
    return omap_has(netd->sockets, name);
}

static int close_socket(struct endpoint_socket *socket)
{
    int fd = socket->source.fd;
    loop_remove(&socket->netd->loop, &socket->source);
    cleanup_close_fn(&fd);
    return 0;
}

/* "dns-udp NAMESPACE", "dns-tcp NAMESPACE", "PROTOCOL ADDRESS PORT". */
static bool parse_socket_name(struct endpoint_socket *socket)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **fields = strv_split(tmp, socket->name, ' ');
    uint64_t port;
    bool is_udp_name = str_eq(fields[0], "dns-udp");
    if (is_udp_name || str_eq(fields[0], "dns-tcp")) {
        socket->protocol = is_udp_name ? IPPROTO_UDP : IPPROTO_TCP;
        socket->namespace = mem_strdup(socket, fields[1]);
        return strv_len(fields) == 2;
    }
    if (strv_len(fields) != 3 || !record_protocol_parse(fields[0], &socket->protocol) ||
        !str_to_u64(fields[2], 1, 65535, &port))
        return false;
    socket->address = mem_strdup(socket, fields[1]);
    socket->port = (uint16_t)port;
    return true;
}

static loop_handler *socket_handler(const struct endpoint_socket *socket)
{
    bool is_udp = socket->protocol == IPPROTO_UDP;
    if (socket->namespace)
        return is_udp ? server_udp_ready : server_tcp_ready;
    return is_udp ? datagram_ready : stream_accept_ready;
}

/* The addresses that datagrams were sent to, so that replies can come from them. */
static void ask_for_destination(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

static int add_socket(struct netd *netd, const char *name, int fd, struct error *err)
{
    struct endpoint_socket *socket = mem_new(netd->sockets, struct endpoint_socket);
    socket->netd = netd;
    socket->source.fd = -1;
    socket->name = mem_strdup(socket, name);
    if (!parse_socket_name(socket)) {
        close(fd);
        talloc_free(socket);
        return error_set(err, EINVAL, "socket '%s'", name);
    }
    if (socket->protocol == IPPROTO_UDP && !socket->namespace)
        ask_for_destination(fd);
    /* A port of a protocol that we do not forward is kept for its reservation. */
    int r = 0;
    if (socket->protocol == IPPROTO_TCP || socket->protocol == IPPROTO_UDP)
        r = loop_add(&netd->loop, &socket->source, fd, EPOLLIN, socket_handler(socket), socket, err);
    else
        socket->source.fd = fd;
    if (r < 0) {
        close(fd);
        talloc_free(socket);
        return r;
    }
    talloc_set_destructor(socket, close_socket);
    omap_set(netd->sockets, name, socket);
    return 0;
}

static void close_unneeded(struct netd *netd)
{
    struct omap *needed = omap_new(NULL);
    omap_foreach (entry, netd->records)
        for (char **name = ((struct stored_record *)entry->value)->sockets; name && *name; name++)
            omap_set(needed, *name, *name);
    char **gone = NULL;
    omap_foreach (entry, netd->sockets)
        if (!omap_has(needed, entry->key))
            gone = strv_add(needed, gone, entry->key);
    for (size_t i = 0; gone && gone[i]; i++) {
        talloc_free(omap_get(netd->sockets, gone[i]));
        omap_remove(netd->sockets, gone[i]);
    }
    talloc_free(needed);
}

int store_put(struct netd *netd, struct stored_record *stored, char *const *names, int *fds,
              struct error *err)
{
    int r = 0;
    for (size_t i = 0; names && names[i]; i++) {
        int fd = TAKE_FD(fds[i]);
        if (r == 0 && !store_has_socket(netd, names[i]))
            r = add_socket(netd, names[i], fd, err);
        else
            close(fd);
    }
    for (size_t i = 0; stored->sockets && stored->sockets[i] && r == 0; i++)
        if (!store_has_socket(netd, stored->sockets[i]))
            r = error_set(err, EINVAL, "socket '%s' did not come", stored->sockets[i]);
    if (r == 0) {
        const char *id = stored->record->container;
        talloc_free(omap_get(netd->records, id));
        mem_steal(netd->records, stored);
        omap_set(netd->records, id, stored);
    }
    close_unneeded(netd);
    return r;
}

void store_drop(struct netd *netd, const char *container)
{
    struct stored_record *stored = omap_get(netd->records, container);
    if (!stored)
        return;
    omap_remove(netd->records, container);
    talloc_free(stored);
    close_unneeded(netd);
}

void store_drop_all(struct netd *netd)
{
    talloc_free(netd->records);
    netd->records = omap_new(netd);
    close_unneeded(netd);
}

/* The target of the given number, and how many there are. */
static const struct port_map *find_target(const struct netd *netd, const struct endpoint_socket *socket,
                                          unsigned number, unsigned *ret_count)
{
    const struct port_map *found = NULL;
    *ret_count = 0;
    omap_foreach (entry, netd->records) {
        const struct netd_record *record = ((struct stored_record *)entry->value)->record;
        for (size_t i = 0; i < record->port_count; i++)
            if (record_port_matches(&record->ports[i], socket->protocol, socket->address, socket->port) &&
                (*ret_count)++ == number)
                found = &record->ports[i];
    }
    return found;
}

const struct port_map *store_next_target(struct netd *netd, struct endpoint_socket *socket)
{
    unsigned count;
    const struct port_map *found = find_target(netd, socket, socket->turn, &count);
    if (!found && count)
        found = find_target(netd, socket, socket->turn = 0, &count);
    socket->turn++;
    return found;
}

int accept_connection(struct netd *netd, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
        return fd;
    cleanup_close_fn(&netd->spare_fd);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cleanup_close_fn(&fd);
    netd->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return -1;
}

socklen_t socket_address(const char *address, uint16_t port, struct sockaddr_storage *ret)
{
    struct prefix prefix;
    memset(ret, 0, sizeof(*ret));
    if (!prefix_parse(address, &prefix))
        return 0;
    if (prefix.family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, prefix.bytes, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, prefix.bytes, 16);
    return sizeof(*in6);
}
