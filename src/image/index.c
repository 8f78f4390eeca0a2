#include "image/index.h"

#include "base/str.h"
#include "base/strv.h"
#include "oci/digest.h"
#include "oci/json.h"
#include "sys/fs.h"

#include <time.h>

enum { INDEX_VERSION = 1 };

char *image_store_path(const void *owner, const struct image_store *store, const char *name)
{
    return mem_printf(owner, "%s/%s", store->root, name);
}

char *image_blob_path(const void *owner, const struct image_store *store, const char *digest)
{
    return mem_printf(owner, "%s/blobs/sha256/%s", store->root, digest_hex(digest));
}

char *image_layer_path(const void *owner, const struct image_store *store, const char *hex)
{
    return mem_printf(owner, "%s/layers/%s", store->root, hex);
}

static int sizes_parse(struct image_record *record, const json_t *object, struct error *err)
{
    json_t *list;
    size_t count = strv_len(record->layers);
    int r = json_child(object, "sizes", JSON_ARRAY, &list, err);
    if (r < 0)
        return r;
    if (json_array_size(list) != count)
        return error_set(err, EBADMSG, "%zu sizes of %zu layers", json_array_size(list), count);
    record->sizes = mem_array(record, int64_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        record->sizes[i] = json_integer_value(json_array_get(list, i));
        record->size += record->sizes[i];
    }
    return 0;
}

static int record_parse(const void *owner, const json_t *object, struct image_record **ret, struct error *err)
{
    struct image_record *record = mem_new(owner, struct image_record);
    const char *manifest, *config, *os, *architecture, *variant;
    int r = 0;
    if ((r = json_text(object, "manifest", &manifest, err)) < 0 ||
        (r = json_text(object, "config", &config, err)) < 0 || (r = json_text(object, "os", &os, err)) < 0 ||
        (r = json_text(object, "architecture", &architecture, err)) < 0 ||
        (r = json_text(object, "variant", &variant, err)) < 0 ||
        (r = json_texts(record, object, "layers", &record->layers, err)) < 0 ||
        (r = json_texts(record, object, "references", &record->references, err)) < 0 ||
        (r = json_texts(record, object, "digests", &record->digests, err)) < 0 ||
        (r = sizes_parse(record, object, err)) < 0)
        return r;
    if (!digest_is_valid(manifest) || !digest_is_valid(config))
        return error_set(err, EBADMSG, "'manifest' or 'config' is not a digest");
    for (size_t i = 0; record->layers && record->layers[i]; i++)
        if (!digest_is_hex(record->layers[i]))
            return error_set(err, EBADMSG, "layers[%zu] is not a chain id", i);
    record->manifest = mem_strdup(record, manifest);
    record->config = mem_strdup(record, config);
    platform_set(&record->platform, os, architecture, variant);
    record->tagged = json_integer_value(json_object_get(object, "tagged"));
    *ret = record;
    return 0;
}

static int index_parse(struct image_index *index, const json_t *doc, struct error *err)
{
    json_t *images, *item;
    size_t i;
    int64_t version;
    int r = json_whole(doc, "version", 0, INT64_MAX, &version, err);
    if (r < 0)
        return r;
    if (version != INDEX_VERSION)
        return error_set(err, ENOTSUP, "version %lld is not one that this program knows", (long long)version);
    r = json_child(doc, "images", JSON_ARRAY, &images, err);
    if (r < 0)
        return r;
    json_array_foreach (images, i, item) {
        struct image_record *record;
        r = record_parse(index, item, &record, err);
        if (r < 0)
            return error_wrap(err, "images[%zu]", i);
        mem_append(index, index->records, index->count, record);
    }
    return 0;
}

int image_index_read(const void *owner, const struct image_store *store, struct image_index **ret,
                     struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct image_index *index = mem_new(tmp, struct image_index);
    char *path = image_store_path(tmp, store, "images.json"), *data;
    size_t size;
    int r = fs_read_file(tmp, path, INDEX_LIMIT, &data, &size, err);
    if (r < 0)
        return r;
    if (r != FS_ABSENT) {
        cleanup_json json_t *doc = NULL;
        json_error_t problem;
        doc = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
        r = doc ? index_parse(index, doc, err)
                : error_set(err, EBADMSG, "line %d: %s", problem.line, problem.text);
        if (r < 0) {
            error_wrap(err, "image index '%s'", path);
            return error_hint(err, "move the file away and pull the images again");
        }
    }
    *ret = talloc_move(owner, &index);
    return 0;
}

