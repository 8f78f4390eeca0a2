#include "cli/template.h"

#include "cli/table.h"
#include "cli/text.h"

#include "base/str.h"
#include "base/strv.h"

#include <ctype.h>

enum { CALLS_MAX = 4 };

/* A literal, or one action: a field (NULL: the whole row) through functions, the innermost first. */
struct part {
    const char *literal;
    const struct template_field *field;
    const char *label; /* .Label "x" */
    struct call {
        const struct function *function;
        int64_t number;
    } calls[CALLS_MAX];
    size_t call_count;
};

struct template
{
    const struct template_field *fields;
    bool is_table;
    struct part *parts;
    size_t count;
};

struct function {
    const char *name;
    bool wants_number;
    char *(*apply)(const void *owner, json_t *value, int64_t number);
};

static char *value_text(const void *owner, json_t *value)
{
    if (!value || json_is_null(value))
        return mem_strdup(owner, "");
    if (json_is_string(value))
        return mem_strdup(owner, json_string_value(value));
    cleanup_malloc char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return mem_strdup(owner, text ? text : "");
}

static char *apply_json(const void *owner, json_t *value, int64_t number UNUSED)
{
    cleanup_malloc char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return mem_strdup(owner, text ? text : "null");
}

static char *apply_upper(const void *owner, json_t *value, int64_t number UNUSED)
{
    char *text = value_text(owner, value);
    for (char *p = text; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return text;
}

static char *apply_lower(const void *owner, json_t *value, int64_t number UNUSED)
{
    char *text = value_text(owner, value);
    for (char *p = text; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return text;
}

static char *apply_title(const void *owner, json_t *value, int64_t number UNUSED)
{
    char *text = value_text(owner, value);
    text[0] = (char)toupper((unsigned char)text[0]);
    return text;
}

static char *apply_len(const void *owner, json_t *value, int64_t number UNUSED)
{
    size_t n = json_is_array(value)    ? json_array_size(value)
               : json_is_object(value) ? json_object_size(value)
                                       : strlen(value_text(owner, value));
    return mem_printf(owner, "%zu", n);
}

static char *apply_truncate(const void *owner, json_t *value, int64_t number)
{
    char *text = value_text(owner, value);
    return mem_strndup(owner, text, number < 0 ? 0 : (size_t)number);
}

static const struct function functions[] = {
    {"json",     false, apply_json    },
    {"len",      false, apply_len     },
    {"lower",    false, apply_lower   },
    {"title",    false, apply_title   },
    {"truncate", true,  apply_truncate},
    {"upper",    false, apply_upper   },
};

static const struct function *function_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (str_eq(functions[i].name, name))
            return &functions[i];
    return NULL;
}

static const struct template_field *field_find(const struct template_field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (str_eq(fields->name, name))
            return fields;
    return NULL;
}

/* The next word of an action: up to a blank or a bar; a string in double quotes is one word. NULL at the end.
 */
static char *next_word(const void *owner, const char **p)
{
    *p += strspn(*p, " \t\n");
    if (!**p)
        return NULL;
    size_t n = **p == '|' ? 1 : **p == '"' ? strcspn(*p + 1, "\"") + 2 : strcspn(*p, " \t\n|");
    n = n > strlen(*p) ? strlen(*p) : n;
    char *word = mem_strndup(owner, *p, n);
    *p += n;
    return word;
}

static int unknown_field(const struct template_field *fields, const char *name, struct error *err)
{
    char list[400] = "";
    for (; fields->name; fields++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s.%s", used ? ", " : "", fields->name);
    }
    error_set(err, EINVAL, "template: there is no field .%s", name);
    return error_hint(err, "fields are %s", list);
}

/* One word of an action; `call` is the function that waits for its arguments, or NULL. */
static int parse_word(struct template *template, struct part *part, const char *word, struct call **call,
                      bool *has_value, struct error *err)
{
    uint64_t number;
    if (word[0] == '.') {
        *has_value = true;
        if (str_eq(word, ".Label"))
            part->label = "";
        else if (word[1] && !(part->field = field_find(template->fields, word + 1)))
            return unknown_field(template->fields, word + 1, err);
        return 0;
    }
    if (word[0] == '"' && part->label) {
        part->label = mem_strndup(template, word + 1, strlen(word) - 2);
        return 0;
    }
    if (*call && (*call)->function->wants_number && str_to_u64(word, 0, 100000, &number)) {
        (*call)->number = (int64_t)number;
        return 0;
    }
    const struct function *function = function_find(word);
    if (!function || part->call_count == CALLS_MAX) {
        error_set(err, EINVAL, "template: '%s' is not supported", word);
        return error_hint(
            err, "fields ({{.Name}}) and the functions json, len, lower, title, truncate, upper are");
    }
    part->calls[part->call_count] = (struct call){.function = function};
    *call = &part->calls[part->call_count++];
    return 0;
}

static int parse_action(struct template *template, const char *text, struct part *ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct part part = {0};
    struct call *call = NULL;
    bool has_value = false;
    for (const char *p = text, *word; (word = next_word(tmp, &p));) {
        if (str_eq(word, "|")) {
            call = NULL;
            continue;
        }
        int r = parse_word(template, &part, word, &call, &has_value, err);
        if (r < 0)
            return r;
    }
    if (!has_value)
        return error_set(err, EINVAL, "template: '{{%s}}' names no field", text);
    *ret = part;
    return 0;
}

static void add_literal(struct template *template, const char *text, size_t size)
{
    struct part part = {.literal = mem_strndup(template, text, size)};
    if (size)
        mem_append(template, template->parts, template->count, part);
}

/* \t and \n as two characters are what shells hand on. */
static char *unescape(const void *owner, const char *text)
{
    char *out = mem_strdup(owner, text), *to = out;
    for (const char *p = text; *p; p++) {
        bool escape = p[0] == '\\' && (p[1] == 't' || p[1] == 'n');
        *to++ = !escape ? *p : p[1] == 't' ? '\t' : '\n';
        p += escape;
    }
    *to = '\0';
    return out;
}

static int parse_parts(struct template *template, const char *p, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (bool trim = false; *p;) {
        if (trim)
            p += strspn(p, " \t\n");
        const char *open = strstr(p, "{{");
        size_t literal = open ? (size_t)(open - p) : strlen(p);
        bool trim_before = open && open[2] == '-' && isspace((unsigned char)open[3]);
        while (trim_before && literal > 0 && isspace((unsigned char)p[literal - 1]))
            literal--;
        add_literal(template, p, literal);
        if (!open)
            return 0;
        const char *start = open + 2 + (trim_before ? 2 : 0), *close = strstr(start, "}}");
        if (!close)
            return error_set(err, EINVAL, "template: '{{' without '}}'");
        trim = close - start >= 2 && close[-1] == '-' && isspace((unsigned char)close[-2]);
        struct part part;
        int r = parse_action(template, mem_strndup(tmp, start, (size_t)(close - start) - trim), &part, err);
        if (r < 0)
            return r;
        mem_append(template, template->parts, template->count, part);
        p = close + 2;
    }
    return 0;
}

int template_parse(const void *owner, const char *text, const struct template_field *fields,
                   struct template **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct template *template = mem_new(tmp, struct template);
    template->fields = fields;
    const char *rest = str_after(text, "table ");
    template->is_table = rest != NULL;
    int r = parse_parts(template, unescape(tmp, rest ? rest + strspn(rest, " ") : text), err);
    if (r < 0)
        return r;
    mem_steal(owner, template);
    *ret = template;
    return 0;
}

static char *print_part(const void *owner, const struct part *part, const struct template_row *row)
{
    if (part->literal)
        return mem_strdup(owner, part->literal);
    if (part->label) {
        const char *value = omap_get(row->labels, part->label);
        return text_clean(owner, value ? value : ""); /* an image may have put it there */
    }
    json_t *value = part->field ? json_object_get(row->fields, part->field->name) : row->fields;
    if (part->call_count == 0)
        return value_text(owner, value);
    char *text = NULL;
    json_t *held = NULL;
    for (size_t i = 0; i < part->call_count; i++) {
        /* {{json .X}} and {{.X | json}} are the same here: functions take one value. */
        text = part->calls[i].function->apply(owner, held ? held : value, part->calls[i].number);
        json_decref(held);
        held = json_string(text);
    }
    json_decref(held);
    return text;
}

static char *print_row(const void *owner, const struct template *template, const struct template_row *row)
{
    char *line = mem_strdup(owner, "");
    for (size_t i = 0; i < template->count; i++)
        line = mem_append_str(line, print_part(owner, &template->parts[i], row));
    return line;
}

static char *print_headings(const void *owner, const struct template *template)
{
    char *line = mem_strdup(owner, "");
    for (size_t i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];
        const char *text = part->literal ? part->literal
                           : part->label ? part->label
                           : part->field ? part->field->heading
                                         : "";
        line = mem_append_str(line, text);
    }
    return line;
}

