#include "data/arena.h"

#include <stddef.h>
#include <stdint.h>

enum { FIRST_BLOCK = 16 * 1024, LAST_BLOCK = 1024 * 1024, ALIGN = 8 };

/* Outside of talloc, which gives nothing of 256 MiB and more: the table of a map can take that. */
struct large {
    struct large *next;
    max_align_t data[];
};

struct arena {
    char *next;  /* free room in the newest block */
    size_t left; /* bytes there */
    size_t used, allowed;
    struct large *large;
    size_t block; /* size of the next block: they double, so that small trees stay small */
};

static int free_large(struct arena *arena)
{
    while (arena->large) {
        struct large *next = arena->large->next;
        free(arena->large);
        arena->large = next;
    }
    return 0;
}

struct arena *arena_new(const void *owner)
{
    struct arena *arena = mem_new(owner, struct arena);
    arena->allowed = ARENA_ALWAYS;
    talloc_set_destructor(arena, free_large);
    return arena;
}

static void *alloc_large(struct arena *arena, size_t size)
{
    struct large *large = mem_check(calloc(1, sizeof(*large) + size));
    large->next = arena->large;
    arena->large = large;
    return large->data;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    arena->used += size;
    if (size > FIRST_BLOCK / 4)
        return alloc_large(arena, size);
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

void arena_allow(struct arena *arena, size_t input_size)
{
    arena->allowed += input_size * ARENA_FACTOR;
}

bool arena_is_full(const struct arena *arena)
{
    return arena->used > arena->allowed;
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
