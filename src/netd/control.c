/* Requests of publishers; network/netd_client.c describes them. */
#include "base/str.h"
#include "base/strv.h"
#include "netd/netd.h"
#include "sys/fd.h"

#include <sys/epoll.h>

enum { FDS = 8 };

struct publisher {
    struct netd *netd;
    struct loop_source source;
    struct stored_record *pending; /* being put */
    char **wanted;                 /* names of sockets that have come ... */
    int *fds;                      /* ... and these */
    size_t count;
};

static void forget_pending(struct publisher *publisher)
{
    for (size_t i = 0; i < publisher->count; i++)
        cleanup_close_fn(&publisher->fds[i]);
    talloc_free(publisher->pending);
    talloc_free(publisher->wanted);
    talloc_free(publisher->fds);
    publisher->pending = NULL;
    publisher->wanted = NULL;
    publisher->fds = NULL;
    publisher->count = 0;
}

static int publisher_gone(struct publisher *publisher)
{
    int fd = publisher->source.fd;
    forget_pending(publisher);
    loop_remove(&publisher->netd->loop, &publisher->source);
    cleanup_close_fn(&fd);
    return 0;
}

static int say(struct publisher *publisher, const char *text, struct error *err)
{
    return fd_send(publisher->source.fd, text, strlen(text), NULL, 0, err);
}

/* "put", the names of sockets, an empty line, the record. */
static int handle_put(struct publisher *publisher, char *text, struct error *err)
{
    forget_pending(publisher);
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *record_text = strstr(text, "\n\n");
    if (!record_text)
        return error_set(err, EINVAL, "put without a record");
    *record_text = '\0';
    struct stored_record *stored = mem_new(tmp, struct stored_record);
    int r = record_parse(stored, record_text + 2, &stored->record, err);
    if (r < 0)
        return r;
    stored->sockets = strv_split(stored, text + strlen("put\n"), '\n');
    char *reply = mem_strdup(tmp, "need");
    for (size_t i = 0; stored->sockets[i]; i++) {
        const char *namespace = str_after(stored->sockets[i], "dns-udp ");
        if (namespace)
            stored->namespace = mem_strdup(stored, namespace);
        if (!store_has_socket(publisher->netd, stored->sockets[i]))
            reply = mem_append_printf(reply, " %zu", i);
    }
    reply = mem_append_str(reply, "\n");
    mem_steal(publisher, stored);
    publisher->pending = stored;
    return say(publisher, reply, err);
}

/* A container of another project that shares a network: it counts for names only. */
static int handle_peer(struct publisher *publisher, const char *text, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct stored_record *stored = mem_new(tmp, struct stored_record);
    int r = record_parse(stored, text + strlen("peer\n"), &stored->record, err);
    if (r < 0)
        return r;
    stored->record->port_count = 0;
    r = store_put(publisher->netd, stored, NULL, NULL, err);
    return r < 0 ? r : say(publisher, "ok\n", err);
}

/* "sockets" and numbers, with as many descriptors. */
static int handle_sockets(struct publisher *publisher, char *text, int *fds, size_t fd_count,
                          struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    text[strcspn(text, "\n")] = '\0';
    char **numbers = strv_split(tmp, text, ' ');
    if (!publisher->pending || strv_len(numbers) != fd_count + 1)
        return error_set(err, EINVAL, "sockets that were not asked for");
    char **sockets = publisher->pending->sockets;
    for (size_t i = 0; i < fd_count; i++) {
        uint64_t number;
        if (!str_to_u64(numbers[i + 1], 0, strv_len(sockets) - 1, &number))
            return error_set(err, EINVAL, "socket number '%s'", numbers[i + 1]);
        publisher->wanted = strv_add(publisher, publisher->wanted, sockets[number]);
        publisher->fds = mem_grow(publisher, publisher->fds, int, publisher->count + 1);
        publisher->fds[publisher->count++] = TAKE_FD(fds[i]);
    }
    return 0;
}

static int handle_commit(struct publisher *publisher, struct error *err)
{
    if (!publisher->pending)
        return error_set(err, EINVAL, "commit without put");
    int r = store_put(publisher->netd, publisher->pending, publisher->wanted, publisher->fds, err);
    if (r == 0)
        publisher->pending = NULL; /* it is the store's now */
    forget_pending(publisher);
    return r < 0 ? r : say(publisher, "ok\n", err);
}

static int handle(struct publisher *publisher, char *text, int *fds, size_t fd_count, struct error *err)
{
    const char *container = str_after(text, "drop ");
    if (str_starts(text, "put\n"))
        return handle_put(publisher, text, err);
    if (str_starts(text, "peer\n"))
        return handle_peer(publisher, text, err);
    if (str_starts(text, "sockets "))
        return handle_sockets(publisher, text, fds, fd_count, err);
    if (str_eq(text, "commit\n"))
        return handle_commit(publisher, err);
    if (container) {
        text[strcspn(text, "\n")] = '\0';
        store_drop(publisher->netd, container);
        return say(publisher, "ok\n", err);
    }
    if (str_eq(text, "stop\n")) {
        store_drop_all(publisher->netd); /* before the answer: then ports are free and namespaces can go */
        loop_stop(&publisher->netd->loop);
        return say(publisher, "ok\n", err);
    }
    return error_set(err, EINVAL, "unknown request");
}

static int publisher_ready(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED,
                           void *data, struct error *err UNUSED)
{
    struct publisher *publisher = data;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error problem = ERROR_INIT;
    int fds[FDS];
    size_t size = 0, fd_count = 0;
    /* The kernel tells the size of the next message. */
    ssize_t next = recv(source->fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if (next < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (next <= 0 || next > RECORD_MAX) {
        talloc_free(publisher);
        return 0;
    }
    char *text = mem_array(tmp, char, (size_t)next + 1);
    int r = fd_receive(source->fd, text, (size_t)next, &size, fds, FDS, &fd_count, &problem);
    if (r == 0)
        r = handle(publisher, text, fds, fd_count, &problem);
    for (size_t i = 0; r < 0 && i < fd_count; i++)
        cleanup_close_fn(&fds[i]);
    if (r < 0) {
        forget_pending(publisher);
        if (say(publisher, problem.text, NULL) < 0)
            talloc_free(publisher);
    }
    return 0;
}

static int accept_ready(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                        struct error *err)
{
    struct netd *netd = data;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return 0;
    struct publisher *publisher = mem_new(netd, struct publisher);
    publisher->netd = netd;
    publisher->source.fd = -1;
    if (loop_add(loop, &publisher->source, fd, EPOLLIN, publisher_ready, publisher, err) < 0) {
        close(fd);
        talloc_free(publisher);
        return 0;
    }
    talloc_set_destructor(publisher, publisher_gone);
    return 0;
}

int control_init(struct netd *netd, int fd, struct error *err)
{
    return loop_add(&netd->loop, &netd->control, fd, EPOLLIN, accept_ready, netd, err);
}
