#pragma once
/*
 * An arena: many small objects that live and die together, such as the nodes of a Compose file. It is a
 * talloc object, so that it has an owner like everything else; what is taken from it is not, and must not be
 * given to talloc functions. A file of ten thousand services makes about a million nodes and strings, for
 * which a header each would cost more than their contents.
 */
#include "base/mem.h"

#include <stdbool.h>

struct arena;

struct arena *arena_new(const void *owner);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for any type */
/*
 * What is made of an input may take a constant times its size: each input adds to what an arena allows. The
 * arena gives more than that; whoever makes values in a loop asks whether it is full.
 */
enum { ARENA_ALWAYS = 256 << 20, ARENA_FACTOR = 64 };
void arena_allow(struct arena *arena, size_t input_size);
bool arena_is_full(const struct arena *arena);
char *arena_strndup(struct arena *arena, const char *s, size_t n);
char *arena_strdup(struct arena *arena, const char *s); /* NULL stays NULL */
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define arena_new_object(arena, type) ((type *)arena_alloc(arena, sizeof(type)))
#define arena_array(arena, type, n) ((type *)arena_alloc(arena, sizeof(type) * (n)))
