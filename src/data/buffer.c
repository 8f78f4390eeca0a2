#include "data/buffer.h"

static bool reserve(struct buffer *b, size_t n)
{
    size_t need = b->size + n + 1;
    if (need <= b->room)
        return true;
    b->full |= n >= BUFFER_MAX || need > BUFFER_MAX;
    if (b->full)
        return false;
    size_t room = b->room ? b->room : 64;
    while (room < need)
        room *= 2;
    b->room = room < BUFFER_MAX ? room : BUFFER_MAX;
    b->data = mem_check(talloc_realloc_size(b->owner, b->data, b->room));
    return true;
}

void buffer_add(struct buffer *b, const char *text, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->size, text, n);
    b->size += n;
    b->data[b->size] = '\0';
}

void buffer_add_str(struct buffer *b, const char *text)
{
    buffer_add(b, text, strlen(text));
}

void buffer_add_char(struct buffer *b, char c)
{
    buffer_add(b, &c, 1);
}

void buffer_add_fill(struct buffer *b, char c, size_t n)
{
    if (!reserve(b, n))
        return;
    memset(b->data + b->size, c, n);
    b->size += n;
    b->data[b->size] = '\0';
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0 && reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
        b->size += (size_t)n;
    }
    va_end(again);
}
