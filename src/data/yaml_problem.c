#include "data/yaml_problem.h"

#include "base/str.h"

#include <stdio.h>

enum { SHOWN = 70, TEXT_ROOM = 200 }; /* characters of the source line in a message */

struct span {
    const char *start;
    size_t length;
};

static struct span line_of(const char *data, size_t size, size_t line)
{
    const char *s = data, *end = data + size;
    for (; line > 0 && s < end; line--) {
        const char *feed = memchr(s, '\n', (size_t)(end - s));
        s = feed ? feed + 1 : end;
    }
    const char *feed = memchr(s, '\n', (size_t)(end - s));
    size_t n = (size_t)((feed ? feed : end) - s);
    return (struct span){s, n && s[n - 1] == '\r' ? n - 1 : n};
}

static size_t indent_of(struct span line)
{
    size_t n = 0;
    while (n < line.length && line.start[n] == ' ')
        n++;
    return n;
}

static bool is_blank_line(struct span line)
{
    size_t n = indent_of(line);
    return n == line.length || line.start[n] == '#';
}

/* The last line before `line` that says something; false when there is none. */
static bool line_before(const struct yaml_problem *p, size_t line, size_t *ret)
{
    while (line-- > 0)
        if (!is_blank_line(line_of(p->data, p->size, line))) {
            *ret = line;
            return true;
        }
    return false;
}

/* Bytes from the start of the line up to the character `column`. */
static size_t byte_of(struct span line, size_t column)
{
    size_t i = 0;
    for (; i < line.length && column > 0; column--)
        for (i++; i < line.length && ((unsigned char)line.start[i] & 0xc0) == 0x80;)
            i++;
    return i;
}

static size_t count_of(struct span text, const char *what)
{
    size_t count = 0, n = strlen(what);
    for (size_t i = 0; i + n <= text.length; i++)
        count += memcmp(text.start + i, what, n) == 0;
    return count;
}

/* Whether the line has a colon that ends a key. */
static bool has_key(struct span line)
{
    return count_of(line, ": ") > 0 || (line.length && line.start[line.length - 1] == ':');
}

/* "key" of "  key: value", or what stands there instead. */
static struct span word_of(struct span line)
{
    size_t start = indent_of(line), end = start;
    while (end < line.length &&
           !(line.start[end] == ':' && (end + 1 == line.length || line.start[end + 1] == ' ')))
        end++;
    return (struct span){line.start + start, end - start < 40 ? end - start : 40};
}

int yaml_problem_show(const char *data, size_t size, size_t line, size_t column, const char *advice,
                      struct error *err)
{
    struct span text = line_of(data, size, line);
    char shown[SHOWN + 1], caret[SHOWN + 1];
    size_t at = byte_of(text, column), from = at > SHOWN - 20 ? at - (SHOWN - 20) : 0, n = 0, width = 0;
    while (from > 0 && from < text.length && ((unsigned char)text.start[from] & 0xc0) == 0x80)
        from--;
    for (size_t i = from; i < text.length && n < SHOWN; i++, n++) {
        unsigned char c = (unsigned char)text.start[i];
        shown[n] = c < ' ' || c == 127 ? ' ' : (char)c;
        if (i < at && (c & 0xc0) != 0x80)
            caret[width++] = ' ';
    }
    while (n > 0 && n == SHOWN && ((unsigned char)shown[n - 1] & 0x80))
        n--; /* no half characters */
    shown[n] = caret[width] = '\0';
    if (!text.length)
        return advice ? error_hint(err, "%s", advice) : -err->code;
    return error_hint(err, "%5zu | %s\n      | %s^%s%s", line + 1, shown, caret, advice ? "\n" : "",
                      advice ? advice : "");
}

struct verdict {
    size_t line, column;
    char text[TEXT_ROOM], advice[TEXT_ROOM];
};

#define SAY(v, ...) snprintf((v)->text, sizeof((v)->text), __VA_ARGS__)
#define ADVISE(v, ...) snprintf((v)->advice, sizeof((v)->advice), __VA_ARGS__)

