/*
 * load: images from an archive that `docker save` wrote, or from a tar of an OCI image layout.
 *
 * The archive is unpacked like a layer, by confined processes, but name by name as it is. What it holds is
 * then opened with RESOLVE_IN_ROOT (archives of old docker versions use symbolic links for repeated layers),
 * so no name leads out of it. Its layers go the way of downloaded ones.
 */
#include "base/str.h"
#include "base/strv.h"
#include "imaged/archive.h"
#include "imaged/hash.h"
#include "imaged/layers.h"
#include "oci/json.h"
#include "oci/reference.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>

struct blob {
    char digest[DIGEST_TEXT];
    char *data;
    size_t size;
};

struct load {
    struct job *job;
    int dir;
    size_t image_count;
    char last[DIGEST_TEXT]; /* manifest of the last image */
    int status;             /* of the layers under way */
    struct error error;
};

/* An image of the archive, ready to be taken. */
struct loaded {
    struct blob config, manifest;
    struct image_config *parsed;
    struct layer_source *sources;
    char **references;
};

static int open_file(struct load *load, const char *path, int *ret_fd, int64_t *ret_size, struct error *err)
{
    cleanup_close int fd = -1;
    struct stat st;
    int r = fs_open_in_root(load->dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, err);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "'%s' is not a file", path);
    *ret_size = st.st_size;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int read_blob(const void *owner, struct load *load, const char *path, struct blob *ret,
                     struct error *err)
{
    cleanup_close int fd = -1;
    int64_t size;
    int r = open_file(load, path, &fd, &size, err);
    if (r < 0)
        return r;
    if (size > JSON_DOCUMENT_MAX)
        return error_set(err, EFBIG, "'%s' is larger than %d bytes", path, JSON_DOCUMENT_MAX);
    struct blob blob = {.data = mem_array(owner, char, (size_t)size + 1)};
    r = fd_read_full(fd, blob.data, (size_t)size, &blob.size, err);
    if (r < 0)
        return r;
    hash_of(blob.data, blob.size, blob.digest);
    *ret = blob;
    return 0;
}

/* A blob of an OCI layout, whose content must be what its name says. */
static int read_named_blob(const void *owner, struct load *load, const char *digest, struct blob *ret,
                           struct error *err)
{
    int r = read_blob(owner, load, mem_printf(owner, "blobs/sha256/%s", digest_hex(digest)), ret, err);
    if (r == 0 && !str_eq(ret->digest, digest))
        r = error_set(err, EBADMSG, "the content of '%s' has the digest %s", digest, ret->digest);
    return r;
}

static void on_layers(void *data, int result, struct error *err)
{
    struct load *load = data;
    load->status = result;
    if (result < 0)
        load->error = *err;
    loop_stop(&load->job->loop);
}

static int take_layers(struct load *load, const void *owner, const struct loaded *image, struct layers **ret,
                       struct error *err)
{
    const struct layers_request request = {.job = load->job,
                                           .diff_ids = image->parsed->diff_ids,
                                           .sources = image->sources,
                                           .count = image->parsed->diff_id_count,
                                           .done = on_layers,
                                           .data = load};
    load->status = 1;
    int r = layers_start(owner, &request, ret, err);
    if (r == 0 && load->status == 1) /* all there already: it is over before the loop begins */
        r = loop_run(&load->job->loop, err);
    if (r == 0 && load->status < 0) {
        *err = load->error;
        r = load->status;
    }
    return r;
}

static int take_image(struct load *load, const struct loaded *image, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct job *job = load->job;
    struct layers *layers;
    int r = take_layers(load, tmp, image, &layers, err);
    if (r == 0)
        r = job_store_blob(job, image->config.digest, image->config.data, image->config.size, err);
    if (r == 0)
        r = job_store_blob(job, image->manifest.digest, image->manifest.data, image->manifest.size, err);
    if (r < 0)
        return r;
    const struct image_record record = {.manifest = mem_strdup(tmp, image->manifest.digest),
                                        .config = mem_strdup(tmp, image->config.digest),
                                        .platform = image->parsed->platform,
                                        .layers = layers_chain(layers),
                                        .sizes = layers_sizes(layers, tmp),
                                        .references = image->references};
    str_copy(load->last, sizeof(load->last), image->manifest.digest);
    load->image_count++;
    return image_index_record(job->store, &record, err);
}

