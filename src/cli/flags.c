#include "cli/flags.h"

#include "base/str.h"
#include "base/strv.h"

#include <ctype.h>

const struct flag *flag_find(const struct flag *flags, const char *long_name)
{
    for (const struct flag *f = flags; f && f->long_name; f++)
        if (str_eq(f->long_name, long_name))
            return f;
    return NULL;
}

const char *flag_metavar(const struct flag *flag)
{
    static const char *const names[] = {
        [FLAG_BOOL] = "", [FLAG_INT] = "int", [FLAG_STRING] = "string", [FLAG_LIST] = "stringArray"};
    _Static_assert(ARRAY_SIZE(names) == FLAG__COUNT, "one name for each kind");
    return flag->metavar ? flag->metavar : names[flag->kind];
}

bool flag_is_shown(const struct flag *flag)
{
    return !(flag->bits & (FLAG_HIDDEN | FLAG_DEPRECATED));
}

/* The spellings that Go's strconv.ParseBool takes. */
static bool bool_parse(const char *s, bool *ret)
{
    static const char *const spellings[2][7] = {
        {"0", "f", "F", "false", "FALSE", "False", NULL},
        {"1", "t", "T", "true",  "TRUE",  "True",  NULL},
    };
    for (int value = 0; value < 2; value++)
        for (const char *const *p = spellings[value]; *p; p++)
            if (str_eq(*p, s)) {
                *ret = value;
                return true;
            }
    return false;
}

static bool choices_have(const char *const *choices, const char *value)
{
    for (const char *const *c = choices; *c; c++)
        if (str_eq(*c, value))
            return true;
    return false;
}

static int reject(const struct flag *flag, const char *name, const char *value, const char *why,
                  struct error *err)
{
    error_set(err, EINVAL, "invalid argument \"%s\" for \"%s\" flag: %s", value, name, why);
    if (!flag->choices)
        return -EINVAL;
    char list[256] = "";
    for (const char *const *c = flag->choices; *c; c++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", *c);
    }
    return error_hint(err, "possible values are: %s", list);
}

static void list_add(const void *owner, const struct flag *flag, char ***list, const char *value)
{
    if (!(flag->bits & FLAG_COMMA)) {
        *list = strv_add(owner, *list, value);
        return;
    }
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    *list = strv_extend(owner, *list, strv_split(tmp, value, ','));
}

int flag_set(const void *owner, const struct flag *flag, void *options, const char *name, const char *value,
             struct error *err)
{
    char *member = (char *)options + flag->offset;
    if (flag->choices && !choices_have(flag->choices, value))
        return reject(flag, name, value, "not one of its values", err);
    switch (flag->kind) {
    case FLAG_BOOL:
        if (!bool_parse(value, (bool *)(void *)member))
            return reject(flag, name, value, "expected true or false", err);
        return 0;
    case FLAG_INT:
        if (!str_to_i64(value, INT64_MIN, INT64_MAX, (int64_t *)(void *)member))
            return reject(flag, name, value, "expected a whole number", err);
        return 0;
    case FLAG_STRING:
        *(char **)(void *)member = mem_strdup(owner, value);
        return 0;
    case FLAG_LIST:
        list_add(owner, flag, (char ***)(void *)member, value);
        return 0;
    case FLAG__COUNT:
    default:
        return error_set(err, EINVAL, "flag '%s' has no kind", flag->long_name);
    }
}

void flags_init(const void *owner, const struct flag *flags, void *options)
{
    for (const struct flag *f = flags; f && f->long_name; f++)
        if (f->fallback)
            flag_set(owner, f, options, f->long_name, f->fallback, NULL);
}

static const struct flag *find_long(const struct flag_parser *parser, const char *name, size_t length,
                                    void **ret_options)
{
    for (size_t i = 0; i < parser->scope_count; i++)
        for (const struct flag *f = parser->scopes[i].flags; f && f->long_name; f++)
            if (strlen(f->long_name) == length && memcmp(f->long_name, name, length) == 0) {
                *ret_options = parser->scopes[i].options;
                return f;
            }
    return NULL;
}

static const struct flag *find_short(const struct flag_parser *parser, char name, void **ret_options)
{
    for (size_t i = 0; i < parser->scope_count; i++)
        for (const struct flag *f = parser->scopes[i].flags; f && f->long_name; f++)
            if (f->short_name == name) {
                *ret_options = parser->scopes[i].options;
                return f;
            }
    return NULL;
}

