/*
 * Drives network.h from shell tests: `netctl COMMAND ARGUMENTS...`. Context and defaults come from the
 * environment: RUN (run directory), LIBEXEC (where compote-netd is), TABLE. A "-" argument stands for NULL.
 * Exit status: 0, 1 for errors (printed), 10 + outcome for named outcomes.
 */
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "network/network.h"
#include "network/record.h"
#include "sys/fd.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <poll.h>

struct call {
    struct network_context context;
    char **argv; /* after the command */
    int argc;
    const void *tmp;
};

static char *argument(const struct call *call, int i)
{
    return i >= call->argc || str_eq(call->argv[i], "-") ? NULL : call->argv[i];
}

static bool has_flag(const struct call *call, const char *flag)
{
    return strv_contains(call->argv, flag);
}

/* network NAME BRIDGE SUBNET GATEWAY [SUBNET6 GATEWAY6] [internal] [open] [nomasq] */
static struct network_spec network_argument(const struct call *call)
{
    return (struct network_spec){.name = argument(call, 0),
                                 .bridge = argument(call, 1),
                                 .subnet = argument(call, 2),
                                 .gateway = argument(call, 3),
                                 .subnet6 = argument(call, 4),
                                 .gateway6 = argument(call, 5),
                                 .internal = has_flag(call, "internal"),
                                 .isolate = !has_flag(call, "open"),
                                 .masquerade = !has_flag(call, "nomasq")};
}

static int do_network_create(const struct call *call, struct error *err)
{
    struct network_spec spec = network_argument(call);
    return network_create(&call->context, &spec, err);
}

static int do_network_remove(const struct call *call, struct error *err)
{
    struct network_spec spec = network_argument(call);
    return network_remove(&call->context, &spec, err);
}

static int do_table_remove(const struct call *call, struct error *err)
{
    return network_table_remove_unused(&call->context, err);
}

/* PATH [BRIDGE INTERFACE HOST_INTERFACE ADDRESS ADDRESS6 GATEWAY GATEWAY6 MAC]... */
static int do_netns_create(const struct call *call, struct error *err)
{
    enum { FIELDS = 8, MAX = 8 };
    struct endpoint endpoints[MAX];
    size_t count = 0;
    for (int i = 1; i < call->argc && count < MAX; i += FIELDS)
        endpoints[count++] = (struct endpoint){.bridge = argument(call, i),
                                               .interface = argument(call, i + 1),
                                               .host_interface = argument(call, i + 2),
                                               .address = argument(call, i + 3),
                                               .address6 = argument(call, i + 4),
                                               .gateway = argument(call, i + 5),
                                               .gateway6 = argument(call, i + 6),
                                               .mac = argument(call, i + 7)};
    return netns_create(call->argv[0], endpoints, count, err);
}

static int do_netns_remove(const struct call *call, struct error *err)
{
    return netns_remove(call->argv[0], err);
}

/* PROTOCOL:HOST_IP:HOST_PORT:ADDRESS:PORT with ";" for ":" (addresses have colons) */
static int port_argument(const struct call *call, const char *text, struct port_map *ret, struct error *err)
{
    char **parts = strv_split(call->tmp, text, ';');
    uint64_t host_port, port;
    if (strv_len(parts) != 5 || !str_to_u64(parts[2], 0, 65535, &host_port) ||
        !str_to_u64(parts[4], 0, 65535, &port))
        return error_set(err, EINVAL, "port '%s'", text);
    *ret = (struct port_map){.protocol = str_eq(parts[0], "udp") ? IPPROTO_UDP : IPPROTO_TCP,
                             .host_port = (uint16_t)host_port,
                             .port = (uint16_t)port};
    str_copy(ret->host_ip, sizeof(ret->host_ip), parts[1]);
    str_copy(ret->address, sizeof(ret->address), parts[3]);
    return 0;
}

static int port_arguments(const struct call *call, int from, struct port_map **ret, size_t *ret_count,
                          struct error *err)
{
    struct port_map *maps = mem_array(call->tmp, struct port_map, (size_t)call->argc + 1);
    size_t count = 0;
    for (int i = from; i < call->argc; i++) {
        int r = port_argument(call, call->argv[i], &maps[count++], err);
        if (r < 0)
            return r;
    }
    *ret = maps;
    *ret_count = count;
    return 0;
}

