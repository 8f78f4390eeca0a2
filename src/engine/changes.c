#include "engine/changes.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"

#include <ctype.h>

/* ---- words ---- */

static const char *skip_blanks(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* The next word with its quotes and backslashes undone; NULL at the end. */
static char *next_word(const void *owner, const char **text)
{
    const char *p = skip_blanks(*text);
    if (!*p)
        return NULL;
    char *word = mem_array(owner, char, strlen(p) + 1), quote = 0;
    size_t n = 0;
    for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
        if (*p == '\\' && p[1] && quote != '\'')
            word[n++] = *++p;
        else if (*p == quote)
            quote = 0;
        else if (!quote && (*p == '"' || *p == '\''))
            quote = *p;
        else
            word[n++] = *p;
    }
    *text = p;
    return word;
}

/* A JSON array of strings, or NULL. */
static json_t *exec_form(const char *text)
{
    json_t *list = *skip_blanks(text) == '[' ? json_loads(text, 0, NULL) : NULL, *value;
    size_t i;
    json_array_foreach (list, i, value)
        if (!json_is_string(value)) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *words_or_list(const char *text)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    json_t *list = exec_form(text);
    if (list)
        return list;
    list = json_array();
    for (char *word; (word = next_word(tmp, &text));)
        json_array_append_new(list, json_string(word));
    return list;
}

static json_t *command_of(const char *text)
{
    json_t *list = exec_form(text);
    return list ? list : json_pack("[s, s, s]", "/bin/sh", "-c", text);
}

static json_t *object_at(json_t *config, const char *key)
{
    json_t *object = json_object_get(config, key);
    if (json_is_object(object))
        return object;
    object = json_object();
    json_object_set_new(config, key, object);
    return object;
}

/* ---- instructions ---- */

static int set_command(json_t *config, const char *key, const char *text, struct error *err UNUSED)
{
    json_object_set_new(config, key, command_of(text));
    /* Its arguments were the old one's. */
    if (str_eq(key, "Entrypoint"))
        json_object_set_new(config, "Cmd", json_null());
    return 0;
}

static int set_text(json_t *config, const char *key, const char *text, struct error *err UNUSED)
{
    json_object_set_new(config, key, json_string(text));
    return 0;
}

static int set_keys(json_t *config, const char *key, const char *text, struct error *err UNUSED)
{
    json_t *list = words_or_list(text), *value;
    size_t i;
    json_array_foreach (list, i, value) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        const char *word = json_string_value(value);
        bool is_bare_port = str_eq(key, "ExposedPorts") && !strchr(word, '/');
        json_object_set_new(object_at(config, key), is_bare_port ? mem_printf(tmp, "%s/tcp", word) : word,
                            json_object());
    }
    json_decref(list);
    return 0;
}

static void set_env(json_t *config, const char *name, const char *value)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    json_t *list = json_object_get(config, "Env"), *item;
    size_t i, n = strlen(name);
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(config, "Env", list);
    }
    json_t *pair = json_string(mem_printf(tmp, "%s=%s", name, value));
    json_array_foreach (list, i, item) {
        const char *old = json_string_value(item);
        if (old && strncmp(old, name, n) == 0 && old[n] == '=') {
            json_array_set_new(list, i, pair);
            return;
        }
    }
    json_array_append_new(list, pair);
}

static void set_pair(json_t *config, const char *key, const char *name, const char *value)
{
    if (str_eq(key, "Env"))
        set_env(config, name, value);
    else
        json_object_set_new(object_at(config, key), name, json_string(value));
}

/* "A=1 B='2 3'", or the old form "A everything else". */
static int set_pairs(json_t *config, const char *key, const char *text, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *rest = text;
    char *word = next_word(tmp, &rest), *equals = strchr(word, '=');
    if (!equals) {
        if (!*skip_blanks(rest))
            return error_set(err, EINVAL, "'%s' has no value", word);
        set_pair(config, key, word, skip_blanks(rest));
        return 0;
    }
    for (; word; word = next_word(tmp, &rest)) {
        equals = strchr(word, '=');
        if (!equals)
            return error_set(err, EINVAL, "'%s' is not of the form name=value", word);
        *equals = '\0';
        set_pair(config, key, word, equals + 1);
    }
    return 0;
}

static int add_trigger(json_t *config, const char *key, const char *text, struct error *err UNUSED)
{
    if (!json_is_array(json_object_get(config, key)))
        json_object_set_new(config, key, json_array());
    json_array_append_new(json_object_get(config, key), json_string(text));
    return 0;
}

static const struct instruction {
    const char *name, *key; /* what it sets in the configuration */
    int (*apply)(json_t *config, const char *key, const char *text, struct error *err);
} instructions[] = {
    {"CMD",        "Cmd",          set_command},
    {"ENTRYPOINT", "Entrypoint",   set_command},
    {"ENV",        "Env",          set_pairs  },
    {"EXPOSE",     "ExposedPorts", set_keys   },
    {"LABEL",      "Labels",       set_pairs  },
    {"ONBUILD",    "OnBuild",      add_trigger},
    {"STOPSIGNAL", "StopSignal",   set_text   },
    {"USER",       "User",         set_text   },
    {"VOLUME",     "Volumes",      set_keys   },
    {"WORKDIR",    "WorkingDir",   set_text   },
};

int change_apply(json_t *config, const char *instruction, struct error *err)
{
    const char *start = skip_blanks(instruction), *text = start + strcspn(start, " \t");
    size_t n = (size_t)(text - start);
    text = skip_blanks(text);
    for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
        const struct instruction *known = &instructions[i];
        if (strlen(known->name) != n || strncasecmp(known->name, start, n) != 0)
            continue;
        if (!*text)
            return error_set(err, EINVAL, "%s needs an argument", known->name);
        int r = known->apply(config, known->key, text, err);
        return r < 0 ? error_wrap(err, "%s", known->name) : 0;
    }
    error_set(err, EINVAL, "'%.*s' is not an instruction that commit can apply", (int)n, start);
    return error_hint(
        err, "those are CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR");
}
