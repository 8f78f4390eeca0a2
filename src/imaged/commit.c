/* commit: an image, a layer more, and what its configuration says now. */
#include "base/str.h"
#include "base/strv.h"
#include "imaged/archive.h"
#include "imaged/hash.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "sys/fs.h"

#include <jansson.h>
#include <time.h>

enum { DOCUMENT_MAX = 4 << 20 };

struct commit {
    struct job *job;
    struct image_record *parent;
    struct archive_result layer;
    char chain[DIGEST_HEX + 1]; /* of the new layer */
    json_t *changes;            /* see job.h */
};

static int find_parent(const void *owner, struct commit *commit, const char *config, struct error *err)
{
    struct image_index *index;
    int r = image_index_read(owner, commit->job->store, &index, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < index->count; i++)
        if (str_eq(index->records[i]->config, config)) {
            commit->parent = index->records[i];
            return 0;
        }
    return error_set(err, ENOENT, "the container's image %s is not in the store any more", config);
}

static int read_blob(const void *owner, const struct commit *commit, const char *digest, char **ret,
                     size_t *ret_size, struct error *err)
{
    char *path = image_blob_path(owner, commit->job->store, digest);
    int r = fs_read_file(owner, path, DOCUMENT_MAX, ret, ret_size, err);
    return r == FS_ABSENT ? error_set(err, ENOENT, "'%s' is missing", path) : r;
}

static char *time_now(const void *owner)
{
    char text[64];
    time_t now = time(NULL);
    struct tm tm;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    return mem_strdup(owner, text);
}

static json_t *make_history(const struct commit *commit, const char *created)
{
    json_t *entry = json_object();
    json_object_set_new(entry, "created", json_string(created));
    json_object_set(entry, "author", json_object_get(commit->changes, "author"));
    json_object_set(entry, "comment", json_object_get(commit->changes, "comment"));
    json_object_set(entry, "created_by", json_object_get(commit->changes, "created_by"));
    return entry;
}

/* The member as an object or array of `object`, made anew when it is none. */
static json_t *member(json_t *object, const char *key, json_t *fresh)
{
    json_t *found = json_object_get(object, key);
    if (found && json_typeof(found) == json_typeof(fresh)) {
        json_decref(fresh);
        return found;
    }
    json_object_set_new(object, key, fresh);
    return fresh;
}

static int make_config(const void *owner, const struct commit *commit, char **ret, struct error *err)
{
    char *text, *created = time_now(owner);
    size_t size;
    int r = read_blob(owner, commit, commit->parent->config, &text, &size, err);
    if (r < 0)
        return r;
    json_t *config = json_loadb(text, size, 0, NULL);
    if (!json_is_object(config)) {
        json_decref(config);
        return error_set(err, EBADMSG, "the configuration of image %s is damaged", commit->parent->config);
    }
    json_object_update_recursive(member(config, "config", json_object()),
                                 json_object_get(commit->changes, "config"));
    json_array_append_new(member(member(config, "rootfs", json_object()), "diff_ids", json_array()),
                          json_string(commit->layer.diff));
    json_array_append_new(member(config, "history", json_array()), make_history(commit, created));
    json_object_set_new(config, "created", json_string(created));
    json_object_set(config, "author", json_object_get(commit->changes, "author"));
    cleanup_malloc char *printed = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(config);
    *ret = mem_strdup(owner, printed ? printed : "");
    return printed ? 0 : error_set(err, EINVAL, "the configuration is not valid UTF-8");
}

/* The parent's layers, which keep the digests they came with, and the new one. */
static int make_manifest(const void *owner, const struct commit *commit, const char *config, char **ret,
                         char config_digest[DIGEST_TEXT], struct error *err)
{
    char *text;
    size_t size;
    struct manifest *manifest;
    struct descriptor layer = {.media_type = mem_strdup(owner, MEDIA_OCI_LAYER),
                               .size = commit->layer.plain_size};
    int r = read_blob(owner, commit, commit->parent->manifest, &text, &size, err);
    if (r == 0)
        r = manifest_parse(owner, text, size, NULL, &manifest, err);
    if (r < 0)
        return r;
    if (manifest->entry_count >= MANIFEST_LAYERS_MAX)
        return error_set(err, E2BIG, "the image has %zu layers already", manifest->entry_count);
    str_copy(layer.digest, sizeof(layer.digest), commit->layer.diff);
    mem_append(owner, manifest->entries, manifest->entry_count, layer);
    manifest->config = (struct descriptor){.media_type = mem_strdup(owner, MEDIA_OCI_CONFIG),
                                           .size = (int64_t)strlen(config)};
    hash_of(config, strlen(config), manifest->config.digest);
    str_copy(config_digest, DIGEST_TEXT, manifest->config.digest);
    *ret = manifest_print(owner, manifest);
    return 0;
}

