#pragma once
/*
 * compote-netd: answers names to the containers of one project, and forwards published ports where the kernel
 * does not (loopback addresses, and IPv6 to containers without it).
 *
 * State is what publishers have put: records (network/record.h) and sockets, which come ready-made because
 * this process has no privileges (network/netd_client.c has the protocol). Nothing is kept on disk, nothing
 * is polled; with no traffic the process sleeps in one epoll_wait.
 *
 * Everything is a talloc child of struct netd. Sources of the loop are inside the objects that they belong to
 * and are removed by the objects' destructors, so that freeing an object is all there is to it.
 *
 *   control.c       requests of publishers          answer.c, message.c  what a query gets (pure)
 *   store.c         records and sockets             server.c             containers' queries, UDP and TCP
 *   stream.c        forwarded TCP connections       upstream.c           queries passed on to the host's
 * resolvers datagram.c      forwarded UDP                   timeouts.c           one timer for all waits of a
 * kind
 */
#include "base/mem.h"
#include "base/omap.h"
#include "network/prefix.h"
#include "network/record.h"
#include "sys/loop.h"

#include <sys/queue.h>
#include <sys/socket.h>

/* Waits of one length, in order of their end. The head's end arms the timer; nothing waits: no timer. */
struct wait {
    TAILQ_ENTRY(wait) link;
    int64_t end; /* 0: not waiting */
    void (*expired)(void *data);
    void *data;
};
TAILQ_HEAD(wait_list, wait);
struct timeouts {
    struct loop *loop;
    int64_t length; /* ns */
    struct loop_source timer;
    struct wait_list list;
    bool armed;
};

void timeouts_init(struct timeouts *timeouts, struct loop *loop, int64_t length);
void wait_start(struct timeouts *timeouts, struct wait *wait); /* again: from now on */
void wait_stop(struct timeouts *timeouts, struct wait *wait);

/* A socket that was given: for names of one namespace or for one published port. */
struct endpoint_socket {
    struct netd *netd;
    struct loop_source source;
    char *name;      /* as in the protocol; key of netd->sockets */
    char *namespace; /* names: "DEVICE:INODE" of the namespace that it answers; else NULL */
    int protocol;    /* IPPROTO_TCP, IPPROTO_UDP */
    char *address;   /* ports: the host's address and port */
    uint16_t port;
    unsigned turn;                      /* ports: whose turn it is among several containers */
    unsigned query_count, client_count; /* names: what one container has under way */
    struct omap *peers;                 /* UDP ports: clients by address (datagram.c) */
};

struct stored_record {
    struct netd_record *record;
    char *namespace; /* "DEVICE:INODE"; NULL: a peer of another project */
    char **sockets;  /* names of those that it needs */
};

struct netd {
    struct loop loop;
    const char *project;
    struct loop_source control;
    struct omap *records; /* container id to struct stored_record */
    struct omap *sockets; /* name to struct endpoint_socket */

    struct timeouts query_waits;  /* one server's time to answer */
    struct timeouts client_waits; /* TCP clients that ask for names */
    struct timeouts peer_waits;   /* UDP clients of published ports */
    unsigned query_count, client_count, stream_count, peer_count;
    unsigned stream_limit; /* what descriptors allow */
    bool paused;           /* published TCP ports accept nothing until a connection ends */
    int spare_fd;          /* for turning connections away when there are no descriptors left */
    struct upstream_servers *servers;
};

/* control.c */
int control_init(struct netd *netd, int fd, struct error *err);

/* store.c */
struct stored_record *store_find_by_namespace(const struct netd *netd, const char *namespace);
bool store_has_socket(const struct netd *netd, const char *name);
/* Takes `stored` and, for each name in `names`, the descriptor; closes sockets that no record needs any more.
 */
int store_put(struct netd *netd, struct stored_record *stored, char *const *names, int *fds,
              struct error *err);
void store_drop(struct netd *netd, const char *container);
void store_drop_all(struct netd *netd);
/* The container's side of a published port, taking turns; NULL when there is none. */
const struct port_map *store_next_target(struct netd *netd, struct endpoint_socket *socket);

/* Handlers of the four kinds of sockets. */
loop_handler server_udp_ready, server_tcp_ready, stream_accept_ready, datagram_ready;

/* upstream.c: asks the container's `own` resolvers, NULL: the host's. `done` gets the reply, or NULL when
 * nobody answered; never from within upstream_ask. Freeing the exchange (a child of `owner`) cancels it. NULL
 * when nobody can be asked, or too many queries are under way. */
struct exchange;
typedef void upstream_done(const uint8_t *reply, size_t size, void *data);
struct exchange *upstream_ask(const void *owner, struct netd *netd, char *const *own, const uint8_t *query,
                              size_t size, bool tcp, upstream_done *done, void *data);

/* accept4 on a listening socket; -1 when there was nothing, or no descriptor: then the connection is ended,
 * because it would otherwise be announced again and again. */
int accept_connection(struct netd *netd, int listener);

/* A socket address of an IP address in text. */
socklen_t socket_address(const char *address, uint16_t port, struct sockaddr_storage *ret);
void stream_resume(struct netd *netd);
