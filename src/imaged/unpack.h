#pragma once
/*
 * The confined process that unpacks one layer: reads a plain tar from a pipe and writes its entries beneath
 * the current root, which is the layer's directory and nothing else (sandbox.h, tree.h). libarchive reads,
 * with no format but tar and no filter; what is written, and where, is decided in tree.c.
 */
#include "base/error.h"
#include "imaged/tree.h"

struct unpack_job {
    int input;  /* the plain tar */
    int report; /* REPORT_OPAQUE, REPORT_IMPLIED, REPORT_DONE, REPORT_ERROR */
    struct tree_options options;
};

struct unpack; /* a talloc object, made before confinement */

int unpack_new(const void *owner, const struct unpack_job *job, struct unpack **ret, struct error *err);

/* Everything, into `root_fd`; what went wrong is also in `err`. */
int unpack_run(struct unpack *unpack, int root_fd, struct error *err);
