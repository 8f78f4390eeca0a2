#include "oci/reference.h"

#include "base/str.h"
#include "oci/digest.h"

#include <ctype.h>

enum { REFERENCE_MAX = 512, REPOSITORY_MAX = 255, TAG_MAX = 128 };

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || isdigit((unsigned char)c);
}

/* One component: [a-z0-9]+ parts joined by ".", "_", "__" or any number of "-". */
static bool component_is_valid(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && is_lower_alnum(p[i]))
        i++;
    while (i < n) {
        size_t start = i;
        char c = p[i];
        while (i < n && p[i] == c)
            i++;
        size_t run = i - start;
        bool is_separator = c == '-' || (c == '.' && run == 1) || (c == '_' && run <= 2);
        if (start == 0 || i == n || !is_separator || !is_lower_alnum(p[i]))
            return false;
        while (i < n && is_lower_alnum(p[i]))
            i++;
    }
    return n > 0;
}

static bool repository_is_valid(const char *path)
{
    for (const char *p = path;; p++) {
        size_t n = strcspn(p, "/");
        if (!component_is_valid(p, n))
            return false;
        p += n;
        if (!*p)
            return true;
    }
}

/* A name or address, with an optional port. */
static bool host_is_valid(const char *host)
{
    size_t n = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
    if (*host == '[') {
        if (n < 3 || host[n] != ']' || strspn(host + 1, "0123456789abcdefABCDEF:.") != n - 1)
            return false;
        n++;
    } else if (n == 0 || n > 253 || memmem(host, n, "..", 2) || host[0] == '-' || host[0] == '.' ||
               host[n - 1] == '-' ||
               strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") < n) {
        return false;
    }
    uint64_t port;
    return host[n] == '\0' || (host[n] == ':' && str_to_u64(host + n + 1, 1, 65535, &port));
}

static bool tag_is_valid(const char *tag)
{
    size_t n = strlen(tag);
    if (n == 0 || n > TAG_MAX || tag[0] == '.' || tag[0] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)tag[i]) && !strchr("_.-", tag[i]))
            return false;
    return true;
}

/* Cuts the registry off the front of `name` and returns what follows it. */
static char *take_registry(struct reference *reference, char *name)
{
    char *slash = strchr(name, '/');
    if (slash) {
        *slash = '\0';
        if (strpbrk(name, ".:") || str_eq(name, "localhost")) {
            bool is_hub = str_eq(name, "index.docker.io") || str_eq(name, "docker.io");
            reference->registry = mem_strdup(reference, is_hub ? "docker.io" : name);
            return slash + 1;
        }
        *slash = '/';
    }
    reference->registry = mem_strdup(reference, "docker.io");
    return name;
}

int reference_parse(const void *owner, const char *text, struct reference **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct reference *reference = mem_new(tmp, struct reference);
    if (str_is_empty(text))
        return error_set(err, EINVAL, "the image name is empty");
    if (strlen(text) > REFERENCE_MAX)
        return error_set(err, EINVAL, "the image name is longer than %d bytes", REFERENCE_MAX);
    char *name = mem_strdup(tmp, text);
    char *at = strchr(name, '@');
    if (at) {
        *at = '\0';
        if (!digest_is_valid(at + 1))
            return error_set(err, EINVAL, "image name '%s': '%s' is not a digest (sha256:<64 digits>)", text,
                             at + 1);
        reference->digest = mem_strdup(reference, at + 1);
    }
    char *colon = strrchr(name, ':');
    if (colon && !strchr(colon, '/')) {
        *colon = '\0';
        if (!tag_is_valid(colon + 1))
            return error_set(err, EINVAL, "image name '%s': '%s' is not a tag", text, colon + 1);
        reference->tag = mem_strdup(reference, colon + 1);
    }
    char *path = take_registry(reference, name);
    if (!host_is_valid(reference->registry))
        return error_set(err, EINVAL, "image name '%s': '%s' is not a registry host", text,
                         reference->registry);
    if (str_eq(reference->registry, "docker.io") && !strchr(path, '/'))
        path = mem_printf(tmp, "library/%s", path);
    if (strlen(path) > REPOSITORY_MAX || !repository_is_valid(path)) {
        error_set(err, EINVAL, "image name '%s': '%s' is not a repository name", text, path);
        for (const char *p = path; *p; p++)
            if (isupper((unsigned char)*p))
                return error_hint(err, "repository names are lower case");
        return error_hint(err, "a name is [host[:port]/]path[:tag][@digest]");
    }
    reference->repository = mem_strdup(reference, path);
    if (!reference->tag && !reference->digest)
        reference->tag = mem_strdup(reference, "latest");
    *ret = talloc_move(owner, &reference);
    return 0;
}

char *reference_print(const void *owner, const struct reference *reference)
{
    return mem_printf(owner, "%s/%s%s%s", reference->registry, reference->repository,
                      reference->digest ? "@" : ":", reference->digest ? reference->digest : reference->tag);
}

char *reference_familiar(const void *owner, const char *normal)
{
    const char *path = str_after(normal, "docker.io/");
    if (!path)
        return mem_strdup(owner, normal);
    const char *official = str_after(path, "library/");
    return mem_strdup(owner, official && !strchr(official, '/') ? official : path);
}
