/* import: a root file system becomes an image of one layer. */
#include "base/str.h"
#include "base/strv.h"
#include "imaged/hash.h"
#include "imaged/layer.h"
#include "oci/imgconfig.h"
#include "oci/json.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <time.h>

struct import {
    struct job *job;
    struct layer_dir *dir;
    struct pipeline_result result;
    int64_t size;
    int status;
    struct error *err;
};

static void on_progress(void *data, int64_t consumed)
{
    struct import *import = data;
    emit_progress(&import->job->emit, NULL, TRANSFER_EXTRACTING, consumed, import->size);
}

static void on_done(void *data, int result, const struct pipeline_result *pipeline, struct error *err)
{
    struct import *import = data;
    import->status = result;
    if (result == 0)
        import->status = layer_dir_dress(import->job, import->dir, pipeline, NULL, 0, err);
    if (import->status < 0)
        *import->err = *err;
    import->result = *pipeline;
    loop_stop(&import->job->loop);
}

static int open_archive(struct job *job, int *ret_fd, int64_t *ret_size, struct error *err)
{
    cleanup_close int fd = str_eq(job->path, "-") ? fcntl(0, F_DUPFD_CLOEXEC, 3)
                                                  : open(job->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "open '%s'", job->path);
    if (S_ISDIR(st.st_mode))
        return error_set(err, EISDIR, "'%s' is a directory, not an archive", job->path);
    *ret_size = S_ISREG(st.st_mode) ? st.st_size : -1;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int unpack_archive(struct import *import, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int input = -1;
    struct pipeline *pipeline;
    int64_t size;
    int r = open_archive(import->job, &input, &size, err);
    if (r < 0)
        return r;
    import->size = size > 0 ? size : 0;
    import->err = err;
    const struct pipeline_request request = {.input = input,
                                             .dir = import->dir->fd,
                                             .size = size,
                                             .lowest = true,
                                             .progress = on_progress,
                                             .done = on_done,
                                             .data = import};
    r = pipeline_start(tmp, import->job, &request, &pipeline, err);
    if (r == 0)
        r = loop_run(&import->job->loop, err);
    if (r == 0)
        r = import->status;
    if (r < 0)
        return error_wrap(err, "archive '%s'", import->job->path);
    if (syncfs(import->dir->fd) < 0)
        return error_errno(err, "sync the layer");
    return 0;
}

/* Configuration and manifest of an image that has nothing but a file system. */
static int record_image(struct import *import, const char *name, char manifest_digest[DIGEST_TEXT],
                        struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct job *job = import->job;
    char *chain = mem_strdup(tmp, digest_hex(import->result.diff));
    char **diff_ids = strv_new(tmp, import->result.diff, NULL);
    char *config = image_config_print(tmp, &job->platform, time(NULL), diff_ids);
    struct descriptor layer = {.media_type = mem_strdup(tmp, MEDIA_OCI_LAYER),
                               .size = import->result.unpacked};
    struct manifest manifest = {
        .config = {.media_type = mem_strdup(tmp, MEDIA_OCI_CONFIG), .size = (int64_t)strlen(config)},
        .entries = &layer,
        .entry_count = 1
    };
    str_copy(layer.digest, sizeof(layer.digest), import->result.diff);
    hash_of(config, strlen(config), manifest.config.digest);
    char *text = manifest_print(tmp, &manifest);
    hash_of(text, strlen(text), manifest_digest);

    int r = layer_dir_publish(job, import->dir, chain, err);
    if (r == 0)
        r = layer_dirs_sync(job, err);
    if (r == 0)
        r = job_store_blob(job, manifest.config.digest, config, strlen(config), err);
    if (r == 0)
        r = job_store_blob(job, manifest_digest, text, strlen(text), err);
    if (r < 0)
        return r;
    const struct image_record record = {.manifest = manifest_digest,
                                        .config = manifest.config.digest,
                                        .platform = job->platform,
                                        .layers = strv_new(tmp, chain, NULL),
                                        .sizes = &import->result.unpacked,
                                        .references = strv_new(tmp, name, NULL)};
    return image_index_record(job->store, &record, err);
}

int job_import(struct job *job, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct reference *reference;
    struct import import = {.job = job};
    char manifest[DIGEST_TEXT];
    if (!job->path || !job->reference)
        return error_set(err, EINVAL, "import needs an archive and a name");
    int r = reference_parse(tmp, job->reference, &reference, err);
    if (r == 0 && reference->digest)
        r = error_set(err, EINVAL, "an imported image can have a tag, but not a digest of its own choice");
    if (r == 0)
        r = layer_dir_make(tmp, job, mem_printf(tmp, "import-%d", (int)getpid()), &import.dir, err);
    if (r == 0)
        r = unpack_archive(&import, err);
    if (r == 0)
        r = record_image(&import, reference_print(tmp, reference), manifest, err);
    if (r == 0)
        emit_done(&job->emit, manifest);
    return r;
}
