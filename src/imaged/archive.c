#include "imaged/archive.h"

#include "base/str.h"
#include "base/strv.h"

#include <fcntl.h>
#include <sys/stat.h>

struct unpacking {
    struct job *job;
    struct layer_dir *dir;
    struct archive_result result;
    int64_t size; /* of the archive, 0 unknown */
    bool literal;
    char *const *lower;
    int status;
    struct error error;
};

static void on_progress(void *data, int64_t consumed)
{
    struct unpacking *unpacking = data;
    emit_progress(&unpacking->job->emit, NULL, unpacking->literal ? TRANSFER_LOADING : TRANSFER_EXTRACTING,
                  consumed, unpacking->size);
}

static void on_done(void *data, int result, const struct pipeline_result *pipeline, struct error *err)
{
    struct unpacking *unpacking = data;
    if (result == 0 && !unpacking->literal)
        result = layer_dir_dress(unpacking->job, unpacking->dir, pipeline, unpacking->lower,
                                 strv_len(unpacking->lower), err);
    unpacking->status = result;
    if (result < 0)
        unpacking->error = *err;
    unpacking->result.plain_size = pipeline->plain_size;
    unpacking->result.unpacked = pipeline->unpacked;
    str_copy(unpacking->result.diff, sizeof(unpacking->result.diff), pipeline->diff);
    loop_stop(&unpacking->job->loop);
}

static int open_archive(const char *path, int *ret_fd, int64_t *ret_size, struct error *err)
{
    cleanup_close int fd =
        str_eq(path, "-") ? fcntl(0, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "open '%s'", path);
    if (S_ISDIR(st.st_mode))
        return error_set(err, EISDIR, "'%s' is a directory, not an archive", path);
    *ret_size = S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0 ? st.st_size : -1;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int archive_unpack(struct job *job, struct layer_dir *dir, bool literal, char *const *lower,
                   struct archive_result *ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int input = -1;
    struct unpacking unpacking = {.job = job, .dir = dir, .literal = literal, .lower = lower};
    struct pipeline *pipeline;
    int64_t size = -1;
    int r = open_archive(job->path, &input, &size, err);
    if (r < 0)
        return r;
    unpacking.size = size > 0 ? size : 0;
    const struct pipeline_request request = {.input = input,
                                             .dir = dir->fd,
                                             .size = size,
                                             .lowest = strv_len(lower) == 0,
                                             .literal = literal,
                                             .progress = on_progress,
                                             .done = on_done,
                                             .data = &unpacking};
    r = pipeline_start(tmp, job, &request, &pipeline, err);
    if (r == 0)
        r = loop_run(&job->loop, err);
    if (r == 0 && unpacking.status < 0) {
        *err = unpacking.error;
        r = unpacking.status;
    }
    if (r < 0)
        return error_wrap(err, "archive '%s'", job->path);
    *ret = unpacking.result;
    return 0;
}
