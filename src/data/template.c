#include "data/template.h"

#include "base/str.h"
#include "data/buffer.h"

#include <ctype.h>

static bool is_name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static size_t name_length(const char *s)
{
    if (!is_name_start(*s))
        return 0;
    size_t n = 1;
    while (is_name_start(s[n]) || isdigit((unsigned char)s[n]))
        n++;
    return n;
}

static int invalid(const char *text, struct error *err, const char *why)
{
    error_set(err, EINVAL, "invalid interpolation in '%s': %s", text, why);
    return error_hint(err, "write $$ for a dollar sign that is meant as such");
}

/* What is wrong with the text between the braces: no name, or something else than an operator behind it. */
static const char *why_invalid(size_t size, size_t name, char operation)
{
    if (size == 0)
        return "no name between the braces";
    if (name == 0)
        return "a name is made of letters, digits and _, and does not begin with a digit";
    return !operation ? "nothing behind the colon" : "only :-, -, :?, ?, :+ and + can follow a name";
}

/* Length up to the brace that closes the one in front of `s`, or -1. */
static long closing_brace(const char *s, size_t size)
{
    unsigned open = 1;
    for (size_t i = 0; i < size; i++) {
        if (s[i] == '{')
            open++;
        else if (s[i] == '}' && --open == 0)
            return (long)i;
    }
    return -1;
}

/* A stretch of text, and what is behind it. */
struct piece {
    const char *text, *body; /* body: of a variable, as between braces */
    size_t size, body_size;
    enum { PIECE_END, PIECE_DOLLAR, PIECE_VARIABLE } kind;
};

static int next_piece(const char **at, const char *end, const char *whole, struct piece *ret,
                      struct error *err)
{
    const char *text = *at, *dollar = text < end ? memchr(text, '$', (size_t)(end - text)) : NULL;
    if (!dollar || dollar + 1 == end) {
        *ret = (struct piece){.text = text, .size = (size_t)(end - text), .kind = PIECE_END};
        return 0;
    }
    *ret = (struct piece){.text = text, .size = (size_t)(dollar - text), .kind = PIECE_DOLLAR};
    text = dollar + 1;
    size_t n = name_length(text), left = (size_t)(end - text);
    if (*text == '{') {
        long length = closing_brace(text + 1, left - 1);
        if (length < 0)
            return invalid(whole, err, "'${' has no '}'");
        ret->kind = PIECE_VARIABLE;
        ret->body = text + 1;
        ret->body_size = (size_t)length;
        text += length + 2;
    } else if (n > 0) {
        ret->kind = PIECE_VARIABLE;
        ret->body = text;
        ret->body_size = n > left ? left : n;
        text += ret->body_size;
    } else if (*text == '$') {
        text++;
    }
    *at = text;
    return 0;
}

static int expand(struct buffer *out, const char *text, size_t size, const struct template_scope *scope,
                  unsigned depth, const char *whole, struct error *err);

/* What stands between the braces of one ${...}, taken apart. */
struct expression {
    char *name;
    bool colon;
    char operation; /* '\0': none */
    const char *operand;
    size_t operand_size;
};

static int parse_braced(const void *owner, const char *body, size_t size, const char *whole,
                        struct expression *ret, struct error *err)
{
    size_t n = name_length(body);
    if (n > size)
        n = size;
    const char *operand = body + n, *end = body + size;
    bool colon = operand < end && *operand == ':';
    if (colon)
        operand++;
    char operation = operand < end ? *operand++ : '\0';
    if (n == 0 || (operation == '\0' ? colon : !strchr("-?+", operation)))
        return invalid(whole, err, why_invalid(size, n, operation));
    *ret = (struct expression){.name = mem_strndup(owner, body, n),
                               .colon = colon,
                               .operation = operation,
                               .operand = operand,
                               .operand_size = (size_t)(end - operand)};
    return 0;
}

