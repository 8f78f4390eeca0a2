#include "network/record.h"

#include "base/str.h"
#include "base/strv.h"
#include "network/prefix.h"

static const struct {
    int protocol;
    const char *name;
} protocols[] = {
    {IPPROTO_TCP,  "tcp" },
    {IPPROTO_UDP,  "udp" },
    {IPPROTO_SCTP, "sctp"},
};

const char *record_protocol_name(int protocol)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (protocols[i].protocol == protocol)
            return protocols[i].name;
    return NULL;
}

bool record_protocol_parse(const char *name, int *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (str_eq(protocols[i].name, name)) {
            *ret = protocols[i].protocol;
            return true;
        }
    return false;
}

static bool is_word(const char *s)
{
    if (!s || !*s || str_eq(s, "-"))
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return true;
}

static const char *or_dash(const char *s)
{
    return str_is_empty(s) ? "-" : s;
}

static int print_network(char **text, const struct netd_network *network, struct error *err)
{
    if (!is_word(network->network))
        return error_set(err, EINVAL, "network name '%s' has blanks", network->network);
    *text = mem_append_printf(*text, "network %s %s %s", network->network, or_dash(network->address),
                              or_dash(network->address6));
    for (size_t i = 0; network->names && network->names[i]; i++) {
        if (!is_word(network->names[i]))
            return error_set(err, EINVAL, "name '%s' has blanks", network->names[i]);
        *text = mem_append_printf(*text, " %s", network->names[i]);
    }
    *text = mem_append_str(*text, "\n");
    return 0;
}

int record_print(const void *owner, const struct netd_record *record, char **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (!is_word(record->container) || str_is_empty(record->netns) || strchr(record->netns, '\n'))
        return error_set(err, EINVAL, "container '%s' or its namespace '%s' cannot be recorded",
                         record->container, record->netns);
    char *text = mem_printf(tmp, "container %s\nnetns %s\n%s", record->container, record->netns,
                            record->internal_only ? "internal\n" : "");
    for (size_t i = 0; i < record->network_count; i++) {
        int r = print_network(&text, &record->networks[i], err);
        if (r < 0)
            return r;
    }
    for (char **dns = record->dns; dns && *dns; dns++) {
        struct prefix prefix;
        if (!prefix_parse(*dns, &prefix) || strchr(*dns, '/'))
            return error_set(err, EINVAL, "dns server '%s' is not an address", *dns);
        text = mem_append_printf(text, "dns %s\n", *dns);
    }
    for (char **link = record->links; link && *link; link++) {
        const char *blank = strchr(*link, ' ');
        if (!blank || !is_word(mem_strndup(tmp, *link, (size_t)(blank - *link))) || !is_word(blank + 1))
            return error_set(err, EINVAL, "link '%s' is not two names", *link);
        text = mem_append_printf(text, "link %s\n", *link);
    }
    for (size_t i = 0; i < record->port_count; i++) {
        const struct port_map *port = &record->ports[i];
        text = mem_append_printf(text, "port %s %s %u %s %u\n", record_protocol_name(port->protocol),
                                 or_dash(port->host_ip), port->host_port, port->address, port->port);
    }
    if (strlen(text) > RECORD_MAX / 2)
        return error_set(err, E2BIG, "container '%s' has too many names and ports", record->container);
    *ret = mem_strdup(owner, text);
    return 0;
}

static bool is_optional_address(const char *text, int family)
{
    struct prefix prefix;
    return str_eq(text, "-") ||
           (prefix_parse(text, &prefix) && prefix.family == family && !strchr(text, '/'));
}

static char *from_dash(const void *owner, const char *text)
{
    return str_eq(text, "-") ? NULL : mem_strdup(owner, text);
}

static bool parse_network(struct netd_record *record, char **fields)
{
    if (strv_len(fields) < 4 || !is_optional_address(fields[2], AF_INET) ||
        !is_optional_address(fields[3], AF_INET6))
        return false;
    struct netd_network network = {.network = mem_strdup(record, fields[1]),
                                   .address = from_dash(record, fields[2]),
                                   .address6 = from_dash(record, fields[3])};
    for (char **name = fields + 4; *name; name++)
        network.names = strv_add(record, network.names, *name);
    mem_append(record, record->networks, record->network_count, network);
    return true;
}

static bool parse_port(struct netd_record *record, char **fields)
{
    struct port_map port = {0};
    struct prefix address;
    uint64_t host_port, inner_port;
    if (strv_len(fields) != 6 || !record_protocol_parse(fields[1], &port.protocol) ||
        !(is_optional_address(fields[2], AF_INET) || is_optional_address(fields[2], AF_INET6)) ||
        !str_to_u64(fields[3], 1, 65535, &host_port) || !prefix_parse(fields[4], &address) ||
        !str_to_u64(fields[5], 1, 65535, &inner_port))
        return false;
    port.host_port = (uint16_t)host_port;
    port.port = (uint16_t)inner_port;
    if (!str_copy(port.address, sizeof(port.address), fields[4]) ||
        !str_copy(port.host_ip, sizeof(port.host_ip), str_eq(fields[2], "-") ? "" : fields[2]))
        return false;
    mem_append(record, record->ports, record->port_count, port);
    return true;
}

static bool parse_line(struct netd_record *record, const char *line)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *rest = str_after(line, "netns ");
    if (rest) {
        record->netns = mem_strdup(record, rest);
        return *rest == '/';
    }
    char **fields = strv_split(tmp, line, ' ');
    for (char **field = fields; *field; field++)
        if (!**field)
            return false;
    if (str_eq(fields[0], "container") && strv_len(fields) == 2) {
        record->container = mem_strdup(record, fields[1]);
        return !strchr(fields[1], '/') && fields[1][0] != '.';
    }
    if (str_eq(fields[0], "internal") && !fields[1])
        return record->internal_only = true;
    if (str_eq(fields[0], "dns") && strv_len(fields) == 2 &&
        (is_optional_address(fields[1], AF_INET) || is_optional_address(fields[1], AF_INET6))) {
        record->dns = strv_add(record, record->dns, fields[1]);
        return !str_eq(fields[1], "-");
    }
    if (str_eq(fields[0], "link") && strv_len(fields) == 3) {
        record->links = strv_addf(record, record->links, "%s %s", fields[1], fields[2]);
        return true;
    }
    if (str_eq(fields[0], "network"))
        return parse_network(record, fields);
    return str_eq(fields[0], "port") && parse_port(record, fields);
}

int record_parse(const void *owner, const char *text, struct netd_record **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct netd_record *record = mem_new(tmp, struct netd_record);
    char **lines = strv_split(tmp, text, '\n');
    for (size_t i = 0; lines[i]; i++) {
        if (!*lines[i] && !lines[i + 1])
            break;
        if (!parse_line(record, lines[i]))
            return error_set(err, EINVAL, "record: line %zu: '%.80s' is not understood", i + 1, lines[i]);
    }
    if (!record->container || !record->netns)
        return error_set(err, EINVAL, "record: it names no container or no namespace");
    mem_steal(owner, record);
    *ret = record;
    return 0;
}

bool record_port_matches(const struct port_map *map, int protocol, const char *address, uint16_t host_port)
{
    if (map->protocol != protocol || map->host_port != host_port)
        return false;
    if (map->host_ip[0])
        return str_eq(map->host_ip, address);
    return str_eq(address, "0.0.0.0") || str_eq(address, "::");
}
