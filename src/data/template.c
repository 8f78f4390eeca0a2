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

static int expand(struct buffer *out, const char *text, size_t size, const struct template_scope *scope,
                  unsigned depth, const char *whole, struct error *err);

/* One ${...}: `body` is what stands between the braces. */
static int expand_braced(struct buffer *out, const char *body, size_t size,
                         const struct template_scope *scope, unsigned depth, const char *whole,
                         struct error *err)
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

    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *name = mem_strndup(tmp, body, n);
    const char *value = scope->lookup(scope, name);
    bool have = value && (!colon || *value);
    size_t operand_size = (size_t)(end - operand);
    if (scope->used)
        scope->used(scope, name, value, have ? operation == '+' : operation == '-');
    if (operation == '+')
        return have ? expand(out, operand, operand_size, scope, depth + 1, whole, err) : 0;
    if (have) {
        buffer_add_str(out, value);
        return 0;
    }
    if (operation == '-')
        return expand(out, operand, operand_size, scope, depth + 1, whole, err);
    if (operation == '?') {
        struct buffer message = BUFFER_INIT(tmp);
        int r = expand(&message, operand, operand_size, scope, depth + 1, whole, err);
        if (r < 0)
            return r;
        error_set(err, EINVAL, "required variable %s is missing a value%s%s", name, message.size ? ": " : "",
                  message.size ? message.data : "");
        return error_hint(err, "set %s in the environment or in an env file", name);
    }
    if (!value && scope->unset)
        scope->unset(scope, name);
    return 0;
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

static int expand(struct buffer *out, const char *text, size_t size, const struct template_scope *scope,
                  unsigned depth, const char *whole, struct error *err)
{
    if (depth > TEMPLATE_MAX_DEPTH)
        return error_set(err, EINVAL, "variables nested more than %d deep", TEMPLATE_MAX_DEPTH);
    const char *end = text + size;
    while (text < end) {
        const char *dollar = memchr(text, '$', (size_t)(end - text));
        if (out->size > TEMPLATE_MAX_SIZE)
            return error_set(err, E2BIG, "variables make the text larger than %d MiB",
                             TEMPLATE_MAX_SIZE >> 20);
        if (!dollar || dollar + 1 == end) {
            buffer_add(out, text, (size_t)(end - text));
            return 0;
        }
        buffer_add(out, text, (size_t)(dollar - text));
        text = dollar + 1;
        size_t n = name_length(text);
        if (*text == '$') {
            buffer_add_char(out, '$');
            text++;
        } else if (*text == '{') {
            long length = closing_brace(text + 1, (size_t)(end - text - 1));
            if (length < 0)
                return invalid(whole, err, "'${' has no '}'");
            int r = expand_braced(out, text + 1, (size_t)length, scope, depth, whole, err);
            if (r < 0)
                return r;
            text += length + 2;
        } else if (n > 0) {
            n = n > (size_t)(end - text) ? (size_t)(end - text) : n;
            int r = expand_braced(out, text, n, scope, depth, whole, err);
            if (r < 0)
                return r;
            text += n;
        } else {
            buffer_add_char(out, '$');
        }
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
