/*
 * Choosing a style for a string follows libyaml's emitter: one pass over the text finds what each style
 * cannot hold, then the wanted style gives way to the next safer one. A string is wanted double-quoted when
 * it would be read as something else, literal when it has several lines, plain otherwise.
 */
#include "data/yaml_write.h"

#include "base/str.h"

#include <inttypes.h>
#include <openssl/evp.h>

enum style { PLAIN, SINGLE_QUOTED, DOUBLE_QUOTED, LITERAL };

struct traits {
    bool plain, single_quoted, block; /* what it may be */
    bool multi_line;
    size_t length;
};

static bool is_break(unsigned c)
{
    return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool is_blank_or_end(unsigned c)
{
    return c == ' ' || c == '\t' || c == 0 || is_break(c);
}

/* Characters that may stand unescaped; those beyond the basic plane are escaped. */
static bool is_printable(unsigned c)
{
    return c == '\n' || (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c < 0xd800) ||
           (c >= 0xe000 && c < 0xfffe && c != 0xfeff);
}

/* Decodes one character; bytes that are not UTF-8 count as themselves in the control range. */
static unsigned decode(const char *text, size_t *ret_size)
{
    const unsigned char *s = (const unsigned char *)text;
    if (*s < 0x80) {
        *ret_size = 1;
        return *s;
    }
    size_t n = *s >= 0xf5 ? 0 : *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : *s >= 0xc2 ? 2 : 0;
    unsigned c = n <= 1 ? *s : *s & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            n = 0;
            break;
        }
        c = c << 6 | (s[i] & 0x3f);
    }
    *ret_size = n ? n : 1;
    return n ? c : 0x80;
}

static struct traits analyse(const char *text)
{
    bool indicators = str_starts(text, "---") || str_starts(text, "..."), special = false, tabs = false;
    bool leading = false, trailing_space = false, trailing_break = false, break_space = false,
         space_break = false, other_break = false, previous_space = false, previous_break = false,
         blank_before = true;
    struct traits t = {.length = strlen(text)};
    size_t size, next_size = 0;
    unsigned next = *text ? decode(text, &next_size) : 0;
    for (size_t at = 0; text[at]; at += size) {
        unsigned c = next;
        size = next_size;
        next = text[at + size] ? decode(text + at + size, &next_size) : 0;
        bool last = text[at + size] == '\0', blank_after = is_blank_or_end(next);
        if (at == 0)
            indicators |= (c < 0x80 && strchr("#,[]{}&*!|>'\"%@`", (int)c)) ||
                          ((c == '?' || c == ':' || c == '-') && blank_after);
        else
            indicators |= (c == ':' && blank_after) || (c == '#' && blank_before);
        if (c == '\t')
            tabs = true;
        else if (!is_printable(c))
            special = true;
        if (c == ' ') {
            leading |= at == 0;
            trailing_space |= last;
            break_space |= previous_break;
        } else if (is_break(c)) {
            t.multi_line = true;
            other_break |= c != '\n';
            leading |= at == 0;
            trailing_break |= last;
            space_break |= previous_space;
        }
        previous_space = c == ' ';
        previous_break = is_break(c);
        blank_before = is_blank_or_end(c);
    }
    bool unquotable = break_space || space_break || tabs || special;
    t.plain = !indicators && !leading && !trailing_space && !trailing_break && !unquotable && !t.multi_line;
    t.single_quoted = !unquotable;
    t.block = t.length && !trailing_space && !space_break && !other_break && !special;
    return t;
}

static enum style choose_style(const char *text, const struct traits *t, bool key)
{
    enum style style = strchr(text, '\n') ? LITERAL : scalar_is_ambiguous(text) ? DOUBLE_QUOTED : PLAIN;
    if (key && t->multi_line)
        style = DOUBLE_QUOTED;
    if (style == LITERAL && (!t->block || key))
        style = DOUBLE_QUOTED;
    if (style == PLAIN && !t->plain)
        style = SINGLE_QUOTED;
    if (style == SINGLE_QUOTED && !t->single_quoted)
        style = DOUBLE_QUOTED;
    return style;
}

static void write_double_quoted(struct buffer *out, const char *text)
{
    static const struct {
        unsigned c;
        const char *escape;
    } names[] = {
        {'\a',   "\\a"    },
        {'\b',   "\\b"    },
        {'\t',   "\\t"    },
        {'\n',   "\\n"    },
        {'\v',   "\\v"    },
        {'\f',   "\\f"    },
        {'\r',   "\\r"    },
        {0x1b,   "\\e"    },
        {'"',    "\\\""   },
        {'\\',   "\\\\"   },
        {0x85,   "\\N"    },
        {0x2028, "\\L"    },
        {0x2029, "\\P"    },
        {0xfeff, "\\uFEFF"}
    };
    buffer_add_char(out, '"');
    for (size_t size; *text; text += size) {
        unsigned c = decode(text, &size);
        const char *escape = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(names) && !escape; i++)
            if (names[i].c == c)
                escape = names[i].escape;
        if (escape)
            buffer_add_str(out, escape);
        else if (is_printable(c))
            buffer_add(out, text, size);
        else
            buffer_printf(out, c <= 0xff ? "\\x%02X" : c <= 0xffff ? "\\u%04X" : "\\U%08X", c);
    }
    buffer_add_char(out, '"');
}

