#include "data/buffer.h"

static void reserve(struct buffer *b, size_t n)
{
    size_t need = b->size + n + 1;
    if (need <= b->room)
        return;
    size_t room = b->room ? b->room : 64;
    while (room < need)
        room *= 2;
    b->data = mem_check(talloc_realloc_size(b->owner, b->data, room));
    b->room = room;
}

void buffer_add(struct buffer *b, const char *text, size_t n)
{
    reserve(b, n);
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
    reserve(b, n);
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
    if (n > 0) {
        reserve(b, (size_t)n);
        vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
        b->size += (size_t)n;
    }
    va_end(again);
}
