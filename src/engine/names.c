#include "engine/names.h"

#include "base/str.h"
#include "network/prefix.h"

#include <ctype.h>

enum {
    FILE_NAME_LENGTH = 255,
    NETWORK_NAME_LENGTH = 128,
    HOST_NAME_LENGTH = 64,
    TEXT_LENGTH = 255,
    INTERFACE_LENGTH = 15
};

/* What a name is made of. */
enum alphabet {
    ALPHABET_WORD,  /* letters, digits, '_', '.' and '-', the first one a letter or digit */
    ALPHABET_GRAPH, /* anything but blanks, controls and '/' */
    ALPHABET_PATH,  /* anything but controls; no part is ".." */
    ALPHABET_LINE,  /* anything but controls */
};

static const char *const alphabet_hints[] = {
    [ALPHABET_WORD] = "it can have letters, digits, '_', '.' and '-', and begins with a letter or digit",
    [ALPHABET_GRAPH] = "it can have no blanks, no control characters and no '/'",
    [ALPHABET_PATH] = "it can have no control characters and no part '..'",
    [ALPHABET_LINE] = "it can have no control characters",
};

static bool fits(enum alphabet alphabet, const char *name)
{
    if (alphabet == ALPHABET_WORD && !isalnum((unsigned char)*name))
        return false;
    for (const char *s = name; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < ' ' || c == 0x7f)
            return false;
        if (alphabet == ALPHABET_GRAPH && (c == ' ' || c == '/'))
            return false;
        if (alphabet == ALPHABET_WORD && (c >= 0x80 || (!isalnum(c) && !strchr("_.-", c))))
            return false;
    }
    if (alphabet == ALPHABET_GRAPH)
        return !str_eq(name, ".") && !str_eq(name, "..");
    for (const char *part = alphabet == ALPHABET_PATH ? name : NULL; part;) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return false;
        part = part[n] ? part + n + 1 : NULL;
    }
    return true;
}

/* NULL is a name that is not given. */
static int check(const char *what, enum alphabet alphabet, size_t longest, const char *name,
                 struct error *err)
{
    if (!name)
        return 0;
    if (!*name)
        return error_set(err, EINVAL, "%s is empty", what);
    if (strlen(name) > longest)
        return error_set(err, EINVAL, "%s '%.40s...' has %zu bytes, %zu are possible", what, name,
                         strlen(name), longest);
    if (fits(alphabet, name))
        return 0;
    error_set(err, EINVAL, "%s '%s' has characters that cannot be in it", what, name);
    return error_hint(err, "%s", alphabet_hints[alphabet]);
}

int container_name_check(const char *name, struct error *err)
{
    return check("container name", ALPHABET_WORD, FILE_NAME_LENGTH, name, err);
}

static int check_list(const char *what, enum alphabet alphabet, char **names, struct error *err)
{
    int r = 0;
    for (char **n = names; r == 0 && n && *n; n++)
        r = check(what, alphabet, TEXT_LENGTH, *n, err);
    return r;
}

static int check_use(const struct service_network *use, struct error *err)
{
    int r = use ? check("interface_name", ALPHABET_GRAPH, INTERFACE_LENGTH, use->interface_name, err) : 0;
    if (r == 0 && use && use->interface_name && strchr(use->interface_name, ':'))
        r = error_set(err, EINVAL, "interface_name '%s' has a ':'", use->interface_name);
    if (r == 0 && use)
        r = check_list("alias", ALPHABET_GRAPH, use->aliases, err);
    return r;
}

/* What becomes a line of the container's /etc/hosts. */
static int check_host(const char *host, char **addresses, struct error *err)
{
    int r = check("host of extra_hosts", ALPHABET_GRAPH, TEXT_LENGTH, host, err);
    for (char **a = addresses; r == 0 && a && *a; a++) {
        struct prefix address;
        if (str_eq(*a, "host-gateway") || (!strchr(*a, '/') && prefix_parse(*a, &address)))
            continue;
        r = error_set(err, EINVAL, "extra_hosts: '%s' of host %s is not an address", *a, host);
        error_hint(err, "write an IPv4 or IPv6 address, or host-gateway");
    }
    return r;
}

static int check_service(const struct service *service, struct error *err)
{
    const struct {
        const char *what;
        enum alphabet alphabet;
        size_t longest;
        const char *name;
    } rows[] = {
        {"container_name", ALPHABET_WORD,  FILE_NAME_LENGTH, service->container_name},
        {"hostname",       ALPHABET_GRAPH, HOST_NAME_LENGTH, service->hostname      },
        {"domainname",     ALPHABET_GRAPH, HOST_NAME_LENGTH, service->domainname    },
        {"cgroup_parent",  ALPHABET_PATH,  FILE_NAME_LENGTH, service->cgroup_parent },
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
        if (!str_is_empty(rows[i].name))
            r = check(rows[i].what, rows[i].alphabet, rows[i].longest, rows[i].name, err);
    if (r == 0)
        omap_foreach (e, service->networks)
            if (r == 0)
                r = check_use(e->value, err);
    omap_foreach (e, service->extra_hosts)
        if (r == 0)
            r = check_host(e->key, e->value, err);
    if (r == 0)
        r = check_list("dns_search", ALPHABET_LINE, service->dns_search, err);
    if (r == 0)
        r = check_list("dns_opt", ALPHABET_LINE, service->dns_opt, err);
    return r < 0 ? error_wrap(err, "service %s", service->name) : 0;
}

int project_names_check(const struct project *project, struct error *err)
{
    int r = 0;
    omap_foreach (e, project->services)
        if (r == 0)
            r = check_service(e->value, err);
    omap_foreach (e, project->networks) {
        const struct network *network = e->value;
        if (r == 0)
            r = check("network name", ALPHABET_GRAPH, NETWORK_NAME_LENGTH, network->name, err);
    }
    omap_foreach (e, project->volumes) {
        const struct volume *volume = e->value;
        if (r == 0)
            r = check("volume name", ALPHABET_WORD, FILE_NAME_LENGTH, volume->name, err);
    }
    return r;
}