static void explain_character(const struct yaml_problem *p, struct verdict *v)
{
    struct span line = line_of(p->data, p->size, p->line);
    size_t at = byte_of(line, p->column);
    char c = at < line.length ? line.start[at] : '\0';
    if (c == '\t') {
        SAY(v, "a tab stands where YAML wants blanks");
        ADVISE(v, "indent with blanks only, usually two for each level");
    } else if (c) {
        SAY(v, "a value cannot begin with '%c'", c);
        ADVISE(v, "put the value in quotes");
    }
}

/* A colon where no key can be. */
static void explain_colon(const struct yaml_problem *p, struct verdict *v)
{
    struct span line = line_of(p->data, p->size, p->line), above;
    size_t before, at = byte_of(line, p->column);
    struct span word = word_of(line), first = {line.start, at};
    if (count_of(first, ": ") > 0) {
        SAY(v, "a second ': ' in one line");
        ADVISE(v, "put the value behind the first one in quotes, if the colon belongs to it");
        return;
    }
    if (!line_before(p, p->line, &before))
        return;
    above = line_of(p->data, p->size, before);
    struct span above_word = word_of(above);
    if (!has_key(above)) {
        v->line = before;
        v->column = indent_of(above);
        SAY(v, "'%.*s' is not followed by a colon", (int)above_word.length, above_word.start);
        ADVISE(v, "a key ends with a colon, and a blank stands between the colon and the value");
    } else if (indent_of(line) > indent_of(above)) {
        v->column = indent_of(line);
        SAY(v, "'%.*s' is indented deeper than '%.*s' above it, which has a value already", (int)word.length,
            word.start, (int)above_word.length, above_word.start);
        ADVISE(v, "give both the same indentation, %zu blanks", indent_of(above));
    }
}

/* The quote that ends right before the place, and where it was opened. */
static bool explain_quote(const struct yaml_problem *p, struct verdict *v)
{
    struct span line = line_of(p->data, p->size, p->line);
    size_t at = (size_t)(line.start - p->data) + byte_of(line, p->column), end = at;
    while (end > 0 && p->data[end - 1] == ' ')
        end--;
    char quote = end > 0 ? p->data[end - 1] : '\0';
    if (quote != '"' && quote != '\'')
        return false;
    size_t open = end - 1, open_line = p->line;
    while (open > 0 && p->data[open - 1] != quote)
        open_line -= p->data[--open] == '\n';
    if (open == 0)
        return false;
    SAY(v, "more text behind the quote that ends here");
    if (open_line != p->line)
        ADVISE(v, "the quote was opened in line %zu: is its other end missing there?", open_line + 1);
    else
        ADVISE(v, "put the whole value in quotes, or escape the quotes in it");
    return true;
}

/* Something that is no key of the block that is open. */
static void explain_key(const struct yaml_problem *p, struct verdict *v)
{
    struct span line = line_of(p->data, p->size, p->line);
    size_t at = byte_of(line, p->column), indent = indent_of(line), before;
    if (at < line.length && strchr("]}", line.start[at])) {
        SAY(v, "a closing '%c' without an opening one", line.start[at]);
        return;
    }
    if (explain_quote(p, v))
        return;
    if (at > indent || !line_before(p, p->line, &before)) {
        SAY(v, "a key and a colon are expected here");
        return;
    }
    size_t above = indent_of(line_of(p->data, p->size, before));
    if (indent == p->start_column && at < line.length && line.start[at] == '-') {
        SAY(v, "a list element stands among the keys of a mapping");
        ADVISE(v, "indent it deeper than the key that the list belongs to");
        return;
    }
    SAY(v, "an indentation of %zu blanks fits no block above", indent);
    if (above > p->start_column && above != indent)
        ADVISE(v, "line %zu has %zu blanks, and the block around it %zu", before + 1, above, p->start_column);
    else
        ADVISE(v, "the block that is open begins in line %zu with %zu blanks", p->start_line + 1,
               p->start_column);
}

static void explain_bracket(const struct yaml_problem *p, struct verdict *v)
{
    bool list = p->problem && strchr(p->problem, ']');
    if (explain_quote(p, v))
        return;
    v->line = p->start_line;
    v->column = p->start_column;
    SAY(v, "a '%c' that is not closed", list ? '[' : '{');
    ADVISE(v, "'%c' or a comma is expected before line %zu, column %zu", list ? ']' : '}', p->line + 1,
           p->column + 1);
}

