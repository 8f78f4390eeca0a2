#include "imaged/fetch.h"

#include "base/str.h"
#include "imaged/http.h"
#include "imaged/report.h"
#include "sys/fd.h"
#include "sys/loop.h"

#include <fcntl.h>
#include <time.h>

enum { REDIRECTS_MAX = 10, RETRY_AFTER_MAX = 60, REPORT_STEP = 256 << 10 };

#define NS 1000000000LL
#define REPORT_INTERVAL (NS / 20)

struct fetch;

/* One request, through all its redirects, retries and endpoints. */
struct task {
    struct fetch *fetch;
    struct fetch_request request;
    int fd;
    size_t endpoint;     /* number of the endpoint in use */
    char *url;           /* after a redirect; NULL: the endpoint's own */
    bool url_is_foreign; /* not the endpoint's origin: no Authorization */
    int redirects, attempts;
    bool authenticated; /* a 401 was answered on this endpoint */
    bool no_range;
    int64_t received;   /* bytes in the file */
    int64_t skip;       /* of this answer: bytes that the file has already */
    int64_t started_at; /* `received` when this attempt began */
    int64_t reported, reported_ns;
    int64_t retry_ns; /* when to start again; 0: running */
    /* This attempt. */
    CURL *curl;
    struct curl_slist *headers;
    char error_text[CURL_ERROR_SIZE];
    struct http_body body; /* of an answer that is not 2xx */
    struct error failure;  /* set by a callback that stopped the transfer */
    char *authenticate, *location, *type, *retry_after, *range;
    char *mirror_trouble; /* why an earlier endpoint was no good */
    struct task *next;
};

struct fetch {
    struct registry *registry;
    int socket;
    CURLM *multi;
    struct task *tasks;
    size_t preferred; /* the endpoint that worked */
    bool ended;
};

static struct endpoint *task_endpoint(struct task *task)
{
    return &task->fetch->registry->endpoints[task->endpoint];
}

static void task_unlink(struct task *task)
{
    for (struct task **p = &task->fetch->tasks; *p; p = &(*p)->next)
        if (*p == task) {
            *p = task->next;
            return;
        }
}

static void attempt_end(struct task *task)
{
    if (task->curl) {
        curl_multi_remove_handle(task->fetch->multi, task->curl);
        curl_easy_cleanup(task->curl);
    }
    curl_slist_free_all(task->headers);
    task->curl = NULL;
    task->headers = NULL;
    talloc_free(task->body.data);
    task->body = (struct http_body){0};
    error_clear(&task->failure);
    char **kept[] = {&task->authenticate, &task->location, &task->type, &task->retry_after, &task->range};
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        talloc_free(*kept[i]);
        *kept[i] = NULL;
    }
}

static void task_end(struct task *task)
{
    attempt_end(task);
    task_unlink(task);
    close(task->fd);
    talloc_free(task);
}

static void task_fail(struct task *task, struct error *err)
{
    if (task->mirror_trouble && !err->hint[0])
        error_hint(err, "%.400s", task->mirror_trouble);
    report_send_error(task->fetch->socket, task->request.id, err);
    task_end(task);
}

static void task_succeed(struct task *task)
{
    task->fetch->preferred = task->endpoint;
    const char *type = task->type ? task->type : "";
    size_t n = strcspn(type, "; \t");
    report_send(task->fetch->socket, REPORT_DONE, task->request.id, (uint64_t)task->received, type,
                n < 256 ? n : 0, NULL);
    task_end(task);
}

/* Headers that matter; of several WWW-Authenticate all. */
static size_t on_header(char *data, size_t size, size_t count, void *to)
{
    struct task *task = to;
    size_t n = size * count;
    struct {
        const char *name;
        char **value;
    } wanted[] = {
        {"www-authenticate:", &task->authenticate},
        {"location:",         &task->location    },
        {"content-type:",     &task->type        },
        {"retry-after:",      &task->retry_after },
        {"content-range:",    &task->range       },
    };
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        size_t m = strlen(wanted[i].name);
        if (n <= m || strncasecmp(data, wanted[i].name, m) != 0)
            continue;
        while (m < n && (data[m] == ' ' || data[m] == '\t'))
            m++;
        size_t end = n;
        while (end > m && strchr("\r\n \t", data[end - 1]))
            end--;
        char *value = mem_strndup(task, data + m, end - m);
        if (*wanted[i].value && i == 0)
            value = mem_printf(task, "%s, %s", *wanted[i].value, value);
        talloc_free(*wanted[i].value);
        *wanted[i].value = value;
    }
    return n;
}

