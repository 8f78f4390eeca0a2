#pragma once
/*
 * What compote-image tells the program that started it: one JSON object for each line on its standard output.
 *
 *   {"layer": "0123456789ab" or null, "status": "Downloading", "current": 1, "total": 2}
 *   {"done": "sha256:<hex>"}                           the last line: digest of the manifest that is there
 * now
 *   {"error": "text", "hint": "text", "code": 5}       the last line
 *
 * The reader takes nothing else: the sender has handled hostile data. Statuses come from a closed list.
 */
#include "base/enumtab.h"
#include "base/error.h"
#include "image/store.h"
#include "oci/digest.h"

enum { TRANSFER_LINE_MAX = 8192 };

enum transfer_message_kind { MESSAGE_PROGRESS, MESSAGE_DONE, MESSAGE_ERROR };

struct transfer_message {
    enum transfer_message_kind kind;
    char layer[DIGEST_SHORT];   /* "": the image itself */
    const char *status;         /* static */
    int64_t current, total;     /* MESSAGE_PROGRESS */
    char manifest[DIGEST_TEXT]; /* MESSAGE_DONE */
    struct error error;         /* MESSAGE_ERROR */
};

enum transfer_status {
    TRANSFER_RESOLVING,
    TRANSFER_PULLING_LAYER,
    TRANSFER_WAITING,
    TRANSFER_DOWNLOADING,
    TRANSFER_EXTRACTING,
    TRANSFER_COMPLETE,
    TRANSFER_EXISTS,
    TRANSFER_RETRYING,
    TRANSFER_LOADING,
    TRANSFER_STATUS__COUNT
};

ENUM_NAMES_DECLARE(transfer_status)

/* Reads one line of `size` bytes without its end. */
int transfer_message_parse(const char *line, size_t size, struct transfer_message *ret, struct error *err);
