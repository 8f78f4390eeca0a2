#include "imaged/http.h"

#include "base/str.h"
#include "oci/json.h"

enum { MESSAGE_MAX = 500, STALL_SPEED = 1 /* bytes each second */ };

static void set_blob(CURL *curl, CURLoption option, const char *pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem, .len = pem ? strlen(pem) : 0};
    if (pem)
        curl_easy_setopt(curl, option, &blob);
}

CURL *http_new(const struct registry *registry, const struct endpoint *endpoint, const char *url,
               char error_text[CURL_ERROR_SIZE])
{
    CURL *curl = curl_easy_init();
    if (!curl)
        return NULL;
    error_text[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_text);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "compote/" COMPOTE_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(registry->connect_timeout * 1000));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_SPEED);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                     registry->stall_timeout < 1 ? 1L : (long)registry->stall_timeout);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
    if (endpoint->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set_blob(curl, CURLOPT_CAINFO_BLOB, endpoint->ca);
    set_blob(curl, CURLOPT_SSLCERT_BLOB, endpoint->cert);
    set_blob(curl, CURLOPT_SSLKEY_BLOB, endpoint->key);
    return curl;
}

size_t http_body_add(char *data, size_t size, size_t count, void *to)
{
    struct http_body *body = to;
    size_t n = size * count;
    if (n > HTTP_BODY_MAX - body->size)
        return 0;
    body->data = mem_grow(NULL, body->data, char, body->size + n + 1);
    memcpy(body->data + body->size, data, n);
    body->size += n;
    body->data[body->size] = '\0';
    return n;
}

char *http_body_message(const void *owner, const struct http_body *body)
{
    cleanup_json json_t *doc = NULL;
    json_t *errors, *item;
    size_t i;
    char *text = NULL;
    if (!body->size || json_document(body->data, body->size, &doc, NULL) < 0 ||
        json_child(doc, "errors", JSON_ARRAY, &errors, NULL) < 0)
        return NULL;
    json_array_foreach (errors, i, item) {
        const char *message = NULL, *code = NULL;
        if (!json_is_object(item) || json_text(item, "message", &message, NULL) < 0 ||
            json_text(item, "code", &code, NULL) < 0)
            continue;
        const char *say = !str_is_empty(message) ? message : code;
        if (say && (!text || strlen(text) + strlen(say) < MESSAGE_MAX))
            text = text ? mem_append_printf(text, "; %.400s", say) : mem_printf(owner, "%.400s", say);
    }
    return text;
}

int http_failed(const struct registry *registry, const char *host, CURLcode code, const char *text,
                struct error *err)
{
    const char *say = text && *text ? text : curl_easy_strerror(code);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        error_set(err, ETIMEDOUT, "registry '%s' does not answer (waited %.0f s to connect, %.0f s for data)",
                  host, registry->connect_timeout, registry->stall_timeout);
        return error_hint(err, "try again later, or raise the time limits in the registry configuration");
    }
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return error_set(err, EHOSTUNREACH, "registry '%s': no address for this name was found", host);
    if (code == CURLE_COULDNT_CONNECT)
        return error_set(err, ECONNREFUSED, "registry '%s': %s", host, say);
    error_set(err, EIO, "registry '%s': %s", host, say);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        error_hint(err,
                   "put the registry's CA into /etc/docker/certs.d/%s/ca.crt, or name it with \"ca\" in the "
                   "registry configuration",
                   host);
    else if (code == CURLE_SSL_CONNECT_ERROR)
        error_hint(err,
                   "if it speaks plain http, say \"plain_http\": true for it in the registry configuration");
    return -EIO;
}