static void write_single_quoted(struct buffer *out, const char *text)
{
    buffer_add_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buffer_add_char(out, '\'');
        buffer_add_char(out, *text);
    }
    buffer_add_char(out, '\'');
}

static void write_literal(struct buffer *out, const char *text, unsigned indent)
{
    size_t n = strlen(text);
    buffer_add_char(out, '|');
    if (*text == ' ' || *text == '\n')
        buffer_add_char(out, '2');
    if (text[n - 1] != '\n')
        buffer_add_char(out, '-');
    else if (n == 1 || text[n - 2] == '\n')
        buffer_add_char(out, '+');
    while (*text) {
        size_t line = strcspn(text, "\n");
        buffer_add_char(out, '\n');
        if (line) {
            buffer_add_fill(out, ' ', indent);
            buffer_add(out, text, line);
        }
        text += line;
        if (*text == '\n')
            text++;
    }
}

static bool is_utf8(const char *text)
{
    for (size_t size; *text; text += size) {
        decode(text, &size);
        if (size == 1 && (unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

/* Bytes that are no text. */
static void write_binary(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    char *encoded = mem_array(NULL, char, 4 * (size / 3) + 5);
    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)size);
    buffer_printf(out, "!!binary %s", encoded);
    talloc_free(encoded);
}

static void write_string(struct buffer *out, const char *text, unsigned indent, bool key)
{
    if (!key && !is_utf8(text)) {
        write_binary(out, text);
        return;
    }
    struct traits traits = analyse(text);
    switch (choose_style(text, &traits, key)) {
    case PLAIN:
        buffer_add_str(out, text);
        break;
    case SINGLE_QUOTED:
        write_single_quoted(out, text);
        break;
    case DOUBLE_QUOTED:
        write_double_quoted(out, text);
        break;
    case LITERAL:
        write_literal(out, text, indent);
        break;
    }
}

static void write_scalar(struct buffer *out, const struct node *node, unsigned indent)
{
    char number[NUMBER_ROOM];
    if (node->kind == NODE_BOOL)
        buffer_add_str(out, node->boolean ? "true" : "false");
    else if (node->kind == NODE_INT)
        buffer_printf(out, "%" PRId64, node->integer);
    else if (node->kind == NODE_STRING)
        write_string(out, node->text, indent, false);
    else if (node->kind == NODE_FLOAT) {
        number_print(node, NUMBER_TEXT, number);
        buffer_add_str(out, number);
    } else {
        buffer_add_str(out, "null");
    }
}

static void write_block(struct buffer *out, const struct node *node, unsigned indent);

static bool is_block(const struct node *node)
{
    return (node->kind == NODE_LIST && node->list.count) || (node->kind == NODE_MAP && node->map.count);
}

static void write_value(struct buffer *out, const struct node *node, unsigned indent)
{
    if (is_block(node)) {
        buffer_add_char(out, '\n');
        buffer_add_fill(out, ' ', indent);
        write_block(out, node, indent);
        return;
    }
    buffer_add_char(out, ' ');
    if (node->kind == NODE_LIST || node->kind == NODE_MAP)
        buffer_add_str(out, node->kind == NODE_LIST ? "[]" : "{}");
    else
        write_scalar(out, node, indent);
    buffer_add_char(out, '\n');
}

/* A list or map whose first line is already indented. */
static void write_block(struct buffer *out, const struct node *node, unsigned indent)
{
    node_foreach_item (i, node) {
        if (i > 0)
            buffer_add_fill(out, ' ', indent);
        buffer_add_char(out, '-');
        if (is_block(node->list.items[i])) {
            buffer_add_char(out, ' ');
            write_block(out, node->list.items[i], indent + 2);
        } else {
            write_value(out, node->list.items[i], indent + 2);
        }
    }
    bool first = true;
    node_foreach_entry (e, node) {
        if (!first)
            buffer_add_fill(out, ' ', indent);
        first = false;
        bool simple = strlen(e->key) <= 128 && !strchr(e->key, '\n');
        if (!simple)
            buffer_add_str(out, "? ");
        write_string(out, e->key, indent + 2, simple);
        if (!simple) {
            buffer_add_char(out, '\n');
            buffer_add_fill(out, ' ', indent);
        }
        buffer_add_char(out, ':');
        write_value(out, e->value, indent + 2);
    }
}

void yaml_write(struct buffer *out, const struct node *node)
{
    if (is_block(node)) {
        write_block(out, node, 0);
    } else if (node->kind == NODE_LIST || node->kind == NODE_MAP) {
        buffer_add_str(out, node->kind == NODE_LIST ? "[]\n" : "{}\n");
    } else {
        write_scalar(out, node, 0);
        buffer_add_char(out, '\n');
    }
}
