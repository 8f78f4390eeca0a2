#include "base/str.h"
#include "imaged/http.h"

static char *part_of(const void *owner, CURLU *url, CURLUPart part)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) != CURLUE_OK)
        return NULL;
    char *copy = mem_strdup(owner, text);
    curl_free(text);
    return copy;
}

static bool same_origin(CURLU *a, CURLU *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        char *x = part_of(tmp, a, parts[i]), *y = part_of(tmp, b, parts[i]);
        if (!x || !y || strcasecmp(x, y) != 0)
            return false;
    }
    return true;
}

static int resolve(const void *owner, CURLU *base, CURLU *target, const char *from, const char *location,
                   const char *home, struct redirect *ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (!location || curl_url_set(base, CURLUPART_URL, home, 0) != CURLUE_OK ||
        curl_url_set(target, CURLUPART_URL, from, 0) != CURLUE_OK ||
        curl_url_set(target, CURLUPART_URL, location, CURLU_DISALLOW_USER) != CURLUE_OK)
        return error_set(err, EBADMSG, "redirects to a place that is not an address");
    char *scheme = part_of(tmp, target, CURLUPART_SCHEME), *url = part_of(owner, target, CURLUPART_URL);
    if (!scheme || !url)
        return error_set(err, EBADMSG, "redirects to a place that is not an address");
    if (!str_eq(scheme, "https") && !(str_eq(scheme, "http") && str_starts(from, "http://")))
        return error_set(err, EPERM, "redirects from %s to '%.200s'",
                         str_starts(from, "http://") ? "http" : "https", url);
    *ret = (struct redirect){.url = url, .is_home = same_origin(base, target)};
    return 0;
}

int redirect_resolve(const void *owner, const char *from, const char *location, const char *home,
                     struct redirect *ret, struct error *err)
{
    CURLU *base = mem_check(curl_url()), *target = mem_check(curl_url());
    int r = resolve(owner, base, target, from, location, home, ret, err);
    curl_url_cleanup(base);
    curl_url_cleanup(target);
    return r;
}
