#pragma once
/* Unpacking the archive that import and load are given, to the end, into a directory of the store. */
#include "imaged/layer.h"

struct archive_result {
    char diff[DIGEST_TEXT];       /* of the plain tar */
    int64_t plain_size, unpacked; /* bytes of the plain tar; of files */
};

/* `lower`: chain ids of the layers below, lowest first; NULL: none. job->path, "-" for standard input.
 * `literal`: files as they are; otherwise a layer. */
int archive_unpack(struct job *job, struct layer_dir *dir, bool literal, char *const *lower,
                   struct archive_result *ret, struct error *err);
