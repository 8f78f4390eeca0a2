#include "data/dotenv.h"

#include "base/str.h"
#include "data/buffer.h"

#include <ctype.h>

struct parser {
    const char *at;
    unsigned line;
    struct template_scope scope; /* ours: the outer scope, then the values so far */
    const struct template_scope *outer;
    struct omap *values;
    TALLOC_CTX *tmp; /* of one statement */
};

static const char *lookup(const struct template_scope *scope, const char *name)
{
    const struct parser *p = scope->data;
    const char *value = p->outer->lookup(p->outer, name);
    return value ? value : omap_get(p->values, name);
}

static void unset(const struct template_scope *scope, const char *name)
{
    const struct parser *p = scope->data;
    if (p->outer->unset)
        p->outer->unset(p->outer, name);
}

/* Blanks that do not end a line. */
static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static void skip_blanks(struct parser *p)
{
    while (is_blank(*p->at))
        p->at++;
}

/* To the first character of a statement; false at the end. */
static bool find_statement(struct parser *p)
{
    for (;;) {
        while (isspace((unsigned char)*p->at)) {
            p->line += *p->at == '\n';
            p->at++;
        }
        if (*p->at != '#')
            return *p->at != '\0';
        p->at += strcspn(p->at, "\n");
    }
}

static bool is_key_character(unsigned char c)
{
    return isalnum(c) || c >= 0x80 || strchr("_.-[]", c);
}

/* A key up to its separator; *ret_bare is set when there is none. */
static int read_key(struct parser *p, char **ret, bool *ret_bare, struct error *err)
{
    if (str_starts(p->at, "export") && isspace((unsigned char)p->at[6])) {
        p->at += 6;
        while (isspace((unsigned char)*p->at)) {
            p->line += *p->at == '\n';
            p->at++;
        }
    }
    const char *start = p->at, *c = start;
    while (*c && *c != '=' && *c != ':' && *c != '\n') {
        if (!is_blank(*c) && !is_key_character((unsigned char)*c))
            return error_set(err, EINVAL, "line %u: unexpected character '%c' in variable name '%.*s'",
                             p->line, *c, (int)strcspn(start, "\n"), start);
        c++;
    }
    const char *end = c;
    while (end > start && is_blank(end[-1]))
        end--;
    *ret = mem_strndup(p->tmp, start, (size_t)(end - start));
    if (strpbrk(*ret, " \t"))
        return error_set(err, EINVAL, "line %u: key cannot contain a space", p->line);
    *ret_bare = *c != '=' && *c != ':';
    p->at = *c ? c + 1 : c;
    if (*c == '\n')
        p->line++;
    else
        skip_blanks(p);
    return 0;
}

static void add_escape(struct buffer *out, const char *s, size_t *used)
{
    static const char from[] = "abfnrtv\"\\", to[] = "\a\b\f\n\r\t\v\"\\";
    const char *found = s[1] ? strchr(from, s[1]) : NULL;
    *used = 2;
    if (found) {
        buffer_add_char(out, to[found - from]);
    } else if (s[1] == '$') {
        buffer_add_str(out, "$$");
    } else if (s[1] == '0' && strspn(s + 2, "01234567") >= 3 && s[2] <= '3') {
        int code = (s[2] - '0') * 64 + (s[3] - '0') * 8 + (s[4] - '0');
        if (code >= 0x80) {
            buffer_add_char(out, (char)(0xc0 | code >> 6));
            buffer_add_char(out, (char)(0x80 | (code & 0x3f)));
        } else if (code) {
            buffer_add_char(out, (char)code);
        }
        *used = 5;
    } else {
        buffer_add_char(out, '\\');
        *used = 1;
    }
}

static char *unescape(struct parser *p, const char *s)
{
    struct buffer out = BUFFER_INIT(p->tmp);
    buffer_add(&out, "", 0);
    while (*s) {
        size_t used = 1;
        if (*s == '\\')
            add_escape(&out, s, &used);
        else
            buffer_add_char(&out, *s);
        s += used;
    }
    return out.data;
}

