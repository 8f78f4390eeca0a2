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
 * requests are "drop <container>", "peer" with a record of another project (netd_peers.h), and "stop".
 * compote-netd goes when its last record is dropped.
 *
 * Whether it runs is asked of the kernel: a listening socket refuses connections as soon as nobody holds it.
 * Everything happens under a lock on the project's directory, so that two commands never start two. Records
 * lie in that directory too, and whoever starts compote-netd gives it all of them.
 */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "network/holder.h"
#include "network/netd_peers.h"
#include "network/netd_session.h"
#include "network/network.h"
#include "network/nft.h"
#include "network/record.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

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
static int send_sockets(struct netd_session *session, const struct netd_record *record, char **sockets,
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

static int put_record(struct netd_session *session, const struct netd_record *record, const char *text,
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
        r = netd_session_read(session, reply, RECORD_MAX, err);
    if (r < 0)
        return r;
    if (!str_starts(reply, "need"))
        return error_set(err, EIO, "compote-netd: %s", reply);
    reply[strcspn(reply, "\n")] = '\0';
    char **need = strv_split(tmp, reply, ' ');
    r = send_sockets(session, record, sockets, need + 1, err);
    return r < 0 ? r : netd_session_request(session, "commit\n", err);
}

/* Gives a netd that was just started every record that lies there. One whose namespace is gone is skipped:
 * its container is gone too, and the engine will withdraw it. One that fails does not keep the others
 * waiting. */
static int put_all(struct netd_session *session, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, session->directory, &names, err);
    for (size_t i = 0; r >= 0 && names && names[i]; i++) {
        bool is_peer = str_ends(names[i], ".peer");
        if (!is_peer && !str_ends(names[i], ".record"))
            continue;
        char *text;
        size_t size;
        struct netd_record *record;
        struct error problem = ERROR_INIT;
        int one = fs_read_file(tmp, mem_printf(tmp, "%s/%s", session->directory, names[i]), RECORD_MAX, &text,
                               &size, &problem);
        if (one == 0)
            one = record_parse(tmp, text, &record, &problem);
        if (one == 0 && is_peer)
            one = netd_session_request(session, mem_printf(tmp, "peer\n%s", text), &problem);
        else if (one == 0 && fs_exists(record->netns))
            one = put_record(session, record, text, &problem);
        if (one < 0 && r >= 0)
            r = error_set(err, problem.code, "%s", problem.text);
    }
    return r < 0 ? r : 0;
}

static int session_ensure(struct netd_session *session, const void *tmp, struct error *err)
{
    int r = netd_session_connect(session, err);
    if (r != SESSION_ABSENT)
        return r;
    r = netd_session_start(session, tmp, err);
    if (r == SESSION_ABSENT)
        r = error_set(err, ECONNREFUSED, "compote-netd of project '%s' ended at once", session->project);
    return r < 0 ? r : put_all(session, err);
}

/* The part that needs the project's lock. */
static int publish_record(const struct network_context *context, const char *project,
                          const struct netd_record *record, const char *text, const void *owner,
                          char ***ret_joined, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct netd_session session = SESSION_INIT;
    int r = netd_session_open(&session, tmp, context, project, true, err);
    if (r == 0)
        r = session_ensure(&session, tmp, err);
    if (r == 0)
        r = put_record(&session, record, text, err);
    if (r == 0)
        r = fs_write_file(netd_session_path(tmp, &session, record->container, "record"), text, strlen(text),
                          0600, false, err);
    return r < 0 ? r : peers_mark(owner, session.directory, record, ret_joined, err);
}

int netd_publish(const struct network_context *context, const char *project, const struct netd_record *record,
                 struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text, **joined = NULL;
    int r = record_print(tmp, record, &text, err);
    if (r == 0)
        r = publish_record(context, project, record, text, tmp, &joined, err);
    return r < 0 ? r : peers_publish(context, project, record, text, joined, err);
}

static int has_records(const struct netd_session *session, bool *ret, struct error *err)
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

static int withdraw_record(const struct network_context *context, const char *project, const char *container,
                           struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct netd_session session = SESSION_INIT;
    int r = netd_session_open(&session, tmp, context, project, false, err);
    if (r != 0)
        return r < 0 ? r : 0;
    if (unlink(netd_session_path(tmp, &session, container, "record")) < 0 && errno != ENOENT)
        return error_errno(err, "remove the record of container '%s'", container);
    bool more = true;
    r = netd_session_connect(&session, err);
    bool runs = r == 0;
    if (r == 0)
        r = netd_session_request(&session, mem_printf(tmp, "drop %s\n", container), err);
    if (r >= 0)
        r = has_records(&session, &more, err);
    if (r < 0 || more)
        return r;
    if (runs) {
        r = netd_session_request(&session, "stop\n", err);
        netd_session_wait_for_end(&session);
    }
    return r < 0 ? r : fs_remove_tree(session.directory, err);
}

int netd_withdraw(const struct network_context *context, const char *project, const char *container,
                  struct error *err)
{
    int r = withdraw_record(context, project, container, err);
    return r < 0 ? r : peers_withdraw(context, project, container, err);
}

int netd_ensure(const struct network_context *context, const char *project, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct netd_session session = SESSION_INIT;
    int r = netd_session_open(&session, tmp, context, project, false, err);
    if (r != 0)
        return r < 0 ? r : 0;
    bool any;
    r = has_records(&session, &any, err);
    return r < 0 || !any ? r : session_ensure(&session, tmp, err);
}

/* What other projects know of this one's containers. */
static int withdraw_all_peers(const struct network_context *context, const char *project, struct error *err)
{
    static const char kind[] = ".record";
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, mem_printf(tmp, "%s/netd/%s", context->run, project), &names, err);
    for (size_t i = 0; r >= 0 && names && names[i]; i++) {
        size_t n = strlen(names[i]);
        if (str_ends(names[i], kind))
            r = peers_withdraw(context, project, mem_strndup(tmp, names[i], n - strlen(kind)), err);
    }
    return r < 0 ? r : 0;
}

int netd_stop(const struct network_context *context, const char *project, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct netd_session session = SESSION_INIT;
    int r = withdraw_all_peers(context, project, err);
    if (r == 0)
        r = netd_session_open(&session, tmp, context, project, false, err);
    if (r != 0)
        return r < 0 ? r : 0;
    r = netd_session_connect(&session, err);
    if (r == 0) {
        r = netd_session_request(&session, "stop\n", err);
        netd_session_wait_for_end(&session);
    }
    if (r < 0)
        return r;
    return fs_remove_tree(session.directory, err);
}
