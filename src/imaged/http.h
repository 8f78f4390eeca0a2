#pragma once
/* What every request to a registry or to its token server has in common, as options of curl. */
#include "imaged/registry.h"

#include <curl/curl.h>

enum { HTTP_BODY_MAX = 1 << 20 };

/* A body that is kept in memory. */
struct http_body {
    char *data; /* talloc, NUL-ended */
    size_t size;
};

/* A handle with time limits, TLS settings, no redirects, no cookies, http and https only. NULL: no memory. */
CURL *http_new(const struct registry *registry, const struct endpoint *endpoint, const char *url,
               char error_text[CURL_ERROR_SIZE]);

/* CURLOPT_WRITEFUNCTION for a struct http_body. */
size_t http_body_add(char *data, size_t size, size_t count, void *body);

/* The messages of an error body ({"errors": [{"code", "message"}]}), or NULL. */
char *http_body_message(const void *owner, const struct http_body *body);

/* curl's result in words: which host, and what to do. */
int http_failed(const struct registry *registry, const char *host, CURLcode code, const char *text,
                struct error *err);

struct redirect {
    char *url;
    bool is_home; /* scheme, host and port of `home`: credentials may go there */
};

/* Where a Location header leads from `from` (RFC 9110 section 10.2.2): http or https, without a user name,
 * and not from https to http. */
int redirect_resolve(const void *owner, const char *from, const char *location, const char *home,
                     struct redirect *ret, struct error *err);
