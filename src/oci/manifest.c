#include "oci/manifest.h"

#include "base/str.h"
#include "oci/json.h"

enum { INDEX_ENTRIES_MAX = 1000, MEDIA_TYPE_MAX = 255 };

static const struct {
    const char *media_type;
    enum manifest_kind kind;
} document_types[] = {
    {MEDIA_OCI_MANIFEST,    MANIFEST_IMAGE},
    {MEDIA_DOCKER_MANIFEST, MANIFEST_IMAGE},
    {MEDIA_OCI_INDEX,       MANIFEST_INDEX},
    {MEDIA_DOCKER_LIST,     MANIFEST_INDEX},
};

/* What starts so is a layer; its compression is told by its first bytes, whatever the name says. */
static const char *const layer_types[] = {
    MEDIA_OCI_LAYER,
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.diff.foreign.tar",
};

static const char *const config_types[] = {
    MEDIA_OCI_CONFIG, "application/vnd.docker.container.image.v1+json",
    "application/octet-stream", /* written by old builders */
};

static bool type_is_document(const char *type, enum manifest_kind *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(document_types); i++)
        if (str_eq(document_types[i].media_type, type)) {
            *ret = document_types[i].kind;
            return true;
        }
    return false;
}

static bool type_is_layer(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(layer_types); i++)
        if (str_starts(type, layer_types[i]))
            return true;
    return !type;
}

static bool type_is_config(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(config_types); i++)
        if (str_eq(type, config_types[i]))
            return true;
    return !type;
}

static int descriptor_parse(const void *owner, const json_t *object, struct descriptor *ret,
                            struct error *err)
{
    const char *digest, *type;
    int64_t size;
    int r = 0;
    if (!json_is_object(object))
        return error_set(err, EBADMSG, "not an object");
    if ((r = json_text(object, "digest", &digest, err)) < 0 ||
        (r = json_text(object, "mediaType", &type, err)) < 0 ||
        (r = json_whole(object, "size", 0, INT64_MAX, &size, err)) < 0)
        return r;
    if (!digest || !digest_is_valid(digest))
        return error_set(err, EBADMSG, "'%.100s' is not a digest (sha256:<64 digits>)", digest ? digest : "");
    if (!json_object_get(object, "size"))
        return error_set(err, EBADMSG, "'%s' has no size", digest);
    if (type && strlen(type) > MEDIA_TYPE_MAX)
        return error_set(err, EBADMSG, "the media type of '%s' is too long", digest);
    *ret = (struct descriptor){.size = size, .media_type = mem_strdup(owner, type), .is_image = true};
    str_copy(ret->digest, sizeof(ret->digest), digest);
    return 0;
}

static int index_entry_parse(const void *owner, const json_t *object, struct descriptor *entry,
                             struct error *err)
{
    json_t *platform, *annotations;
    const char *os = NULL, *architecture = NULL, *variant = NULL, *kind = NULL, *name = NULL, *ref = NULL;
    int r = 0;
    if ((r = descriptor_parse(owner, object, entry, err)) < 0 ||
        (r = json_child(object, "platform", JSON_OBJECT, &platform, err)) < 0 ||
        (r = json_child(object, "annotations", JSON_OBJECT, &annotations, err)) < 0)
        return r;
    if (platform && ((r = json_text(platform, "os", &os, err)) < 0 ||
                     (r = json_text(platform, "architecture", &architecture, err)) < 0 ||
                     (r = json_text(platform, "variant", &variant, err)) < 0))
        return r;
    if (annotations && ((r = json_text(annotations, "vnd.docker.reference.type", &kind, err)) < 0 ||
                        (r = json_text(annotations, "io.containerd.image.name", &name, err)) < 0 ||
                        (r = json_text(annotations, "org.opencontainers.image.ref.name", &ref, err)) < 0))
        return r;
    platform_set(&entry->platform, os, architecture, variant);
    entry->name = mem_strdup(owner, name);
    entry->ref_name = mem_strdup(owner, ref);
    enum manifest_kind document;
    entry->is_image = !kind && !str_eq(os, "unknown") &&
                      (!entry->media_type || type_is_document(entry->media_type, &document));
    return 0;
}

static int layer_parse(const void *owner, const json_t *object, struct descriptor *layer, struct error *err)
{
    int r = descriptor_parse(owner, object, layer, err);
    if (r < 0)
        return r;
    if (!type_is_layer(layer->media_type))
        return error_set(err, EBADMSG, "'%s' is not a layer of an image", layer->media_type);
    return 0;
}

static int entries_parse(struct manifest *manifest, const json_t *list, struct error *err)
{
    bool is_index = manifest->kind == MANIFEST_INDEX;
    size_t count = json_array_size(list), limit = is_index ? INDEX_ENTRIES_MAX : MANIFEST_LAYERS_MAX;
    if (count > limit)
        return error_set(err, E2BIG, "%zu %s; the limit is %zu", count, is_index ? "manifests" : "layers",
                         limit);
    manifest->entries = mem_array(manifest, struct descriptor, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct descriptor *entry = &manifest->entries[manifest->entry_count++];
        int r = (is_index ? index_entry_parse : layer_parse)(manifest, json_array_get(list, i), entry, err);
        if (r < 0)
            return error_wrap(err, "%s[%zu]", is_index ? "manifests" : "layers", i);
    }
    return 0;
}