static int expand_braced(struct buffer *out, const char *body, size_t size,
                         const struct template_scope *scope, unsigned depth, const char *whole,
                         struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct expression e;
    int r = parse_braced(tmp, body, size, whole, &e, err);
    if (r < 0)
        return r;
    const char *value = scope->lookup(scope, e.name);
    bool have = value && (!e.colon || *value);
    if (scope->used)
        scope->used(scope, e.name, value, have ? e.operation == '+' : e.operation == '-');
    if (e.operation == '+')
        return have ? expand(out, e.operand, e.operand_size, scope, depth + 1, whole, err) : 0;
    if (have) {
        buffer_add_str(out, value);
        return 0;
    }
    if (e.operation == '-')
        return expand(out, e.operand, e.operand_size, scope, depth + 1, whole, err);
    if (e.operation == '?') {
        struct buffer message = BUFFER_INIT(tmp);
        r = expand(&message, e.operand, e.operand_size, scope, depth + 1, whole, err);
        if (r < 0)
            return r;
        error_set(err, EINVAL, "required variable %s is missing a value%s%s", e.name,
                  message.size ? ": " : "", message.size ? message.data : "");
        return error_hint(err, "set %s in the environment or in an env file", e.name);
    }
    if (!value && scope->unset)
        scope->unset(scope, e.name);
    return 0;
}

static int expand(struct buffer *out, const char *text, size_t size, const struct template_scope *scope,
                  unsigned depth, const char *whole, struct error *err)
{
    if (depth > TEMPLATE_MAX_DEPTH)
        return error_set(err, EINVAL, "variables nested more than %d deep", TEMPLATE_MAX_DEPTH);
    const char *end = text + size;
    struct piece piece = {.kind = PIECE_DOLLAR};
    while (piece.kind != PIECE_END) {
        int r = next_piece(&text, end, whole, &piece, err);
        if (r < 0)
            return r;
        if (out->size > TEMPLATE_MAX_SIZE)
            return error_set(err, E2BIG, "variables make the text larger than %d MiB",
                             TEMPLATE_MAX_SIZE >> 20);
        buffer_add(out, piece.text, piece.size);
        if (piece.kind == PIECE_DOLLAR)
            buffer_add_char(out, '$');
        else if (piece.kind == PIECE_VARIABLE)
            r = expand_braced(out, piece.body, piece.body_size, scope, depth, whole, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int template_expand(const void *owner, const char *text, const struct template_scope *scope, char **ret,
                    struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer out = BUFFER_INIT(tmp);
    buffer_add(&out, "", 0);
    int r = expand(&out, text, strlen(text), scope, 0, text, err);
    if (r == 0)
        *ret = talloc_move(owner, &out.data);
    return r;
}

struct finder {
    void (*use)(void *data, const struct template_reference *reference);
    void *data;
    const char *whole;
};

static int find_references(const struct finder *finder, const char *text, size_t size, unsigned depth,
                           struct error *err)
{
    if (depth > TEMPLATE_MAX_DEPTH)
        return error_set(err, EINVAL, "variables nested more than %d deep", TEMPLATE_MAX_DEPTH);
    const char *end = text + size;
    for (;;) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct piece piece;
        struct expression e;
        int r = next_piece(&text, end, finder->whole, &piece, err);
        if (r < 0 || piece.kind == PIECE_END)
            return r;
        if (piece.kind != PIECE_VARIABLE)
            continue;
        r = parse_braced(tmp, piece.body, piece.body_size, finder->whole, &e, err);
        if (r < 0)
            return r;
        const struct template_reference reference = {
            .name = e.name, .operation = e.operation, .operand = mem_strndup(tmp, e.operand, e.operand_size)};
        finder->use(finder->data, &reference);
        r = find_references(finder, e.operand, e.operand_size, depth + 1, err);
        if (r < 0)
            return r;
    }
}

int template_references(const char *text, void (*use)(void *data, const struct template_reference *reference),
                        void *data, struct error *err)
{
    const struct finder finder = {.use = use, .data = data, .whole = text};
    return find_references(&finder, text, strlen(text), 0, err);
}
