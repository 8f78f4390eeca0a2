#include "imaged/registry.h"

#include "base/str.h"
#include "base/strv.h"
#include "oci/json.h"
#include "sys/fs.h"

enum { CONFIG_MAX = 1 << 20, PEM_MAX = 1 << 20 };

static const char *const registry_keys[] = {"mirrors", "plain_http", "insecure", "ca", NULL};
static const char *const top_keys[] = {"registries", "connect_timeout", "stall_timeout",
                                       "retries",    "retry_delay",     NULL};

static int check_keys(const json_t *object, const char *const *known, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)object, key, value)
        if (!strv_contains((char *const *)(uintptr_t)known, key))
            return error_set(err, EINVAL, "unknown member '%.100s'", key);
    return 0;
}

static int read_seconds(const json_t *doc, const char *key, double *value, struct error *err)
{
    json_t *number = json_object_get(doc, key);
    if (!number)
        return 0;
    double seconds = json_number_value(number);
    if (!json_is_number(number) || seconds < 0 || seconds > 3600)
        return error_set(err, EINVAL, "'%s' is not a number of seconds up to 3600", key);
    *value = seconds;
    return 0;
}

static bool host_is_loopback(const char *host)
{
    size_t n = strcspn(host, ":");
    return str_starts(host, "127.") || str_starts(host, "[::1]") ||
           (n == 9 && strncmp(host, "localhost", 9) == 0);
}

static int read_pem(const void *owner, const char *path, char **ret, struct error *err)
{
    int r = fs_read_file(owner, path, PEM_MAX, ret, NULL, err);
    if (r == FS_ABSENT)
        *ret = NULL;
    return r < 0 ? r : 0;
}

/* docker's place for certificates of one registry. */
static int read_certificates(const void *owner, struct endpoint *endpoint, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *dir = mem_printf(tmp, "/etc/docker/certs.d/%s", endpoint->host);
    int r = 0;
    if (!endpoint->ca)
        r = read_pem(owner, mem_printf(tmp, "%s/ca.crt", dir), &endpoint->ca, err);
    if (r == 0)
        r = read_pem(owner, mem_printf(tmp, "%s/client.cert", dir), &endpoint->cert, err);
    if (r == 0)
        r = read_pem(owner, mem_printf(tmp, "%s/client.key", dir), &endpoint->key, err);
    return r;
}

/* What the configuration says about a host; `scheme` is NULL unless a mirror's address names one. */
static int endpoint_add(struct registry *registry, const json_t *registries, const char *host,
                        const char *scheme, struct error *err)
{
    struct endpoint endpoint = {.host = mem_strdup(registry, host)};
    const json_t *settings = json_object_get(registries, host);
    const char *ca = NULL;
    int r = settings ? json_text(settings, "ca", &ca, err) : 0;
    if (r < 0)
        return r;
    endpoint.insecure = json_is_true(json_object_get(settings, "insecure")) || host_is_loopback(host);
    endpoint.is_http = json_is_true(json_object_get(settings, "plain_http")) || str_eq(scheme, "http");
    if (!endpoint.is_http && !str_eq(scheme, "https") && host_is_loopback(host))
        endpoint.is_http = endpoint.may_switch = true;
    if (str_eq(host, "docker.io"))
        endpoint.host = mem_strdup(registry, "registry-1.docker.io");
    if (ca) {
        r = read_pem(registry, ca, &endpoint.ca, err);
        if (r == 0 && !endpoint.ca)
            r = error_set(err, ENOENT, "'%s' is not there", ca);
    }
    if (r == 0)
        r = read_certificates(registry, &endpoint, err);
    if (r == 0)
        r = credentials_find(registry, host, &endpoint.credentials, err);
    if (r < 0)
        return error_wrap(err, "registry '%s'", host);
    mem_append(registry, registry->endpoints, registry->endpoint_count, endpoint);
    return 0;
}

static int mirrors_add(struct registry *registry, const json_t *registries, const json_t *settings,
                       struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **mirrors;
    int r = json_texts(tmp, settings, "mirrors", &mirrors, err);
    for (size_t i = 0; r == 0 && mirrors && mirrors[i]; i++) {
        const char *rest = str_after(mirrors[i], "http://"), *scheme = "http";
        if (!rest) {
            rest = str_after(mirrors[i], "https://");
            scheme = "https";
        }
        char *host = mem_strdup(tmp, rest);
        if (host && str_ends(host, "/"))
            host[strlen(host) - 1] = '\0';
        struct reference *check;
        if (!host || strchr(host, '/') ||
            reference_parse(tmp, mem_printf(tmp, "%s/x", host), &check, NULL) < 0 ||
            !str_eq(check->registry, host))
            return error_set(err, EINVAL, "mirror '%s' is not http://HOST[:PORT] or https://HOST[:PORT]",
                             mirrors[i]);
        r = endpoint_add(registry, registries, host, scheme, err);
    }
    return r;
}

static int config_read(struct registry *registry, const json_t *doc, const char *host, struct error *err)
{
    json_t *registries = NULL, *settings = NULL, *item;
    const char *key;
    int64_t retries = registry->retries;
    int r = 0;
    if (doc) {
        if ((r = check_keys(doc, top_keys, err)) < 0 ||
            (r = json_child(doc, "registries", JSON_OBJECT, &registries, err)) < 0 ||
            (r = read_seconds(doc, "connect_timeout", &registry->connect_timeout, err)) < 0 ||
            (r = read_seconds(doc, "stall_timeout", &registry->stall_timeout, err)) < 0 ||
            (r = read_seconds(doc, "retry_delay", &registry->retry_delay, err)) < 0 ||
            (json_object_get(doc, "retries") && (r = json_whole(doc, "retries", 0, 100, &retries, err)) < 0))
            return r;
        registry->retries = (int)retries;
        json_object_foreach (registries, key, item)
            if (!json_is_object(item) || check_keys(item, registry_keys, err) < 0)
                return error_wrap(err, "registries.%.100s", key);
        settings = json_object_get(registries, host);
    }
    if (settings)
        r = mirrors_add(registry, registries, settings, err);
    return r < 0 ? r : endpoint_add(registry, registries, host, NULL, err);
}

int registry_open(const void *owner, const struct reference *reference, const char *config,
                  struct registry **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_json json_t *doc = NULL;
    struct registry *registry = mem_new(tmp, struct registry);
    registry->repository = mem_strdup(registry, reference->repository);
    registry->connect_timeout = 15;
    registry->stall_timeout = 30;
    registry->retry_delay = 1;
    registry->retries = 5;
    char *text;
    size_t size;
    int r = config ? fs_read_file(tmp, config, CONFIG_MAX, &text, &size, err) : FS_ABSENT;
    if (r == 0)
        r = json_document(text, size, &doc, err);
    if (r >= 0)
        r = config_read(registry, doc, reference->registry, err);
    if (r < 0)
        return config ? error_wrap(err, "registry configuration '%s'", config) : r;
    *ret = talloc_move(owner, &registry);
    return 0;
}
