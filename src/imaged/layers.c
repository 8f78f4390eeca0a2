#include "imaged/layers.h"

#include "base/str.h"
#include "base/strv.h"
#include "imaged/hash.h"
#include "imaged/layer.h"
#include "sys/fd.h"
#include "sys/fs.h"
#include "sys/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>

enum { DOWNLOADS_MAX = 6, PROGRESS_INTERVAL_MS = 100 };

enum layer_state { LAYER_LOCKING, LAYER_QUEUED, LAYER_RUNNING, LAYER_UNPACKED, LAYER_SYNCING, LAYER_DONE };

struct layer {
    struct layers *layers;
    size_t number;
    enum layer_state state;
    struct layer_source source;
    const char *digest; /* shown: of the blob, or the diff id */
    const char *diff_id;
    char *chain, *partial;
    int lock;
    /* The child that waits for the lock. */
    pid_t waiter;
    int waiter_pidfd;
    struct loop_source waiter_source;
    /* RUNNING */
    struct layer_dir *dir;
    struct pipeline *pipeline;
    int input;        /* what the pipeline reads */
    int64_t resumed;  /* bytes that an earlier transfer left */
    int64_t received; /* of the download */
    bool downloading, downloaded, retried;
    struct pipeline_result result; /* UNPACKED */
    int64_t unpacked;              /* bytes; -1: it was there already */
    int64_t told_ns;
};

struct layers {
    struct layers_request request;
    struct job *job;
    struct layer *list;
    char **chain;
    size_t count, downloads, pipelines, pipelines_max;
    /* The child that syncs. */
    pid_t syncer;
    int syncer_pidfd;
    struct loop_source syncer_source;
    int dir_fd;
    bool ended;
};

static void layers_advance(struct layers *layers);

static void reap(struct loop *loop, pid_t *pid, int *pidfd, struct loop_source *source, int *ret_status)
{
    int status = -1;
    loop_remove(loop, source);
    if (*pid) {
        pidfd_signal(*pidfd, SIGKILL, NULL);
        spawn_wait(*pid, &status, NULL);
    }
    *pid = 0;
    cleanup_close_fn(pidfd);
    *pidfd = -1;
    if (ret_status)
        *ret_status = status;
}

static void layer_release(struct layer *layer)
{
    reap(&layer->layers->job->loop, &layer->waiter, &layer->waiter_pidfd, &layer->waiter_source, NULL);
    talloc_free(layer->pipeline);
    talloc_free(layer->dir);
    layer->pipeline = NULL;
    layer->dir = NULL;
    cleanup_close_fn(&layer->input);
    cleanup_close_fn(&layer->lock);
    cleanup_close_fn(&layer->source.fd);
    layer->input = layer->lock = layer->source.fd = -1;
}

static int layers_destroy(struct layers *layers)
{
    for (size_t i = 0; i < layers->count; i++)
        layer_release(&layers->list[i]);
    reap(&layers->job->loop, &layers->syncer, &layers->syncer_pidfd, &layers->syncer_source, NULL);
    cleanup_close_fn(&layers->dir_fd);
    return 0;
}

/* Only the first end counts. */
static void layers_end(struct layers *layers, int result, struct error *err)
{
    if (layers->ended)
        return;
    layers->ended = true;
    layers->request.done(layers->request.data, result, err);
}

static void layer_fail(struct layer *layer, struct error *err)
{
    char text[DIGEST_SHORT];
    digest_short(layer->digest, text);
    error_wrap(err, "layer %s", text);
    layers_end(layer->layers, -err->code, err);
}

static void layer_tell(struct layer *layer, enum transfer_status status, int64_t current)
{
    emit_progress(&layer->layers->job->emit, layer->digest, status, current, layer->source.size);
}

/* As layer_tell, but not so often that it costs. */
static void layer_tell_progress(struct layer *layer, enum transfer_status status, int64_t current)
{
    int64_t now = loop_now_ns();
    if (now - layer->told_ns >= PROGRESS_INTERVAL_MS * 1000000LL) {
        layer->told_ns = now;
        layer_tell(layer, status, current);
    }
}

static void layer_finish(struct layer *layer, enum transfer_status status)
{
    layer->state = LAYER_DONE;
    layer_tell(layer, status, layer->source.size);
    if (layer->partial)
        unlink(layer->partial);
    layer_release(layer);
}

/* The lock is held: either somebody made the layer meanwhile, or it is ours to make. */
static void layer_locked(struct layer *layer)
{
    if (layer_exists(layer->layers->job, layer->chain)) {
        layer->unpacked = -1;
        layer_finish(layer, TRANSFER_EXISTS);
        return;
    }
    layer->state = LAYER_QUEUED;
    layer_tell(layer, TRANSFER_PULLING_LAYER, 0);
}

