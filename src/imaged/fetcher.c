#include "imaged/fetcher.h"

#include "base/str.h"
#include "sys/fd.h"
#include "sys/spawn.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/epoll.h>

struct fetcher {
    struct job *job;
    struct registry *registry;
    fetcher_handler *handler;
    void *data;
    pid_t pid;
    int pidfd, socket, child_socket;
    struct loop_source source;
};

static int fetcher_main(void *data)
{
    struct fetcher *fetcher = data;
    struct error err = ERROR_INIT;
    signal(SIGPIPE, SIG_IGN);
    int r = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : error_set(&err, EIO, "curl");
    if (r == 0)
        r = sandbox_enter(fetcher->job->sandbox, SANDBOX_FETCH, -1, &err);
    if (r == 0)
        r = fetch_run(fetcher->registry, fetcher->child_socket, &err);
    if (r < 0)
        report_send_error(fetcher->child_socket, UINT32_MAX, &err);
    return r;
}

static int fetcher_destroy(struct fetcher *fetcher)
{
    int status;
    loop_remove(&fetcher->job->loop, &fetcher->source);
    if (fetcher->pid) {
        pidfd_signal(fetcher->pidfd, SIGKILL, NULL);
        spawn_wait(fetcher->pid, &status, NULL);
    }
    cleanup_close_fn(&fetcher->pidfd);
    cleanup_close_fn(&fetcher->socket);
    cleanup_close_fn(&fetcher->child_socket);
    return 0;
}

static int on_report(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *loop_err UNUSED)
{
    struct fetcher *fetcher = data;
    struct report report;
    struct error err = ERROR_INIT;
    int r = report_receive(source->fd, &report, &err);
    if (r == REPORT_END)
        error_set(&err, EIO, "the download process ended early");
    if (r != 0) {
        loop_remove(loop, source);
        report = (struct report){.kind = REPORT_ERROR, .id = UINT32_MAX, .value = EIO};
        str_copy(report.text, sizeof(report.text), err.text);
        report.length = (uint32_t)strlen(report.text);
    }
    fetcher->handler(fetcher->data, &report);
    return 0;
}

int fetcher_start(const void *owner, struct job *job, struct registry *registry, fetcher_handler *handler,
                  void *data, struct fetcher **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int sockets[2];
    int r = fd_seqpacket_pair(sockets, err);
    if (r < 0)
        return r;
    struct fetcher *fetcher = mem_new(tmp, struct fetcher);
    *fetcher = (struct fetcher){.job = job,
                                .registry = registry,
                                .handler = handler,
                                .data = data,
                                .pidfd = -1,
                                .socket = sockets[0],
                                .child_socket = sockets[1],
                                .source = LOOP_SOURCE_INIT};
    talloc_set_destructor(fetcher, fetcher_destroy);
    r = sandbox_fork(&fetcher->child_socket, 1, fetcher_main, fetcher, &fetcher->pid, &fetcher->pidfd, err);
    if (r < 0)
        return r;
    close(TAKE_FD(fetcher->child_socket));
    r = loop_add(&job->loop, &fetcher->source, fetcher->socket, EPOLLIN, on_report, fetcher, err);
    if (r < 0)
        return r;
    *ret = talloc_move(owner, &fetcher);
    return 0;
}

int fetcher_request(struct fetcher *fetcher, const struct fetch_request *request, int fd, struct error *err)
{
    return fd_send(fetcher->socket, request, sizeof(*request), &fd, 1, err);
}
