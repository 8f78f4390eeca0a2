#include "data/ignore.h"

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"

#include <ctype.h>

struct pattern {
    char *text;
    bool is_exception;
};

struct ignore {
    struct pattern *patterns;
    size_t count;
};

/* ---- one pattern ---- */

/* The end of a class that begins at `p`, behind its "]"; NULL when it has none. */
static const char *class_end(const char *p)
{
    p += p[1] == '^' ? 2 : 1;
    for (bool first = true; *p && (first || *p != ']'); first = false) {
        p += *p == '\\' && p[1] ? 2 : 1;
        if (*p == '-' && p[1] && p[1] != ']')
            p += p[1] == '\\' && p[2] ? 3 : 2;
    }
    return *p == ']' ? p + 1 : NULL;
}

static unsigned char class_character(const char **p)
{
    *p += **p == '\\';
    return (unsigned char)*(*p)++;
}

static bool class_has(const char *p, const char *end, unsigned char c)
{
    bool is_negative = p[1] == '^', found = false;
    p += is_negative ? 2 : 1;
    while (p < end - 1) {
        unsigned char from = class_character(&p), to = from;
        if (*p == '-' && p + 1 < end - 1) {
            p++;
            to = class_character(&p);
        }
        found |= from <= c && c <= to;
    }
    return found != is_negative;
}

/* Whether the part of the pattern at *p stands for what is at *s; both move behind it. */
static bool match_one(const char **p, const char **s)
{
    if (!**s || !**p)
        return false;
    if (**p == '?' || **p == '[') {
        const char *end = **p == '[' ? class_end(*p) : *p + 1;
        if (**s == '/' || (**p == '[' && !class_has(*p, end, (unsigned char)**s)))
            return false;
        *p = end;
        (*s)++;
        while (((unsigned char)**s & 0xc0) == 0x80) /* the rest of a character */
            (*s)++;
        return true;
    }
    const char *literal = **p == '\\' ? *p + 1 : *p;
    if (*literal != **s)
        return false;
    *p = literal + 1;
    (*s)++;
    return true;
}

/* Goes back to the last "*", and when that has reached a slash to the last "**": the ones before need not be
 * tried again. So it never takes more than length times length steps. */
static bool match(const char *p, const char *s)
{
    const char *star = NULL, *star_at = NULL, *deep = NULL, *deep_at = NULL;
    for (;;) {
        if (p[0] == '*' && p[1] == '*') {
            p += p[2] == '/' ? 3 : 2;
            if (!*p)
                return true;
            deep = p;
            deep_at = s;
            star = NULL;
        } else if (*p == '*') {
            star = ++p;
            star_at = s;
        } else if (!*p && !*s) {
            return true;
        } else if (match_one(&p, &s)) {
            continue;
        } else if (star && *star_at && *star_at != '/') {
            p = star;
            s = ++star_at;
        } else if (deep && (deep_at = strchr(deep_at, '/'))) {
            p = deep;
            s = ++deep_at;
            star = NULL;
        } else {
            return false;
        }
    }
}

static bool is_valid(const char *text)
{
    while (*text) {
        const char *next = *text == '[' ? class_end(text) : *text == '\\' ? text + 2 : text + 1;
        if (!next || (*text == '\\' && !text[1]))
            return false;
        text = next;
    }
    return true;
}

/* ---- the list ---- */

struct ignore *ignore_new(const void *owner)
{
    return mem_new(owner, struct ignore);
}

int ignore_add(struct ignore *ignore, const char *pattern, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    while (isspace((unsigned char)*pattern))
        pattern++;
    size_t n = strlen(pattern);
    while (n && isspace((unsigned char)pattern[n - 1]))
        n--;
    const char *text = mem_strndup(tmp, pattern, n);
    bool is_exception = *text == '!';
    for (text += is_exception; isspace((unsigned char)*text);)
        text++;
    if (!*text)
        return is_exception ? error_set(err, EINVAL, "pattern '!' has nothing behind it") : 0;
    if (!is_valid(text))
        return error_set(err, EINVAL, "pattern '%s' has a '[' or '\\' without end", text);
    text = path_clean(tmp, text);
    text += *text == '/' && text[1];
    if (str_eq(text, "."))
        return 0;
    const struct pattern added = {.text = mem_strdup(ignore, text), .is_exception = is_exception};
    mem_append(ignore, ignore->patterns, ignore->count, added);
    return 0;
}

int ignore_add_file(struct ignore *ignore, const char *text, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *content = str_after(text, "\xef\xbb\xbf");
    char **lines = strv_split(tmp, content ? content : text, '\n');
    int r = 0;
    for (size_t i = 0; r == 0 && lines[i]; i++)
        if (lines[i][0] != '#' && (r = ignore_add(ignore, lines[i], err)) < 0)
            r = error_wrap(err, "line %zu", i + 1);
    return r;
}

bool ignore_is_empty(const struct ignore *ignore)
{
    return ignore->count == 0;
}

static bool matches_with_parents(const char *pattern, char *path)
{
    bool found = match(pattern, path);
    for (char *slash = path; !found && (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        found = match(pattern, path);
    }
    return found;
}

bool ignore_matches(const struct ignore *ignore, const char *path)
{
    char *copy = mem_strdup(NULL, path);
    bool matched = false;
    for (size_t i = 0; i < ignore->count; i++) {
        const struct pattern *p = &ignore->patterns[i];
        if (p->is_exception == matched && matches_with_parents(p->text, copy))
            matched = !p->is_exception;
    }
    talloc_free(copy);
    return matched;
}

bool ignore_matches_all(const struct ignore *ignore, const char *directory)
{
    if (!ignore_matches(ignore, directory))
        return false;
    for (size_t i = 0; i < ignore->count; i++) {
        const struct pattern *p = &ignore->patterns[i];
        const char *below = p->is_exception ? str_after(p->text, directory) : NULL;
        if (p->is_exception && (strpbrk(p->text, "*?[\\") || (below && *below == '/')))
            return false;
    }
    return true;
}
