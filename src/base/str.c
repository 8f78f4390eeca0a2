#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

const char *str_after(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s && strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_starts(const char *s, const char *prefix)
{
    return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
    if (!s)
        return false;
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
    if (!s || !isdigit((unsigned char)*s))
        return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(s, &end, 10);
    if (errno || *end || v < min || v > max)
        return false;
    *ret = v;
    return true;
}

bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    if (!s || !isdigit((unsigned char)(*s == '-' ? s[1] : *s)))
        return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno || *end || v < min || v > max)
        return false;
    *ret = v;
    return true;
}

bool str_to_double(const char *s, double *ret)
{
    char plain[64];
    size_t n = 0;
    for (; s && *s; s++) {
        bool between = n > 0 && isalnum((unsigned char)s[-1]) && isalnum((unsigned char)s[1]);
        if (*s == '_' && between)
            continue;
        if (n + 1 >= sizeof(plain))
            return false;
        plain[n++] = *s;
    }
    plain[n] = '\0';
    bool hexadecimal = strpbrk(plain, "xX") != NULL;
    if (n == 0 || isspace((unsigned char)plain[0]) || (hexadecimal && !strpbrk(plain, "pP")))
        return false;
    char *end;
    errno = 0;
    double v = strtod(plain, &end);
    if (errno || *end || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

bool str_copy(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);
    bool fits = n < size;
    if (!fits)
        n = size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
    return fits;
}

void str_hex(char *to, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
    to[2 * n] = '\0';
}

/* Damerau's distance with one row of memory per step; words longer than the rows are too far anyway. */
static size_t word_distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    size_t n = strlen(a), m = strlen(b), rows[3][MAX + 1];
    if (n > MAX || m > MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *word_nearest(const char *word, const char *const *words)
{
    const char *best = NULL;
    size_t length = strlen(word), limit = length <= 3 ? 1 : length <= 6 ? 2 : 3, best_distance = limit + 1;
    for (const char *const *w = words; *w; w++) {
        size_t distance = word_distance(word, *w);
        if (distance == 0)
            continue;
        if (distance > limit && length >= 3 && str_starts(*w, word))
            distance = limit;
        if (distance < best_distance) {
            best_distance = distance;
            best = *w;
        }
    }
    return best;
}