static int do_ports(const struct call *call, bool add, struct error *err)
{
    struct port_map *maps;
    size_t count;
    int r = port_arguments(call, 0, &maps, &count, err);
    if (r < 0)
        return r;
    return add ? ports_add(&call->context, maps, count, err) : ports_remove(&call->context, maps, count, err);
}

static int do_ports_add(const struct call *call, struct error *err)
{
    return do_ports(call, true, err);
}

static int do_ports_remove(const struct call *call, struct error *err)
{
    return do_ports(call, false, err);
}

static int do_port_check(const struct call *call, struct error *err)
{
    struct port_map map;
    char *holder = NULL;
    int r = port_argument(call, call->argv[0], &map, err);
    if (r == 0)
        r = port_check(call->tmp, &map, &holder, err);
    if (r == PORT_TAKEN)
        printf("%s\n", holder ? holder : "?");
    return r;
}

static int do_choose_subnet(const struct call *call, struct error *err)
{
    char *subnet, *gateway;
    int r = ipam_choose_subnet(call->tmp, call->argv, &subnet, &gateway, err);
    if (r == 0)
        printf("%s %s\n", subnet, gateway);
    return r;
}

/* PROJECT, and the record's text (network/record.h) on standard input */
static int do_netd_publish(const struct call *call, struct error *err)
{
    static char text[RECORD_MAX];
    struct netd_record *record;
    size_t size;
    int r = fd_read_full(STDIN_FILENO, text, sizeof(text) - 1, &size, err);
    if (r == 0)
        r = record_parse(call->tmp, text, &record, err);
    return r < 0 ? r : netd_publish(&call->context, call->argv[0], record, err);
}

static int do_netd_withdraw(const struct call *call, struct error *err)
{
    return netd_withdraw(&call->context, call->argv[0], call->argv[1], err);
}

static int do_netd_ensure(const struct call *call, struct error *err)
{
    return netd_ensure(&call->context, call->argv[0], err);
}

static int do_netd_stop(const struct call *call, struct error *err)
{
    return netd_stop(&call->context, call->argv[0], err);
}

static int open_listener(int type, uint64_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int on = 1, off = 0, fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ? -1 : fd;
}

/* "TEXT ADDRESS" to whoever called, IPv4 in its own form */
static size_t make_greeting(const char *text, const struct sockaddr_in6 *client, char greeting[256])
{
    char address[INET6_ADDRSTRLEN];
    const char *plain = inet_ntop(AF_INET6, &client->sin6_addr, address, sizeof(address));
    const char *four = plain ? str_after(plain, "::ffff:") : NULL;
    int n = snprintf(greeting, 256, "%s %s\n", text, four ? four : plain);
    return n > 0 && n < 256 ? (size_t)n : 0;
}

/* PORT TEXT: answers every TCP connection and every datagram, both families, until it is killed */
static int do_serve(const struct call *call, struct error *err)
{
    uint64_t port = 0;
    str_to_u64(call->argv[0], 1, 65535, &port);
    int tcp = open_listener(SOCK_STREAM, port), udp = open_listener(SOCK_DGRAM, port);
    if (tcp < 0 || udp < 0 || listen(tcp, 16) < 0)
        return error_errno(err, "listen on port %s", call->argv[0]);
    struct pollfd fds[2] = {
        {.fd = tcp, .events = POLLIN},
        {.fd = udp, .events = POLLIN}
    };
    while (poll(fds, 2, -1) >= 0) {
        struct sockaddr_in6 client;
        socklen_t size = sizeof(client);
        char text[2048];
        if (fds[0].revents) {
            cleanup_close int fd = accept4(tcp, (struct sockaddr *)&client, &size, SOCK_CLOEXEC);
            size_t n = make_greeting(call->argv[1], &client, text);
            if (fd >= 0 && send(fd, text, n, MSG_NOSIGNAL) < 0)
                perror("send");
        }
        if (fds[1].revents && recvfrom(udp, text, sizeof(text), 0, (struct sockaddr *)&client, &size) >= 0) {
            size_t n = make_greeting(call->argv[1], &client, text);
            if (sendto(udp, text, n, 0, (struct sockaddr *)&client, size) < 0)
                perror("sendto");
        }
    }
    return error_errno(err, "poll");
}

