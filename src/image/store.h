#pragma once
/*
 * The local image store: content-addressed blobs, unpacked layers, and references to images.
 *
 *   <root>/blobs/sha256/<hex>        manifests and configs (and layers while they are transferred)
 *   <root>/layers/<chain id hex>/    one unpacked layer in overlayfs form; it is there only when it is whole
 *   <root>/images.json               reference -> manifest digest, replaced atomically under a lock
 *
 * Transfers and unpacking happen in compote-image (src/imaged), which this module starts and listens to. The
 * store never trusts what it reads: digests are parsed strictly before they become part of a path.
 */
#include "base/error.h"
#include "base/omap.h"
#include "model/project.h"
#include "sys/loop.h"

struct image_store;

struct image {
    char *id;              /* "sha256:<hex>" of the config blob: what docker calls the image ID */
    char *manifest_digest; /* "sha256:<hex>" */
    char **references;     /* normalised names that point to it: "docker.io/library/nginx:latest" */
    char **layers;         /* absolute directories, lowest first, ready to be lowerdirs */
    int64_t size;          /* sum of the layers' sizes as stored */
    int64_t created;       /* seconds since the epoch, 0 unknown */
    int64_t tagged;        /* when it was last brought here, likewise */
    char *os, *architecture, *variant;
    /* The image's configuration (OCI image-spec config.md). */
    char **env, **entrypoint, **cmd;
    char *user, *working_dir, *stop_signal;
    char **volumes;                  /* paths */
    char **exposed_ports;            /* "80/tcp" */
    struct omap *labels;             /* char * */
    struct healthcheck *healthcheck; /* NULL: none */
};

/* `root` is the data directory; `libexec` the directory of compote-image; `config` the path of compote's
 * registry configuration or NULL. */
int image_store_open(const void *owner, const char *root, const char *libexec, const char *config,
                     struct image_store **ret, struct error *err);

enum { IMAGE_ABSENT = 1 };

/* By reference ("nginx", "host:5000/a/b:tag@sha256:..."), or by image ID or a unique prefix of at least 4
 * digits. */
int image_find(const void *owner, struct image_store *store, const char *reference, const char *platform,
               struct image **ret, struct error *err);

/* All images, sorted by first reference. */
int image_list(const void *owner, struct image_store *store, struct image ***ret, size_t *ret_count,
               struct error *err);

/* Removes a reference, and the image with its unshared layers when it was the last one. Layers in `keep`
 * (directories) stay. */
int image_remove(struct image_store *store, const char *reference, char *const *keep, struct error *err);

/* Removes images without reference, and (all) those whose references are not in `used`; *ret_bytes is what
 * became free. */
int image_prune(struct image_store *store, bool all, char *const *used, char *const *keep, int64_t *ret_bytes,
                struct error *err);

enum transfer_kind {
    TRANSFER_PULL,
    TRANSFER_IMPORT,
    TRANSFER_LOAD,
    TRANSFER_COMMIT, /* a layer, as a tar archive, becomes a new image on an old one */
    TRANSFER_DIGEST  /* only asks the registry what the reference means now; nothing is stored */
};

struct transfer_event {
    const char *layer; /* short digest, or NULL for the image itself */
    const char
        *status; /* "Pulling fs layer", "Downloading", "Extracting", "Pull complete", "Already exists" ... */
    int64_t current, total; /* bytes; total 0: unknown */
};

struct transfer_request {
    enum transfer_kind kind;
    const char *reference; /* pull, import, commit: the name to give; commit: or NULL */
    const char *platform;  /* "linux/arm64", NULL: this machine's */
    const char *path;      /* import, load, commit: the archive; "-" is `input` */
    int input;             /* standard input, or where else the archive comes from */
    /* commit, as JSON: "parent" (the digest of its configuration), "author", "comment", "created_by", and
     * "config", whose members are laid over the parent's. */
    const char *changes;
    void (*progress)(void *data, const struct transfer_event *event);
    /* Called once from the loop. result 0: `image` is there (load: the last one; digest: an image of which
     * only manifest_digest is known); negative: `err` says why. */
    void (*done)(void *data, int result, struct image *image, const struct error *err);
    void *data;
};

struct transfer; /* cancelled by talloc_free: the helper dies and what was half done stays resumable */

int transfer_start(const void *owner, struct image_store *store, struct loop *loop,
                   const struct transfer_request *request, struct transfer **ret, struct error *err);