/* Where the body of this answer begins in the file. */
static int check_range(struct task *task, long status)
{
    task->skip = 0;
    if (task->received == 0)
        return status == 206 ? error_set(&task->failure, EBADMSG, "a partial answer to a whole request") : 0;
    if (status == 200) {
        task->skip = task->received;
        return 0;
    }
    long long first = -1;
    if (!task->range || sscanf(task->range, "bytes %lld-", &first) != 1 || first != task->received)
        return error_set(&task->failure, EBADMSG, "the answer to a Range request is '%.100s'",
                         task->range ? task->range : "without Content-Range");
    return 0;
}

static void report_progress(struct task *task)
{
    int64_t now = loop_now_ns();
    if (task->received - task->reported < REPORT_STEP && now - task->reported_ns < REPORT_INTERVAL)
        return;
    task->reported = task->received;
    task->reported_ns = now;
    report_send(task->fetch->socket, REPORT_PROGRESS, task->request.id, (uint64_t)task->received, NULL, 0,
                NULL);
}

static size_t on_body(char *data, size_t size, size_t count, void *to)
{
    struct task *task = to;
    size_t n = size * count, all = n;
    long status = 0;
    curl_easy_getinfo(task->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && status != 206)
        return http_body_add(data, size, count, &task->body) ? n : n; /* a long error text is cut */
    if (task->skip == -1 && check_range(task, status) < 0)
        return 0;
    if (task->skip > 0) {
        size_t cut = (int64_t)n < task->skip ? n : (size_t)task->skip;
        task->skip -= (int64_t)cut;
        data += cut;
        n -= cut;
    }
    if ((int64_t)n > task->request.size - task->received) {
        error_set(&task->failure, EFBIG, "it is larger than %lld bytes", (long long)task->request.size);
        return 0;
    }
    for (size_t done = 0; done < n;) {
        ssize_t written = RETRY_EINTR(pwrite(task->fd, data + done, n - done, task->received));
        if (written < 0) {
            error_errno(&task->failure, "write to the image store");
            return 0;
        }
        done += (size_t)written;
        task->received += written;
    }
    if (task->request.kind == FETCH_BLOB)
        report_progress(task);
    return all;
}

static char *task_url(struct task *task, const void *owner)
{
    const struct endpoint *endpoint = task_endpoint(task);
    if (task->url)
        return mem_strdup(owner, task->url);
    return mem_printf(owner, "%s://%s/v2/%s/%s/%s", endpoint->is_http ? "http" : "https", endpoint->host,
                      task->fetch->registry->repository,
                      task->request.kind == FETCH_MANIFEST ? "manifests" : "blobs", task->request.name);
}

static struct curl_slist *task_headers(struct task *task, const void *owner)
{
    static const char accept[] = "Accept: application/vnd.oci.image.index.v1+json, "
                                 "application/vnd.oci.image.manifest.v1+json, "
                                 "application/vnd.docker.distribution.manifest.list.v2+json, "
                                 "application/vnd.docker.distribution.manifest.v2+json";
    const struct endpoint *endpoint = task_endpoint(task);
    struct curl_slist *list = NULL;
    if (task->request.kind == FETCH_MANIFEST)
        list = curl_slist_append(list, accept);
    if (endpoint->authorization && !task->url_is_foreign)
        list = curl_slist_append(list, mem_printf(owner, "Authorization: %s", endpoint->authorization));
    return list;
}

