/* import: a root file system becomes an image of one layer. */
#include "base/str.h"
#include "base/strv.h"
#include "imaged/archive.h"
#include "imaged/hash.h"
#include "oci/imgconfig.h"
#include "oci/manifest.h"
#include "oci/reference.h"

#include <time.h>

/* Configuration and manifest of an image that has nothing but a file system. */
static int record_image(struct job *job, struct layer_dir *dir, const struct archive_result *result,
                        const char *name, char manifest_digest[DIGEST_TEXT], struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int64_t size = result->unpacked;
    char *chain = mem_strdup(tmp, digest_hex(result->diff));
    char **diff_ids = strv_new(tmp, result->diff, NULL);
    char *config = image_config_print(tmp, &job->platform, time(NULL), diff_ids);
    struct descriptor layer = {.media_type = mem_strdup(tmp, MEDIA_OCI_LAYER), .size = result->plain_size};
    struct manifest manifest = {
        .config = {.media_type = mem_strdup(tmp, MEDIA_OCI_CONFIG), .size = (int64_t)strlen(config)},
        .entries = &layer,
        .entry_count = 1
    };
    str_copy(layer.digest, sizeof(layer.digest), result->diff);
    hash_of(config, strlen(config), manifest.config.digest);
    char *text = manifest_print(tmp, &manifest);
    hash_of(text, strlen(text), manifest_digest);

    int r = layer_dir_publish(job, dir, chain, err);
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
                                        .sizes = &size,
                                        .references = strv_new(tmp, name, NULL)};
    return image_index_record(job->store, &record, err);
}

int job_import(struct job *job, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct reference *reference;
    struct layer_dir *dir;
    struct archive_result result;
    char manifest[DIGEST_TEXT];
    if (!job->path || !job->reference)
        return error_set(err, EINVAL, "import needs an archive and a name");
    int r = reference_parse(tmp, job->reference, &reference, err);
    if (r == 0 && reference->digest)
        r = error_set(err, EINVAL, "an imported image can have a tag, but not a digest of its own choice");
    if (r == 0)
        r = layer_dir_make(tmp, job, mem_printf(tmp, "import-%d", (int)getpid()), &dir, err);
    if (r == 0)
        r = archive_unpack(job, dir, false, NULL, &result, err);
    if (r == 0 && syncfs(dir->fd) < 0)
        r = error_errno(err, "sync the layer");
    if (r == 0)
        r = record_image(job, dir, &result, reference_print(tmp, reference), manifest, err);
    if (r == 0)
        emit_done(&job->emit, manifest);
    return r;
}
