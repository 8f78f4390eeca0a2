/*
 * Talking to compote-netd, and starting it.
 *
 * compote-netd handles packets from containers and from the network, so it runs without any privilege: it
 * cannot enter a namespace or listen on port 80. What it needs it is given: this side, which is privileged
 * anyway, opens the sockets (in the container's namespace for names, on the host's for ports) and passes
 * them. A port that is taken is therefore found here, and named.
 *
 *     we:   put\n  <socket>\n ...  \n  <record>     which sockets the record needs, by name
 *     netd: need 0 2\n                              those that it does not have
 *     we:   sockets 0 2\n                           with the descriptors, 8 at most per message
 *     we:   commit\n
 *     netd: ok\n                                    or a text that says what was wrong
 *
 * Sockets are named "tcp 0.0.0.0 8080", or "dns-udp DEVICE:INODE" with the numbers of the namespace. Other
 * requests are "drop <container>" and "stop". compote-netd goes when its last record is dropped.
 *
 * Whether it runs is asked of the kernel: a listening socket refuses connections as soon as nobody holds it.
 * Everything happens under a lock on the project's directory, so that two commands never start two. Records
 * lie in that directory too, and whoever starts compote-netd gives it all of them.
 */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "network/holder.h"
#include "network/network.h"
#include "network/nft.h"
#include "network/record.h"
#include "sys/fd.h"
#include "sys/fs.h"
#include "sys/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>

struct session {
    const struct network_context *context;
    const char *project;
    const char *directory;
    int dir_fd; /* its flock is the lock */
    int socket; /* -1: not connected */
};

#define SESSION_INIT                                                                                         \
    {                                                                                                        \
        .dir_fd = -1, .socket = -1                                                                           \
    }

static void session_done(struct session *session)
{
    cleanup_close_fn(&session->socket);
    cleanup_close_fn(&session->dir_fd);
}

#define cleanup_session CLEANUP(session_done)

enum { ABSENT = 1 };

