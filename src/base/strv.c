#include "base/strv.h"

#include "base/str.h"

size_t strv_len(char *const *v)
{
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

bool strv_contains(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (strcmp(*v, s) == 0)
            return true;
    return false;
}

/* Takes `s`, which must be a talloc object, as the last element. */
static char **add_owned(const void *owner, char **v, char *s)
{
    size_t n = strv_len(v);
    /* The room is a power of two, so that building a long vector stays linear. */
    if (!v || n + 2 > talloc_get_size(v) / sizeof(char *)) {
        size_t room = 4;
        while (room < n + 2)
            room *= 2;
        v = mem_check(talloc_realloc_size(owner, v, room * sizeof(char *)));
    }
    v[n] = s;
    v[n + 1] = NULL;
    mem_steal(v, s);
    return v;
}

char **strv_add(const void *owner, char **v, const char *s)
{
    return add_owned(owner, v, mem_strdup(NULL, s));
}

char **strv_addf(const void *owner, char **v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = mem_vprintf(NULL, fmt, ap);
    va_end(ap);
    return add_owned(owner, v, s);
}

char **strv_extend(const void *owner, char **v, char *const *more)
{
    for (; more && *more; more++)
        v = strv_add(owner, v, *more);
    return v;
}

char **strv_dup(const void *owner, char *const *v)
{
    if (!v)
        return NULL;
    size_t n = strv_len(v);
    char **copy = mem_array(owner, char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(copy, v[i]);
    return copy;
}

char **strv_new(const void *owner, ...)
{
    char **v = NULL;
    va_list ap;
    va_start(ap, owner);
    for (const char *s; (s = va_arg(ap, const char *));)
        v = strv_add(owner, v, s);
    va_end(ap);
    return v;
}

char **strv_split(const void *owner, const char *s, char separator)
{
    size_t count = 1;
    for (const char *at = s; (at = strchr(at, separator)) != NULL; at++)
        count++;
    char **v = mem_array(owner, char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t n = strchrnul(s, separator) - s;
        v[i] = mem_strndup(v, s, n);
        s += n + 1;
    }
    return v;
}

char *strv_join(const void *owner, char *const *v, const char *separator)
{
    char *s = mem_strdup(owner, "");
    for (size_t i = 0; v && v[i]; i++)
        s = mem_append_printf(s, "%s%s", i ? separator : "", v[i]);
    return s;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(char **v)
{
    if (v)
        qsort(v, strv_len(v), sizeof(*v), compare);
}

static size_t env_index(char *const *v, const char *key)
{
    size_t n = strlen(key), i = 0;
    for (; v && v[i]; i++)
        if (strncmp(v[i], key, n) == 0 && (v[i][n] == '=' || v[i][n] == '\0'))
            break;
    return i;
}

const char *strv_env_get(char *const *v, const char *key)
{
    size_t i = env_index(v, key);
    if (!v || !v[i])
        return NULL;
    const char *value = v[i] + strlen(key);
    return *value == '=' ? value + 1 : NULL;
}

char **strv_env_set(const void *owner, char **v, const char *key, const char *value)
{
    size_t i = env_index(v, key);
    bool found = v && v[i];
    if (!value) {
        if (found) {
            talloc_free(v[i]);
            for (; v[i]; i++)
                v[i] = v[i + 1];
        }
        return v;
    }
    if (!found)
        return strv_addf(owner, v, "%s=%s", key, value);
    talloc_free(v[i]);
    v[i] = mem_printf(v, "%s=%s", key, value);
    return v;
}
