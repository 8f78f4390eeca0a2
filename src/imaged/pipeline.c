#include "imaged/pipeline.h"

#include "base/str.h"
#include "base/strv.h"
#include "imaged/hash.h"
#include "imaged/inflate.h"
#include "imaged/report.h"
#include "imaged/unpack.h"
#include "sys/fd.h"
#include "sys/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { PIPE_SIZE = 1 << 20, MARKED_MAX = 1 << 20 };

struct stage {
    const char *name;
    pid_t pid; /* 0: none, or reaped */
    int pidfd, report;
    struct loop_source source;
    bool has_verdict; /* REPORT_DIGESTS, REPORT_DONE or REPORT_ERROR came */
    bool ended;
    struct error error;
};

enum { INFLATE, UNPACK, STAGES };

struct pipeline {
    struct job *job;
    struct pipeline_request request;
    struct pipeline_result result;
    struct stage stages[STAGES];
    int more; /* eventfd, -1 when the input is all there */
};

/* What a child is made from; lives on the parent's stack until the fork. */
struct start {
    struct pipeline *pipeline;
    int plain[2], reports[STAGES][2];
};

static int inflate_main(void *data)
{
    struct start *start = data;
    struct pipeline *pipeline = start->pipeline;
    struct error err = ERROR_INIT;
    const struct inflate_job job = {.input = pipeline->request.input,
                                    .size = pipeline->request.size,
                                    .more = pipeline->more,
                                    .output = start->plain[1],
                                    .report = start->reports[INFLATE][1],
                                    .room = INFLATE_ROOM};
    signal(SIGPIPE, SIG_IGN);
    struct inflate *inflate = inflate_new(pipeline, &job);
    if (sandbox_enter(pipeline->job->sandbox, SANDBOX_INFLATE, -1, &err) < 0) {
        report_send_error(job.report, 0, &err);
        return -1;
    }
    return inflate_run(inflate, &err);
}

/* Files may have holes, so their sizes have a ceiling of their own: what the ratio allows, and never less
 * than a stream of unknown length could honestly hold. */
static int64_t room_for(int64_t size)
{
    int64_t room = INFLATE_ROOM;
    if (size < 0)
        return 1LL << 40;
    return size > (INT64_MAX - room) / INFLATE_RATIO ? INT64_MAX : room + size * INFLATE_RATIO;
}

static int unpack_main(void *data)
{
    struct start *start = data;
    struct pipeline *pipeline = start->pipeline;
    struct error err = ERROR_INIT;
    struct unpack *unpack;
    const struct pipeline_request *request = &pipeline->request;
    const struct unpack_job job = {
        .input = start->plain[0],
        .report = start->reports[UNPACK][1],
        .options = {.lowest = request->lowest,
                    .literal = request->literal,
                    .rootless = sandbox_is_rootless(pipeline->job->sandbox),
                    .room = room_for(request->size)}
    };
    int r = unpack_new(pipeline, &job, &unpack, &err);
    if (r == 0)
        r = sandbox_enter(pipeline->job->sandbox, SANDBOX_UNPACK, request->dir, &err);
    cleanup_close int root = r == 0 ? open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (r == 0 && root < 0)
        r = error_errno(&err, "open the layer's directory");
    if (r < 0) {
        report_send_error(job.report, 0, &err);
        return r;
    }
    return unpack_run(unpack, root, &err);
}

static void stage_kill(struct pipeline *pipeline, struct stage *stage)
{
    int status;
    loop_remove(&pipeline->job->loop, &stage->source);
    if (stage->pid) {
        pidfd_signal(stage->pidfd, SIGKILL, NULL);
        spawn_wait(stage->pid, &status, NULL);
        stage->pid = 0;
    }
    cleanup_close_fn(&stage->pidfd);
    cleanup_close_fn(&stage->report);
    stage->pidfd = stage->report = -1;
}

static int pipeline_destroy(struct pipeline *pipeline)
{
    for (int i = 0; i < STAGES; i++)
        stage_kill(pipeline, &pipeline->stages[i]);
    cleanup_close_fn(&pipeline->more);
    pipeline->more = -1;
    return 0;
}

/* Why it failed: the first stage knows best, unless it only saw the second one go away. */
static int pipeline_verdict(struct pipeline *pipeline, struct error *err)
{
    struct stage *inflate = &pipeline->stages[INFLATE], *unpack = &pipeline->stages[UNPACK];
    if (error_is_set(&inflate->error) && inflate->error.code != EPIPE)
        *err = inflate->error;
    else if (error_is_set(&unpack->error))
        *err = unpack->error;
    else if (error_is_set(&inflate->error))
        *err = inflate->error;
    return error_is_set(err) ? -err->code : 0;
}

static void pipeline_end(struct pipeline *pipeline)
{
    struct error err = ERROR_INIT;
    struct pipeline_request request = pipeline->request;
    int r = pipeline_verdict(pipeline, &err);
    request.done(request.data, r, &pipeline->result, &err);
}

static void stage_end(struct pipeline *pipeline, struct stage *stage)
{
    int status = 0;
    loop_remove(&pipeline->job->loop, &stage->source);
    spawn_wait(stage->pid, &status, NULL);
    stage->pid = 0;
    stage->ended = true;
    if (!stage->has_verdict || (status && !error_is_set(&stage->error)))
        error_set(&stage->error, EIO, "the %s process ended without a result (%s %d)", stage->name,
                  status > 128 ? "signal" : "status", status > 128 ? status - 128 : status);
    if (pipeline->stages[INFLATE].ended && pipeline->stages[UNPACK].ended)
        pipeline_end(pipeline);
}

