#pragma once
/*
 * The confined process that decompresses one layer: reads the compressed stream, computes both digests in the
 * same pass, and writes the plain tar to a pipe. It sees no files and no network and may only read and write
 * the descriptors that it was given (sandbox.h).
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct inflate_job {
    int input;    /* from its current position */
    int64_t size; /* bytes of input to take; -1: to its end */
    int more;     /* eventfd that counts the bytes of `input` that are there by now; -1: all are */
    int output;   /* the plain stream */
    int report;   /* REPORT_PROGRESS (input bytes), REPORT_DIGESTS, REPORT_ERROR */
    int64_t room; /* ceiling of the output, besides INFLATE_RATIO for each byte of input */
};

/* A tar of zeros compresses a thousandfold with gzip; layers that people make stay below 20. */
enum { INFLATE_RATIO = 200 };
#define INFLATE_ROOM (1LL << 30)

struct inflate; /* buffers and states, made before confinement */

struct inflate *inflate_new(const void *owner, const struct inflate_job *job);

/* Everything; what went wrong is also in `err`. */
int inflate_run(struct inflate *inflate, struct error *err);
