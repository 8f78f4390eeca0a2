#include "image/store.h"

#include "base/str.h"
#include "base/strv.h"
#include "image/index.h"
#include "oci/digest.h"
#include "oci/imgconfig.h"
#include "oci/json.h"
#include "oci/reference.h"
#include "sys/fs.h"

enum { PREFIX_MIN = 4 };

int image_store_open(const void *owner, const char *root, const char *libexec, const char *config,
                     struct image_store **ret, struct error *err)
{
    if (str_is_empty(root) || root[0] != '/')
        return error_set(err, EINVAL, "image store '%s' is not an absolute path", root ? root : "");
    struct image_store *store = mem_new(owner, struct image_store);
    store->root = mem_strdup(store, root);
    store->libexec = mem_strdup(store, libexec);
    store->config = mem_strdup(store, config);
    *ret = store;
    return 0;
}

static struct healthcheck *health_convert(const void *owner, const struct image_config_health *from)
{
    if (!from)
        return NULL;
    struct healthcheck *health = mem_new(owner, struct healthcheck);
    health->test = strv_dup(health, from->test);
    health->interval = from->interval;
    health->timeout = from->timeout;
    health->start_period = from->start_period;
    health->start_interval = from->start_interval;
    health->retries = from->retries;
    return health;
}

/* `image` takes over what `config` owns. */
static void image_fill(struct image *image, struct image_config *config)
{
    mem_steal(image, config);
    image->created = config->created;
    image->env = config->env;
    image->entrypoint = config->entrypoint;
    image->cmd = config->cmd;
    image->volumes = config->volumes;
    image->exposed_ports = config->exposed_ports;
    image->user = config->user;
    image->working_dir = config->working_dir;
    image->stop_signal = config->stop_signal;
    image->labels = config->labels;
    image->healthcheck = health_convert(image, config->health);
}

int image_from_record(const void *owner, const struct image_store *store, const struct image_record *record,
                      struct image **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = image_blob_path(tmp, store, record->config), *data;
    size_t size;
    struct image_config *config;
    int r = fs_read_file(tmp, path, JSON_DOCUMENT_MAX, &data, &size, err);
    if (r == FS_ABSENT)
        r = error_set(err, ENOENT, "'%s' is missing from the image store", path);
    if (r == 0)
        r = image_config_parse(tmp, data, size, &config, err);
    if (r < 0) {
        error_wrap(err, "image %s", record->references ? record->references[0] : record->manifest);
        return error_hint(err, "remove the image and pull it again");
    }
    struct image *image = mem_new(tmp, struct image);
    image->id = mem_strdup(image, record->config);
    image->manifest_digest = mem_strdup(image, record->manifest);
    image->references = strv_dup(image, record->references);
    strv_sort(image->references);
    image->size = record->size;
    image->tagged = record->tagged;
    image->os = mem_strdup(image, record->platform.os);
    image->architecture = mem_strdup(image, record->platform.architecture);
    image->variant = mem_strdup(image, record->platform.variant);
    for (size_t i = 0; record->layers && record->layers[i]; i++)
        image->layers = strv_addf(image, image->layers, "%s/layers/%s", store->root, record->layers[i]);
    image_fill(image, config);
    *ret = talloc_move(owner, &image);
    return 0;
}

/* A record whose layers are all there; an image that lost one counts as absent, so that it is pulled again.
 */
static bool record_is_whole(const struct image_store *store, const struct image_record *record)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (size_t i = 0; record->layers && record->layers[i]; i++)
        if (!fs_exists(image_layer_path(tmp, store, record->layers[i])))
            return false;
    return fs_exists(image_blob_path(tmp, store, record->config));
}

static bool record_is_named(const struct image_record *record, const struct reference *reference,
                            const char *name)
{
    if (strv_contains(record->references, name))
        return true;
    if (!reference->digest)
        return false;
    return str_eq(record->manifest, reference->digest) || strv_contains(record->digests, reference->digest);
}

static struct image_record *find_by_name(const struct image_store *store, const struct image_index *index,
                                         const struct reference *reference, const struct platform *want)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *name = reference_print(tmp, reference);
    struct platform host;
    platform_host(&host);
    struct image_record *best = NULL;
    int best_score = -1;
    for (size_t i = 0; i < index->count; i++) {
        struct image_record *record = index->records[i];
        if (!record_is_named(record, reference, name) || !record_is_whole(store, record))
            continue;
        int score = platform_match(want ? want : &host, &record->platform);
        if (score < 0 && want)
            continue;
        if (!best || (score >= 0 && (best_score < 0 || score < best_score))) {
            best = record;
            best_score = score;
        }
    }
    return best;
}

/* The digits of an image ID or of a prefix of one, or NULL when `text` cannot be that. */
static const char *id_prefix(const char *text)
{
    const char *hex = str_after(text, "sha256:");
    if (!hex)
        hex = text;
    size_t n = strspn(hex, "0123456789abcdef");
    return n >= PREFIX_MIN && n <= DIGEST_HEX && hex[n] == '\0' ? hex : NULL;
}

static int find_by_id(const struct image_store *store, const struct image_index *index, const char *hex,
                      const struct platform *want, struct image_record **ret, struct error *err)
{
    struct image_record *found = NULL;
    for (size_t i = 0; i < index->count; i++) {
        struct image_record *record = index->records[i];
        if (!str_starts(digest_hex(record->config), hex) || !record_is_whole(store, record) ||
            (want && platform_match(want, &record->platform) < 0))
            continue;
        if (found && !str_eq(found->config, record->config))
            return error_set(err, ENOTUNIQ, "image ID '%s' fits several images", hex);
        found = record;
    }
    *ret = found;
    return 0;
}