static int add_marked(struct pipeline *pipeline, char ***list, size_t *count, const char *path,
                      struct error *err)
{
    if (*count >= MARKED_MAX)
        return error_set(err, E2BIG, "more than %d directories are opaque or without an entry", MARKED_MAX);
    mem_append(pipeline, *list, *count, mem_strdup(pipeline, path));
    return 0;
}

static int handle_report(struct pipeline *pipeline, struct stage *stage, const struct report *report,
                         struct error *err)
{
    struct pipeline_result *result = &pipeline->result;
    bool is_inflate = stage == &pipeline->stages[INFLATE];
    switch ((enum report_kind)report->kind) {
    case REPORT_PROGRESS:
        if (is_inflate && pipeline->request.progress)
            pipeline->request.progress(pipeline->request.data, (int64_t)report->value);
        return 0;
    case REPORT_DIGESTS:
        if (!is_inflate || report->length != 2 * HASH_SIZE)
            break;
        result->plain_size = report->value <= INT64_MAX ? (int64_t)report->value : INT64_MAX;
        hash_print((const unsigned char *)report->text, result->blob);
        hash_print((const unsigned char *)report->text + HASH_SIZE, result->diff);
        stage->has_verdict = true;
        return 0;
    case REPORT_OPAQUE:
        return is_inflate ? -1
                          : add_marked(pipeline, &result->opaque, &result->opaque_count, report->text, err);
    case REPORT_IMPLIED:
        return is_inflate ? -1
                          : add_marked(pipeline, &result->implied, &result->implied_count, report->text, err);
    case REPORT_DONE:
        if (is_inflate)
            break;
        result->unpacked = report->value <= INT64_MAX ? (int64_t)report->value : INT64_MAX;
        stage->has_verdict = true;
        return 0;
    case REPORT_ERROR:
        report_error(report, &stage->error);
        stage->has_verdict = true;
        return 0;
    case REPORT_RETRY:
    case REPORT__COUNT:
        break;
    }
    return error_set(err, EBADMSG, "the %s process reported nonsense", stage->name);
}

static int on_report(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *loop_err UNUSED)
{
    struct pipeline *pipeline = data;
    struct stage *stage =
        source == &pipeline->stages[INFLATE].source ? &pipeline->stages[INFLATE] : &pipeline->stages[UNPACK];
    struct report report;
    struct error err = ERROR_INIT;
    int r = report_receive(stage->report, &report, &err);
    if (r == 0)
        r = handle_report(pipeline, stage, &report, &err);
    if (r < 0) {
        stage->error = err;
        stage->has_verdict = true;
        pidfd_signal(stage->pidfd, SIGKILL, NULL);
        r = REPORT_END;
    }
    if (r == REPORT_END)
        stage_end(pipeline, stage);
    return 0;
}

static int start_stage(struct start *start, int number, const int *keep, size_t keep_count, struct error *err)
{
    struct pipeline *pipeline = start->pipeline;
    struct stage *stage = &pipeline->stages[number];
    int r = sandbox_fork(keep, keep_count, number == INFLATE ? inflate_main : unpack_main, start, &stage->pid,
                         &stage->pidfd, err);
    if (r < 0)
        return r;
    stage->report = TAKE_FD(start->reports[number][0]);
    return loop_add(&pipeline->job->loop, &stage->source, stage->report, EPOLLIN, on_report, pipeline, err);
}

static int start_stages(struct start *start, struct error *err)
{
    struct pipeline *pipeline = start->pipeline;
    int r = fd_pipe(start->plain, err);
    for (int i = 0; r == 0 && i < STAGES; i++)
        r = fd_seqpacket_pair(start->reports[i], err);
    if (r < 0)
        return r;
    fcntl(start->plain[1], F_SETPIPE_SZ, PIPE_SIZE); /* only for speed */
    int keep_inflate[] = {pipeline->request.input, start->plain[1], start->reports[INFLATE][1],
                          pipeline->more};
    int keep_unpack[] = {pipeline->request.dir, start->plain[0], start->reports[UNPACK][1]};
    r = start_stage(start, INFLATE, keep_inflate, pipeline->more < 0 ? 3 : 4, err);
    return r < 0 ? r : start_stage(start, UNPACK, keep_unpack, 3, err);
}

int pipeline_start(const void *owner, struct job *job, const struct pipeline_request *request,
                   struct pipeline **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct pipeline *pipeline = mem_new(tmp, struct pipeline);
    *pipeline = (struct pipeline){.job = job, .request = *request, .more = -1};
    for (int i = 0; i < STAGES; i++)
        pipeline->stages[i] = (struct stage){.name = i == INFLATE ? "decompressing" : "unpacking",
                                             .pidfd = -1,
                                             .report = -1,
                                             .source = LOOP_SOURCE_INIT};
    talloc_set_destructor(pipeline, pipeline_destroy);
    if (request->follow) {
        pipeline->more = eventfd(0, EFD_CLOEXEC);
        if (pipeline->more < 0)
            return error_errno(err, "eventfd");
    }
    struct start start = {
        .pipeline = pipeline, .plain = {-1,       -1      },
             .reports = {{-1, -1}, {-1, -1}}
    };
    int r = start_stages(&start, err);
    for (int i = 0; i < 2; i++) {
        cleanup_close_fn(&start.plain[i]);
        for (int n = 0; n < STAGES; n++)
            cleanup_close_fn(&start.reports[n][i]);
    }
    if (r < 0)
        return r;
    *ret = talloc_move(owner, &pipeline);
    return 0;
}

void pipeline_more(struct pipeline *pipeline, int64_t bytes)
{
    uint64_t more = (uint64_t)bytes;
    if (pipeline->more >= 0 && bytes > 0) {
        ssize_t ignored UNUSED = write(pipeline->more, &more, sizeof(more));
    }
}
