#include "base/error.h"

#include <string.h>

static int negative_code(const struct error *err)
{
    return err && err->code > 0 ? -err->code : -EINVAL;
}

PRINTF_LIKE(5, 0)
PRINTF_LIKE(5, 0)
static int set_va(struct error *err, const char *file, int line, int code, const char *fmt, va_list ap)
{
    if (code <= 0)
        code = EINVAL;
    if (!err)
        return -code;

    /* Formatted apart from err->text, so that the old text may be one of the arguments. */
    char text[ERROR_TEXT_SIZE];
    vsnprintf(text, sizeof(text), fmt, ap);
    memcpy(err->text, text, sizeof(text));
    err->hint[0] = '\0';
    err->code = code;
    err->born_file = file;
    err->born_line = line;
    return -code;
}

int error_set_at(const char *file, int line, struct error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = set_va(err, file, line, code, fmt, ap);
    va_end(ap);
    return r;
}

int error_errno_at(const char *file, int line, struct error *err, const char *fmt, ...)
{
    int code = errno;
    va_list ap;
    va_start(ap, fmt);
    int r = set_va(err, file, line, code, fmt, ap);
    va_end(ap);
    if (err) {
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(code));
    }
    return r;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
    if (!err)
        return negative_code(err);

    char text[ERROR_TEXT_SIZE];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    size_t used = n < 0 ? 0 : (size_t)n;
    if (used < sizeof(text)) {
        snprintf(text + used, sizeof(text) - used, ": %.*s", ERROR_TEXT_SIZE - 3, err->text);
    }
    memcpy(err->text, text, sizeof(text));
    return negative_code(err);
}

int error_hint(struct error *err, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
        va_end(ap);
    }
    return negative_code(err);
}

void error_clear(struct error *err)
{
    err->code = 0;
    err->text[0] = '\0';
    err->hint[0] = '\0';
}
