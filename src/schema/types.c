/* Scalar and list types: what they accept, their one canonical form, and how they get into a struct. */
#include "schema/types.h"

#include "base/omap.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>

static struct node *wrong_type(struct schema_pass *pass, const struct schema_field *field,
                               const struct node *in)
{
    bool quotable =
        (field->type == &type_string || field->type == &type_duration || field->type == &type_bytes) &&
        (in->kind == NODE_INT || in->kind == NODE_FLOAT || in->kind == NODE_BOOL);
    const char *unit = field->type == &type_duration ? "s" : field->type == &type_bytes ? "m" : "";
    const char *hint =
        quotable ? arena_printf(pass->arena, "write \"%s%s\"", in->text ? in->text : "...", unit) : NULL;
    if (field->type == &type_bool)
        hint = in->kind == NODE_STRING ? "write it without quotes" : "write true or false";
    schema_expected(pass, in, hint, field->type->what);
    return NULL;
}

const char *scalar_text(struct arena *arena, const struct node *node)
{
    char number[NUMBER_ROOM];
    if (node->kind == NODE_STRING)
        return node->text;
    if (node->kind == NODE_BOOL)
        return node->boolean ? "true" : "false";
    if (node->kind == NODE_INT)
        return arena_printf(arena, "%" PRId64, node->integer);
    if (node->kind != NODE_FLOAT)
        return NULL;
    if (!isfinite(node->number))
        return isnan(node->number) ? "NaN" : node->number < 0 ? "-Inf" : "+Inf";
    number_print(node, NUMBER_TEXT, number);
    return arena_strdup(arena, number);
}

static void bind_string(const void *owner, const struct node *node, void *member)
{
    if (node->kind == NODE_STRING)
        *(char **)member = mem_strdup(owner, node->text);
}

static struct node *canon_string(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    return in->kind == NODE_STRING ? in : wrong_type(pass, field, in);
}

static struct node *canon_scalar_string(struct schema_pass *pass, const struct schema_field *field,
                                        struct node *in)
{
    bool fraction = in->kind == NODE_FLOAT && field && field->flags & FIELD_WHOLE;
    const char *text = fraction ? NULL : scalar_text(pass->arena, in);
    if (!text)
        return wrong_type(pass, field, in);
    return in->kind == NODE_STRING ? in : node_string(pass->arena, text, in);
}

const char *path_resolve(struct schema_pass *pass, const char *path)
{
    if (!pass->base_dir)
        return path;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (path[0] == '~' && (path[1] == '/' || !path[1]) && pass->home)
        return arena_strdup(pass->arena, path_join(tmp, pass->home, path[1] ? path + 2 : "."));
    if (path[0] == '/')
        return path;
    return arena_strdup(pass->arena, path_join(tmp, pass->base_dir, path));
}

static struct node *canon_path(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (in->kind != NODE_STRING)
        return wrong_type(pass, field, in);
    const char *path = path_resolve(pass, in->text);
    return path == in->text ? in : node_string(pass->arena, path, in);
}

/* Whether a number with a fraction, or one written like that, stands for an integer. */
static bool is_taken(const struct schema_field *field, double number)
{
    return fabs(number) < 9e15 && (!(field->flags & FIELD_WHOLE) || number == trunc(number));
}

/* YAML 1.1 words for booleans are understood, with a warning; ret: 1 true, 0 false, -1 neither. */
static int bool_word(struct schema_pass *pass, const struct node *in)
{
    static const char *const yes[] = {"true", "y", "yes", "on", "1"}, *const no[] = {"false", "n", "no",
                                                                                     "off", "0"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        bool is_yes = strcasecmp(in->text, yes[i]) == 0;
        if (!is_yes && strcasecmp(in->text, no[i]) != 0)
            continue;
        if (i > 0 && i < 4)
            schema_warn(pass, in, "'%s' for a boolean is old YAML; write %s", in->text,
                        is_yes ? "true" : "false");
        return is_yes;
    }
    return -1;
}

