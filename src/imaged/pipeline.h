#pragma once
/*
 * One layer on its way from a stream to a directory: a process that decompresses and hashes (inflate.h), a
 * pipe, and a process that writes the tree (unpack.h), each confined in its own way.
 *
 *     input fd --> inflate --pipe--> unpack --> directory
 *                     \_ reports _/
 *
 * The tree is good only if both end well and the digests are those expected, which the caller compares. A
 * digest is computed apart from the process that parses the archive, so an archive that takes that process
 * over cannot make its layer pass for another one.
 */
#include "base/error.h"
#include "imaged/job.h"
#include "oci/digest.h"

struct pipeline_result {
    char blob[DIGEST_TEXT], diff[DIGEST_TEXT]; /* digests of the input and of the plain tar */
    int64_t plain_size, unpacked;              /* bytes of the plain tar; of files */
    char **opaque, **implied;                  /* directories, see tree.h; owned by the pipeline */
    size_t opaque_count, implied_count;
};

struct pipeline_request {
    int input, dir;                                 /* stay the caller's; `dir` is an empty directory */
    int64_t size;                                   /* bytes of input; -1: to its end */
    bool follow;                                    /* the input grows: pipeline_more says by how much */
    bool lowest;                                    /* lowest layer of its image */
    bool literal;                                   /* an archive of files, not a layer */
    void (*progress)(void *data, int64_t consumed); /* may be NULL */
    void (*done)(void *data, int result, const struct pipeline_result *pipeline, struct error *err);
    void *data;
};

struct pipeline; /* freeing it kills its processes */

int pipeline_start(const void *owner, struct job *job, const struct pipeline_request *request,
                   struct pipeline **ret, struct error *err);
void pipeline_more(struct pipeline *pipeline, int64_t bytes);