static int add_reference(const void *owner, struct loaded *image, const char *name, struct error *err)
{
    struct reference *reference;
    int r = reference_parse(owner, name, &reference, err);
    if (r == 0)
        image->references = strv_add(owner, image->references, reference_print(owner, reference));
    return r;
}

/* docker's form has no manifest, so one is made that says the same. */
static void make_manifest(const void *owner, struct loaded *image)
{
    size_t count = image->parsed->diff_id_count;
    struct manifest manifest = {.entries = mem_array(owner, struct descriptor, count + 1),
                                .entry_count = count};
    manifest.config = (struct descriptor){.media_type = mem_strdup(owner, MEDIA_OCI_CONFIG),
                                          .size = (int64_t)image->config.size};
    str_copy(manifest.config.digest, DIGEST_TEXT, image->config.digest);
    for (size_t i = 0; i < count; i++) {
        manifest.entries[i] = (struct descriptor){.media_type = mem_strdup(owner, MEDIA_OCI_LAYER),
                                                  .size = image->sources[i].size};
        str_copy(manifest.entries[i].digest, DIGEST_TEXT, image->parsed->diff_ids[i]);
    }
    image->manifest.data = manifest_print(owner, &manifest);
    image->manifest.size = strlen(image->manifest.data);
    hash_of(image->manifest.data, image->manifest.size, image->manifest.digest);
}

static int load_saved_image(struct load *load, const json_t *object, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct loaded image = {0};
    const char *config;
    char **tags, **paths;
    int r = 0;
    if ((r = json_text(object, "Config", &config, err)) < 0 ||
        (r = json_texts(tmp, object, "RepoTags", &tags, err)) < 0 ||
        (r = json_texts(tmp, object, "Layers", &paths, err)) < 0)
        return r;
    if (!config)
        return error_set(err, EBADMSG, "'Config' is missing");
    if ((r = read_blob(tmp, load, config, &image.config, err)) < 0 ||
        (r = image_config_parse(tmp, image.config.data, image.config.size, &image.parsed, err)) < 0)
        return r;
    size_t count = image.parsed->diff_id_count, opened = 0;
    if (strv_len(paths) != count)
        return error_set(err, EBADMSG, "%zu layers, but the configuration names %zu", strv_len(paths), count);
    image.sources = mem_array(tmp, struct layer_source, count + 1);
    for (size_t i = 0; r == 0 && tags && tags[i]; i++)
        r = add_reference(tmp, &image, tags[i], err);
    for (; r == 0 && opened < count; opened += r == 0)
        r = open_file(load, paths[opened], &image.sources[opened].fd, &image.sources[opened].size, err);
    if (r < 0) {
        while (opened)
            close(image.sources[--opened].fd);
        return r;
    }
    make_manifest(tmp, &image);
    return take_image(load, &image, err);
}

static int load_saved(struct load *load, const struct blob *list, struct error *err)
{
    json_error_t problem;
    json_t *item;
    size_t i;
    int r = 0;
    cleanup_json json_t *doc = json_loadb(list->data, list->size, JSON_REJECT_DUPLICATES, &problem);
    if (!doc || !json_is_array(doc))
        return error_set(err, EBADMSG, "manifest.json: %s", doc ? "not a list" : problem.text);
    json_array_foreach (doc, i, item) {
        r = json_is_object(item) ? load_saved_image(load, item, err)
                                 : error_set(err, EBADMSG, "not an object");
        if (r < 0)
            return error_wrap(err, "manifest.json[%zu]", i);
    }
    return 0;
}

