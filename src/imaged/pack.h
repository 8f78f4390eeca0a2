#pragma once
/*
 * The confined reading of a file tree as a tar archive (pax, with sparse files, hard links and extended
 * attributes). The tree may change meanwhile, and whoever changes it may be hostile: directories are gone
 * down by descriptor and never over a link, nothing but regular files is opened, and what vanishes is left
 * out.
 *
 * A layer is the writable directory of an overlay: its whiteouts and opaque directories become the ".wh."
 * files of the OCI image-spec (layer.md).
 */
#include "base/error.h"

#include <stdbool.h>

struct pack_job {
    int output;
    int fd;           /* a directory, for reading; a regular file, for reading; anything else, O_PATH */
    const char *name; /* of the first entry; NULL: a directory's content without itself */
    bool layer;
    /* Only these of the directory, each as it is without what is in it: pairs of a path in the directory and
     * of the name that it gets, all ended by NUL. What is not there is left out. */
    const char *list;
    size_t list_size;
};

struct pack; /* a talloc object, made before confinement */

int pack_new(const void *owner, const struct pack_job *job, struct pack **ret, struct error *err);
int pack_run(struct pack *pack, struct error *err);

/* /proc, /sys and their like: files that are questions to the kernel, and not content. */
bool pack_is_kernel_fs(int fd);
