#pragma once
/*
 * Memory. Everything that lives on the heap has an owner, given as the first argument: a talloc
 * context, usually the object that the new one is a part of. Freeing an owner frees what it owns.
 * Allocation never returns NULL: without memory the program ends (mem.c is the only place that
 * does so). Work that ends with a function hangs below `cleanup_ctx TALLOC_CTX *tmp = ...`.
 * There are no references: ownership moves with talloc_move or mem_steal only.
 */
#include "base/macro.h"

#include <stdarg.h>
#include <string.h>
#include <talloc.h>

void *mem_check(void *p); /* p, or the end of the program */

#define mem_new(owner, type) ((type *)mem_check(talloc_zero(owner, type)))
#define mem_array(owner, type, n) ((type *)mem_check(talloc_zero_array(owner, type, n)))
#define mem_grow(owner, p, type, n) ((type *)mem_check(talloc_realloc(owner, p, type, n)))
#define mem_steal(owner, p) ((void)talloc_steal(owner, p))

/* Appends `value` to a talloc array `array` of `count` elements that belongs to `owner`; grows in powers of
 * two. */
#define mem_append(owner, array, count, value)                                                               \
    do {                                                                                                     \
        if (((count) & ((count)-1)) == 0)                                                                    \
            (array) = mem_check(                                                                             \
                talloc_realloc_size(owner, array, sizeof(*(array)) * ((count) ? (size_t)(count)*2 : 1)));    \
        (array)[(count)++] = (value);                                                                        \
    } while (0)

TALLOC_CTX *mem_ctx(void);                          /* a new top-level context */
char *mem_strdup(const void *owner, const char *s); /* NULL stays NULL */
char *mem_strndup(const void *owner, const char *s, size_t n);
char *mem_printf(const void *owner, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *mem_vprintf(const void *owner, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
char *mem_append_str(char *s, const char *more); /* s grows, stays with its owner */
char *mem_append_printf(char *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void *mem_dup(const void *owner, const void *data, size_t size);

static inline void cleanup_ctx_fn(TALLOC_CTX **ctx)
{
    talloc_free(*ctx);
}
#define cleanup_ctx CLEANUP(cleanup_ctx_fn)
