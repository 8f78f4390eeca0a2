#include "base/str.h"
#include "imaged/fetch.h"
#include "imaged/http.h"
#include "oci/json.h"

#include <ctype.h>
#include <openssl/evp.h>

enum { CHALLENGES_MAX = 8, TOKEN_MAX = 64 << 10 };

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

static char *take_token(const void *owner, const char **p)
{
    const char *start = *p;
    while (is_token_char(**p))
        (*p)++;
    return *p > start ? mem_strndup(owner, start, (size_t)(*p - start)) : NULL;
}

/* A token, or a quoted string with backslash escapes. */
static char *take_value(const void *owner, const char **p)
{
    if (**p != '"')
        return take_token(owner, p);
    char *value = mem_array(owner, char, strlen(*p) + 1), *to = value;
    const char *s = *p + 1;
    for (; *s && *s != '"'; s++) {
        if (*s == '\\' && s[1])
            s++;
        *to++ = *s;
    }
    *p = *s == '"' ? s + 1 : s;
    return value;
}

static void set_parameter(struct challenge *challenge, const char *name, char *value)
{
    if (strcasecmp(name, "realm") == 0)
        challenge->realm = value;
    else if (strcasecmp(name, "service") == 0)
        challenge->service = value;
    else if (strcasecmp(name, "scope") == 0)
        challenge->scope = value;
}

struct challenge *challenge_parse(const void *owner, const char *header, size_t *ret_count)
{
    struct challenge *list = mem_array(owner, struct challenge, CHALLENGES_MAX), *current = NULL;
    size_t count = 0;
    const char *p = header;
    while (*p) {
        p += strspn(p, " \t,");
        char *word = take_token(list, &p);
        if (!word)
            break;
        const char *next = skip_blanks(p);
        if (*next == '=' && current) {
            p = skip_blanks(next + 1);
            char *value = take_value(list, &p);
            if (value)
                set_parameter(current, word, value);
        } else if (count < CHALLENGES_MAX) {
            for (char *c = word; *c; c++)
                *c = (char)tolower((unsigned char)*c);
            current = &list[count++];
            *current = (struct challenge){.scheme = word};
        } else {
            break;
        }
    }
    *ret_count = count;
    return list;
}

static char *basic_header(const void *owner, const struct credentials *credentials)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *plain = mem_printf(tmp, "%s:%s", credentials->user, credentials->password);
    size_t n = strlen(plain);
    char *text = mem_array(tmp, char, n * 4 / 3 + 8);
    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)plain, (int)n);
    return mem_printf(owner, "Basic %s", text);
}

static char *escape(const void *owner, CURL *curl, const char *text)
{
    char *escaped = mem_check(curl_easy_escape(curl, text ? text : "", 0));
    char *copy = mem_strdup(owner, escaped);
    curl_free(escaped);
    return copy;
}

/* A token goes into a header, so it has no blanks and no controls. */
static bool token_is_usable(const char *token)
{
    size_t n = token ? strlen(token) : 0;
    for (size_t i = 0; i < n; i++)
        if (!isgraph((unsigned char)token[i]))
            return false;
    return n > 0 && n <= TOKEN_MAX;
}

static int token_read(struct endpoint *endpoint, const struct http_body *body, const void *owner,
                      struct error *err)
{
    cleanup_json json_t *doc = NULL;
    const char *token, *access;
    int r = json_document(body->data ? body->data : "", body->size, &doc, err);
    if (r == 0)
        r = json_text(doc, "token", &token, err);
    if (r == 0)
        r = json_text(doc, "access_token", &access, err);
    if (r < 0)
        return r;
    if (str_is_empty(token))
        token = access;
    if (!token_is_usable(token))
        return error_set(err, EBADMSG, "the answer has no usable token");
    endpoint->authorization = mem_printf(owner, "Bearer %s", token);
    return 0;
}

