/*
 * What the monitor needs to write and to send a container's log, rendered for it: the attributes as JSON, the
 * receiver as a socket address, the fields of the journal. It has no resolver and no JSON.
 */
#include "runtime/private.h"

#include "monitor/proto.h"

#include <ctype.h>
#include <netdb.h>
#include <sys/socket.h>

static const char *const facilities[] = {"kern", "user", "mail", "daemon", "auth",     "syslog",
                                         "lpr",  "news", "uucp", "cron",   "authpriv", "ftp"};

static const struct {
    const char *name;
    enum forward_format format;
} formats[] = {
    {"",             FORWARD_PLAIN        },
    {"rfc3164",      FORWARD_RFC3164      },
    {"rfc5424",      FORWARD_RFC5424      },
    {"rfc5424micro", FORWARD_RFC5424_MICRO},
};

static int find_facility(const char *text, int64_t *ret, struct error *err)
{
    const char *local = str_after(text, "local");
    *ret = 3; /* daemon, as docker */
    if (str_is_empty(text) || str_to_i64(text, 0, 23, ret))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(facilities); i++)
        if (strcmp(facilities[i], text) == 0) {
            *ret = (int64_t)i;
            return 0;
        }
    if (local && str_to_i64(local, 0, 7, ret)) {
        *ret += 16;
        return 0;
    }
    return error_set(err, EINVAL, "logging option syslog-facility: '%s' is not a facility", text);
}

static int find_format(const char *text, int *ret, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (strcmp(formats[i].name, text ? text : "") == 0) {
            *ret = (int)formats[i].format;
            return 0;
        }
    return error_set(err, EINVAL,
                     "logging option syslog-format: '%s' is not rfc3164, rfc5424 or rfc5424micro", text);
}

struct receiver {
    enum forward_network network;
    char *host, *port; /* host is the path of a Unix socket */
};

/* [udp|tcp://host[:port] | unix://path | unixgram://path] */
static int parse_address(const void *owner, const char *text, struct receiver *ret, struct error *err)
{
    static const struct {
        const char *prefix;
        enum forward_network network;
    } schemes[] = {
        {"udp://",      FORWARD_UDP },
        {"tcp://",      FORWARD_TCP },
        {"unix://",     FORWARD_UNIX},
        {"unixgram://", FORWARD_UNIX},
    };
    *ret = (struct receiver){.network = FORWARD_UNIX, .host = mem_strdup(owner, "/dev/log")};
    if (str_is_empty(text))
        return 0;
    const char *rest = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(schemes) && !rest; i++) {
        rest = str_after(text, schemes[i].prefix);
        ret->network = schemes[i].network;
    }
    if (!rest || !*rest)
        return error_set(
            err, EINVAL,
            "logging option syslog-address: '%s' is not like udp://host:port, tcp://host:port or "
            "unix:///path",
            text);
    if (ret->network == FORWARD_UNIX) {
        ret->host = mem_strdup(owner, rest);
        return *rest == '/' ? 0
                            : error_set(err, EINVAL, "syslog-address: '%s' is not an absolute path", rest);
    }
    bool bracket = *rest == '[';
    const char *colon = bracket ? strstr(rest, "]:") : strchr(rest, ':');
    size_t length = bracket ? strcspn(rest, "]") - 1 : strcspn(rest, ":");
    ret->host = mem_strndup(owner, rest + bracket, length);
    ret->port = mem_strdup(owner, colon ? colon + 1 + bracket : "514");
    uint64_t port;
    return str_to_u64(ret->port, 1, 65535, &port)
               ? 0
               : error_set(err, EINVAL, "logging option syslog-address: '%s' is not a port", ret->port);
}

int container_log_check(const struct container_spec *spec, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct receiver receiver;
    int64_t facility;
    int format;
    int r = find_facility(spec->log_facility, &facility, err);
    if (r == 0)
        r = find_format(spec->log_format, &format, err);
    return r == 0 ? parse_address(tmp, spec->log_address, &receiver, err) : r;
}

/* The numeric form, which is what the monitor connects to. */
static int resolve(const void *owner, struct receiver *receiver, int *ret_family, struct error *err)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_DGRAM};
    char host[INET6_ADDRSTRLEN + 16];
    *ret_family = AF_UNIX;
    if (receiver->network == FORWARD_UNIX)
        return 0;
    int r = getaddrinfo(receiver->host, receiver->port, &hints, &found);
    if (r == 0) {
        *ret_family = found->ai_family;
        r = getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    if (r != 0)
        return error_set(err, EHOSTUNREACH, "syslog-address: host '%s': %s", receiver->host, gai_strerror(r));
    receiver->host = mem_strdup(owner, host);
    return 0;
}

