#pragma once
/*
 * Text for people's eyes. Names and messages can come from images, registries and containers: what goes to a
 * terminal, a table or JSON is first made valid UTF-8 without control characters.
 */
#include "base/mem.h"

#include <stdint.h>

/* A copy in which broken bytes are U+FFFD and control characters (tabs and line ends too) are blanks. */
char *text_clean(const void *owner, const char *s);

/* Columns that valid UTF-8 takes on a terminal. */
int text_width(const char *s);

/* How many bytes at the start of `s` take at most `columns`. */
size_t text_fit(const char *s, int columns);

/* At most `columns` wide; when cut, the last column is "…". */
char *text_cut(const void *owner, const char *s, int columns);

/* Length of the UTF-8 sequence at `s` (1..4) with its code point, or 0 when it is not one. */
size_t utf8_decode(const char *s, uint32_t *ret);
