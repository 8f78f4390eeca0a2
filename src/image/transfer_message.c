#include "image/transfer_message.h"

#include "oci/json.h"

static const char *const status_names[] = {
    [TRANSFER_RESOLVING] = "Pulling",     [TRANSFER_PULLING_LAYER] = "Pulling fs layer",
    [TRANSFER_WAITING] = "Waiting",       [TRANSFER_DOWNLOADING] = "Downloading",
    [TRANSFER_EXTRACTING] = "Extracting", [TRANSFER_COMPLETE] = "Pull complete",
    [TRANSFER_EXISTS] = "Already exists", [TRANSFER_RETRYING] = "Retrying",
    [TRANSFER_LOADING] = "Loading",
};
ENUM_NAMES(transfer_status, status_names, TRANSFER_STATUS__COUNT)

/* Text that may end up on a terminal: no control characters. */
static void copy_text(char *to, size_t size, const char *from)
{
    str_copy(to, size, from ? from : "");
    for (; *to; to++)
        if ((unsigned char)*to < ' ' || *to == 127)
            *to = to[0] == '\n' ? '\n' : '?';
}

static int progress_parse(const json_t *doc, const char *layer, const char *status,
                          struct transfer_message *message, struct error *err)
{
    enum transfer_status known;
    int r = 0;
    if (!transfer_status_parse(status, &known))
        return error_set(err, EBADMSG, "unknown status");
    if (layer && (strlen(layer) != DIGEST_SHORT - 1 || strspn(layer, "0123456789abcdef") != DIGEST_SHORT - 1))
        return error_set(err, EBADMSG, "'layer' is not a short digest");
    if ((r = json_whole(doc, "current", 0, INT64_MAX, &message->current, err)) < 0 ||
        (r = json_whole(doc, "total", 0, INT64_MAX, &message->total, err)) < 0)
        return r;
    message->kind = MESSAGE_PROGRESS;
    message->status = transfer_status_name(known);
    str_copy(message->layer, sizeof(message->layer), layer ? layer : "");
    return 0;
}

static int document_parse(const json_t *doc, struct transfer_message *message, struct error *err)
{
    const char *layer, *status, *done, *text, *hint;
    int64_t code;
    int r = 0;
    if ((r = json_text(doc, "layer", &layer, err)) < 0 || (r = json_text(doc, "status", &status, err)) < 0 ||
        (r = json_text(doc, "done", &done, err)) < 0 || (r = json_text(doc, "error", &text, err)) < 0 ||
        (r = json_text(doc, "hint", &hint, err)) < 0 ||
        (r = json_whole(doc, "code", 0, 4095, &code, err)) < 0)
        return r;
    if (!!status + !!done + !!text != 1)
        return error_set(err, EBADMSG, "not exactly one of status, done and error");
    if (status)
        return progress_parse(doc, layer, status, message, err);
    if (done && !digest_is_valid(done))
        return error_set(err, EBADMSG, "'done' is not a digest");
    message->kind = done ? MESSAGE_DONE : MESSAGE_ERROR;
    if (done) {
        str_copy(message->manifest, sizeof(message->manifest), done);
        return 0;
    }
    message->error.code = code ? (int)code : EIO;
    copy_text(message->error.text, sizeof(message->error.text), text);
    copy_text(message->error.hint, sizeof(message->error.hint), hint);
    return 0;
}

int transfer_message_parse(const char *line, size_t size, struct transfer_message *ret, struct error *err)
{
    struct transfer_message message = {0};
    cleanup_json json_t *doc = NULL;
    int r = json_document(line, size, &doc, err);
    if (r == 0)
        r = document_parse(doc, &message, err);
    if (r < 0)
        return r;
    *ret = message;
    return 0;
}
