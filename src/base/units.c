#include "base/units.h"

#include "base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Digits with at most one point; returns the end, or NULL. Hexadecimal, exponents, inf and nan are not
 * numbers here. */
static const char *number_end(const char *s)
{
    const char *p = s;
    bool digit = false, point = false;
    for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
        digit |= *p != '.';
        point |= *p == '.';
    }
    return digit ? p : NULL;
}

bool bytes_parse(const char *s, int64_t *ret)
{
    static const char prefixes[] = "kmgtp";
    char number[64];
    size_t n = strlen(s);
    while (n > 0 && !strchr("0123456789. ", s[n - 1]))
        n--;
    const char *unit = s + n;
    if (n > 0 && s[n - 1] == ' ')
        n--;
    if (n == 0 || n >= sizeof(number))
        return false;
    memcpy(number, s, n);
    number[n] = '\0';
    double value, factor = 1;
    if (!str_to_double(number, &value) || value < 0)
        return false;
    if (*unit) {
        const char *p = strchr(prefixes, tolower((unsigned char)*unit));
        if (p) {
            factor = ldexp(1, 10 * (int)(p - prefixes + 1));
            unit++;
            if (tolower((unsigned char)*unit) == 'i')
                unit++;
        }
        if (tolower((unsigned char)*unit) == 'b')
            unit++;
        if (*unit)
            return false;
    }
    value *= factor;
    if (value >= 9.2e18)
        return false;
    *ret = (int64_t)value;
    return true;
}

bool duration_parse(const char *s, int64_t *ret_ns)
{
    /* Longer names first where one starts with the other. */
    static const struct {
        const char *name;
        double ns;
    } units[] = {
        {"ns",      1       },
        {"us",      1e3     },
        {"\u00b5s", 1e3     },
        {"\u03bcs", 1e3     },
        {"ms",      1e6     },
        {"s",       1e9     },
        {"m",       60e9    },
        {"h",       3600e9  },
        {"d",       86400e9 },
        {"w",       604800e9},
    };
    bool negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if (strcmp(s, "0") == 0) {
        *ret_ns = 0;
        return true;
    }
    if (!*s)
        return false;
    double total = 0;
    while (*s) {
        const char *unit = number_end(s);
        if (!unit)
            return false;
        double value = strtod(s, NULL);
        size_t i = 0, n = sizeof(units) / sizeof(units[0]);
        while (i < n && strncmp(unit, units[i].name, strlen(units[i].name)) != 0)
            i++;
        if (i == n)
            return false;
        total += value * units[i].ns;
        s = unit + strlen(units[i].name);
    }
    if (total >= 9.2e18)
        return false;
    *ret_ns = (int64_t)llround(negative ? -total : total);
    return true;
}

/* `value` in units of `unit` ns, with the fraction that is left and no trailing zeros. */
static int print_fraction(char *text, size_t size, uint64_t ns, uint64_t unit, const char *name)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%.9f", (double)(ns % unit) / (double)unit);
    while (n > 0 && digits[n - 1] == '0')
        digits[--n] = '\0';
    const char *fraction = strchr(digits, '.');
    if (fraction && fraction[1] == '\0')
        fraction = "";
    return snprintf(text, size, "%" PRIu64 "%s%s", ns / unit, fraction ? fraction : "", name);
}

void duration_print(int64_t ns, char text[UNITS_TEXT])
{
    char *p = text, *end = text + UNITS_TEXT;
    uint64_t v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        *p++ = '-';
    if (v == 0) {
        snprintf(p, (size_t)(end - p), "0s");
    } else if (v < 1000) {
        snprintf(p, (size_t)(end - p), "%" PRIu64 "ns", v);
    } else if (v < 1000000) {
        print_fraction(p, (size_t)(end - p), v, 1000, "\u00b5s");
    } else if (v < 1000000000) {
        print_fraction(p, (size_t)(end - p), v, 1000000, "ms");
    } else {
        uint64_t hours = v / 3600000000000u, minutes = v / 60000000000u % 60;
        if (hours)
            p += snprintf(p, (size_t)(end - p), "%" PRIu64 "h", hours);
        if (hours || minutes)
            p += snprintf(p, (size_t)(end - p), "%" PRIu64 "m", minutes);
        print_fraction(p, (size_t)(end - p), v % 60000000000u, 1000000000, "s");
    }
}

void bytes_print(int64_t bytes, char text[UNITS_TEXT])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    snprintf(text, UNITS_TEXT, "%.*f%s",
             unit == 0 || value >= 100 ? 0
             : value >= 10             ? 1
                                       : 2,
             value, units[unit]);
}