static int wait_for_lock(void *data)
{
    struct layer *layer = data;
    return (int)RETRY_EINTR(flock(layer->lock, LOCK_EX));
}

static int on_lock(struct loop *loop, struct loop_source *source UNUSED, uint32_t events UNUSED, void *data,
                   struct error *err UNUSED)
{
    struct layer *layer = data;
    int status = 0;
    /* The lock belongs to the open file, which is ours too, so it outlives the child. */
    spawn_wait(layer->waiter, &status, NULL);
    layer->waiter = 0;
    reap(loop, &layer->waiter, &layer->waiter_pidfd, &layer->waiter_source, NULL);
    layer_locked(layer);
    layers_advance(layer->layers);
    return 0;
}

static int layer_lock(struct layer *layer, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct job *job = layer->layers->job;
    char *path = mem_printf(tmp, "%s/locks/%s", job->store->root, layer->chain);
    if (layer_exists(job, layer->chain)) {
        layer->unpacked = -1;
        layer_finish(layer, TRANSFER_EXISTS);
        return 0;
    }
    int r = fs_lock(path, false, false, &layer->lock, err);
    if (r == 0)
        layer_locked(layer);
    if (r != LOCK_BUSY)
        return r;
    layer_tell(layer, TRANSFER_WAITING, 0);
    layer->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (layer->lock < 0)
        return error_errno(err, "open lock '%s'", path);
    r = sandbox_fork(&layer->lock, 1, wait_for_lock, layer, &layer->waiter, &layer->waiter_pidfd, err);
    return r < 0 ? r
                 : loop_add(&job->loop, &layer->waiter_source, layer->waiter_pidfd, EPOLLIN, on_lock, layer,
                            err);
}