static int record(const void *owner, const struct commit *commit, const char *reference,
                  const char *config_digest, const char *manifest_digest, struct error *err)
{
    size_t count = strv_len(commit->parent->layers);
    int64_t *sizes = mem_array(owner, int64_t, count + 1);
    memcpy(sizes, commit->parent->sizes, count * sizeof(*sizes));
    sizes[count] = commit->layer.unpacked;
    const struct image_record image = {
        .manifest = mem_strdup(owner, manifest_digest),
        .config = mem_strdup(owner, config_digest),
        .platform = commit->parent->platform,
        .layers = strv_add(owner, strv_dup(owner, commit->parent->layers), commit->chain),
        .sizes = sizes,
        .references = reference ? strv_new(owner, reference, NULL) : NULL};
    return image_index_record(commit->job->store, &image, err);
}

static int publish(const void *owner, struct commit *commit, struct layer_dir *dir, const char *reference,
                   struct error *err)
{
    struct job *job = commit->job;
    char *config = NULL, *manifest = NULL, config_digest[DIGEST_TEXT], manifest_digest[DIGEST_TEXT];
    size_t count = strv_len(commit->parent->layers);
    hash_chain(count ? commit->parent->layers[count - 1] : NULL, digest_hex(commit->layer.diff),
               commit->chain);
    int r = make_config(owner, commit, &config, err);
    if (r == 0)
        r = make_manifest(owner, commit, config, &manifest, config_digest, err);
    if (r < 0)
        return r;
    hash_of(manifest, strlen(manifest), manifest_digest);
    if (syncfs(dir->fd) < 0)
        return error_errno(err, "sync the layer");
    r = layer_dir_publish(job, dir, commit->chain, err);
    if (r == 0)
        r = layer_dirs_sync(job, err);
    if (r == 0)
        r = job_store_blob(job, config_digest, config, strlen(config), err);
    if (r == 0)
        r = job_store_blob(job, manifest_digest, manifest, strlen(manifest), err);
    if (r == 0)
        r = record(owner, commit, reference, config_digest, manifest_digest, err);
    if (r == 0)
        emit_done(&job->emit, manifest_digest);
    return r;
}

static int read_changes(const char *text, json_t **ret, struct error *err)
{
    json_t *changes = text ? json_loads(text, 0, NULL) : NULL;
    if (!json_is_string(json_object_get(changes, "parent"))) {
        json_decref(changes);
        return error_set(err, EINVAL, "commit needs the changes with the parent's name");
    }
    *ret = changes;
    return 0;
}

int job_commit(struct job *job, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct commit commit = {.job = job};
    struct reference *reference = NULL;
    struct layer_dir *dir;
    int r = read_changes(job->changes, &commit.changes, err);
    if (r < 0)
        return r;
    if (job->reference)
        r = reference_parse(tmp, job->reference, &reference, err);
    if (r == 0 && reference && reference->digest)
        r = error_set(err, EINVAL, "a committed image can have a tag, but not a digest of its own choice");
    if (r == 0)
        r = find_parent(tmp, &commit, json_string_value(json_object_get(commit.changes, "parent")), err);
    if (r == 0)
        r = layer_dir_make(tmp, job, mem_printf(tmp, "commit-%d", (int)getpid()), &dir, err);
    if (r == 0)
        r = archive_unpack(job, dir, false, commit.parent->layers, &commit.layer, err);
    if (r == 0)
        r = publish(tmp, &commit, dir, reference ? reference_print(tmp, reference) : NULL, err);
    json_decref(commit.changes);
    return r;
}