static void explain_open_quote(const struct yaml_problem *p, struct verdict *v)
{
    v->line = p->start_line;
    v->column = p->start_column;
    SAY(v, "a quote that is not closed");
    ADVISE(v, "end the value with the same quote");
}

static void explain_element(const struct yaml_problem *p, struct verdict *v)
{
    struct span word = word_of(line_of(p->data, p->size, p->line));
    SAY(v, "'%.*s' stands in a list but has no '- ' before it", (int)word.length, word.start);
    ADVISE(v, "elements of the list that begins in line %zu all start with '- '; a mapping has none of them",
           p->start_line + 1);
}

static void explain_escape(const struct yaml_problem *p UNUSED, struct verdict *v)
{
    SAY(v, "a backslash that begins no known escape");
    ADVISE(v, "use single quotes, where a backslash is only a backslash, or write \\\\");
}

static void explain_inline_list(const struct yaml_problem *p UNUSED, struct verdict *v)
{
    SAY(v, "a list with '-' cannot begin behind a key on the same line");
    ADVISE(v, "begin it on the next line, or write it as [a, b]");
}

static void explain_name(const struct yaml_problem *p, struct verdict *v)
{
    bool alias = p->context && strstr(p->context, "alias");
    v->line = p->start_line;
    v->column = p->start_column;
    SAY(v, "'%c' begins an %s, but no name follows", alias ? '*' : '&', alias ? "alias" : "anchor");
    ADVISE(v, "put the value in quotes");
}

static void explain_no_colon(const struct yaml_problem *p, struct verdict *v)
{
    struct span word = word_of(line_of(p->data, p->size, p->start_line));
    v->line = p->start_line;
    v->column = p->start_column;
    SAY(v, "'%.*s' is not followed by a colon", (int)word.length, word.start);
    ADVISE(v, "a key ends with a colon, and a blank stands between the colon and the value");
}

static void explain_no_value(const struct yaml_problem *p, struct verdict *v)
{
    struct span line = line_of(p->data, p->size, p->line);
    size_t at = byte_of(line, p->column);
    if (at < line.length)
        SAY(v, "'%c' stands where a value is expected", line.start[at]);
    else
        SAY(v, "a value is missing");
    if (at < line.length && strchr("]}", line.start[at]))
        ADVISE(v, "is another bracket still open, or a comma too many?");
}

static void explain_after_end(const struct yaml_problem *p UNUSED, struct verdict *v)
{
    SAY(v, "more text behind the end of the document");
    ADVISE(v, "is it indented less than what comes before, or is a bracket closed twice?");
}

static const struct {
    const char *problem;
    void (*explain)(const struct yaml_problem *problem, struct verdict *verdict);
} rules[] = {
    {"cannot start any token",                 explain_character  },
    {"tab character",                          explain_character  },
    {"mapping values are not allowed",         explain_colon      },
    {"did not find expected key",              explain_key        },
    {"did not find expected ',' or",           explain_bracket    },
    {"unexpected end of stream",               explain_open_quote },
    {"unexpected document indicator",          explain_open_quote },
    {"did not find expected '-' indicator",    explain_element    },
    {"unknown escape character",               explain_escape     },
    {"block sequence entries are not",         explain_inline_list},
    {"alphabetic or numeric character",        explain_name       },
    {"did not find expected node content",     explain_no_value   },
    {"could not find expected ':'",            explain_no_colon   },
    {"did not find expected <document start>", explain_after_end  },
};

int yaml_problem_explain(const struct yaml_problem *p, const char *file, struct error *err)
{
    struct verdict v = {.line = p->line, .column = p->column};
    const char *problem = p->problem ? p->problem : "not YAML";
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (strstr(problem, rules[i].problem)) {
            rules[i].explain(p, &v);
            break;
        }
    if (!v.text[0])
        SAY(&v, "%s%s%s", problem, p->context ? ", " : "", p->context ? p->context : "");
    error_set(err, EINVAL, "%s:%zu:%zu: %s", file, v.line + 1, v.column + 1, v.text);
    return yaml_problem_show(p->data, p->size, v.line, v.column, v.advice[0] ? v.advice : NULL, err);
}
