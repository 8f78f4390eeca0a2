#include "base/str.h"
#include "base/strv.h"
#include "imaged/registry.h"
#include "oci/json.h"
#include "sys/fd.h"
#include "sys/fs.h"
#include "sys/loop.h"
#include "sys/spawn.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>

enum { AUTH_FILE_MAX = 1 << 20, HELPER_ANSWER_MAX = 64 << 10 };

#define HELPER_TIMEOUT (30 * 1000000000LL)
#define HUB_KEY "https://index.docker.io/v1/"

bool credentials_decode(const void *owner, const char *text, struct credentials *ret)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    size_t n = strlen(text);
    if (n == 0 || n > 16384 || n % 4)
        return false;
    unsigned char *plain = mem_array(tmp, unsigned char, n + 1);
    int size = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)n);
    if (size < 0)
        return false;
    size -= (text[n - 1] == '=') + (text[n - 2] == '=');
    plain[size] = '\0';
    char *colon = strchr((char *)plain, ':');
    if (!colon || colon == (char *)plain || strlen((char *)plain) != (size_t)size)
        return false;
    *colon = '\0';
    ret->user = mem_strdup(owner, (char *)plain);
    ret->password = mem_strdup(owner, colon + 1);
    return true;
}

/* "https://host/v1/" and "host" mean the same. */
static bool key_is_host(const char *key, const char *host)
{
    const char *rest = str_after(key, "https://");
    if (!rest)
        rest = str_after(key, "http://");
    if (!rest)
        rest = key;
    size_t n = strlen(host);
    return strncmp(rest, host, n) == 0 && (rest[n] == '\0' || rest[n] == '/');
}

/* Reads what a helper prints until it ends or the time is up. */
static int helper_read(int fd, char *answer, size_t size, struct error *err)
{
    int64_t deadline = loop_now_ns() + HELPER_TIMEOUT;
    size_t used = 0;
    for (;;) {
        int64_t left = (deadline - loop_now_ns()) / 1000000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0 || RETRY_EINTR(poll(&p, 1, (int)left)) == 0)
            return error_set(err, ETIMEDOUT, "it does not answer");
        ssize_t n = RETRY_EINTR(read(fd, answer + used, size - 1 - used));
        if (n < 0)
            return error_errno(err, "read");
        used += (size_t)n;
        if (n == 0 || used == size - 1)
            break;
    }
    answer[used] = '\0';
    return 0;
}

static int helper_ask(const char *program, const char *key, char *answer, size_t size, int *ret_status,
                      struct error *err)
{
    int ends[2];
    pid_t pid;
    cleanup_close int question = memfd_create("question", MFD_CLOEXEC);
    if (question < 0 || write(question, key, strlen(key)) < 0 || lseek(question, 0, SEEK_SET) < 0)
        return error_errno(err, "memfd");
    int r = fd_pipe(ends, err);
    if (r < 0)
        return r;
    cleanup_close int read_end = ends[0];
    cleanup_close int write_end = ends[1];
    char *argv[] = {(char *)(uintptr_t)program, "get", NULL};
    struct spawn spawn = {
        .argv = argv, .std = {question, write_end, -1},
             .die_with_parent = true
    };
    r = spawn_start(&spawn, &pid, NULL, err);
    if (r < 0)
        return r;
    close(TAKE_FD(write_end));
    r = helper_read(read_end, answer, size, err);
    if (r < 0)
        kill(pid, SIGKILL);
    int waited = spawn_wait(pid, ret_status, r < 0 ? NULL : err);
    return r < 0 ? r : waited;
}

