#include "imaged/report.h"

#include "base/str.h"
#include "sys/fd.h"

#include <sys/uio.h>

int report_send(int fd, enum report_kind kind, uint32_t id, uint64_t value, const void *text, size_t length,
                struct error *err)
{
    struct report report = {.kind = kind, .id = id, .value = value};
    if (length >= sizeof(report.text))
        return error_set(err, EMSGSIZE, "report of %zu bytes", length);
    report.length = (uint32_t)length;
    if (length)
        memcpy(report.text, text, length);
    /* write, not sendmsg: the confined children may do nothing else */
    if (RETRY_EINTR(write(fd, &report, offsetof(struct report, text) + length)) < 0)
        return error_errno(err, "report");
    return 0;
}

void report_send_error(int fd, uint32_t id, const struct error *error)
{
    char text[REPORT_TEXT - 1];
    size_t n = strlen(error->text), hint = strlen(error->hint);
    memcpy(text, error->text, n + 1);
    memcpy(text + n + 1, error->hint, hint + 1);
    report_send(fd, REPORT_ERROR, id, (uint64_t)error->code, text, n + hint + 2, NULL);
}

int report_receive(int fd, struct report *ret, struct error *err)
{
    ssize_t n = RETRY_EINTR(read(fd, ret, sizeof(*ret)));
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return REPORT_END;
    if (n < 0)
        return error_errno(err, "read report");
    if ((size_t)n < offsetof(struct report, text) || ret->kind >= REPORT__COUNT ||
        (size_t)n != offsetof(struct report, text) + ret->length || ret->length >= sizeof(ret->text))
        return error_set(err, EBADMSG, "a confined process reported nonsense");
    ret->text[ret->length] = '\0';
    return 0;
}

void report_error(const struct report *report, struct error *ret)
{
    size_t n = strlen(report->text);
    error_set(ret, report->value > 0 && report->value < 4096 ? (int)report->value : EIO, "%s", report->text);
    if (n + 1 < report->length)
        str_copy(ret->hint, sizeof(ret->hint), report->text + n + 1);
}