/* The name as pflag writes it in messages: "-t, --timeout" or "--timeout". */
static int apply(struct flag_parser *parser, const struct flag *flag, void *options, const char *value,
                 struct error *err)
{
    char name[128];
    if (flag->short_name)
        snprintf(name, sizeof(name), "-%c, --%s", flag->short_name, flag->long_name);
    else
        snprintf(name, sizeof(name), "--%s", flag->long_name);
    if (flag->bits & FLAG_NOT_YET)
        return error_set(err, ENOTSUP, "--%s is not available yet", flag->long_name);
    if (flag->bits & FLAG_DEPRECATED)
        parser->deprecated =
            mem_printf(parser->owner, "Flag --%s has been deprecated, %s", flag->long_name, flag->help);
    return flag_set(parser->owner, flag, options, name, value, err);
}

static int unknown_long(const struct flag_parser *parser, const char *name, size_t length, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *word = mem_strndup(tmp, name, length);
    char **words = NULL;
    for (size_t i = 0; i < parser->scope_count; i++)
        for (const struct flag *f = parser->scopes[i].flags; f && f->long_name; f++)
            if (flag_is_shown(f))
                words = strv_add(tmp, words, f->long_name);
    error_set(err, EINVAL, "unknown flag: --%s", word);
    const char *near = words ? word_nearest(word, (const char *const *)words) : NULL;
    return near ? error_hint(err, "did you mean --%s?", near) : -EINVAL;
}

/* `text` is what follows "--". Advances *next over a value that is an argument of its own. */
static int parse_long(struct flag_parser *parser, const char *text, char *const **next, struct error *err)
{
    size_t length = strcspn(text, "=");
    if (length == 0 || text[0] == '-')
        return error_set(err, EINVAL, "bad flag syntax: --%s", text);
    void *options = NULL;
    const struct flag *flag = find_long(parser, text, length, &options);
    if (!flag && length == 4 && memcmp(text, "help", 4) == 0) {
        parser->help = true;
        return 0;
    }
    if (!flag)
        return unknown_long(parser, text, length, err);
    if (text[length] == '=')
        return apply(parser, flag, options, text + length + 1, err);
    if (flag->kind == FLAG_BOOL)
        return apply(parser, flag, options, "true", err);
    if (!**next)
        return error_set(err, EINVAL, "flag needs an argument: --%s", flag->long_name);
    return apply(parser, flag, options, *(*next)++, err);
}

/* `text` is what follows "-": a cluster, whose last flag may take the rest or the next argument. */
static int parse_short(struct flag_parser *parser, const char *text, char *const **next, struct error *err)
{
    for (const char *p = text; *p; p++) {
        void *options = NULL;
        const struct flag *flag = find_short(parser, *p, &options);
        if (!flag && *p == 'h') {
            parser->help = true;
            continue;
        }
        if (!flag)
            return error_set(err, EINVAL, "unknown shorthand flag: '%c' in -%s", *p, text);
        const char *value = "true";
        bool ends = true;
        if (p[1] == '=')
            value = p + 2;
        else if (flag->kind == FLAG_BOOL)
            ends = false;
        else if (p[1])
            value = p + 1;
        else if (**next)
            value = *(*next)++;
        else
            return error_set(err, EINVAL, "flag needs an argument: '%c' in -%s", *p, text);
        int r = apply(parser, flag, options, value, err);
        if (r < 0 || ends)
            return r;
    }
    return 0;
}

int flags_parse(struct flag_parser *parser, char *const *argv, struct error *err)
{
    parser->args = mem_array(parser->owner, char *, 1);
    for (char *const *next = argv; *next;) {
        const char *arg = *next++;
        if (arg[0] != '-' || arg[1] == '\0') {
            parser->args = strv_add(parser->owner, parser->args, arg);
            if (!parser->stop_at_argument)
                continue;
            parser->args = strv_extend(parser->owner, parser->args, next);
            break;
        }
        if (str_eq(arg, "--")) {
            parser->args = strv_extend(parser->owner, parser->args, next);
            break;
        }
        int r = arg[1] == '-' ? parse_long(parser, arg + 2, &next, err)
                              : parse_short(parser, arg + 1, &next, err);
        if (r < 0)
            return r;
    }
    return 0;
}
