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

static int do_port_pick(const struct call *call, struct error *err)
{
    uint16_t port;
    int r = port_pick(call->tmp, str_eq(call->argv[0], "udp") ? IPPROTO_UDP : IPPROTO_TCP, "", &port, err);
    if (r == 0)
        printf("%u\n", port);
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
    {"port-pick",      do_port_pick,      1},
    {"netd-publish",   do_netd_publish,   1},
    {"netd-withdraw",  do_netd_withdraw,  2},
    {"netd-ensure",    do_netd_ensure,    1},
    {"netd-stop",      do_netd_stop,      1},
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