static char *list_answers(const void *owner, const ldns_pkt *packet)
{
    char **found = NULL;
    ldns_rr_list *answers = ldns_pkt_answer(packet);
    for (size_t i = 0; i < ldns_rr_list_rr_count(answers); i++) {
        char *text = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(answers, i), 0));
        found = strv_add(owner, found, text);
        free(text);
    }
    if (!found)
        return mem_strdup(owner, "");
    strv_sort(found);
    return mem_printf(owner, " %s", strv_join(owner, found, " "));
}

/* QUESTION TYPE [tcp]: asks 127.0.0.11, prints the code and the answers */
static int do_ask(const struct call *call, struct error *err)
{
    ldns_resolver *resolver = ldns_resolver_new();
    ldns_rdf *server = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_A, "127.0.0.11");
    ldns_resolver_push_nameserver(resolver, server);
    ldns_resolver_set_usevc(resolver, has_flag(call, "tcp"));
    ldns_resolver_set_recursive(resolver, true);
    ldns_resolver_set_retry(resolver, 1);
    ldns_resolver_set_timeout(resolver, (struct timeval){.tv_sec = 15});
    ldns_rdf *name = ldns_dname_new_frm_str(call->argv[0]);
    ldns_pkt *packet = NULL;
    ldns_status status = ldns_resolver_send(&packet, resolver, name, ldns_get_rr_type_by_name(call->argv[1]),
                                            LDNS_RR_CLASS_IN, LDNS_RD);
    int r = 0;
    if (status != LDNS_STATUS_OK) {
        r = error_set(err, EIO, "%s", ldns_get_errorstr_by_id(status));
    } else {
        char *code = ldns_pkt_rcode2str(ldns_pkt_get_rcode(packet));
        printf("%s%s\n", code, list_answers(call->tmp, packet));
        free(code);
    }
    ldns_pkt_free(packet);
    ldns_rdf_deep_free(name);
    ldns_rdf_deep_free(server);
    ldns_resolver_deep_free(resolver);
    return r;
}

static const struct command {
    const char *name;
    int (*run)(const struct call *call, struct error *err);
    int min_arguments;
} commands[] = {
    {"network-create", do_network_create, 4},
    {"network-remove", do_network_remove, 4},
    {"table-remove",   do_table_remove,   0},
    {"netns-create",   do_netns_create,   1},
    {"netns-remove",   do_netns_remove,   1},
    {"ports-add",      do_ports_add,      0},
    {"ports-remove",   do_ports_remove,   0},
    {"port-check",     do_port_check,     1},
    {"netd-publish",   do_netd_publish,   1},
    {"netd-withdraw",  do_netd_withdraw,  2},
    {"netd-ensure",    do_netd_ensure,    1},
    {"netd-stop",      do_netd_stop,      1},
    {"serve",          do_serve,          2},
    {"ask",            do_ask,            2},
    {"choose-subnet",  do_choose_subnet,  0},
};

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value ? value : otherwise;
}

int main(int argc, char **argv)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct call call = {
        .context = {.run = environment("RUN", "/run/compote-test"),
                    .libexec = environment("LIBEXEC", "."),
                    .table = environment("TABLE", "compote")},
        .argv = argv + 2,
        .argc = argc - 2,
        .tmp = tmp
    };
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++) {
        if (!str_eq(commands[i].name, argv[1]) || call.argc < commands[i].min_arguments)
            continue;
        struct error err = ERROR_INIT;
        int r = commands[i].run(&call, &err);
        if (r < 0) {
            fprintf(stderr, "%s\n", err.text);
            if (err.hint[0])
                fprintf(stderr, "%s\n", err.hint);
        }
        return r < 0 ? 1 : r > 0 ? 10 + r : 0;
    }
    fprintf(stderr, "usage: netctl COMMAND ARGUMENTS...\n");
    return 2;
}