/* Opens the partial download for the fetch process and asks for the rest of it. */
static int layer_download(struct layer *layer, struct error *err)
{
    struct layers *layers = layer->layers;
    struct stat st;
    cleanup_close int fd = open(layer->partial, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "open '%s'", layer->partial);
    if (st.st_size > layer->source.size) {
        st.st_size = 0;
        if (ftruncate(fd, 0) < 0)
            return error_errno(err, "truncate '%s'", layer->partial);
    }
    layer->input = open(layer->partial, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (layer->input < 0)
        return error_errno(err, "open '%s'", layer->partial);
    layer->resumed = layer->received = st.st_size;
    layer->downloaded = st.st_size == layer->source.size;
    if (layer->downloaded)
        return 0;
    struct fetch_request request = {
        .id = (uint32_t)layer->number, .kind = FETCH_BLOB, .offset = st.st_size, .size = layer->source.size};
    str_copy(request.name, sizeof(request.name), layer->source.digest);
    int r = fetcher_request(layers->request.fetcher, &request, fd, err);
    if (r < 0)
        return r;
    layer->downloading = true;
    layers->downloads++;
    return 0;
}

static void layer_check_unpacked(struct layer *layer);

static void on_unpack_progress(void *data, int64_t consumed)
{
    struct layer *layer = data;
    if (!layer->downloading)
        layer_tell_progress(layer, TRANSFER_EXTRACTING, consumed);
}

/* A download that was resumed may have been damaged from the start: once more, from its first byte. */
static bool layer_start_over(struct layer *layer)
{
    if (layer->source.fd >= 0)
        return false;
    unlink(layer->partial);
    if (!layer->resumed || layer->retried || layer->downloading)
        return false;
    layer->retried = true;
    cleanup_close_fn(&layer->input);
    layer->input = -1;
    layer->downloaded = false;
    talloc_free(layer->dir);
    layer->dir = NULL;
    layer->state = LAYER_QUEUED;
    return true;
}

static int layer_check_digests(struct layer *layer, const struct pipeline_result *result, struct error *err)
{
    if (layer->source.digest && !str_eq(result->blob, layer->source.digest)) {
        error_set(err, EBADMSG, "its content has the digest %s", result->blob);
        return error_hint(err, "the registry sent something else than the image's manifest names");
    }
    if (!str_eq(result->diff, layer->diff_id)) {
        error_set(err, EBADMSG, "what it unpacks to has the digest %s, but the image's configuration says %s",
                  result->diff, layer->diff_id);
        return error_hint(err, "the image is damaged; it was not taken");
    }
    return 0;
}

static void on_unpacked(void *data, int result, const struct pipeline_result *pipeline, struct error *err)
{
    struct layer *layer = data;
    struct layers *layers = layer->layers;
    layers->pipelines--;
    if (result == 0)
        result = layer_check_digests(layer, pipeline, err);
    if (result < 0) {
        talloc_free(layer->pipeline);
        layer->pipeline = NULL;
        if (layer_start_over(layer))
            layers_advance(layers);
        else
            layer_fail(layer, err);
        return;
    }
    layer->result = *pipeline;
    layer->unpacked = pipeline->unpacked;
    layer_check_unpacked(layer);
    layers_advance(layers);
}

/* Implied directories look into the layers below, which must be there by then. */
static void layer_check_unpacked(struct layer *layer)
{
    struct layers *layers = layer->layers;
    struct error err = ERROR_INIT;
    for (size_t i = 0; layer->result.implied_count && i < layer->number; i++)
        if (layers->list[i].state != LAYER_DONE)
            return; /* layers_advance comes back */
    if (layer_dir_dress(layers->job, layer->dir, &layer->result, layers->chain, layer->number, &err) < 0) {
        layer_fail(layer, &err);
        return;
    }
    talloc_free(layer->pipeline);
    layer->pipeline = NULL;
    layer->result = (struct pipeline_result){0};
    layer->state = LAYER_UNPACKED;
}

static int layer_unpack(struct layer *layer, struct error *err)
{
    struct layers *layers = layer->layers;
    bool is_local = layer->source.fd >= 0;
    int r = layer_dir_make(layers, layers->job, layer->chain, &layer->dir, err);
    if (r < 0)
        return r;
    const struct pipeline_request request = {.input = is_local ? layer->source.fd : layer->input,
                                             .dir = layer->dir->fd,
                                             .size = layer->source.size,
                                             .follow = !is_local,
                                             .lowest = layer->number == 0,
                                             .progress = on_unpack_progress,
                                             .done = on_unpacked,
                                             .data = layer};
    r = pipeline_start(layers, layers->job, &request, &layer->pipeline, err);
    if (r < 0)
        return r;
    pipeline_more(layer->pipeline, layer->received);
    layers->pipelines++;
    return 0;
}

/* The largest one that waits, so that it is not the one that everybody waits for at the end. */
static struct layer *next_queued(struct layers *layers)
{
    struct layer *best = NULL;
    for (size_t i = 0; i < layers->count; i++) {
        struct layer *layer = &layers->list[i];
        if (layer->state == LAYER_QUEUED && (!best || layer->source.size > best->source.size))
            best = layer;
    }
    return best;
}

static struct layer *next_without_pipeline(struct layers *layers)
{
    struct layer *best = NULL;
    for (size_t i = 0; i < layers->count; i++) {
        struct layer *layer = &layers->list[i];
        if (layer->state == LAYER_RUNNING && !layer->dir && (!best || layer->source.size > best->source.size))
            best = layer;
    }
    return best;
}

static int sync_main(void *data)
{
    struct layers *layers = data;
    return syncfs(layers->dir_fd);
}

static void publish_synced(struct layers *layers)
{
    struct error err = ERROR_INIT;
    int r = 0;
    for (size_t i = 0; r == 0 && i < layers->count; i++) {
        struct layer *layer = &layers->list[i];
        if (layer->state != LAYER_SYNCING)
            continue;
        r = layer_dir_publish(layers->job, layer->dir, layer->chain, &err);
        if (r < 0)
            layer_fail(layer, &err);
        else
            layer_finish(layer, TRANSFER_COMPLETE);
    }
    for (size_t i = 0; i < layers->count; i++)
        if (layers->list[i].state == LAYER_RUNNING && layers->list[i].pipeline &&
            layers->list[i].result.implied_count)
            layer_check_unpacked(&layers->list[i]);
}

static int on_synced(struct loop *loop, struct loop_source *source UNUSED, uint32_t events UNUSED, void *data,
                     struct error *loop_err UNUSED)
{
    struct layers *layers = data;
    struct error err = ERROR_INIT;
    int status = 0;
    spawn_wait(layers->syncer, &status, NULL);
    layers->syncer = 0;
    reap(loop, &layers->syncer, &layers->syncer_pidfd, &layers->syncer_source, NULL);
    if (status != 0) {
        error_set(&err, EIO, "the layers could not be written to the disk");
        layers_end(layers, -EIO, &err);
        return 0;
    }
    publish_synced(layers);
    layers_advance(layers);
    return 0;
}

/* One syncfs at a time, for all that are ready when it begins. */
static int start_sync(struct layers *layers, struct error *err)
{
    size_t ready = 0;
    if (layers->syncer)
        return 0;
    for (size_t i = 0; i < layers->count; i++)
        if (layers->list[i].state == LAYER_UNPACKED) {
            layers->list[i].state = LAYER_SYNCING;
            ready++;
        }
    if (!ready)
        return 0;
    int r = sandbox_fork(&layers->dir_fd, 1, sync_main, layers, &layers->syncer, &layers->syncer_pidfd, err);
    return r < 0 ? r
                 : loop_add(&layers->job->loop, &layers->syncer_source, layers->syncer_pidfd, EPOLLIN,
                            on_synced, layers, err);
}

static int start_work(struct layers *layers, struct layer **ret_layer, struct error *err)
{
    int r = 0;
    struct layer *layer;
    while (r == 0 && layers->downloads < DOWNLOADS_MAX && (layer = next_queued(layers))) {
        *ret_layer = layer;
        layer->state = LAYER_RUNNING;
        r = layer->source.fd >= 0 ? 0 : layer_download(layer, err);
    }
    while (r == 0 && layers->pipelines < layers->pipelines_max && (layer = next_without_pipeline(layers))) {
        *ret_layer = layer;
        r = layer_unpack(layer, err);
    }
    return r;
}

/* Does all that can be done now. */
static void layers_advance(struct layers *layers)
{
    struct error err = ERROR_INIT;
    struct layer *layer = NULL;
    if (layers->ended)
        return;
    if (start_work(layers, &layer, &err) < 0) {
        layer_fail(layer, &err);
        return;
    }
    if (start_sync(layers, &err) < 0) {
        layers_end(layers, -EIO, &err);
        return;
    }
    for (size_t i = 0; i < layers->count; i++)
        if (layers->list[i].state != LAYER_DONE)
            return;
    int r = layer_dirs_sync(layers->job, &err);
    layers_end(layers, r, &err);
}

void layers_report(struct layers *layers, const struct report *report)
{
    struct layer *layer = &layers->list[report->id];
    struct error err = ERROR_INIT;
    int64_t received =
        report->value <= (uint64_t)layer->source.size ? (int64_t)report->value : layer->received;
    if (!layer->downloading)
        return;
    if (report->kind == REPORT_PROGRESS || report->kind == REPORT_DONE) {
        if (layer->pipeline)
            pipeline_more(layer->pipeline, received - layer->received);
        layer->received = received > layer->received ? received : layer->received;
        layer_tell_progress(layer, TRANSFER_DOWNLOADING, layer->received);
    }
    if (report->kind == REPORT_RETRY)
        layer_tell(layer, TRANSFER_RETRYING, layer->received);
    if (report->kind == REPORT_DONE) {
        layer->downloading = false;
        layer->downloaded = true;
        layers->downloads--;
        layers_advance(layers);
    } else if (report->kind == REPORT_ERROR) {
        report_error(report, &err);
        layer_fail(layer, &err);
    }
}

static void layer_init(struct layers *layers, size_t number)
{
    struct layer *layer = &layers->list[number];
    const struct layers_request *request = &layers->request;
    char hex[DIGEST_HEX + 1];
    hash_chain(number ? layers->chain[number - 1] : NULL, request->diff_ids[number], hex);
    layers->chain[number] = mem_strdup(layers, hex);
    *layer = (struct layer){.layers = layers,
                            .number = number,
                            .source = request->sources[number],
                            .digest = request->sources[number].digest ? request->sources[number].digest
                                                                      : request->diff_ids[number],
                            .diff_id = request->diff_ids[number],
                            .chain = layers->chain[number],
                            .lock = -1,
                            .input = -1,
                            .waiter_pidfd = -1,
                            .waiter_source = LOOP_SOURCE_INIT};
    /* By chain id and not by digest: the same blob may be there twice in one image. */
    if (layer->source.fd < 0)
        layer->partial = mem_printf(layers, "%s/blobs/partial/%s", layers->job->store->root, layer->chain);
}

static size_t processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 2;
}