static int read_quoted(struct parser *p, char **ret, struct error *err)
{
    char quote = *p->at;
    const char *start = p->at;
    unsigned first_line = p->line;
    struct buffer out = BUFFER_INIT(p->tmp);
    buffer_add(&out, "", 0);
    for (p->at++; *p->at != quote; p->at++) {
        if (!*p->at)
            return error_set(err, EINVAL, "line %u: unterminated quoted value %.*s", first_line,
                             (int)strcspn(start, "\n"), start);
        if (*p->at == '\n')
            p->line++;
        if (*p->at == '\\' && p->at[1] == quote && quote == '\'') {
            p->at++;
        } else if (*p->at == '\\' && p->at[1]) {
            buffer_add_char(&out, *p->at++);
            p->line += *p->at == '\n';
        }
        buffer_add_char(&out, *p->at);
    }
    p->at++;
    if (quote == '\'') {
        *ret = out.data;
        return 0;
    }
    return template_expand(p->tmp, unescape(p, out.data), &p->scope, ret, err);
}

static int read_value(struct parser *p, char **ret, struct error *err)
{
    if (*p->at == '"' || *p->at == '\'')
        return read_quoted(p, ret, err);
    size_t length = strcspn(p->at, "\n");
    char *value = mem_strndup(p->tmp, p->at, length);
    p->at += length;
    char *comment = strstr(value, " #");
    if (comment)
        *comment = '\0';
    size_t n = strlen(value);
    while (n > 0 && isspace((unsigned char)value[n - 1]))
        value[--n] = '\0';
    return template_expand(p->tmp, value, &p->scope, ret, err);
}

static const char *without_bom(const char *text)
{
    const char *rest = str_after(text, "\xef\xbb\xbf");
    return rest ? rest : text;
}

static void set_value(struct omap *values, struct omap *lines, const char *key, const char *value,
                      unsigned line)
{
    omap_set_str(values, key, value);
    if (lines)
        omap_set(lines, key, (void *)(uintptr_t)line);
}

int dotenv_parse(const char *text, const struct template_scope *scope, struct omap *values,
                 struct omap *lines, struct error *err)
{
    struct parser p = {.at = without_bom(text), .line = 1, .outer = scope, .values = values};
    p.scope = (struct template_scope){.lookup = lookup, .unset = unset, .data = &p};
    size_t size = 0;
    while (find_statement(&p)) {
        cleanup_ctx TALLOC_CTX *statement = mem_ctx();
        p.tmp = statement;
        char *key, *value;
        bool bare = false;
        unsigned line = p.line;
        int r = read_key(&p, &key, &bare, err);
        if (r < 0)
            return r;
        if (bare) {
            const char *inherited = scope->lookup(scope, key);
            if (inherited)
                set_value(values, lines, key, inherited, line);
            continue;
        }
        r = read_value(&p, &value, err);
        if (r < 0)
            return str_starts(err ? err->text : "", "line ") ? r : error_wrap(err, "line %u", line);
        size += strlen(value);
        if (size > DOTENV_MAX_VALUES)
            return error_set(err, E2BIG, "line %u: variables make the values larger than %d MiB", line,
                             DOTENV_MAX_VALUES >> 20);
        set_value(values, lines, key, value, line);
    }
    return 0;
}

int dotenv_parse_raw(const char *text, const struct template_scope *scope, struct omap *values,
                     struct omap *lines, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    unsigned line = 0;
    for (const char *s = without_bom(text); *s;) {
        size_t length = strcspn(s, "\n");
        char *row = mem_strndup(tmp, s, length);
        s += length + (s[length] == '\n');
        line++;
        while (isspace((unsigned char)*row))
            row++;
        size_t n = strlen(row);
        if (n && row[n - 1] == '\r')
            row[--n] = '\0';
        if (!*row || *row == '#')
            continue;
        char *equals = strchr(row, '=');
        if (equals)
            *equals = '\0';
        if (!*row || strpbrk(row, " \t"))
            return error_set(err, EINVAL, "line %u: '%s' is not a variable name", line, row);
        const char *value = equals ? equals + 1 : scope->lookup(scope, row);
        if (value)
            set_value(values, lines, row, value, line);
    }
    return 0;
}