/* docker-credential-NAME get (docker's credential helper protocol). */
static int helper_find(const void *owner, const char *name, const char *key, struct credentials *ret,
                       struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_json json_t *doc = NULL;
    const char *user, *secret;
    int status;
    if (!*name ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") < strlen(name))
        return error_set(err, EINVAL, "'%.100s' is not the name of a credential helper", name);
    char *program = mem_printf(tmp, "docker-credential-%s", name);
    char *answer = mem_array(tmp, char, HELPER_ANSWER_MAX);
    int r = helper_ask(program, key, answer, HELPER_ANSWER_MAX, &status, err);
    if (r < 0)
        return error_wrap(err, "credential helper '%s'", program);
    if (status != 0 && strstr(answer, "credentials not found"))
        return 0;
    if (status != 0)
        return error_set(err, EACCES, "credential helper '%s': %.200s", program, answer);
    r = json_document(answer, strlen(answer), &doc, err);
    if (r == 0)
        r = json_text(doc, "Username", &user, err);
    if (r == 0)
        r = json_text(doc, "Secret", &secret, err);
    if (r < 0)
        return error_wrap(err, "credential helper '%s'", program);
    if (str_eq(user, "<token>")) {
        ret->identity_token = mem_strdup(owner, secret);
    } else if (user && secret) {
        ret->user = mem_strdup(owner, user);
        ret->password = mem_strdup(owner, secret);
    }
    return 0;
}

static int auths_find(const void *owner, const json_t *auths, const char *key, struct credentials *ret,
                      struct error *err)
{
    const char *name, *auth = NULL, *token = NULL, *user = NULL, *password = NULL;
    json_t *entry, *found = json_object_get(auths, key);
    if (!found && str_eq(key, HUB_KEY))
        found = json_object_get(auths, "docker.io"); /* as podman writes it */
    if (!found)
        json_object_foreach ((json_t *)(uintptr_t)auths, name, entry)
            if (key_is_host(name, key) && !found)
                found = entry;
    if (!json_is_object(found))
        return 0;
    int r = 0;
    if ((r = json_text(found, "auth", &auth, err)) < 0 ||
        (r = json_text(found, "identitytoken", &token, err)) < 0 ||
        (r = json_text(found, "username", &user, err)) < 0 ||
        (r = json_text(found, "password", &password, err)) < 0)
        return r;
    if (!str_is_empty(auth) && !credentials_decode(owner, auth, ret))
        return error_set(err, EINVAL, "auths.%.100s: 'auth' is not base64 of USER:PASSWORD", key);
    if (!ret->user && user && password) {
        ret->user = mem_strdup(owner, user);
        ret->password = mem_strdup(owner, password);
    }
    if (!str_is_empty(token))
        ret->identity_token = mem_strdup(owner, token);
    return 0;
}

static bool is_found(const struct credentials *credentials)
{
    return credentials->user || credentials->identity_token;
}

static int document_find(const void *owner, const json_t *doc, const char *key, struct credentials *ret,
                         struct error *err)
{
    json_t *helpers, *auths;
    const char *store, *helper = NULL;
    int r = 0;
    if ((r = json_child(doc, "credHelpers", JSON_OBJECT, &helpers, err)) < 0 ||
        (r = json_child(doc, "auths", JSON_OBJECT, &auths, err)) < 0 ||
        (r = json_text(doc, "credsStore", &store, err)) < 0 ||
        (helpers && (r = json_text(helpers, key, &helper, err)) < 0))
        return r;
    if (!helper)
        helper = store;
    if (!str_is_empty(helper))
        r = helper_find(owner, helper, key, ret, err);
    if (r == 0 && !is_found(ret) && auths)
        r = auths_find(owner, auths, key, ret, err);
    return r;
}

static int file_find(const void *owner, const char *path, const char *key, struct credentials *ret,
                     struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_json json_t *doc = NULL;
    char *text;
    size_t size;
    int r = fs_read_file(tmp, path, AUTH_FILE_MAX, &text, &size, err);
    if (r == FS_ABSENT)
        return 0;
    if (r == 0)
        r = json_document(text, size, &doc, err);
    if (r == 0)
        r = document_find(owner, doc, key, ret, err);
    return r < 0 ? error_wrap(err, "credentials in '%s'", path) : 0;
}

int credentials_find(const void *owner, const char *host, struct credentials *ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *key = str_eq(host, "docker.io") ? HUB_KEY : host;
    const char *docker = getenv("DOCKER_CONFIG"), *home = getenv("HOME"),
               *file = getenv("REGISTRY_AUTH_FILE"), *runtime = getenv("XDG_RUNTIME_DIR");
    char *paths[] = {
        docker ? mem_printf(tmp, "%s/config.json", docker) : NULL,
        !docker && home ? mem_printf(tmp, "%s/.docker/config.json", home) : NULL,
        mem_strdup(tmp, file),
        runtime ? mem_printf(tmp, "%s/containers/auth.json", runtime) : NULL,
    };
    struct credentials found = {0};
    for (size_t i = 0; i < ARRAY_SIZE(paths) && !is_found(&found); i++) {
        int r = paths[i] ? file_find(owner, paths[i], key, &found, err) : 0;
        if (r < 0)
            return r;
    }
    *ret = found;
    return 0;
}
