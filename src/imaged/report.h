#pragma once
/*
 * What a confined child tells the coordinator: messages over a SOCK_SEQPACKET pair, each a struct report. The
 * reader checks kind and length and takes the text for text; a child that parsed hostile data is not believed
 * more than that.
 */
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum report_kind {
    REPORT_PROGRESS, /* value: bytes handled so far */
    REPORT_DIGESTS,  /* value: decompressed bytes; text: two raw SHA-256, of the input and of the output */
    REPORT_OPAQUE,   /* text: directory of the layer that hides what lies below it */
    REPORT_IMPLIED,  /* text: directory that had no entry of its own */
    REPORT_DONE,     /* value: bytes written; of fetch, text: the content type */
    REPORT_ERROR,    /* value: errno; text: the error, a NUL, the hint */
    REPORT_RETRY,    /* fetch only: text: why it starts again */
    REPORT__COUNT
};

enum { REPORT_TEXT = 4608 };

struct report {
    uint32_t kind, length; /* bytes of `text` in use */
    uint32_t id;           /* which request of several it is about; else 0 */
    uint64_t value;
    char text[REPORT_TEXT];
};

int report_send(int fd, enum report_kind kind, uint32_t id, uint64_t value, const void *text, size_t length,
                struct error *err);
void report_send_error(int fd, uint32_t id, const struct error *error);

enum { REPORT_END = 1 };

/* REPORT_END when the sender is gone. The text is NUL-ended. */
int report_receive(int fd, struct report *ret, struct error *err);

/* The error in a REPORT_ERROR. */
void report_error(const struct report *report, struct error *ret);
