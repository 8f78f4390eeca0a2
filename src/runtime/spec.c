/*
 * The recorded form of a container's spec. One row for each member drives writing and reading, so that the
 * two cannot disagree. Members that are unset (NULL, empty) are left out.
 */
#include "runtime/private.h"

enum kind {
    KIND_STR,
    KIND_STRV,
    KIND_MAP, /* omap of char * */
    KIND_BOOL,
    KIND_I64,
    KIND_DOUBLE,
    KIND_INT,    /* enums */
    KIND_LIST,   /* array of structs, with its count at count_offset */
    KIND_OBJECT, /* pointer to a struct, or NULL */
    KIND_OBJECTS /* omap of pointers to structs */
};

struct row {
    const char *key;
    enum kind kind;
    size_t offset, count_offset, size;
    const struct row *rows; /* of the struct below */
};

#define ROW(type, kind, name)                                                                                \
    {                                                                                                        \
#name, kind, offsetof(struct type, name), 0, 0, NULL                                                 \
    }
#define ROW_LIST(name, count, rows)                                                                          \
    {                                                                                                        \
#name, KIND_LIST, offsetof(struct container_spec, name), offsetof(struct container_spec, count),     \
            sizeof(*((struct container_spec *)0)->name), rows                                                \
    }
#define END                                                                                                  \
    {                                                                                                        \
        .key = NULL                                                                                          \
    }

static const struct row mount_rows[] = {
    ROW(mount_spec, KIND_INT, type),        ROW(mount_spec, KIND_STR, source),
    ROW(mount_spec, KIND_STR, target),      ROW(mount_spec, KIND_BOOL, read_only),
    ROW(mount_spec, KIND_BOOL, copy_up),    ROW(mount_spec, KIND_STR, subpath),
    ROW(mount_spec, KIND_STR, propagation), ROW(mount_spec, KIND_BOOL, create_host_path),
    ROW(mount_spec, KIND_STR, recursive),   ROW(mount_spec, KIND_STRV, options),
    ROW(mount_spec, KIND_STRV, layers),     ROW(mount_spec, KIND_STR, volume),
    ROW(mount_spec, KIND_STR, fs_type),     ROW(mount_spec, KIND_STR, fs_device),
    ROW(mount_spec, KIND_STR, fs_options),  END,
};

static const struct row file_rows[] = {
    ROW(file_spec, KIND_STR, target),
    ROW(file_spec, KIND_STR, source),
    ROW(file_spec, KIND_STR, content),
    ROW(file_spec, KIND_I64, uid),
    ROW(file_spec, KIND_I64, gid),
    ROW(file_spec, KIND_I64, mode),
    END,
};

static const struct row device_rows[] = {
    ROW(device_mapping, KIND_STR, source),
    ROW(device_mapping, KIND_STR, target),
    ROW(device_mapping, KIND_STR, permissions),
    END,
};

static const struct row request_rows[] = {
    ROW(device_request, KIND_STR, driver),
    ROW(device_request, KIND_STRV, capabilities),
    ROW(device_request, KIND_STRV, ids),
    ROW(device_request, KIND_I64, count),
    END,
};

static const struct row blkio_rows[] = {
    ROW(blkio_limit, KIND_STR, key),
    ROW(blkio_limit, KIND_STR, path),
    ROW(blkio_limit, KIND_I64, value),
    END,
};

static const struct row ulimit_rows[] = {
    ROW(ulimit, KIND_I64, soft),
    ROW(ulimit, KIND_I64, hard),
    END,
};

static const struct row health_rows[] = {
    ROW(healthcheck, KIND_BOOL, disable),     ROW(healthcheck, KIND_STRV, test),
    ROW(healthcheck, KIND_I64, interval),     ROW(healthcheck, KIND_I64, timeout),
    ROW(healthcheck, KIND_I64, start_period), ROW(healthcheck, KIND_I64, start_interval),
    ROW(healthcheck, KIND_I64, retries),      END,
};

