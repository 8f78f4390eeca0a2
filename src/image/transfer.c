/*
 * Starts compote-image and turns its lines into calls.
 *
 * One transfer is one process, which ends with a last line that says "done" or "error". It is killed when the
 * transfer is freed, and by the kernel when this process dies. What it says is checked line by line
 * (transfer_message.h); a line that does not fit ends the transfer. An image is only handed out after it was
 * read back from the store, so a false "done" gains nothing.
 */
#include "base/str.h"
#include "base/strv.h"
#include "image/index.h"
#include "image/transfer_message.h"
#include "sys/fd.h"
#include "sys/spawn.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

struct transfer {
    struct image_store *store;
    struct loop *loop;
    struct transfer_request request;
    struct loop_source source;
    pid_t pid; /* 0: reaped */
    int pidfd, output;
    char line[TRANSFER_LINE_MAX];
    size_t used;
    struct transfer_message last; /* of kind MESSAGE_DONE or MESSAGE_ERROR once that came */
    bool has_last;
};

static int transfer_stop(struct transfer *transfer)
{
    int status = 0;
    loop_remove(transfer->loop, &transfer->source);
    if (transfer->pid) {
        pidfd_signal(transfer->pidfd, SIGKILL, NULL);
        spawn_wait(transfer->pid, &status, NULL);
        transfer->pid = 0;
    }
    cleanup_close_fn(&transfer->pidfd);
    cleanup_close_fn(&transfer->output);
    transfer->pidfd = transfer->output = -1;
    return status;
}

static int transfer_destroy(struct transfer *transfer)
{
    transfer_stop(transfer);
    return 0;
}

static int load_image(const void *owner, struct transfer *transfer, const char *manifest, struct image **ret,
                      struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct image_index *index;
    int r = image_index_read(tmp, transfer->store, &index, err);
    for (size_t i = 0; r == 0 && i < index->count; i++)
        if (str_eq(index->records[i]->manifest, manifest))
            return image_from_record(owner, transfer->store, index->records[i], ret, err);
    return r < 0 ? r : error_set(err, EIO, "the image is not in the store");
}

/* Calls `done`, which may free the transfer. */
static void transfer_finish(struct transfer *transfer, int result, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct transfer_request request = transfer->request;
    struct image *image = NULL;
    transfer_stop(transfer);
    if (result == 0 && request.kind == TRANSFER_DIGEST) {
        image = mem_new(tmp, struct image);
        image->manifest_digest = mem_strdup(image, transfer->last.manifest);
    } else if (result == 0) {
        result = load_image(tmp, transfer, transfer->last.manifest, &image, err);
    }
    if (result < 0 && request.reference && !strstr(err->text, request.reference))
        error_wrap(err, "image %s", request.reference);
    request.done(request.data, result, image, result < 0 ? err : NULL);
}

static int handle_line(struct transfer *transfer, const char *line, size_t size, struct error *err)
{
    struct transfer_message message;
    int r = transfer->has_last ? error_set(err, EBADMSG, "a line after the last one")
                               : transfer_message_parse(line, size, &message, err);
    if (r < 0)
        return error_wrap(err, "compote-image said something unexpected");
    if (message.kind != MESSAGE_PROGRESS) {
        transfer->last = message;
        transfer->has_last = true;
    } else if (transfer->request.progress) {
        struct transfer_event event = {.layer = message.layer[0] ? message.layer : NULL,
                                       .status = message.status,
                                       .current = message.current,
                                       .total = message.total};
        transfer->request.progress(transfer->request.data, &event);
    }
    return 0;
}

static int handle_lines(struct transfer *transfer, struct error *err)
{
    char *start = transfer->line, *end;
    size_t left = transfer->used;
    int r = 0;
    while (r == 0 && (end = memchr(start, '\n', left))) {
        r = handle_line(transfer, start, (size_t)(end - start), err);
        left -= (size_t)(end - start) + 1;
        start = end + 1;
    }
    memmove(transfer->line, start, left);
    transfer->used = left;
    if (r == 0 && left == sizeof(transfer->line))
        return error_set(err, EBADMSG, "compote-image said something unexpected: a very long line");
    return r;
}

