#pragma once
/* The lines on standard output: see image/transfer_message.h for their form. */
#include "base/error.h"
#include "image/transfer_message.h"

struct emit {
    int fd;
};

/* `digest` of a layer's blob, or NULL for the image itself. */
void emit_progress(struct emit *emit, const char *digest, enum transfer_status status, int64_t current,
                   int64_t total);
void emit_done(struct emit *emit, const char *manifest);
void emit_error(struct emit *emit, const struct error *err);