int layers_start(const void *owner, const struct layers_request *request, struct layers **ret,
                 struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct layers *layers = mem_new(tmp, struct layers);
    *layers = (struct layers){.request = *request,
                              .job = request->job,
                              .count = request->count,
                              .pipelines_max = processors() + 1,
                              .syncer_pidfd = -1,
                              .syncer_source = LOOP_SOURCE_INIT,
                              .dir_fd = -1};
    layers->list = mem_array(layers, struct layer, request->count + 1);
    layers->chain = mem_array(layers, char *, request->count + 1);
    for (size_t i = 0; i < request->count; i++)
        layer_init(layers, i);
    talloc_set_destructor(layers, layers_destroy);
    int r = fs_open_dir(image_store_path(tmp, request->job->store, "layers"), &layers->dir_fd, err);
    for (size_t i = 0; r == 0 && i < request->count; i++)
        r = layer_lock(&layers->list[i], err);
    if (r < 0)
        return r;
    *ret = talloc_move(owner, &layers);
    layers_advance(*ret);
    return 0;
}

char **layers_chain(const struct layers *layers)
{
    return layers->chain;
}

int64_t *layers_sizes(const struct layers *layers, const void *owner)
{
    int64_t *sizes = mem_array(owner, int64_t, layers->count + 1);
    for (size_t i = 0; i < layers->count; i++)
        sizes[i] = layers->list[i].unpacked;
    return sizes;
}
