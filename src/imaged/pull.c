/*
 * pull: reference -> manifest (by way of an index) -> configuration -> layers -> index of the store.
 *
 * The small documents are fetched into memory files and checked here: by their digest wherever one is known,
 * which is everywhere but for the first document behind a tag. `digest` ends with that first document.
 */
#include "base/str.h"
#include "base/strv.h"
#include "imaged/hash.h"
#include "imaged/layers.h"
#include "oci/json.h"
#include "oci/reference.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <sys/mman.h>

/* Ids of requests; layers have their numbers. */
enum { ID_MANIFEST = 1000, ID_CONFIG = 1001 };

struct document {
    char digest[DIGEST_TEXT]; /* expected, or "" */
    int64_t size;             /* expected, or -1 */
    int fd;
    char *data;
    size_t data_size;
};

struct pull {
    struct job *job;
    struct reference *reference;
    struct registry *registry;
    struct fetcher *fetcher;
    struct document manifest_document, config_document;
    struct manifest *manifest;
    struct image_config *config;
    struct layers *layers;
    bool only_digest;   /* end at the first document behind the reference */
    char *index_digest; /* of the index the manifest came from, or NULL */
    bool ended;
    int result;
    struct error error;
};

static void pull_end(struct pull *pull, int result, const struct error *err)
{
    if (pull->ended)
        return;
    pull->ended = true;
    pull->result = result;
    if (result < 0)
        pull->error = *err;
    loop_stop(&pull->job->loop);
}

static int document_request(struct pull *pull, struct document *document, uint32_t id, const char *name,
                            struct error *err)
{
    struct fetch_request request = {.id = id,
                                    .kind = id == ID_MANIFEST ? FETCH_MANIFEST : FETCH_BLOB,
                                    .size = document->size >= 0 ? document->size : JSON_DOCUMENT_MAX};
    str_copy(request.name, sizeof(request.name), name);
    cleanup_close_fn(&document->fd);
    document->fd = memfd_create("document", MFD_CLOEXEC);
    if (document->fd < 0)
        return error_errno(err, "memfd");
    return fetcher_request(pull->fetcher, &request, document->fd, err);
}

/* Takes the document out of its file and checks it. */
static int document_read(struct pull *pull, struct document *document, const struct report *report,
                         struct error *err)
{
    char digest[DIGEST_TEXT];
    size_t size = (size_t)report->value, got;
    if (report->value > JSON_DOCUMENT_MAX)
        return error_set(err, EFBIG, "it is larger than %d bytes", JSON_DOCUMENT_MAX);
    document->data = mem_array(pull, char, size + 1);
    if (lseek(document->fd, 0, SEEK_SET) < 0)
        return error_errno(err, "seek");
    int r = fd_read_full(document->fd, document->data, size, &got, err);
    if (r < 0)
        return r;
    document->data_size = got;
    hash_of(document->data, got, digest);
    if (document->digest[0] && !str_eq(document->digest, digest)) {
        error_set(err, EBADMSG, "its content has the digest %s instead of %s", digest, document->digest);
        return error_hint(err, "the registry sent something else than was asked for");
    }
    if (document->size >= 0 && (int64_t)got != document->size)
        return error_set(err, EBADMSG, "it has %zu bytes instead of %lld", got, (long long)document->size);
    str_copy(document->digest, sizeof(document->digest), digest);
    return 0;
}

static int select_manifest(struct pull *pull, const struct manifest *index, struct error *err)
{
    const struct descriptor *entry;
    struct document *document = &pull->manifest_document;
    if (pull->index_digest)
        return error_set(err, EBADMSG, "an index inside an index");
    int r = manifest_select(index, &pull->job->platform, &entry, err);
    if (r < 0)
        return r;
    pull->index_digest = mem_strdup(pull, document->digest);
    str_copy(document->digest, sizeof(document->digest), entry->digest);
    document->size = entry->size;
    if (document->size > JSON_DOCUMENT_MAX)
        return error_set(err, EFBIG, "the manifest has %lld bytes; the limit is %d", (long long)entry->size,
                         JSON_DOCUMENT_MAX);
    return document_request(pull, document, ID_MANIFEST, entry->digest, err);
}

static int handle_manifest(struct pull *pull, const struct report *report, struct error *err)
{
    struct document *document = &pull->manifest_document;
    struct manifest *manifest;
    int r = document_read(pull, document, report, err);
    if (r < 0)
        return error_wrap(err, "manifest");
    r = manifest_parse(pull, document->data, document->data_size, report->length ? report->text : NULL,
                       &manifest, err);
    if (r < 0)
        return r;
    if (pull->only_digest) {
        pull_end(pull, 0, NULL);
        return 0;
    }
    if (manifest->kind == MANIFEST_INDEX)
        return select_manifest(pull, manifest, err);
    pull->manifest = manifest;
    pull->config_document.size = manifest->config.size;
    str_copy(pull->config_document.digest, sizeof(pull->config_document.digest), manifest->config.digest);
    return document_request(pull, &pull->config_document, ID_CONFIG, manifest->config.digest, err);
}

static int check_config(struct pull *pull, struct error *err)
{
    const struct image_config *config = pull->config;
    char have[PLATFORM_TEXT], want[PLATFORM_TEXT];
    if (config->diff_id_count != pull->manifest->entry_count)
        return error_set(err, EBADMSG, "the manifest has %zu layers, the configuration %zu",
                         pull->manifest->entry_count, config->diff_id_count);
    struct platform asked = pull->job->platform, is = config->platform;
    asked.variant[0] = is.variant[0] = '\0'; /* builders often leave it out */
    platform_print(&config->platform, have);
    platform_print(&pull->job->platform, want);
    if (!str_eq(asked.os, is.os) ||
        ((pull->index_digest || pull->job->platform_given) && !str_eq(asked.architecture, is.architecture)))
        return error_set(err, ENOEXEC, "the image is made for %s, not for %s", have, want);
    return 0;
}

