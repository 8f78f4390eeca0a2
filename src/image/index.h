#pragma once
/*
 * The store's own records: what images.json says, where things lie, and its locks. For src/image and
 * compote-image only; everyone else uses image/store.h.
 *
 *   <root>/images.json             the index (below), replaced atomically while images.lock is held
 *   <root>/blobs/sha256/<hex>      manifests and configurations
 *   <root>/blobs/partial/<hex>     layers while they are transferred; what a broken transfer leaves is
 * resumed <root>/layers/<chain hex>      whole layers; names that start with '.' are unfinished or on their
 * way out <root>/locks/<chain hex>       who unpacks this layer <root>/transfer.lock           shared: a
 * transfer is under way; exclusive: layers and blobs may be removed
 *
 * A layer's directory is named by its chain id, so equal layers on equal bases are there once. The index
 * names the layers of each image, so that nobody has to compute chain ids to find them.
 */
#include "base/mem.h"
#include "image/store.h"
#include "oci/platform.h"

#include <stdbool.h>

struct image_store {
    char *root, *libexec, *config;
};

struct image_record {
    char *manifest, *config; /* digests */
    struct platform platform;
    char **layers;     /* chain ids, hex, lowest first */
    int64_t *sizes;    /* bytes of each layer; when recording, -1 is found out */
    int64_t size;      /* their sum */
    int64_t tagged;    /* when it was last brought here: seconds since the epoch, 0 unknown */
    char **references; /* normal forms; the same one may stand at images of different platforms */
    char **digests;    /* digests by which the image is known beside `manifest`: of the index it came from */
};

struct image_index {
    struct image_record **records;
    size_t count;
};

enum { INDEX_LIMIT = 64 << 20 };

int image_index_read(const void *owner, const struct image_store *store, struct image_index **ret,
                     struct error *err);

/* To be called with the index lock held. */
int image_index_write(const struct image_store *store, const struct image_index *index, struct error *err);
int image_index_lock(const struct image_store *store, int *ret_fd, struct error *err);

/* Adds an image, or adds to it what is new; its references leave other images of the same platform. */
int image_index_record(const struct image_store *store, const struct image_record *record, struct error *err);

char *image_blob_path(const void *owner, const struct image_store *store, const char *digest);
char *image_layer_path(const void *owner, const struct image_store *store, const char *hex);
char *image_store_path(const void *owner, const struct image_store *store, const char *name);

/* The image that a record describes, with its configuration. */
int image_from_record(const void *owner, const struct image_store *store, const struct image_record *record,
                      struct image **ret, struct error *err);

/* What a tree takes on the disk, as well as it can be told. */
int64_t image_tree_bytes(const char *path);

/* Removes layers and blobs that no record of `index` needs and that are not in `keep`, and what broken
 * transfers left; `partial` removes resumable downloads too. Nothing while a transfer runs: the next call
 * does it. */
int image_collect(const struct image_store *store, const struct image_index *index, char *const *keep,
                  bool partial, int64_t *ret_bytes, struct error *err);
