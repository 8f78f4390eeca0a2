/*
 * Plain scalars. The rules are those of Go's YAML library, which docker compose reads with: the core schema
 * of YAML 1.2 for booleans and null, with YAML 1.1's numbers (underscores, a leading 0 for octal, 0b) on top.
 */
#include "base/str.h"
#include "data/node.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>

/* All words here have at most WORD_MAX letters. */
enum { WORD_MAX = 5 };

static bool in_list(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static const char *const null_words[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const true_words[] = {"true", "True", "TRUE", NULL};
static const char *const false_words[] = {"false", "False", "FALSE", NULL};
static const char *const inf_words[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", NULL};
static const char *const minus_inf_words[] = {"-.inf", "-.Inf", "-.INF", NULL};
static const char *const nan_words[] = {".nan", ".NaN", ".NAN", NULL};

/* Copies without underscores; false when it does not fit. */
static bool strip_underscores(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; *text; text++) {
        if (*text == '_')
            continue;
        if (n + 1 >= size)
            return false;
        out[n++] = *text;
    }
    out[n] = '\0';
    return true;
}

static bool parse_digits(const char *s, int base, uint64_t *ret)
{
    if (!*s)
        return false;
    uint64_t value = 0;
    for (; *s; s++) {
        int c = tolower((unsigned char)*s);
        int digit = isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= base || value > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base)
            return false;
        value = value * (uint64_t)base + (uint64_t)digit;
    }
    *ret = value;
    return true;
}

/* Sign and magnitude, which is any number of 64 bits. */
static bool parse_integer(const char *plain, bool *ret_negative, uint64_t *ret)
{
    const char *s = plain;
    *ret_negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    int base = 10;
    if (s[0] == '0' && s[1]) {
        int c = tolower((unsigned char)s[1]);
        base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 8;
        s += c == 'x' || c == 'o' || c == 'b' ? 2 : 1;
    }
    return parse_digits(s, base, ret);
}

/* [-+]? ( . digits | digits [. digits*] ) [ e [-+]? digits ] */
static bool is_float(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    size_t before = strspn(s, "0123456789"), after = 0;
    s += before;
    if (*s == '.') {
        s++;
        after = strspn(s, "0123456789");
        s += after;
    }
    if (!before && !after)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '-' || *s == '+')
            s++;
        size_t exponent = strspn(s, "0123456789");
        if (!exponent)
            return false;
        s += exponent;
    }
    return *s == '\0';
}

static bool resolve_number(struct node *node)
{
    char plain[128];
    unsigned char first = (unsigned char)*node->text;
    if (!isdigit(first) && first != '+' && first != '-' && first != '.')
        return false;
    if (!strip_underscores(node->text, plain, sizeof(plain)))
        return false;
    bool negative;
    uint64_t value;
    bool whole = parse_integer(plain, &negative, &value);
    if (whole && value <= (uint64_t)INT64_MAX + negative) {
        node->kind = NODE_INT;
        node->integer = negative ? (int64_t)-value : (int64_t)value;
        return true;
    }
    if (whole && !negative) {
        node->kind = NODE_FLOAT;
        node->number = (double)value;
        return true;
    }
    if (is_float(plain)) {
        node->kind = NODE_FLOAT;
        node->number = strtod(plain, NULL);
        return true;
    }
    return false;
}

void scalar_resolve(struct node *node)
{
    const char *text = node->text;
    node->kind = NODE_STRING;
    if (strnlen(text, WORD_MAX + 1) > WORD_MAX) {
        resolve_number(node);
    } else if (in_list(text, null_words)) {
        node->kind = NODE_NULL;
    } else if (in_list(text, true_words) || in_list(text, false_words)) {
        node->kind = NODE_BOOL;
        node->boolean = in_list(text, true_words);
    } else if (in_list(text, inf_words) || in_list(text, minus_inf_words)) {
        node->kind = NODE_FLOAT;
        node->number = *text == '-' ? -INFINITY : INFINITY;
    } else if (in_list(text, nan_words)) {
        node->kind = NODE_FLOAT;
        node->number = NAN;
    } else {
        resolve_number(node);
    }
}

/* YAML 1.1 booleans, which other readers would take for one. */
static const char *const old_booleans[] = {"y", "Y",  "yes", "Yes", "YES", "on",  "On",  "ON", "n",
                                           "N", "no", "No",  "NO",  "off", "Off", "OFF", NULL};

