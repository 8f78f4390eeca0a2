#pragma once
/*
 * The confined process that unpacks one layer: reads a plain tar from a pipe and writes its entries beneath
 * the current root, which is the layer's directory and nothing else (sandbox.h, tree.h). libarchive reads,
 * with no format but tar; what is written, and where, is decided in tree.c.
 */
#include "base/error.h"
#include "imaged/tree.h"

/*
 * The one file or directory of the archive, which is its first entry, gets another name where it goes. With
 * what that entry is and what is there already, this is what cp refuses.
 */
struct unpack_rename {
    const char *name;
    bool is_file;      /* a file of this name is there: a directory cannot take its place */
    bool is_directory; /* the name was written as one: nothing else can be made */
};

struct unpack_job {
    int input;  /* the plain tar */
    int report; /* REPORT_OPAQUE, REPORT_IMPLIED, REPORT_DONE, REPORT_ERROR; -1: nobody */
    struct tree_options options;
    bool compressed;             /* gzip, bzip2, xz and zstd are undone */
    struct unpack_rename rename; /* name NULL: names stay */
    bool has_owner;              /* everything belongs to uid and gid, whatever the archive says */
    uid_t uid;
    gid_t gid;
};

struct unpack; /* a talloc object, made before confinement */

int unpack_new(const void *owner, const struct unpack_job *job, struct unpack **ret, struct error *err);

/* Everything, into `root_fd`; what went wrong is also in `err`. */
int unpack_run(struct unpack *unpack, int root_fd, struct error *err);