#define SPEC(kind, name) ROW(container_spec, kind, name)
static const struct row spec_rows[] = {
    SPEC(KIND_STR, id),
    SPEC(KIND_STR, name),
    SPEC(KIND_STR, project),
    SPEC(KIND_STRV, layers),
    SPEC(KIND_STRV, argv),
    SPEC(KIND_STRV, env),
    SPEC(KIND_STR, cwd),
    SPEC(KIND_STR, user),
    SPEC(KIND_STRV, group_add),
    SPEC(KIND_STR, hostname),
    SPEC(KIND_STR, domainname),
    SPEC(KIND_MAP, labels),
    SPEC(KIND_MAP, annotations),
    SPEC(KIND_STR, event),
    ROW_LIST(mounts, mount_count, mount_rows),
    ROW_LIST(files, file_count, file_rows),
    SPEC(KIND_STR, hosts),
    SPEC(KIND_STR, resolv_conf),
    SPEC(KIND_STR, netns),
    SPEC(KIND_STR, pid_mode),
    SPEC(KIND_STR, ipc_mode),
    SPEC(KIND_STR, uts_mode),
    SPEC(KIND_STR, cgroup_mode),
    SPEC(KIND_BOOL, privileged),
    SPEC(KIND_BOOL, read_only),
    SPEC(KIND_BOOL, tty),
    SPEC(KIND_BOOL, stdin_open),
    SPEC(KIND_BOOL, init),
    SPEC(KIND_BOOL, no_new_privileges),
    SPEC(KIND_STRV, cap_add),
    SPEC(KIND_STRV, cap_drop),
    SPEC(KIND_STRV, security_opt),
    SPEC(KIND_STRV, device_cgroup_rules),
    ROW_LIST(devices, device_count, device_rows),
    ROW_LIST(requests, request_count, request_rows),
    ROW_LIST(blkio, blkio_count, blkio_rows),
    SPEC(KIND_MAP, sysctls),
    {"ulimits",     KIND_OBJECTS, offsetof(struct container_spec, ulimits),     0, sizeof(struct ulimit),
                         ulimit_rows},
    SPEC(KIND_I64, shm_size),
    SPEC(KIND_I64, mem_limit),
    SPEC(KIND_I64, mem_reservation),
    SPEC(KIND_I64, memswap_limit),
    SPEC(KIND_I64, mem_swappiness),
    SPEC(KIND_DOUBLE, cpus),
    SPEC(KIND_I64, cpu_shares),
    SPEC(KIND_I64, cpu_quota),
    SPEC(KIND_I64, cpu_period),
    SPEC(KIND_I64, cpu_rt_runtime),
    SPEC(KIND_I64, cpu_rt_period),
    SPEC(KIND_STR, cpuset),
    SPEC(KIND_I64, pids_limit),
    SPEC(KIND_I64, oom_score_adj),
    SPEC(KIND_BOOL, oom_kill_disable),
    SPEC(KIND_STR, cgroup_parent),
    SPEC(KIND_STR, runtime),
    SPEC(KIND_STR, stop_signal),
    SPEC(KIND_I64, stop_grace),
    SPEC(KIND_INT, restart),
    SPEC(KIND_I64, restart_max),
    SPEC(KIND_I64, restart_delay),
    SPEC(KIND_I64, restart_window),
    SPEC(KIND_BOOL, auto_remove),
    {"healthcheck", KIND_OBJECT,  offsetof(struct container_spec, healthcheck), 0, sizeof(struct healthcheck),
                         health_rows},
    SPEC(KIND_STR, log_driver),
    SPEC(KIND_I64, log_max_size),
    SPEC(KIND_I64, log_max_file),
    SPEC(KIND_STR, log_tag),
    SPEC(KIND_MAP, log_attributes),
    SPEC(KIND_STR, log_address),
    SPEC(KIND_STR, log_facility),
    SPEC(KIND_STR, log_format),
    END,
};

static json_t *rows_to_json(const struct row *rows, const void *object);

static json_t *strings_to_json(char *const *v)
{
    json_t *array = json_array();
    for (; *v; v++)
        json_array_append_new(array, json_string_nocheck(*v));
    return array;
}

static json_t *map_to_json(const struct omap *map, const struct row *rows)
{
    json_t *object = json_object();
    omap_foreach (e, map) {
        json_t *value = rows       ? rows_to_json(rows, e->value)
                        : e->value ? json_string_nocheck(e->value)
                                   : json_null();
        json_object_set_new(object, e->key, value);
    }
    return object;
}

static json_t *list_to_json(const struct row *row, const char *elements, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, rows_to_json(row->rows, elements + i * row->size));
    return array;
}

/* NULL for a member that is unset. */
static json_t *pointer_to_json(const struct row *row, const void *pointer)
{
    if (!pointer)
        return NULL;
    switch (row->kind) {
    case KIND_STR:
        return json_string_nocheck(pointer);
    case KIND_STRV:
        return strings_to_json((char *const *)pointer);
    case KIND_OBJECT:
        return rows_to_json(row->rows, pointer);
    case KIND_MAP:
    case KIND_OBJECTS:
    case KIND_LIST:
    case KIND_BOOL:
    case KIND_I64:
    case KIND_INT:
    case KIND_DOUBLE:
        break;
    }
    return map_to_json(pointer, row->rows);
}