static int load_layout_manifest(struct load *load, struct loaded *image, const struct manifest *manifest,
                                const void *owner, struct error *err)
{
    size_t count = manifest->entry_count, opened = 0;
    int r = read_named_blob(owner, load, manifest->config.digest, &image->config, err);
    if (r == 0)
        r = image_config_parse(owner, image->config.data, image->config.size, &image->parsed, err);
    if (r < 0)
        return r;
    if (count != image->parsed->diff_id_count)
        return error_set(err, EBADMSG, "the manifest has %zu layers, the configuration %zu", count,
                         image->parsed->diff_id_count);
    image->sources = mem_array(owner, struct layer_source, count + 1);
    for (; r == 0 && opened < count; opened += r == 0) {
        struct layer_source *source = &image->sources[opened];
        char *path = mem_printf(owner, "blobs/sha256/%s", digest_hex(manifest->entries[opened].digest));
        source->digest = manifest->entries[opened].digest;
        r = open_file(load, path, &source->fd, &source->size, err);
    }
    if (r < 0) {
        while (opened)
            close(image->sources[--opened].fd);
        return r;
    }
    return take_image(load, image, err);
}

static int load_layout_entry(struct load *load, const struct descriptor *entry, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct loaded image = {0};
    struct manifest *manifest;
    const struct descriptor *chosen;
    int r = read_named_blob(tmp, load, entry->digest, &image.manifest, err);
    if (r == 0)
        r = manifest_parse(tmp, image.manifest.data, image.manifest.size, NULL, &manifest, err);
    if (r == 0 && manifest->kind == MANIFEST_INDEX) {
        r = manifest_select(manifest, &load->job->platform, &chosen, err);
        if (r == 0)
            r = read_named_blob(tmp, load, chosen->digest, &image.manifest, err);
        if (r == 0)
            r = manifest_parse(tmp, image.manifest.data, image.manifest.size, NULL, &manifest, err);
    }
    if (r == 0 && manifest->kind == MANIFEST_INDEX)
        r = error_set(err, EBADMSG, "an index inside an index");
    /* The short annotation is often only a tag, which names nothing. */
    const char *name = entry->name;
    if (!name && entry->ref_name && strpbrk(entry->ref_name, "/:"))
        name = entry->ref_name;
    if (r == 0 && name)
        r = add_reference(tmp, &image, name, err);
    return r < 0 ? r : load_layout_manifest(load, &image, manifest, tmp, err);
}

static int load_layout(struct load *load, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct blob blob;
    struct manifest *index;
    if (read_blob(tmp, load, "index.json", &blob, NULL) < 0) {
        error_set(err, EINVAL, "neither manifest.json nor index.json is in it");
        return error_hint(err, "load takes what 'docker save' wrote; a root file system is for import");
    }
    int r = manifest_parse(tmp, blob.data, blob.size, NULL, &index, err);
    if (r == 0 && index->kind != MANIFEST_INDEX)
        r = error_set(err, EBADMSG, "not an index");
    if (r < 0)
        return error_wrap(err, "index.json");
    for (size_t i = 0; i < index->entry_count; i++) {
        r = index->entries[i].is_image ? load_layout_entry(load, &index->entries[i], err) : 0;
        if (r < 0)
            return error_wrap(err, "index.json: manifests[%zu]", i);
    }
    return 0;
}

int job_load(struct job *job, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct load load = {.job = job};
    struct layer_dir *dir;
    struct archive_result ignored;
    struct blob list;
    if (!job->path)
        return error_set(err, EINVAL, "load needs an archive");
    int r = layer_dir_make(tmp, job, mem_printf(tmp, "load-%d", (int)getpid()), &dir, err);
    if (r == 0)
        r = archive_unpack(job, dir, true, NULL, &ignored, err);
    if (r < 0)
        return r;
    load.dir = dir->fd;
    if (read_blob(tmp, &load, "manifest.json", &list, NULL) == 0)
        r = load_saved(&load, &list, err);
    else
        r = load_layout(&load, err);
    if (r == 0 && load.image_count == 0)
        r = error_set(err, ENOENT, "there is no image in it");
    if (r < 0)
        return error_wrap(err, "archive '%s'", job->path);
    emit_done(&job->emit, load.last);
    return 0;
}