static json_t *print_vector(char *const *v)
{
    json_t *list = json_array();
    for (; v && *v; v++)
        json_array_append_new(list, json_string(*v));
    return list;
}

static json_t *print_sizes(const struct image_record *record)
{
    json_t *list = json_array();
    for (size_t i = 0; i < strv_len(record->layers); i++)
        json_array_append_new(list, json_integer(record->sizes[i]));
    return list;
}

int image_index_write(const struct image_store *store, const struct image_index *index, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    json_t *images = json_array();
    for (size_t i = 0; i < index->count; i++) {
        const struct image_record *record = index->records[i];
        json_array_append_new(
            images, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "manifest",
                              record->manifest, "config", record->config, "os", record->platform.os,
                              "architecture", record->platform.architecture, "variant",
                              record->platform.variant, "tagged", (json_int_t)record->tagged, "sizes",
                              print_sizes(record), "layers", print_vector(record->layers), "references",
                              print_vector(record->references), "digests", print_vector(record->digests)));
    }
    cleanup_json json_t *doc = json_pack("{s:i, s:o}", "version", INDEX_VERSION, "images", images);
    cleanup_malloc char *text = mem_check(json_dumps(doc, JSON_INDENT(1)));
    return fs_write_file(image_store_path(tmp, store, "images.json"), text, strlen(text), 0600, true, err);
}

int image_index_lock(const struct image_store *store, int *ret_fd, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = fs_mkdir_p(store->root, 0711, err);
    return r < 0 ? r : fs_lock(image_store_path(tmp, store, "images.lock"), false, true, ret_fd, err);
}

static char **without(char **v, const char *s)
{
    size_t kept = 0;
    for (size_t i = 0; v && v[i]; i++)
        if (!str_eq(v[i], s))
            v[kept++] = v[i];
    if (v)
        v[kept] = NULL;
    return v;
}

static void add_missing(struct image_record *record, char ***v, char *const *more)
{
    for (; more && *more; more++)
        if (!strv_contains(*v, *more))
            *v = strv_add(record, *v, *more);
}

/* Of layers that were there before: from another image that has them, or else from the disk. */
static int64_t *complete_sizes(const struct image_store *store, const struct image_index *index,
                               const struct image_record *record)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    size_t count = strv_len(record->layers);
    int64_t *sizes = mem_array(index, int64_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        sizes[i] = record->sizes[i];
        for (size_t n = 0; sizes[i] < 0 && n < index->count; n++)
            for (size_t l = 0; sizes[i] < 0 && l < strv_len(index->records[n]->layers); l++)
                if (str_eq(index->records[n]->layers[l], record->layers[i]))
                    sizes[i] = index->records[n]->sizes[l];
        if (sizes[i] < 0)
            sizes[i] = image_tree_bytes(image_layer_path(tmp, store, record->layers[i]));
    }
    return sizes;
}

int image_index_record(const struct image_store *store, const struct image_record *record, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct image_index *index;
    int r = image_index_lock(store, &lock, err);
    if (r == 0)
        r = image_index_read(tmp, store, &index, err);
    if (r < 0)
        return r;
    struct image_record *known = NULL;
    for (size_t i = 0; i < index->count; i++) {
        struct image_record *other = index->records[i];
        if (str_eq(other->manifest, record->manifest))
            known = other;
        else if (platform_match(&record->platform, &other->platform) == 0)
            for (size_t n = 0; record->references && record->references[n]; n++)
                other->references = without(other->references, record->references[n]);
    }
    if (!known) {
        known = mem_new(index, struct image_record);
        *known = (struct image_record){.manifest = record->manifest,
                                       .config = record->config,
                                       .platform = record->platform,
                                       .layers = record->layers,
                                       .sizes = complete_sizes(store, index, record)};
        mem_append(index, index->records, index->count, known);
    }
    known->tagged = time(NULL);
    add_missing(known, &known->references, record->references);
    add_missing(known, &known->digests, record->digests);
    return image_index_write(store, index, err);
}