/* Opens and locks the project's directory, which is made when `create`; otherwise ABSENT. */
static int session_open(struct session *session, const void *tmp, const struct network_context *context,
                        const char *project, bool create, struct error *err)
{
    *session = (struct session)SESSION_INIT;
    session->context = context;
    session->project = project;
    session->directory = mem_printf(tmp, "%s/netd/%s", context->run, project);
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
            return ABSENT;
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

static int session_connect(struct session *session, struct error *err)
{
    struct error refused = ERROR_INIT;
    int r = fd_unix_connect(session->dir_fd, "control", &session->socket, &refused);
    if (r < 0) {
        if (refused.code == ECONNREFUSED || refused.code == ENOENT)
            return ABSENT;
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

static int session_start(struct session *session, const void *tmp, struct error *err)
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
    return r < 0 ? r : session_connect(session, err);
}

static int session_read(struct session *session, char *text, size_t size, struct error *err)
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

/* One request and its "ok". */
static int session_request(struct session *session, const char *request, struct error *err)
{
    char reply[ERROR_TEXT_SIZE];
    int r = fd_send(session->socket, request, strlen(request), NULL, 0, err);
    if (r == 0)
        r = session_read(session, reply, sizeof(reply), err);
    if (r < 0)
        return r;
    return str_eq(reply, "ok\n") ? 0 : error_set(err, EIO, "compote-netd: %s", reply);
}

/*
 * A socket that answers names on port 53 of 127.0.0.11. It listens on another port, and a rule inside the
 * namespace redirects: a container may have a name server of its own on port 53 of all addresses.
 */
static int listen_for_names(const char *protocol, int *ret_fd, struct error *err)
{
    struct prefix address;
    struct sockaddr_in bound;
    socklen_t size = sizeof(bound);
    char commands[512];
    cleanup_close int fd = -1;
    prefix_parse("127.0.0.11", &address);
    int r = host_socket(str_eq(protocol, "udp") ? IPPROTO_UDP : IPPROTO_TCP, &address, 0, &fd, err);
    if (r == PORT_TAKEN || (r == 0 && getsockname(fd, (struct sockaddr *)&bound, &size) < 0))
        r = error_set(err, EADDRINUSE, "no port of 127.0.0.11 is free");
    if (r < 0)
        return r;
    snprintf(commands, sizeof(commands),
             "add table ip compote_dns\n"
             "add chain ip compote_dns names_%1$s { type nat hook output priority -100; }\n"
             "flush chain ip compote_dns names_%1$s\n"
             "add rule ip compote_dns names_%1$s ip daddr 127.0.0.11 %1$s dport 53 dnat to 127.0.0.11:%2$u\n",
             protocol, ntohs(bound.sin_port));
    r = nft_run_here(commands, err);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

static int open_dns_socket(const char *netns, const char *protocol, int *ret_fd, struct error *err)
{
    cleanup_close int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    cleanup_close int there = open(netns, O_RDONLY | O_CLOEXEC);
    if (home < 0 || there < 0)
        return error_errno(err, "open network namespace '%s'", netns);
    if (setns(there, CLONE_NEWNET) < 0)
        return error_errno(err, "enter network namespace '%s'", netns);
    int r = listen_for_names(protocol, ret_fd, err);
    if (setns(home, CLONE_NEWNET) < 0)
        abort();
    return r < 0 ? error_wrap(err, "network namespace '%s'", netns) : 0;
}

static int open_port_socket(const char *name, int *ret_fd, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **fields = strv_split(tmp, name, ' ');
    int protocol = 0;
    struct prefix address = {0};
    uint64_t port = 0;
    record_protocol_parse(fields[0], &protocol);
    prefix_parse(fields[1], &address);
    str_to_u64(fields[2], 1, 65535, &port);
    int r = host_socket(protocol, &address, (uint16_t)port, ret_fd, err);
    if (r != PORT_TAKEN)
        return r;
    char *holder = port_holder(tmp, protocol, (uint16_t)port);
    return error_set(err, EADDRINUSE, "port %u/%s of %s is already in use%s%s", (unsigned)port, fields[0],
                     fields[1], holder ? " by " : "", holder ? holder : "");
}

/* The sockets that a record needs, by name. */
static int list_sockets(const void *owner, const struct netd_record *record, char ***ret, struct error *err)
{
    struct stat st;
    if (stat(record->netns, &st) < 0)
        return error_errno(err, "network namespace '%s'", record->netns);
    char **names =
        strv_addf(owner, NULL, "dns-udp %lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    names = strv_addf(owner, names, "dns-tcp %lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    for (size_t i = 0; i < record->port_count; i++) {
        const struct port_map *port = &record->ports[i];
        struct prefix addresses[2];
        size_t count = host_addresses(port->host_ip, addresses);
        for (size_t k = 0; k < count; k++) {
            char text[PREFIX_TEXT];
            prefix_print_address(&addresses[k], text);
            char *name =
                mem_printf(owner, "%s %s %u", record_protocol_name(port->protocol), text, port->host_port);
            if (!strv_contains(names, name))
                names = strv_add(owner, names, name);
        }
    }
    *ret = names;
    return 0;
}

static int open_socket(const struct netd_record *record, const char *name, int *ret_fd, struct error *err)
{
    if (str_starts(name, "dns-udp "))
        return open_dns_socket(record->netns, "udp", ret_fd, err);
    if (str_starts(name, "dns-tcp "))
        return open_dns_socket(record->netns, "tcp", ret_fd, err);
    return open_port_socket(name, ret_fd, err);
}

/* Opens and sends what netd lacks: `need` has the numbers of sockets. */
static int send_sockets(struct session *session, const struct netd_record *record, char **sockets,
                        char **need, struct error *err)
{
    enum { BATCH = 8 };
    size_t total = strv_len(sockets), count = strv_len(need);
    for (size_t done = 0; done < count;) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        int fds[BATCH], r = 0;
        size_t n = 0;
        char *message = mem_strdup(tmp, "sockets");
        while (n < BATCH && done < count && r == 0) {
            uint64_t number;
            if (!str_to_u64(need[done], 0, total - 1, &number))
                r = error_set(err, EIO, "compote-netd asks for socket '%s'", need[done]);
            else
                r = open_socket(record, sockets[number], &fds[n], err);
            if (r == 0) {
                message = mem_append_printf(message, " %s", need[done]);
                done++;
                n++;
            }
        }
        if (r == 0) {
            message = mem_append_str(message, "\n");
            r = fd_send(session->socket, message, strlen(message), fds, n, err);
        }
        for (size_t i = 0; i < n; i++)
            close(fds[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_record(struct session *session, const struct netd_record *record, const char *text,
                      struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **sockets;
    int r = list_sockets(tmp, record, &sockets, err);
    if (r < 0)
        return r;
    char *message = mem_printf(tmp, "put\n%s\n\n%s", strv_join(tmp, sockets, "\n"), text);
    if (strlen(message) > RECORD_MAX)
        return error_set(err, E2BIG, "container '%s' has too many names and ports", record->container);
    r = fd_send(session->socket, message, strlen(message), NULL, 0, err);
    char *reply = mem_array(tmp, char, RECORD_MAX);
    if (r == 0)
        r = session_read(session, reply, RECORD_MAX, err);
    if (r < 0)
        return r;
    if (!str_starts(reply, "need"))
        return error_set(err, EIO, "compote-netd: %s", reply);
    reply[strcspn(reply, "\n")] = '\0';
    char **need = strv_split(tmp, reply, ' ');
    r = send_sockets(session, record, sockets, need + 1, err);
    return r < 0 ? r : session_request(session, "commit\n", err);
}

static char *record_path(const void *owner, const struct session *session, const char *container)
{
    return mem_printf(owner, "%s/%s.record", session->directory, container);
}

/* Gives a netd that was just started every record that lies there. One whose namespace is gone is skipped:
 * its container is gone too, and the engine will withdraw it. One that fails does not keep the others
 * waiting. */
static int put_all(struct session *session, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, session->directory, &names, err);
    for (size_t i = 0; r >= 0 && names && names[i]; i++) {
        if (!str_ends(names[i], ".record"))
            continue;
        char *text;
        size_t size;
        struct netd_record *record;
        struct error problem = ERROR_INIT;
        int one = fs_read_file(tmp, mem_printf(tmp, "%s/%s", session->directory, names[i]), RECORD_MAX, &text,
                               &size, &problem);
        if (one == 0)
            one = record_parse(tmp, text, &record, &problem);
        if (one == 0 && fs_exists(record->netns))
            one = put_record(session, record, text, &problem);
        if (one < 0 && r >= 0)
            r = error_set(err, problem.code, "%s", problem.text);
    }
    return r < 0 ? r : 0;
}

static int session_ensure(struct session *session, const void *tmp, struct error *err)
{
    int r = session_connect(session, err);
    if (r != ABSENT)
        return r;
    r = session_start(session, tmp, err);
    if (r == ABSENT)
        r = error_set(err, ECONNREFUSED, "compote-netd of project '%s' ended at once", session->project);
    return r < 0 ? r : put_all(session, err);
}

int netd_publish(const struct network_context *context, const char *project, const struct netd_record *record,
                 struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct session session = SESSION_INIT;
    char *text;
    int r = record_print(tmp, record, &text, err);
    if (r == 0)
        r = session_open(&session, tmp, context, project, true, err);
    if (r == 0)
        r = session_ensure(&session, tmp, err);
    if (r == 0)
        r = put_record(&session, record, text, err);
    if (r == 0)
        r = fs_write_file(record_path(tmp, &session, record->container), text, strlen(text), 0600, false,
                          err);
    return r;
}

/* After the last record: the directory goes too, unless netd holds a record that has no file. */
static int remove_directory(struct session *session, struct error *err)
{
    if (unlinkat(session->dir_fd, "control", 0) < 0 && errno != ENOENT)
        return error_errno(err, "remove the socket in '%s'", session->directory);
    if (rmdir(session->directory) < 0 && errno != ENOENT)
        return error_errno(err, "remove '%s'", session->directory);
    return 0;
}

static int has_records(const struct session *session, bool *ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, session->directory, &names, err);
    *ret = false;
    for (size_t i = 0; r >= 0 && names && names[i]; i++)
        if (str_ends(names[i], ".record"))
            *ret = true;
    return r < 0 ? r : 0;
}

/* Waits until netd has closed the connection, which it does by ending: then its sockets are closed too. */
static void wait_for_end(struct session *session)
{
    char text[64];
    size_t got = 1;
    while (got > 0 && fd_receive(session->socket, text, sizeof(text), &got, NULL, 0, NULL, NULL) == 0)
        ;
}

int netd_withdraw(const struct network_context *context, const char *project, const char *container,
                  struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct session session = SESSION_INIT;
    int r = session_open(&session, tmp, context, project, false, err);
    if (r != 0)
        return r < 0 ? r : 0;
    if (unlink(record_path(tmp, &session, container)) < 0 && errno != ENOENT)
        return error_errno(err, "remove the record of container '%s'", container);
    bool more = true;
    r = session_connect(&session, err);
    bool runs = r == 0;
    if (r == 0)
        r = session_request(&session, mem_printf(tmp, "drop %s\n", container), err);
    if (r >= 0)
        r = has_records(&session, &more, err);
    if (r < 0 || more)
        return r;
    if (runs) {
        r = session_request(&session, "stop\n", err);
        wait_for_end(&session);
    }
    return r < 0 ? r : remove_directory(&session, err);
}

int netd_ensure(const struct network_context *context, const char *project, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct session session = SESSION_INIT;
    int r = session_open(&session, tmp, context, project, false, err);
    if (r != 0)
        return r < 0 ? r : 0;
    bool any;
    r = has_records(&session, &any, err);
    return r < 0 || !any ? r : session_ensure(&session, tmp, err);
}

int netd_stop(const struct network_context *context, const char *project, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct session session = SESSION_INIT;
    int r = session_open(&session, tmp, context, project, false, err);
    if (r != 0)
        return r < 0 ? r : 0;
    r = session_connect(&session, err);
    if (r == 0) {
        r = session_request(&session, "stop\n", err);
        wait_for_end(&session);
    }
    if (r < 0)
        return r;
    return fs_remove_tree(session.directory, err);
}