static struct node *canon_bool(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (in->kind == NODE_BOOL)
        return in;
    if (in->kind != NODE_STRING || field->flags & FIELD_NO_CAST)
        return wrong_type(pass, field, in);
    int value = bool_word(pass, in);
    if (value >= 0)
        return node_bool(pass->arena, value == 1, in);
    schema_error(pass, in, NULL, "'%s' is not a boolean", in->text);
    return NULL;
}

static void bind_bool(const void *owner UNUSED, const struct node *node, void *member)
{
    if (node->kind == NODE_BOOL)
        *(bool *)member = node->boolean;
}

static struct node *canon_int(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    int64_t value;
    if (in->kind == NODE_INT)
        return in;
    if (in->kind == NODE_FLOAT && is_taken(field, in->number))
        return node_int(pass->arena, (int64_t)in->number, in);
    if (in->kind != NODE_STRING || field->flags & FIELD_NO_CAST)
        return wrong_type(pass, field, in);
    const char *digits = in->text[0] == '+' ? in->text + 1 : in->text;
    if (str_to_i64(digits, INT64_MIN, INT64_MAX, &value))
        return node_int(pass->arena, value, in);
    schema_error(pass, in, NULL, "'%s' is not an integer", in->text);
    return NULL;
}

static void bind_int(const void *owner UNUSED, const struct node *node, void *member)
{
    if (node->kind == NODE_INT)
        *(int64_t *)member = node->integer;
}

static struct node *canon_number(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    double value;
    if (in->kind == NODE_INT) {
        value = (double)in->integer;
    } else if (in->kind == NODE_FLOAT && isfinite(in->number) &&
               (!(field->flags & FIELD_WHOLE) || is_taken(field, in->number))) {
        value = in->number;
    } else if (in->kind != NODE_STRING) {
        return wrong_type(pass, field, in);
    } else if (!str_to_double(in->text, &value)) {
        schema_error(pass, in, NULL, "'%s' is not a number", in->text);
        return NULL;
    }
    struct node *out = node_new(pass->arena, NODE_FLOAT, in);
    out->number = number_single(value);
    return out;
}

static void bind_number(const void *owner UNUSED, const struct node *node, void *member)
{
    if (node->kind == NODE_FLOAT)
        *(double *)member = node->number;
}

static struct node *canon_bytes(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    int64_t value;
    if (in->kind == NODE_INT && !(field->flags & FIELD_STRING_ONLY)) {
        value = in->integer;
    } else if (in->kind == NODE_FLOAT && fabs(in->number) < 9e15 &&
               !(field->flags & (FIELD_STRING_ONLY | FIELD_WHOLE))) {
        value = (int64_t)in->number;
    } else if (in->kind != NODE_STRING) {
        return wrong_type(pass, field, in);
    } else if (str_eq(in->text, "-1")) {
        value = -1; /* unlimited, as it is printed */
    } else if (!bytes_parse(in->text, &value)) {
        schema_error(pass, in, "write a number with b, k, m, g or t behind it", "'%s' is not a size",
                     in->text);
        return NULL;
    }
    if (field->ranged && (value < field->min || value > field->max)) {
        schema_error(pass, in, NULL, "must not be less than %lld", (long long)field->min);
        return NULL;
    }
    return node_string(pass->arena, arena_printf(pass->arena, "%" PRId64, value), in);
}

static void bind_decimal(const void *owner UNUSED, const struct node *node, void *member)
{
    if (node->kind == NODE_STRING)
        str_to_i64(node->text, INT64_MIN, INT64_MAX, member);
}

static struct node *canon_duration(struct schema_pass *pass, const struct schema_field *field,
                                   struct node *in)
{
    int64_t ns;
    char text[UNITS_TEXT];
    if (in->kind != NODE_STRING)
        return wrong_type(pass, field, in);
    if (!duration_parse(in->text, &ns)) {
        schema_error(pass, in, "write it like 1m30s", "'%s' is not a duration", in->text);
        return NULL;
    }
    duration_print(ns, text);
    return node_string(pass->arena, text, in);
}

