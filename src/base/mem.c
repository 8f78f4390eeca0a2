#include "base/mem.h"

void *mem_check(void *p)
{
    if (!p) {
        static const char text[] = "out of memory\n";
        ssize_t ignored UNUSED = write(STDERR_FILENO, text, sizeof(text) - 1);
        abort();
    }
    return p;
}

TALLOC_CTX *mem_ctx(void)
{
    return mem_check(talloc_new(NULL));
}

char *mem_strdup(const void *owner, const char *s)
{
    return s ? mem_check(talloc_strdup(owner, s)) : NULL;
}

char *mem_strndup(const void *owner, const char *s, size_t n)
{
    return mem_check(talloc_strndup(owner, s, n));
}

char *mem_vprintf(const void *owner, const char *fmt, va_list ap)
{
    return mem_check(talloc_vasprintf(owner, fmt, ap));
}

char *mem_printf(const void *owner, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = mem_vprintf(owner, fmt, ap);
    va_end(ap);
    return s;
}

char *mem_append_str(char *s, const char *more)
{
    return mem_check(talloc_strdup_append_buffer(s, more));
}

char *mem_append_printf(char *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    s = mem_check(talloc_vasprintf_append_buffer(s, fmt, ap));
    va_end(ap);
    return s;
}

void *mem_dup(const void *owner, const void *data, size_t size)
{
    return mem_check(talloc_memdup(owner, data, size));
}
