#pragma once
/* A text that grows, always ended by a NUL. The bytes belong to the owner given at the start. */
#include "base/mem.h"

#include <stdbool.h>

enum { BUFFER_MAX = 255 << 20 }; /* talloc does not give more */

struct buffer {
    const void *owner;
    char *data;
    size_t size, room;
    bool full; /* something did not fit and was left out */
};

#define BUFFER_INIT(owner_)                                                                                  \
    {                                                                                                        \
        .owner = (owner_)                                                                                    \
    }

void buffer_add(struct buffer *buffer, const char *text, size_t n);
void buffer_add_str(struct buffer *buffer, const char *text);
void buffer_add_char(struct buffer *buffer, char c);
void buffer_add_fill(struct buffer *buffer, char c, size_t n);
void buffer_printf(struct buffer *buffer, const char *fmt, ...) PRINTF_LIKE(2, 3);