static void attempt_start(struct task *task)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    attempt_end(task);
    if (task->request.kind == FETCH_MANIFEST)
        task->received = 0;
    task->retry_ns = 0;
    task->skip = -1;
    task->started_at = task->received;
    task->curl = http_new(task->fetch->registry, task_endpoint(task), task_url(task, tmp), task->error_text);
    if (!task->curl) {
        error_set(&err, ENOMEM, "curl");
        task_fail(task, &err);
        return;
    }
    task->headers = task_headers(task, tmp);
    curl_easy_setopt(task->curl, CURLOPT_HTTPHEADER, task->headers);
    curl_easy_setopt(task->curl, CURLOPT_PRIVATE, task);
    curl_easy_setopt(task->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(task->curl, CURLOPT_HEADERDATA, task);
    curl_easy_setopt(task->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(task->curl, CURLOPT_WRITEDATA, task);
    if (task->received > 0 && !task->no_range)
        curl_easy_setopt(task->curl, CURLOPT_RANGE, mem_printf(tmp, "%lld-", (long long)task->received));
    curl_multi_add_handle(task->fetch->multi, task->curl);
}

/* Starts again after a while, or gives up and returns false. Progress makes the count start anew. */
static bool task_retry(struct task *task, int64_t delay_ns, const struct error *why)
{
    const struct registry *registry = task->fetch->registry;
    if (task->received - task->started_at >= 1 << 20)
        task->attempts = 0;
    if (task->attempts >= registry->retries)
        return false;
    int64_t backoff = (int64_t)(registry->retry_delay * NS) << task->attempts;
    if (backoff > RETRY_AFTER_MAX * NS)
        backoff = RETRY_AFTER_MAX * NS;
    task->attempts++;
    report_send(task->fetch->socket, REPORT_RETRY, task->request.id, 0, why->text, strlen(why->text), NULL);
    attempt_end(task);
    talloc_free(task->url); /* signed addresses grow old */
    task->url = NULL;
    task->url_is_foreign = false;
    task->redirects = 0;
    task->retry_ns = loop_now_ns() + (delay_ns >= 0 ? delay_ns : backoff);
    return true;
}

/* The next endpoint, if there is one; otherwise the request has failed. */
static void task_next_endpoint(struct task *task, struct error *err)
{
    size_t next = task->endpoint + 1;
    if (next >= task->fetch->registry->endpoint_count) {
        task_fail(task, err);
        return;
    }
    if (!task->mirror_trouble)
        task->mirror_trouble = mem_printf(task, "before that, a mirror: %s", err->text);
    task->endpoint = next;
    task->attempts = task->redirects = 0;
    task->authenticated = false;
    talloc_free(task->url);
    task->url = NULL;
    task->url_is_foreign = false;
    attempt_start(task);
}

static int follow_redirect(struct task *task, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct endpoint *endpoint = task_endpoint(task);
    struct redirect redirect;
    if (++task->redirects > REDIRECTS_MAX)
        return error_set(err, ELOOP, "registry '%s' redirects more than %d times", endpoint->host,
                         REDIRECTS_MAX);
    char *home = mem_printf(tmp, "%s://%s/", endpoint->is_http ? "http" : "https", endpoint->host);
    int r = redirect_resolve(tmp, task_url(task, tmp), task->location, home, &redirect, err);
    if (r < 0)
        return error_wrap(err, "registry '%s'", endpoint->host);
    talloc_free(task->url);
    task->url = talloc_move(task, &redirect.url);
    task->url_is_foreign = !redirect.is_home;
    return 0;
}

/* Retry-After: seconds or a date (RFC 9110 section 10.2.3); -1 when absent. */
static int64_t retry_after_ns(const struct task *task)
{
    uint64_t seconds;
    if (!task->retry_after)
        return -1;
    if (!str_to_u64(task->retry_after, 0, UINT32_MAX, &seconds)) {
        time_t date = curl_getdate(task->retry_after, NULL), now = time(NULL);
        if (date < 0)
            return -1;
        seconds = date > now ? (uint64_t)(date - now) : 0;
    }
    return (int64_t)(seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : seconds) * NS;
}

static int status_error(struct task *task, long status, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct registry *registry = task->fetch->registry;
    const char *host = task_endpoint(task)->host;
    char *message = http_body_message(tmp, &task->body);
    const char *colon = message ? ": " : "", *say = message ? message : "";
    if (status == 404 && task->request.kind == FETCH_MANIFEST) {
        error_set(err, ENOENT, "registry '%s' has no '%s' of '%s'%s%s", host, task->request.name,
                  registry->repository, colon, say);
        return error_hint(err, "check the name and the tag");
    }
    if (status == 401 || status == 403) {
        error_set(err, EACCES, "registry '%s' refuses access to '%s'%s%s", host, registry->repository, colon,
                  say);
        return error_hint(err, "check the name, or log in with 'docker login %s'", host);
    }
    if (status == 429) {
        error_set(err, EBUSY, "registry '%s' takes no more requests for now (429)%s%s", host, colon, say);
        return error_hint(err, "wait, or log in for a higher limit");
    }
    return error_set(err, status == 404 ? ENOENT : EIO, "registry '%s' answers %ld%s%s", host, status, colon,
                     say);
}

static void handle_unauthorized(struct task *task, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct endpoint *endpoint = task_endpoint(task);
    size_t count;
    if (task->authenticated || task->url_is_foreign) {
        status_error(task, 401, err);
        task_next_endpoint(task, err);
        return;
    }
    struct challenge *challenges = challenge_parse(tmp, task->authenticate ? task->authenticate : "", &count);
    task->authenticated = true;
    if (endpoint_authenticate(task->fetch->registry, endpoint, challenges, count, err) < 0)
        task_next_endpoint(task, err);
    else
        attempt_start(task);
}

/* An answer that is not 200. */
static void handle_status(struct task *task, long status)
{
    struct error err = ERROR_INIT;
    struct endpoint *endpoint = task_endpoint(task);
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
        if (follow_redirect(task, &err) < 0)
            task_next_endpoint(task, &err);
        else
            attempt_start(task);
    } else if (status == 401) {
        handle_unauthorized(task, &err);
    } else if (status == 400 && endpoint->may_switch) {
        endpoint->may_switch = endpoint->is_http = false;
        attempt_start(task);
    } else if (status == 416 && task->received > 0 && !task->no_range) {
        task->no_range = true;
        attempt_start(task);
    } else {
        status_error(task, status, &err);
        bool is_passing = status == 429 || status == 408 || status >= 500;
        if (!is_passing || !task_retry(task, retry_after_ns(task), &err))
            task_next_endpoint(task, &err);
    }
}

