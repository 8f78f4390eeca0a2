#pragma once
/* Strings and strict numbers. Needs libc only. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static inline bool str_is_empty(const char *s)
{
    return !s || !*s;
}

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* The text after `prefix`, or NULL when `s` does not start with it. */
const char *str_after(const char *s, const char *prefix);

/*
 * The whole of `s` as a decimal number: no sign for the unsigned form, no blanks, no leftovers, and
 * within [min, max]. False leaves *ret as it was.
 */
bool str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
/* As Go reads numbers: underscores between digits, hexadecimal with an exponent only. Never infinite. */
bool str_to_double(const char *s, double *ret);

/* Copies at most size - 1 bytes and ends with a NUL; false when it did not fit. */
bool str_copy(char *to, size_t size, const char *from);

/* Lower-case hexadecimal digits of `n` bytes into `to`, which holds 2n + 1. */
void str_hex(char *to, const unsigned char *bytes, size_t n);

/* The word of `words` (NULL-ended) nearest to `word`, when it is near enough to be a slip; else NULL. */
const char *word_nearest(const char *word, const char *const *words);
