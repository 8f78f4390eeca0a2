#include "data/arena.h"

#include <stdint.h>

enum { FIRST_BLOCK = 16 * 1024, LAST_BLOCK = 1024 * 1024, ALIGN = 8 };

struct arena {
    char *next;   /* free room in the newest block */
    size_t left;  /* bytes there */
    size_t block; /* size of the next block: they double, so that small trees stay small */
};

struct arena *arena_new(const void *owner)
{
    return mem_new(owner, struct arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (size > FIRST_BLOCK / 4)
        return mem_check(talloc_zero_size(arena, size));
    if (size > arena->left) {
        arena->block = arena->block ? arena->block : FIRST_BLOCK;
        arena->next = mem_check(talloc_size(arena, arena->block));
        arena->left = arena->block;
        if (arena->block < LAST_BLOCK)
            arena->block *= 2;
    }
    void *p = arena->next;
    arena->next += size;
    arena->left -= size;
    return memset(p, 0, size);
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
    char *copy = arena_alloc(arena, n + 1);
    memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *s)
{
    return s ? arena_strndup(arena, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = arena_alloc(arena, n < 0 ? 1 : (size_t)n + 1);
    if (n > 0)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}
