#pragma once
/*
 * Byte sizes and durations, both ways, as Compose files write them.
 * Sizes: a decimal number, fractions allowed, with an optional unit b, k, kb, m, mb, g, gb, t, tb, p,
 * pb (case does not matter, "ib" forms too, always powers of 1024).
 * Durations: Go's form ("1h30m", "1.5s", "300ms"), plus "d" and "w"; kept in nanoseconds.
 * Needs libc only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNITS_TEXT = 32 }; /* room that the printers need */

#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL

bool bytes_parse(const char *s, int64_t *ret);
bool duration_parse(const char *s, int64_t *ret_ns);

/* As Go's time.Duration prints: "1m30s", "1.5s", "250ms", "0s". */
void duration_print(int64_t ns, char text[UNITS_TEXT]);

/* For people, powers of 1000 as docker shows sizes: "45.3MB". */
void bytes_print(int64_t bytes, char text[UNITS_TEXT]);