/* One line, whatever is in it: the configuration has a line for each key. */
static char *one_line(const void *owner, const char *text)
{
    char *clean = mem_strdup(owner, text ? text : "");
    for (char *p = clean; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = '?';
    return clean;
}

static int add_syslog(const struct container_spec *spec, char **conf, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct receiver receiver;
    int64_t facility;
    int format, family;
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    int r = find_facility(spec->log_facility, &facility, err);
    if (r == 0)
        r = find_format(spec->log_format, &format, err);
    if (r == 0)
        r = parse_address(tmp, spec->log_address, &receiver, err);
    if (r == 0)
        r = resolve(tmp, &receiver, &family, err);
    if (r == 0)
        *conf = mem_append_printf(*conf,
                                  "forward=%d\nforward_network=%d\nforward_family=%d\nforward_host=%s\n"
                                  "forward_port=%s\nforward_facility=%lld\nforward_tag=%s\n"
                                  "forward_from=%s\n",
                                  format, (int)receiver.network, family, one_line(tmp, receiver.host),
                                  receiver.port ? receiver.port : "0", (long long)facility,
                                  one_line(tmp, spec->log_tag), host);
    return r;
}

/* Names of the journal: capital letters, digits, and no '_' at the beginning. */
static char *field_name(const void *owner, const char *key)
{
    char *name = mem_strdup(owner, key + strspn(key, "_"));
    for (char *p = name; *p; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    return name;
}

static int add_journal(const struct bundle *bundle, char **conf, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct container_spec *spec = bundle->spec;
    char *tag = one_line(tmp, spec->log_tag);
    char *fields = mem_printf(tmp,
                              "CONTAINER_ID=%.12s\nCONTAINER_ID_FULL=%s\nCONTAINER_NAME=%s\n"
                              "CONTAINER_TAG=%s\nSYSLOG_IDENTIFIER=%s\n",
                              spec->id, spec->id, one_line(tmp, spec->name), tag, tag);
    omap_foreach (e, spec->log_attributes)
        fields = mem_append_printf(fields, "%s=%s\n", field_name(tmp, e->key), one_line(tmp, e->value));
    if (strlen(fields) >= FORWARD_FIELDS_MAX)
        return error_set(err, E2BIG, "the attributes of the log take more than %d bytes", FORWARD_FIELDS_MAX);
    *conf = mem_append_printf(*conf, "forward=%d\nforward_network=%d\nforward_family=%d\nforward_host=%s\n",
                              FORWARD_JOURNAL, FORWARD_UNIX, AF_UNIX, "/run/systemd/journal/socket");
    return file_renew(mem_printf(tmp, "%s/journal.fields", bundle->paths->dir), fields, 0600, err);
}

/* {"tag":"x"}: docker puts it into each record when a tag, labels or variables are asked for. */
static int add_attributes(const struct container_spec *spec, char **conf, struct error *err)
{
    cleanup_json json_t *object = json_object();
    omap_foreach (e, spec->log_attributes)
        json_object_set_new(object, e->key, json_string(e->value));
    if (spec->log_tag)
        json_object_set_new(object, "tag", json_string(spec->log_tag));
    if (json_object_size(object) == 0)
        return 0;
    cleanup_malloc char *text = json_dumps(object, JSON_COMPACT);
    if (!text || strlen(text) >= LOG_ATTRIBUTES_MAX)
        return error_set(err, E2BIG, "the attributes of the log are too long, or not valid UTF-8");
    *conf = mem_append_printf(*conf, "log_attributes=%s\n", text);
    return 0;
}

int conf_add_log(const struct bundle *bundle, char **conf, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    const char *driver = str_is_empty(spec->log_driver) ? "json-file" : spec->log_driver;
    bool local = str_eq(driver, "local");
    *conf =
        mem_append_printf(*conf, "log=%d\nlog_max_size=%lld\nlog_max_file=%lld\n", !str_eq(driver, "none"),
                          (long long)(spec->log_max_size > 0 ? spec->log_max_size
                                      : local                ? 20 << 20
                                                             : -1),
                          (long long)(spec->log_max_file > 0 ? spec->log_max_file
                                      : local                ? 5
                                                             : 1));
    if (str_eq(driver, "syslog"))
        return add_syslog(spec, conf, err);
    return str_eq(driver, "journald") ? add_journal(bundle, conf, err) : add_attributes(spec, conf, err);
}