/* IMAGE_ABSENT, or the record that a user's words mean. */
static int find_record(const struct image_store *store, const struct image_index *index, const char *text,
                       const char *platform, bool *ret_by_id, struct image_record **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct platform want;
    const struct platform *wanted = NULL;
    struct reference *reference;
    struct image_record *record = NULL;
    const char *hex = id_prefix(text);
    int r = 0;
    if (!str_is_empty(platform)) {
        r = platform_parse(platform, &want, err);
        wanted = &want;
    }
    if (r < 0)
        return r;
    bool is_name = !str_starts(text, "sha256:") && !digest_is_hex(text);
    if (is_name && (r = reference_parse(tmp, text, &reference, err)) < 0)
        return r;
    if (is_name)
        record = find_by_name(store, index, reference, wanted);
    *ret_by_id = !record;
    if (!record && hex)
        r = find_by_id(store, index, hex, wanted, &record, err);
    else if (!record && !is_name)
        return error_set(err, EINVAL, "'%s' is not an image ID", text);
    if (r < 0)
        return r;
    *ret = record;
    return record ? 0 : IMAGE_ABSENT;
}

int image_find(const void *owner, struct image_store *store, const char *reference, const char *platform,
               struct image **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct image_index *index;
    struct image_record *record;
    bool by_id;
    int r = image_index_read(tmp, store, &index, err);
    if (r == 0)
        r = find_record(store, index, reference, platform, &by_id, &record, err);
    return r == 0 ? image_from_record(owner, store, record, ret, err) : r;
}

static int by_first_reference(const void *a, const void *b)
{
    const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;
    const char *p = x->references ? x->references[0] : NULL, *q = y->references ? y->references[0] : NULL;
    if (!p != !q)
        return p ? -1 : 1; /* nameless ones last */
    int order = p ? strcmp(p, q) : 0;
    return order ? order : strcmp(x->manifest_digest, y->manifest_digest);
}

int image_list(const void *owner, struct image_store *store, struct image ***ret, size_t *ret_count,
               struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct image_index *index;
    int r = image_index_read(tmp, store, &index, err);
    if (r < 0)
        return r;
    struct image **images = mem_array(tmp, struct image *, index->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < index->count; i++) {
        if (!record_is_whole(store, index->records[i]))
            continue;
        r = image_from_record(images, store, index->records[i], &images[count], err);
        if (r < 0)
            return r;
        count++;
    }
    qsort(images, count, sizeof(*images), by_first_reference);
    *ret = talloc_move(owner, &images);
    *ret_count = count;
    return 0;
}

static void index_drop(struct image_index *index, const struct image_record *record)
{
    for (size_t i = 0; i < index->count; i++)
        if (index->records[i] == record) {
            index->count--;
            memmove(&index->records[i], &index->records[i + 1], (index->count - i) * sizeof(*index->records));
            return;
        }
}

int image_remove(struct image_store *store, const char *reference, char *const *keep, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct image_index *index;
    struct image_record *record;
    bool by_id;
    int r = image_index_lock(store, &lock, err);
    if (r == 0)
        r = image_index_read(tmp, store, &index, err);
    if (r == 0)
        r = find_record(store, index, reference, NULL, &by_id, &record, err);
    if (r != 0)
        return r;
    size_t left = 0;
    if (!by_id) {
        struct reference *parsed;
        r = reference_parse(tmp, reference, &parsed, err);
        if (r < 0)
            return r;
        char *name = reference_print(tmp, parsed);
        for (size_t i = 0; record->references && record->references[i]; i++)
            if (!str_eq(record->references[i], name))
                record->references[left++] = record->references[i];
        if (record->references)
            record->references[left] = NULL;
    }
    if (left == 0)
        index_drop(index, record);
    r = image_index_write(store, index, err);
    int64_t bytes;
    return r < 0 ? r : image_collect(store, index, keep, false, &bytes, err);
}

static bool is_used(const struct image_record *record, char *const *used)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (; used && *used; used++) {
        struct reference *reference;
        const char *hex = id_prefix(*used);
        if (hex && (str_starts(digest_hex(record->config), hex) || str_eq(digest_hex(record->manifest), hex)))
            return true;
        if (reference_parse(tmp, *used, &reference, NULL) == 0 &&
            record_is_named(record, reference, reference_print(tmp, reference)))
            return true;
    }
    return false;
}

int image_prune(struct image_store *store, bool all, char *const *used, char *const *keep, int64_t *ret_bytes,
                struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct image_index *index;
    int r = image_index_lock(store, &lock, err);
    if (r == 0)
        r = image_index_read(tmp, store, &index, err);
    if (r < 0)
        return r;
    size_t kept = 0;
    for (size_t i = 0; i < index->count; i++) {
        struct image_record *record = index->records[i];
        if (is_used(record, used) || (!all && strv_len(record->references) > 0))
            index->records[kept++] = record;
    }
    if (kept < index->count) {
        index->count = kept;
        r = image_index_write(store, index, err);
    }
    return r < 0 ? r : image_collect(store, index, keep, true, ret_bytes, err);
}