static void handle_end(struct transfer *transfer)
{
    struct error err = ERROR_INIT;
    int status = 0;
    siginfo_t info = {0};
    /* Wait without killing: its output has ended, so it is about to. */
    if (RETRY_EINTR(waitid(P_PIDFD, (id_t)transfer->pidfd, &info, WEXITED | WNOWAIT)) == 0)
        status = info.si_status;
    if (transfer->has_last && transfer->last.kind == MESSAGE_DONE) {
        transfer_finish(transfer, 0, &err);
        return;
    }
    if (transfer->has_last)
        err = transfer->last.error;
    else
        error_set(&err, EIO, "compote-image ended early (%s %d)",
                  info.si_code == CLD_EXITED ? "status" : "signal", status);
    transfer_finish(transfer, -1, &err);
}

static int on_output(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *loop_err UNUSED)
{
    struct transfer *transfer = data;
    struct error err = ERROR_INIT;
    ssize_t n = RETRY_EINTR(
        read(source->fd, transfer->line + transfer->used, sizeof(transfer->line) - transfer->used));
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        handle_end(transfer);
        return 0;
    }
    transfer->used += (size_t)n;
    if (handle_lines(transfer, &err) < 0)
        transfer_finish(transfer, -1, &err);
    return 0;
}

static const char *const kind_names[] = {[TRANSFER_PULL] = "pull",
                                         [TRANSFER_IMPORT] = "import",
                                         [TRANSFER_LOAD] = "load",
                                         [TRANSFER_COMMIT] = "commit",
                                         [TRANSFER_DIGEST] = "digest"};

static char **transfer_command(const void *owner, const struct image_store *store,
                               const struct transfer_request *request)
{
    char **argv = NULL;
    argv = strv_addf(owner, argv, "%s/compote-image", store->libexec);
    argv = strv_add(owner, argv, kind_names[request->kind]);
    argv = strv_addf(owner, argv, "--root=%s", store->root);
    if (store->config)
        argv = strv_addf(owner, argv, "--config=%s", store->config);
    if (request->reference)
        argv = strv_addf(owner, argv, "--reference=%s", request->reference);
    if (!str_is_empty(request->platform))
        argv = strv_addf(owner, argv, "--platform=%s", request->platform);
    if (request->path)
        argv = strv_addf(owner, argv, "--path=%s", request->path);
    if (request->changes)
        argv = strv_addf(owner, argv, "--changes=%s", request->changes);
    return argv;
}

int transfer_start(const void *owner, struct image_store *store, struct loop *loop,
                   const struct transfer_request *request, struct transfer **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int ends[2];
    int r = fd_pipe(ends, err);
    if (r < 0)
        return r;
    cleanup_close int read_end = ends[0];
    cleanup_close int write_end = ends[1];
    struct transfer *transfer = mem_new(tmp, struct transfer);
    *transfer = (struct transfer){.store = store,
                                  .loop = loop,
                                  .request = *request,
                                  .source = LOOP_SOURCE_INIT,
                                  .pidfd = -1,
                                  .output = -1};
    transfer->request.reference = mem_strdup(transfer, request->reference);
    transfer->request.platform = transfer->request.path = transfer->request.changes = NULL;
    struct spawn spawn = {
        .argv = transfer_command(tmp, store, request),
        .std = {str_eq(request->path, "-") ? request->input : -1, write_end, SPAWN_INHERIT},
        .die_with_parent = true
    };
    r = fd_set_nonblocking(read_end, err);
    if (r == 0)
        r = spawn_start(&spawn, &transfer->pid, &transfer->pidfd, err);
    if (r < 0)
        return r;
    talloc_set_destructor(transfer, transfer_destroy);
    transfer->output = TAKE_FD(read_end);
    r = loop_add(loop, &transfer->source, transfer->output, EPOLLIN, on_output, transfer, err);
    if (r < 0)
        return r;
    *ret = talloc_move(owner, &transfer);
    return 0;
}