static int record_image(struct pull *pull, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct job *job = pull->job;
    const struct document *config = &pull->config_document, *manifest = &pull->manifest_document;
    int r = job_store_blob(job, config->digest, config->data, config->data_size, err);
    if (r == 0)
        r = job_store_blob(job, manifest->digest, manifest->data, manifest->data_size, err);
    if (r < 0)
        return r;
    struct image_record record = {.manifest = mem_strdup(tmp, manifest->digest),
                                  .config = mem_strdup(tmp, config->digest),
                                  .platform = pull->config->platform,
                                  .layers = layers_chain(pull->layers),
                                  .sizes = layers_sizes(pull->layers, tmp),
                                  .references = strv_new(tmp, reference_print(tmp, pull->reference), NULL)};
    if (pull->index_digest)
        record.digests = strv_new(tmp, pull->index_digest, NULL);
    return image_index_record(job->store, &record, err);
}

static void on_layers(void *data, int result, struct error *err)
{
    struct pull *pull = data;
    pull_end(pull, result, err);
}

static int handle_config(struct pull *pull, const struct report *report, struct error *err)
{
    struct document *document = &pull->config_document;
    int r = document_read(pull, document, report, err);
    if (r < 0)
        return error_wrap(err, "image configuration");
    r = image_config_parse(pull, document->data, document->data_size, &pull->config, err);
    if (r == 0)
        r = check_config(pull, err);
    if (r < 0)
        return r;
    struct layer_source *sources = mem_array(pull, struct layer_source, pull->manifest->entry_count + 1);
    for (size_t i = 0; i < pull->manifest->entry_count; i++)
        sources[i] = (struct layer_source){
            .digest = pull->manifest->entries[i].digest, .size = pull->manifest->entries[i].size, .fd = -1};
    const struct layers_request request = {.job = pull->job,
                                           .diff_ids = pull->config->diff_ids,
                                           .sources = sources,
                                           .count = pull->manifest->entry_count,
                                           .fetcher = pull->fetcher,
                                           .done = on_layers,
                                           .data = pull};
    return layers_start(pull, &request, &pull->layers, err);
}

static void on_report(void *data, const struct report *report)
{
    struct pull *pull = data;
    struct error err = ERROR_INIT;
    bool is_document = report->id == ID_MANIFEST || report->id == ID_CONFIG;
    int r = 0;
    if (pull->ended)
        return;
    if (pull->layers && report->id < pull->manifest->entry_count) {
        layers_report(pull->layers, report);
        return;
    }
    if (report->kind == REPORT_ERROR) {
        report_error(report, &err);
        r = -err.code;
    } else if (report->kind == REPORT_DONE && report->id == ID_MANIFEST && !pull->manifest) {
        r = handle_manifest(pull, report, &err);
    } else if (report->kind == REPORT_DONE && report->id == ID_CONFIG && pull->manifest && !pull->config) {
        r = handle_config(pull, report, &err);
    } else if (report->kind == REPORT_RETRY && is_document) {
        emit_progress(&pull->job->emit, NULL, TRANSFER_RETRYING, 0, 0);
    } else if (report->kind != REPORT_PROGRESS || !is_document) {
        r = error_set(&err, EBADMSG, "the download process reported nonsense");
    }
    if (r < 0)
        pull_end(pull, r, &err);
}

static int pull_start(struct pull *pull, struct error *err)
{
    const struct reference *reference = pull->reference;
    struct document *document = &pull->manifest_document;
    int r = registry_open(pull, reference, pull->job->store->config, &pull->registry, err);
    if (r == 0)
        r = fetcher_start(pull, pull->job, pull->registry, on_report, pull, &pull->fetcher, err);
    if (r < 0)
        return r;
    emit_progress(&pull->job->emit, NULL, TRANSFER_RESOLVING, 0, 0);
    if (reference->digest)
        str_copy(document->digest, sizeof(document->digest), reference->digest);
    return document_request(pull, document, ID_MANIFEST,
                            reference->digest ? reference->digest : reference->tag, err);
}

static int pull_destroy(struct pull *pull)
{
    cleanup_close_fn(&pull->manifest_document.fd);
    cleanup_close_fn(&pull->config_document.fd);
    return 0;
}

static int pull_run(struct job *job, bool only_digest, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct pull *pull = mem_new(tmp, struct pull);
    *pull = (struct pull){
        .job = job,
        .only_digest = only_digest,
        .manifest_document = {.size = -1, .fd = -1},
        .config_document = {.size = -1, .fd = -1}
    };
    talloc_set_destructor(pull, pull_destroy);
    int r = reference_parse(pull, job->reference, &pull->reference, err);
    if (r == 0)
        r = pull_start(pull, err);
    if (r == 0)
        r = loop_run(&job->loop, err);
    if (r == 0 && pull->result < 0) {
        *err = pull->error;
        r = pull->result;
    }
    if (r == 0 && !only_digest)
        r = record_image(pull, err);
    if (r == 0)
        emit_done(&job->emit, pull->manifest_document.digest);
    return r;
}

int job_pull(struct job *job, struct error *err)
{
    return pull_run(job, false, err);
}

int job_digest(struct job *job, struct error *err)
{
    return pull_run(job, true, err);
}
