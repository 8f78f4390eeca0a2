#pragma once
/*
 * Image manifests and image indexes, in OCI's and docker's media types (OCI image-spec manifest.md and
 * image-index.md; docker's image manifest V2 schema 2). Reading is strict where a document could be taken for
 * two things at once (CVE-2021-41190): the Content-Type, the body's mediaType and the members that are there
 * must agree.
 */
#include "base/error.h"
#include "base/mem.h"
#include "oci/digest.h"
#include "oci/platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MANIFEST_LAYERS_MAX = 500 /* OVL_MAX_STACK: overlayfs takes no more lower directories */ };

#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

struct descriptor {
    char *media_type; /* may be NULL */
    char digest[DIGEST_TEXT];
    int64_t size;
    /* Of an index entry. */
    struct platform platform;
    bool is_image;  /* false: an attestation or another attachment */
    char *name;     /* annotation with the full name, as `docker save` writes it, or NULL */
    char *ref_name; /* annotation org.opencontainers.image.ref.name, or NULL */
};

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

struct manifest {
    enum manifest_kind kind;
    struct descriptor config;   /* MANIFEST_IMAGE */
    struct descriptor *entries; /* layers, lowest first; or the index's manifests */
    size_t entry_count;
};

/* `content_type` is what the registry called it, or NULL. */
int manifest_parse(const void *owner, const void *data, size_t size, const char *content_type,
                   struct manifest **ret, struct error *err);

/* The entry of an index for a platform; the error lists what there is. */
int manifest_select(const struct manifest *index, const struct platform *want, const struct descriptor **ret,
                    struct error *err);

/* The JSON text of an OCI manifest. */
char *manifest_print(const void *owner, const struct manifest *manifest);