static void bind_duration(const void *owner UNUSED, const struct node *node, void *member)
{
    if (node->kind == NODE_STRING)
        duration_parse(node->text, member);
}

static struct node *canon_file_mode(struct schema_pass *pass, const struct schema_field *field,
                                    struct node *in)
{
    int64_t mode = 0;
    if (in->kind == NODE_INT) {
        mode = in->integer;
    } else if (in->kind != NODE_STRING) {
        return wrong_type(pass, field, in);
    } else {
        char *end;
        mode = strtol(in->text, &end, 8);
        if (end == in->text || *end)
            mode = -1;
    }
    if (mode < 0 || mode > 07777777) {
        schema_error(pass, in, "write it like 0440", "'%s' is not a file mode", in->text ? in->text : "");
        return NULL;
    }
    return node_string(pass->arena, arena_printf(pass->arena, "0%" PRIo64, mode), in);
}

static void bind_octal(const void *owner UNUSED, const struct node *node, void *member)
{
    if (node->kind == NODE_STRING)
        *(int64_t *)member = strtol(node->text, NULL, 8);
}

/* Elements by `make`; a scalar counts as a list of one when `alone`. */
static struct node *canon_list(struct schema_pass *pass, const struct schema_field *field, struct node *in,
                               bool alone, const struct schema_type *element)
{
    struct schema_field item_field = {.type = element, .flags = field->flags};
    bool skip_empty = field->flags & FIELD_SKIP_EMPTY;
    if (in->kind == NODE_STRING && alone) {
        struct node *list = node_new(pass->arena, NODE_LIST, in);
        if (!skip_empty || *in->text)
            node_list_add(pass->arena, list, in);
        return list;
    }
    if (in->kind != NODE_LIST)
        return wrong_type(pass, field, in);
    uint32_t kept = 0; /* in place: the raw list is not needed any more */
    for (uint32_t i = 0; i < in->list.count; i++) {
        struct schema_path frame = {.up = pass->path, .index = i};
        pass->path = &frame;
        struct node *item = element->canon(pass, &item_field, in->list.items[i]);
        if (item && !(skip_empty && node_text(item) && !*item->text))
            in->list.items[kept++] = item;
        pass->path = frame.up;
    }
    in->list.count = kept;
    return in;
}

static struct node *canon_strings(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    return canon_list(pass, field, in, false, &type_string);
}

static struct node *canon_string_list(struct schema_pass *pass, const struct schema_field *field,
                                      struct node *in)
{
    return canon_list(pass, field, in, true, &type_string);
}

static struct node *canon_path_list(struct schema_pass *pass, const struct schema_field *field,
                                    struct node *in)
{
    struct node *list = canon_list(pass, field, in, true, &type_string);
    node_foreach_item (i, list)
        list->list.items[i] = canon_path(pass, field, list->list.items[i]);
    return list;
}

void refuse_twice(struct schema_pass *pass, const struct node *list)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *seen = omap_new(tmp);
    node_foreach_item (i, list) {
        struct node *item = list->list.items[i];
        const char *text = scalar_text(pass->arena, item);
        char *mark = mem_printf(tmp, "%d %s", (int)item->kind, text ? text : "");
        const struct node *first = omap_get(seen, mark);
        struct schema_path frame = {.up = pass->path, .index = i};
        pass->path = &frame;
        if (text && first)
            schema_twice(pass, item, first, text);
        else
            omap_set(seen, mark, item);
        pass->path = frame.up;
    }
}

static struct node *canon_scalar_list(struct schema_pass *pass, const struct schema_field *field,
                                      struct node *in)
{
    return canon_list(pass, field, in, false, &type_scalar_string);
}

static void bind_strings(const void *owner, const struct node *node, void *member)
{
    if (node->kind != NODE_LIST)
        return;
    char **v = mem_array(owner, char *, node->list.count + 1);
    node_foreach_item (i, node)
        v[i] = mem_strdup(v, node->list.items[i]->kind == NODE_STRING ? node->list.items[i]->text : "");
    *(char ***)member = v;
}

