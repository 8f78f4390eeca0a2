#include "engine/change.h"

#include "base/mem.h"

#include <jansson.h>

enum { TOLD_AT_MOST = 4, VALUE_AT_MOST = 48 };

struct change {
    char *text;
    size_t count;
};

/* A value as JSON, cut between two characters of UTF-8. */
static char *value_text(const void *owner, const json_t *value)
{
    char *json = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    size_t length = json ? strlen(json) : 0, cut = VALUE_AT_MOST;
    while (cut < length && (json[cut] & 0xC0) == 0x80)
        cut--;
    char *text = length > VALUE_AT_MOST ? mem_printf(owner, "%.*s…", (int)cut, json)
                                        : mem_strdup(owner, json ? json : "");
    free(json);
    return text;
}

static void tell(struct change *change, const char *path, const json_t *before, const json_t *after)
{
    if (++change->count > TOLD_AT_MOST)
        return;
    change->text = mem_append_printf(change->text, "%s%s", *change->text ? "; " : "", path);
    if (!before)
        change->text = mem_append_printf(change->text, " added %s", value_text(change->text, after));
    else if (!after)
        change->text = mem_append_printf(change->text, " removed %s", value_text(change->text, before));
    else
        change->text = mem_append_printf(change->text, " %s → %s", value_text(change->text, before),
                                         value_text(change->text, after));
}

static void compare(struct change *change, const char *path, json_t *before, json_t *after);

static void compare_objects(struct change *change, const char *path, json_t *before, json_t *after)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *key;
    json_t *value;
    json_object_foreach (before, key, value)
        compare(change, mem_printf(tmp, "%s%s%s", path, *path ? "." : "", key), value,
                json_object_get(after, key));
    json_object_foreach (after, key, value)
        if (!json_object_get(before, key))
            tell(change, mem_printf(tmp, "%s%s%s", path, *path ? "." : "", key), NULL, value);
}

/* Lists of one length are compared element by element; otherwise it is told which elements came and went. */
static void compare_lists(struct change *change, const char *path, json_t *before, json_t *after)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    size_t i, k;
    json_t *value, *other;
    if (json_array_size(before) == json_array_size(after)) {
        json_array_foreach (before, i, value)
            compare(change, mem_printf(tmp, "%s[%zu]", path, i), value, json_array_get(after, i));
        return;
    }
    json_t *rest = json_copy(after);
    json_array_foreach (before, i, value) {
        json_array_foreach (rest, k, other)
            if (json_equal(value, other))
                break;
        if (k < json_array_size(rest))
            json_array_remove(rest, k);
        else
            tell(change, path, value, NULL);
    }
    json_array_foreach (rest, i, value)
        tell(change, path, NULL, value);
    json_decref(rest);
}

static void compare(struct change *change, const char *path, json_t *before, json_t *after)
{
    if (json_is_object(before) && json_is_object(after))
        compare_objects(change, path, before, after);
    else if (json_is_array(before) && json_is_array(after))
        compare_lists(change, path, before, after);
    else if (!after || !json_equal(before, after))
        tell(change, path, before, after);
}

char *config_change(const void *owner, const char *before, const char *after)
{
    struct change change = {.text = mem_strdup(owner, "")};
    json_t *old = json_loads(before, 0, NULL), *new = json_loads(after, 0, NULL);
    if (old && new)
        compare(&change, "", old, new);
    json_decref(old);
    json_decref(new);
    if (change.count > TOLD_AT_MOST)
        change.text = mem_append_printf(change.text, "; and %zu more", change.count - TOLD_AT_MOST);
    return change.count ? change.text : NULL;
}