/* GET with basic authentication, or POST with an identity token (docker's OAuth2 flow). */
static CURL *token_request(struct registry *registry, struct endpoint *endpoint,
                           const struct challenge *challenge, const void *owner, struct curl_slist **headers,
                           char *error_text)
{
    char *scope = mem_printf(owner, "repository:%s:pull", registry->repository);
    CURL *curl = http_new(registry, endpoint, challenge->realm, error_text);
    if (!curl)
        return NULL;
    const struct credentials *credentials = &endpoint->credentials;
    char *query = mem_printf(owner, "service=%s&scope=%s", escape(owner, curl, challenge->service),
                             escape(owner, curl, scope));
    if (credentials->identity_token) {
        char *form = mem_printf(owner, "%s&client_id=compote&grant_type=refresh_token&refresh_token=%s",
                                query, escape(owner, curl, credentials->identity_token));
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, form);
        return curl;
    }
    char *url =
        mem_printf(owner, "%s%c%s", challenge->realm, strchr(challenge->realm, '?') ? '&' : '?', query);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (credentials->user) {
        char *header = mem_printf(owner, "Authorization: %s", basic_header(owner, credentials));
        *headers = curl_slist_append(NULL, header);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    }
    return curl;
}

static int token_fetch(struct registry *registry, struct endpoint *endpoint,
                       const struct challenge *challenge, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char error_text[CURL_ERROR_SIZE];
    struct curl_slist *headers = NULL;
    struct http_body body = {0};
    long status = 0;
    CURL *curl = token_request(registry, endpoint, challenge, tmp, &headers, error_text);
    if (!curl)
        return error_set(err, ENOMEM, "curl");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_body_add);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    mem_steal(tmp, body.data);
    if (code != CURLE_OK) {
        http_failed(registry, challenge->realm, code, error_text, err);
        return error_wrap(err, "token server");
    }
    char *message = http_body_message(tmp, &body);
    if (status == 401 || status == 403) {
        error_set(err, EACCES, "registry '%s' refuses access to '%s'%s%s", endpoint->host,
                  registry->repository, message ? ": " : "", message ? message : "");
        return error_hint(err, "check the name, or log in with 'docker login %s'", endpoint->host);
    }
    if (status != 200)
        return error_set(err, EIO, "token server '%s' answers %ld%s%s", challenge->realm, status,
                         message ? ": " : "", message ? message : "");
    int r = token_read(endpoint, &body, registry, err);
    return r < 0 ? error_wrap(err, "token server '%s'", challenge->realm) : 0;
}

/* Tokens, and the credentials that buy them, go where the first challenge pointed, and not in the clear. */
static int realm_check(struct registry *registry, struct endpoint *endpoint,
                       const struct challenge *challenge, struct error *err)
{
    const char *realm = challenge->realm;
    if (!realm || (!str_starts(realm, "https://") && !(endpoint->is_http && str_starts(realm, "http://"))))
        return error_set(err, EPERM, "registry '%s' sends to '%.200s' for a token, which is not https",
                         endpoint->host, realm ? realm : "");
    if (endpoint->realm && !str_eq(endpoint->realm, realm))
        return error_set(err, EPERM, "registry '%s' now sends to another place for a token: '%.200s'",
                         endpoint->host, realm);
    if (!endpoint->realm)
        endpoint->realm = mem_strdup(registry, realm);
    return 0;
}

int endpoint_authenticate(struct registry *registry, struct endpoint *endpoint,
                          const struct challenge *challenges, size_t count, struct error *err)
{
    const struct challenge *basic = NULL;
    for (size_t i = 0; i < count; i++) {
        if (str_eq(challenges[i].scheme, "bearer")) {
            int r = realm_check(registry, endpoint, &challenges[i], err);
            return r < 0 ? r : token_fetch(registry, endpoint, &challenges[i], err);
        }
        if (str_eq(challenges[i].scheme, "basic"))
            basic = &challenges[i];
    }
    if (!basic)
        return error_set(err, EACCES, "registry '%s' asks for authentication of an unknown kind",
                         endpoint->host);
    if (!endpoint->credentials.user) {
        error_set(err, EACCES, "registry '%s' asks for a user name and password", endpoint->host);
        return error_hint(err, "log in with 'docker login %s'", endpoint->host);
    }
    endpoint->authorization = basic_header(registry, &endpoint->credentials);
    return 0;
}