static struct node *canon_command(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    const char *rest = NULL;
    if (in->kind != NODE_STRING)
        return canon_list(pass, field, in, false, &type_string);
    struct node *list = command_split(pass->arena, in->text, in, &rest);
    if (!list)
        schema_error(pass, in, "write the command as a list",
                     "a quote, bracket or backslash is left open in '%s'", in->text);
    else if (*rest)
        schema_warn(pass, in, "no shell runs this command: '%s' is left out", rest);
    return list;
}

static struct node *mapping_value(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (in->kind == NODE_NULL)
        return field->flags & FIELD_NULL_VALUES || in->tag ? in : node_string(pass->arena, "", in);
    const char *text = scalar_text(pass->arena, in);
    if (!text) {
        schema_expected(pass, in, NULL, "a string, number, boolean or null");
        return NULL;
    }
    if (in->kind == NODE_STRING)
        return in;
    struct node *out = node_string(pass->arena, text, in);
    out->tag = in->tag;
    return out;
}

/* "- KEY: VALUE" is a mapping of one. */
static const char *pair_hint(struct schema_pass *pass, const struct node *item)
{
    if (item->kind != NODE_MAP || item->map.count != 1)
        return NULL;
    const struct node_entry *e = &item->map.entries[0];
    const char *text = scalar_text(pass->arena, e->value);
    return arena_printf(pass->arena, "write \"%s=%s\", or the whole without '- ' in front", e->key,
                        text ? text : "");
}

static struct node *mapping_from_list(struct schema_pass *pass, const struct schema_field *field,
                                      struct node *in)
{
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    node_foreach_item (i, in) {
        struct node *item = in->list.items[i];
        if (item->kind != NODE_STRING) {
            struct schema_path frame = {.up = pass->path, .index = i};
            pass->path = &frame;
            schema_expected(pass, item, pair_hint(pass, item), "a string, KEY=VALUE");
            pass->path = frame.up;
            continue;
        }
        const char *equals = strchr(item->text, '=');
        struct node *value = equals                             ? node_string(pass->arena, equals + 1, item)
                             : field->flags & FIELD_NULL_VALUES ? node_new(pass->arena, NODE_NULL, item)
                                                                : node_string(pass->arena, "", item);
        const char *key =
            equals ? arena_strndup(pass->arena, item->text, (size_t)(equals - item->text)) : item->text;
        if (field->flags & FIELD_NULL_VALUES && *key && isspace((unsigned char)key[strlen(key) - 1]))
            schema_error(pass, item, "write NAME=VALUE without it", "there is a space behind the name '%s'",
                         key);
        node_set(pass->arena, map, key, value);
    }
    return map;
}

static struct node *canon_map(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (in->kind != NODE_MAP)
        return wrong_type(pass, field, in);
    node_foreach_entry (e, in) {
        struct schema_path frame = {.up = pass->path, .key = e->key};
        struct node at = {.file = e->value->file, .line = e->line, .col = e->col};
        pass->path = &frame;
        struct node *value = mapping_value(pass, field, e->value);
        if (value)
            e->value = value;
        if (!*e->key)
            schema_error(pass, &at, NULL, "a key must not be empty");
        pass->path = frame.up;
    }
    return in;
}

/* A map of which some kinds of values are refused that canon_map would take. */
static struct node *canon_map_without(struct schema_pass *pass, const struct schema_field *field,
                                      struct node *in, unsigned refused, const char *what)
{
    if (field->flags & FIELD_WHOLE)
        refused |= 1U << NODE_FLOAT;
    node_foreach_entry (e, in)
        if (refused & 1U << e->value->kind && e->value->tag != NODE_RESET) {
            struct schema_path frame = {.up = pass->path, .key = e->key};
            pass->path = &frame;
            schema_expected(pass, e->value, "put it in quotes", what);
            pass->path = frame.up;
        }
    return canon_map(pass, field, in);
}

static struct node *canon_options(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    return canon_map_without(pass, field, in, 1U << NODE_BOOL, "a string or a number");
}