/* Decides what the document is; whatever names it must agree. */
static int kind_decide(const json_t *doc, const char *content_type, enum manifest_kind *ret,
                       struct error *err)
{
    const char *media_type;
    json_t *layers = json_object_get(doc, "layers"), *manifests = json_object_get(doc, "manifests");
    int r = json_text(doc, "mediaType", &media_type, err);
    if (r < 0)
        return r;
    if (json_integer_value(json_object_get(doc, "schemaVersion")) == 1 || json_object_get(doc, "fsLayers")) {
        error_set(err, ENOTSUP, "the image has a manifest of the old form (schema 1)");
        return error_hint(err, "push the image again with a current builder");
    }
    if (layers && manifests)
        return error_set(err, EBADMSG, "the document has both layers and manifests");
    if (!layers && !manifests)
        return error_set(err, EBADMSG, "the document has neither layers nor manifests");
    enum manifest_kind kind = layers ? MANIFEST_IMAGE : MANIFEST_INDEX, named;
    if (media_type && (!type_is_document(media_type, &named) || named != kind))
        return error_set(err, EBADMSG, "the document calls itself '%.100s', which it is not", media_type);
    if (content_type && type_is_document(content_type, &named) &&
        (named != kind || (media_type && !str_eq(media_type, content_type))))
        return error_set(err, EBADMSG, "the registry calls the document '%.100s', which it is not",
                         content_type);
    *ret = kind;
    return 0;
}

static int image_parse(struct manifest *manifest, const json_t *doc, struct error *err)
{
    json_t *config, *list;
    int r = json_child(doc, "config", JSON_OBJECT, &config, err);
    if (r < 0)
        return r;
    if (!config)
        return error_set(err, EBADMSG, "the manifest has no config");
    r = descriptor_parse(manifest, config, &manifest->config, err);
    if (r < 0)
        return error_wrap(err, "config");
    if (!type_is_config(manifest->config.media_type))
        return error_set(err, EBADMSG, "this is not an image: its config is '%s'",
                         manifest->config.media_type);
    if (manifest->config.size > JSON_DOCUMENT_MAX)
        return error_set(err, EFBIG, "the image's configuration has %lld bytes; the limit is %d",
                         (long long)manifest->config.size, JSON_DOCUMENT_MAX);
    r = json_child(doc, "layers", JSON_ARRAY, &list, err);
    return r < 0 ? r : entries_parse(manifest, list, err);
}

int manifest_parse(const void *owner, const void *data, size_t size, const char *content_type,
                   struct manifest **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_json json_t *doc = NULL;
    struct manifest *manifest = mem_new(tmp, struct manifest);
    int r = json_document(data, size, &doc, err);
    if (r == 0)
        r = kind_decide(doc, content_type, &manifest->kind, err);
    if (r == 0 && manifest->kind == MANIFEST_IMAGE) {
        r = image_parse(manifest, doc, err);
    } else if (r == 0) {
        json_t *list;
        r = json_child(doc, "manifests", JSON_ARRAY, &list, err);
        if (r == 0)
            r = entries_parse(manifest, list, err);
    }
    if (r < 0)
        return error_wrap(err, "manifest");
    *ret = talloc_move(owner, &manifest);
    return 0;
}

int manifest_select(const struct manifest *index, const struct platform *want, const struct descriptor **ret,
                    struct error *err)
{
    const struct descriptor *best = NULL;
    int best_score = -1;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *have = mem_strdup(tmp, ""), text[PLATFORM_TEXT];
    for (size_t i = 0; i < index->entry_count; i++) {
        const struct descriptor *entry = &index->entries[i];
        if (!entry->is_image)
            continue;
        int score = platform_match(want, &entry->platform);
        if (score >= 0 && (!best || score < best_score)) {
            best = entry;
            best_score = score;
        }
        platform_print(&entry->platform, text);
        have = mem_append_printf(have, "%s%s", *have ? ", " : "", text);
    }
    if (!best) {
        platform_print(want, text);
        return error_set(err, ENOENT, "the image is not made for %s; it is there for: %.600s", text,
                         *have ? have : "nothing");
    }
    *ret = best;
    return 0;
}

static json_t *descriptor_print(const struct descriptor *descriptor)
{
    return json_pack("{s:s, s:s, s:I}", "mediaType", descriptor->media_type, "digest", descriptor->digest,
                     "size", (json_int_t)descriptor->size);
}

char *manifest_print(const void *owner, const struct manifest *manifest)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < manifest->entry_count; i++)
        json_array_append_new(layers, descriptor_print(&manifest->entries[i]));
    cleanup_json json_t *doc =
        json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType", MEDIA_OCI_MANIFEST, "config",
                  descriptor_print(&manifest->config), "layers", layers);
    cleanup_malloc char *text = json_dumps(doc, JSON_COMPACT);
    return mem_strdup(owner, mem_check(text));
}