/* curl could not do it. */
static void handle_trouble(struct task *task, CURLcode code)
{
    struct error err = ERROR_INIT;
    struct endpoint *endpoint = task_endpoint(task);
    bool is_final = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT ||
                    code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
                    code == CURLE_URL_MALFORMAT;
    if (error_is_set(&task->failure)) {
        err = task->failure;
        error_wrap(&err, "registry '%s'", endpoint->host);
        task_next_endpoint(task, &err);
        return;
    }
    if (endpoint->may_switch && code != CURLE_COULDNT_CONNECT && code != CURLE_OPERATION_TIMEDOUT &&
        task->received == 0) {
        endpoint->may_switch = endpoint->is_http = false;
        attempt_start(task);
        return;
    }
    http_failed(task->fetch->registry, endpoint->host, code, task->error_text, &err);
    /* Who said nothing at all within the time limit is not asked again. */
    if (code == CURLE_OPERATION_TIMEDOUT && task->received == task->started_at)
        is_final = true;
    if (is_final || !task_retry(task, -1, &err))
        task_next_endpoint(task, &err);
}

static void attempt_done(struct task *task, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(task->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        handle_trouble(task, code);
        return;
    }
    if (status != 200 && status != 206) {
        handle_status(task, status);
        return;
    }
    if (task->request.kind == FETCH_BLOB && task->received != task->request.size) {
        struct error err = ERROR_INIT;
        error_set(&err, EBADMSG, "registry '%s' sent %lld bytes of %lld", task_endpoint(task)->host,
                  (long long)task->received, (long long)task->request.size);
        if (!task_retry(task, -1, &err))
            task_next_endpoint(task, &err);
        return;
    }
    task_succeed(task);
}

static int take_request(struct fetch *fetch, struct error *err)
{
    struct fetch_request request;
    size_t size, fd_count;
    int fd = -1;
    int r = fd_receive(fetch->socket, &request, sizeof(request), &size, &fd, 1, &fd_count, err);
    if (r < 0)
        return r;
    if (size == 0) {
        fetch->ended = true;
        return 0;
    }
    if (size != sizeof(request) || fd_count != 1)
        return error_set(err, EBADMSG, "a request that is not one");
    struct task *task = mem_new(NULL, struct task);
    *task = (struct task){.fetch = fetch,
                          .request = request,
                          .fd = fd,
                          .endpoint = fetch->preferred,
                          .received = request.offset,
                          .next = fetch->tasks};
    fetch->tasks = task;
    attempt_start(task);
    return 0;
}

/* Starts what waited long enough; how long until the next one, in ms. */
static int start_retries(struct fetch *fetch)
{
    int64_t now = loop_now_ns(), wait = 60 * NS;
    for (struct task *task = fetch->tasks, *next; task; task = next) {
        next = task->next;
        if (task->retry_ns && task->retry_ns <= now)
            attempt_start(task);
        else if (task->retry_ns && task->retry_ns - now < wait)
            wait = task->retry_ns - now;
    }
    return (int)(wait / 1000000) + 1;
}

static void take_results(struct fetch *fetch)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetch->multi, &left))) {
        char *task = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &task);
        attempt_done((struct task *)(void *)task, code);
    }
}

int fetch_run(struct registry *registry, int socket, struct error *err)
{
    struct fetch fetch = {.registry = registry, .socket = socket};
    fetch.multi = curl_multi_init();
    if (!fetch.multi)
        return error_set(err, ENOMEM, "curl");
    while (!fetch.ended) {
        int running, r = 0;
        curl_multi_perform(fetch.multi, &running);
        take_results(&fetch);
        int wait = start_retries(&fetch);
        struct curl_waitfd control = {.fd = socket, .events = CURL_WAIT_POLLIN};
        if (curl_multi_poll(fetch.multi, &control, 1, wait, NULL) != CURLM_OK)
            return error_set(err, EIO, "curl");
        if (control.revents)
            r = take_request(&fetch, err);
        if (r < 0)
            return r;
    }
    return 0; /* the process ends: what is still open goes with it */
}