static struct node *canon_driver_options(struct schema_pass *pass, const struct schema_field *field,
                                         struct node *in)
{
    return canon_map_without(pass, field, in, 1U << NODE_BOOL | 1U << NODE_NULL, "a string or a number");
}

static struct node *canon_texts(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    unsigned refused = 1U << NODE_BOOL | 1U << NODE_NULL | 1U << NODE_INT | 1U << NODE_FLOAT;
    return canon_map_without(pass, field, in, refused, "a string");
}

static struct node *canon_mapping(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    return in->kind == NODE_LIST ? mapping_from_list(pass, field, in) : canon_map(pass, field, in);
}

static void bind_mapping(const void *owner, const struct node *node, void *member)
{
    struct omap *map = omap_new(owner);
    node_foreach_entry (e, node)
        omap_set_str(map, e->key, node_text(e->value));
    *(struct omap **)member = map;
}

static struct node *canon_any(struct schema_pass *pass UNUSED, const struct schema_field *field UNUSED,
                              struct node *in)
{
    return in;
}

/* The kinds that a value has before its variables are replaced. */
enum {
    RAW_STRING = 1 << NODE_STRING,
    RAW_BOOL = RAW_STRING | 1 << NODE_BOOL,
    RAW_NUMBER = RAW_STRING | 1 << NODE_INT | 1 << NODE_FLOAT,
    RAW_LIST = 1 << NODE_LIST,
    RAW_MAP = 1 << NODE_MAP,
};

const struct schema_type type_string = {"a string", canon_string, bind_string, .raw_kinds = RAW_STRING};
const struct schema_type type_scalar_string = {"a string or a number", canon_scalar_string, bind_string};
const struct schema_type type_path = {"a string", canon_path, bind_string, .canonical_raw = true};
const struct schema_type type_bool = {"a boolean", canon_bool, bind_bool, .raw_kinds = RAW_BOOL};
const struct schema_type type_int = {"an integer", canon_int, bind_int, .raw_kinds = RAW_NUMBER};
const struct schema_type type_number = {"a number", canon_number, bind_number, .raw_kinds = RAW_NUMBER};
const struct schema_type type_bytes = {"a size", canon_bytes, bind_decimal, .raw_kinds = RAW_NUMBER};
const struct schema_type type_duration = {"a duration like \"1m30s\"", canon_duration, bind_duration,
                                          .raw_kinds = RAW_STRING};
const struct schema_type type_file_mode = {"a file mode", canon_file_mode, bind_octal,
                                           .raw_kinds = RAW_NUMBER};
const struct schema_type type_strings = {"a list of strings", canon_strings, bind_strings,
                                         .raw_kinds = RAW_LIST};
const struct schema_type type_string_list = {"a string or a list of strings", canon_string_list, bind_strings,
                                             .raw_kinds = RAW_STRING | RAW_LIST};
const struct schema_type type_path_list = {"a path or a list of paths", canon_path_list, bind_strings,
                                           .canonical_raw = true};
const struct schema_type type_scalar_list = {"a list of strings or numbers", canon_scalar_list, bind_strings,
                                             .raw_kinds = RAW_LIST};
const struct schema_type type_command = {"a string or a list of strings", canon_command, bind_strings,
                                         .raw_kinds = RAW_STRING | RAW_LIST};
const struct schema_type type_mapping = {"a mapping or a list of KEY=VALUE", canon_mapping, bind_mapping,
                                         .raw_kinds = RAW_MAP | RAW_LIST};
const struct schema_type type_options = {"a mapping", canon_options, bind_mapping, .raw_kinds = RAW_MAP};
const struct schema_type type_driver_options = {"a mapping of strings and numbers", canon_driver_options,
                                                bind_mapping, .raw_kinds = RAW_MAP};
const struct schema_type type_texts = {"a mapping of strings", canon_texts, bind_mapping,
                                       .raw_kinds = RAW_MAP};
const struct schema_type type_any = {"anything", canon_any, NULL};
