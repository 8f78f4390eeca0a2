#include "oci/json.h"

#include "base/strv.h"

static const char *type_name(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        break;
    }
    return "null";
}

int json_document(const void *data, size_t size, json_t **ret, struct error *err)
{
    if (size > JSON_DOCUMENT_MAX)
        return error_set(err, EFBIG, "the document has %zu bytes; the limit is %d", size, JSON_DOCUMENT_MAX);
    json_error_t problem;
    json_t *doc = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
    if (!doc)
        return error_set(err, EBADMSG, "line %d, column %d: %s", problem.line, problem.column, problem.text);
    if (!json_is_object(doc)) {
        json_decref(doc);
        return error_set(err, EBADMSG, "the document is not a JSON object");
    }
    *ret = doc;
    return 0;
}

int json_child(const json_t *object, const char *key, json_type type, json_t **ret, struct error *err)
{
    json_t *value = json_object_get(object, key);
    if (value && !json_is_null(value) && json_typeof(value) != type)
        return error_set(err, EBADMSG, "'%s' is not %s", key, type_name(type));
    *ret = value && !json_is_null(value) ? value : NULL;
    return 0;
}

int json_text(const json_t *object, const char *key, const char **ret, struct error *err)
{
    json_t *value;
    int r = json_child(object, key, JSON_STRING, &value, err);
    if (r < 0)
        return r;
    *ret = json_string_value(value);
    return 0;
}

int json_whole(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret,
               struct error *err)
{
    json_t *value;
    int r = json_child(object, key, JSON_INTEGER, &value, err);
    if (r < 0)
        return r;
    json_int_t number = value ? json_integer_value(value) : 0;
    if (value && (number < min || number > max))
        return error_set(err, EBADMSG, "'%s' is out of range: %lld", key, (long long)number);
    *ret = number;
    return 0;
}

int json_texts(const void *owner, const json_t *object, const char *key, char ***ret, struct error *err)
{
    json_t *list, *item;
    size_t i;
    int r = json_child(object, key, JSON_ARRAY, &list, err);
    if (r < 0)
        return r;
    char **strings = NULL;
    json_array_foreach (list, i, item) {
        if (!json_is_string(item)) {
            talloc_free(strings);
            return error_set(err, EBADMSG, "'%s[%zu]' is not a string", key, i);
        }
        strings = strv_add(owner, strings, json_string_value(item));
    }
    *ret = strings;
    return 0;
}