/* 190:20:30, a number to base 60 in YAML 1.1. */
static bool is_base60(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    if (!isdigit((unsigned char)*s) || !strchr(s, ':'))
        return false;
    s += strspn(s, "0123456789_");
    bool group = false;
    while (*s == ':' && isdigit((unsigned char)s[1])) {
        s++;
        if (*s >= '0' && *s <= '5' && isdigit((unsigned char)s[1]))
            s++;
        s++;
        group = true;
    }
    if (*s == '.')
        s += 1 + strspn(s + 1, "0123456789_");
    return group && *s == '\0';
}

static bool digits(const char **s, size_t min, size_t max)
{
    size_t n = strspn(*s, "0123456789");
    if (n < min || n > max)
        return false;
    *s += n;
    return true;
}

/* A date, or a date and a time as ISO 8601 and YAML 1.1 write it. */
static bool is_timestamp(const char *s)
{
    if (!digits(&s, 4, 4) || *s++ != '-' || !digits(&s, 1, 2) || *s++ != '-' || !digits(&s, 1, 2))
        return false;
    if (!*s)
        return true;
    if (*s != 'T' && *s != 't' && *s != ' ')
        return false;
    s++;
    if (!digits(&s, 1, 2) || *s++ != ':' || !digits(&s, 1, 2) || *s++ != ':' || !digits(&s, 1, 2))
        return false;
    if (*s == '.') {
        s++;
        s += strspn(s, "0123456789");
    }
    if (!*s || strcmp(s, "Z") == 0)
        return true;
    if (*s != '+' && *s != '-')
        return false;
    s++;
    return digits(&s, 2, 2) && *s++ == ':' && digits(&s, 2, 2) && !*s;
}

bool scalar_is_ambiguous(const char *text)
{
    struct node probe = {.text = text};
    scalar_resolve(&probe);
    bool is_word = strnlen(text, WORD_MAX + 1) <= WORD_MAX && in_list(text, old_booleans);
    return probe.kind != NODE_STRING || is_word || is_base60(text) || is_timestamp(text);
}

/* The shortest digits in "d.ddde+XX" form that read back as `value`; returns how many there are. */
static int shortest_digits(double value, bool single, char text[NUMBER_ROOM])
{
    int limit = single ? 9 : 17;
    for (int precision = 1; precision < limit; precision++) {
        snprintf(text, NUMBER_ROOM, "%.*e", precision - 1, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            return precision;
    }
    snprintf(text, NUMBER_ROOM, "%.*e", limit - 1, value);
    return limit;
}

/* A whole number as the file wrote it, which needs all 64 bits. */
static bool is_wide(const struct node *node, uint64_t *ret)
{
    char plain[128];
    bool negative;
    return node->text && strip_underscores(node->text, plain, sizeof(plain)) &&
           parse_integer(plain, &negative, ret) && !negative && *ret > INT64_MAX;
}

void number_print(const struct node *node, enum number_style style, char text[NUMBER_ROOM])
{
    static const int lowest[] = {[NUMBER_TEXT] = -4, [NUMBER_JSON] = -6};
    static const int highest[] = {[NUMBER_TEXT] = 6, [NUMBER_JSON] = 21};
    double value = node->number;
    uint64_t wide;
    if (is_wide(node, &wide)) {
        snprintf(text, NUMBER_ROOM, "%" PRIu64, wide);
        return;
    }
    if (isnan(value) || isinf(value)) {
        snprintf(text, NUMBER_ROOM, "%s", isnan(value) ? ".nan" : value < 0 ? "-.inf" : ".inf");
        return;
    }
    char digits[NUMBER_ROOM];
    int count = shortest_digits(value, false, digits);
    const char *e = strchr(digits, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    if (exponent >= lowest[style] && exponent < highest[style]) {
        /* The shortest digits may end before the point: zeros follow, whatever the exact value is. */
        int decimals = count - 1 - exponent;
        double scale = decimals < 0 ? pow(10, -decimals) : 1;
        int n = snprintf(text, NUMBER_ROOM, "%.*f", decimals > 0 ? decimals : 0, value / scale);
        for (; decimals < 0; decimals++)
            text[n++] = '0';
        text[n] = '\0';
    } else {
        snprintf(text, NUMBER_ROOM, style == NUMBER_JSON ? "%.*se%c%d" : "%.*se%c%02d", (int)(e - digits),
                 digits, exponent < 0 ? '-' : '+', abs(exponent));
    }
}

double number_single(double value)
{
    char digits[NUMBER_ROOM];
    shortest_digits((double)(float)value, true, digits);
    return strtod(digits, NULL);
}