static json_t *row_to_json(const struct row *row, const char *object)
{
    const char *at = object + row->offset;
    switch (row->kind) {
    case KIND_STR:
    case KIND_STRV:
    case KIND_MAP:
    case KIND_OBJECTS:
    case KIND_OBJECT:
        return pointer_to_json(row, *(const void *const *)at);
    case KIND_LIST:
        return list_to_json(row, *(const void *const *)at, *(const size_t *)(object + row->count_offset));
    case KIND_BOOL:
        return json_boolean(*(const bool *)at);
    case KIND_I64:
        return json_integer(*(const int64_t *)at);
    case KIND_INT:
        return json_integer(*(const int *)at);
    case KIND_DOUBLE:
        return json_real(*(const double *)at);
    }
    return NULL;
}

static json_t *rows_to_json(const struct row *rows, const void *object)
{
    json_t *json = json_object();
    for (const struct row *row = rows; row->key; row++) {
        json_t *value = row_to_json(row, object);
        if (value)
            json_object_set_new(json, row->key, value);
    }
    return json;
}

json_t *spec_to_json(const struct container_spec *spec)
{
    return rows_to_json(spec_rows, spec);
}

static bool rows_from_json(const void *owner, const struct row *rows, const json_t *json, void *object);

static bool strings_from_json(const void *owner, const json_t *json, char ***ret)
{
    size_t n = json_array_size(json);
    char **v = mem_array(owner, char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_array_get(json, i));
        if (!s)
            return false;
        v[i] = mem_strdup(v, s);
    }
    *ret = v;
    return json_is_array(json);
}

static bool map_from_json(const void *owner, const struct row *row, const json_t *json, struct omap **ret)
{
    struct omap *map = omap_new(owner);
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
        if (row->kind == KIND_MAP) {
            omap_set_str(map, key, json_string_value(value));
            continue;
        }
        void *object = mem_check(talloc_zero_size(map, row->size));
        if (!rows_from_json(object, row->rows, value, object))
            return false;
        omap_set(map, key, object);
    }
    *ret = map;
    return json_is_object(json);
}

static bool list_from_json(const void *owner, const struct row *row, const json_t *json, void **ret,
                           size_t *ret_count)
{
    size_t n = json_array_size(json);
    char *elements = n ? mem_check(talloc_zero_size(owner, n * row->size)) : NULL;
    for (size_t i = 0; i < n; i++)
        if (!rows_from_json(elements, row->rows, json_array_get(json, i), elements + i * row->size))
            return false;
    *ret = elements;
    *ret_count = n;
    return json_is_array(json);
}

static bool row_from_json(const void *owner, const struct row *row, const json_t *json, char *object)
{
    char *at = object + row->offset;
    switch (row->kind) {
    case KIND_STR:
        *(char **)at = mem_strdup(owner, json_string_value(json));
        return json_is_string(json);
    case KIND_STRV:
        return strings_from_json(owner, json, (char ***)at);
    case KIND_MAP:
    case KIND_OBJECTS:
        return map_from_json(owner, row, json, (struct omap **)at);
    case KIND_OBJECT:
        *(void **)at = mem_check(talloc_zero_size(owner, row->size));
        return rows_from_json(*(void **)at, row->rows, json, *(void **)at);
    case KIND_LIST:
        return list_from_json(owner, row, json, (void **)at, (size_t *)(object + row->count_offset));
    case KIND_BOOL:
        *(bool *)at = json_is_true(json);
        return json_is_boolean(json);
    case KIND_I64:
        *(int64_t *)at = json_integer_value(json);
        return json_is_integer(json);
    case KIND_INT:
        *(int *)at = (int)json_integer_value(json);
        return json_is_integer(json);
    case KIND_DOUBLE:
        *(double *)at = json_number_value(json);
        return json_is_number(json);
    }
    return false;
}

static bool rows_from_json(const void *owner, const struct row *rows, const json_t *json, void *object)
{
    for (const struct row *row = rows; row->key; row++) {
        const json_t *value = json_object_get(json, row->key);
        if (value && !row_from_json(owner, row, value, object))
            return false;
    }
    return json_is_object(json);
}

int spec_from_json(const void *owner, const json_t *json, struct container_spec **ret, struct error *err)
{
    struct container_spec *spec = mem_new(owner, struct container_spec);
    if (!rows_from_json(spec, spec_rows, json, spec) || !spec->id || !spec->argv || !spec->argv[0]) {
        talloc_free(spec);
        return error_set(err, EINVAL, "the container's record is damaged");
    }
    *ret = spec;
    return 0;
}