char *template_print(const void *owner, const struct template *template, const struct template_row *rows,
                     size_t count)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *out = mem_strdup(owner, "");
    struct table *table = table_new(tmp, 10, 3);
    if (template->is_table)
        table_add(table, strv_split(tmp, print_headings(tmp, template), '\t'));
    for (size_t i = 0; i < count; i++) {
        char *line = print_row(tmp, template, &rows[i]);
        if (template->is_table)
            table_add(table, strv_split(tmp, line, '\t'));
        else
            out = mem_append_printf(out, "%s\n", line);
    }
    return template->is_table ? mem_append_str(out, table_print(tmp, table)) : out;
}

static char *print_objects(const void *owner, const struct template_row *rows, size_t count)
{
    char *out = mem_strdup(owner, "");
    for (size_t i = 0; i < count; i++) {
        cleanup_malloc char *text = json_dumps(rows[i].fields, JSON_COMPACT);
        out = mem_append_printf(out, "%s\n", text ? text : "{}");
    }
    return out;
}

int template_format(const void *owner, const char *format, const char *standard,
                    const struct template_field *fields, const struct template_row *rows, size_t count,
                    char **ret, struct error *err)
{
    if (str_eq(format, "json")) {
        *ret = print_objects(owner, rows, count);
        return 0;
    }
    struct template *template;
    bool is_standard = str_eq(format, "table") || str_eq(format, "pretty");
    int r = template_parse(owner, is_standard ? standard : format, fields, &template, err);
    if (r == 0)
        *ret = template_print(owner, template, rows, count);
    return r;
}
