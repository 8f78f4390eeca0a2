#include "data/json_write.h"

#include <inttypes.h>
#include <math.h>

/* Length of the UTF-8 character at `s`, 0 when it is none. */
static size_t utf8_length(const unsigned char *s)
{
    if (*s < 0x80)
        return 1;
    size_t n = *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3 : *s >= 0xf0 && *s < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Bytes that stand for themselves. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void write_string(struct buffer *out, const char *text)
{
    static const char escapes[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    buffer_add_char(out, '"');
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        const unsigned char *run = s;
        while (is_plain(*s))
            s++;
        buffer_add(out, (const char *)run, (size_t)(s - run));
        if (!*s)
            break;
        const char *escape = strchr(escapes, *s);
        size_t n = utf8_length(s);
        if (escape)
            buffer_printf(out, "\\%c", letters[escape - escapes]);
        else if (*s < 0x20 || *s == '<' || *s == '>' || *s == '&')
            buffer_printf(out, "\\u%04x", *s);
        else if (n == 0)
            buffer_add_str(out, "\\ufffd");
        else if (n == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9))
            buffer_printf(out, "\\u%04x", 0x2028 + (s[2] - 0xa8));
        else
            buffer_add(out, (const char *)s, n);
        s += n ? n : 1;
    }
    buffer_add_char(out, '"');
}

static void new_line(struct buffer *out, unsigned depth, bool compact)
{
    if (!compact) {
        buffer_add_char(out, '\n');
        buffer_add_fill(out, ' ', 2 * (size_t)depth);
    }
}

static void write_node(struct buffer *out, const struct node *node, unsigned depth, bool compact);

static void write_list(struct buffer *out, const struct node *node, unsigned depth, bool compact)
{
    buffer_add_char(out, '[');
    node_foreach_item (i, node) {
        if (i > 0)
            buffer_add_char(out, ',');
        new_line(out, depth + 1, compact);
        write_node(out, node->list.items[i], depth + 1, compact);
    }
    if (node->list.count)
        new_line(out, depth, compact);
    buffer_add_char(out, ']');
}

static void write_map(struct buffer *out, const struct node *node, unsigned depth, bool compact)
{
    bool first = true;
    buffer_add_char(out, '{');
    node_foreach_entry (e, node) {
        if (!first)
            buffer_add_char(out, ',');
        first = false;
        new_line(out, depth + 1, compact);
        write_string(out, e->key);
        buffer_add_str(out, compact ? ":" : ": ");
        write_node(out, e->value, depth + 1, compact);
    }
    if (!first)
        new_line(out, depth, compact);
    buffer_add_char(out, '}');
}

static void write_node(struct buffer *out, const struct node *node, unsigned depth, bool compact)
{
    char number[NUMBER_ROOM];
    switch (node->kind) {
    case NODE_NULL:
        buffer_add_str(out, "null");
        break;
    case NODE_BOOL:
        buffer_add_str(out, node->boolean ? "true" : "false");
        break;
    case NODE_INT:
        buffer_printf(out, "%" PRId64, node->integer);
        break;
    case NODE_FLOAT:
        number_print(node, NUMBER_JSON, number);
        buffer_add_str(out, isfinite(node->number) ? number : "null");
        break;
    case NODE_STRING:
        write_string(out, node->text);
        break;
    case NODE_LIST:
        write_list(out, node, depth, compact);
        break;
    case NODE_MAP:
        write_map(out, node, depth, compact);
        break;
    }
}

void json_write(struct buffer *out, const struct node *node, bool compact)
{
    write_node(out, node, 0, compact);
}
