/* Devices, env_file, configs, secrets, ulimits, hosts, build contexts: objects and types with short forms. */
#include "model/project.h"
#include "model/table_macros.h"
#include "model/tables.h"

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"

static struct node *refuse(struct schema_pass *pass, const struct node *in)
{
    schema_expected(pass, in, NULL, "a string or a mapping");
    return NULL;
}

static const struct schema_field device_fields[] = {
    ROW(type_string, "source", .flags = FIELD_REQUIRED, MEMBER(struct device_mapping, source, char *)),
    ROW(type_string, "target", MEMBER(struct device_mapping, target, char *)),
    ROW(type_string, "permissions", MEMBER(struct device_mapping, permissions, char *)),
};

static struct node *device_from_text(struct schema_pass *pass, const struct schema_object *object,
                                     struct node *in)
{
    if (in->kind != NODE_STRING)
        return refuse(pass, in);
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **parts = strv_split(tmp, in->text, ':');
    size_t n = strv_len(parts);
    if (n > 3) {
        schema_error(pass, in, "use the long form", "'%s' is not %s", in->text, object->short_form);
        return NULL;
    }
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    const char *values[] = {parts[0], n > 1 ? parts[1] : parts[0], n > 2 ? parts[2] : "rwm"};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        schema_put(pass->arena, object, map, device_fields[i].key, node_string(pass->arena, values[i], in));
    return map;
}

static const char *device_key(struct arena *arena UNUSED, const struct node *map)
{
    return node_get_text(map, "target");
}

static void device_check(struct schema_pass *pass, const struct node *map)
{
    if (!node_get(map, "target"))
        schema_error(pass, map, NULL, "'target' is missing");
}
const struct schema_object object_device =
    OBJECT("device", device_fields, .extensions = true, .short_form = "SOURCE[:TARGET[:PERMISSIONS]]",
           .from_short = device_from_text, .list_key = device_key, .check = device_check);

static const struct schema_field env_file_fields[] = {
    ROW(type_path, "path", .also = "file", .flags = FIELD_REQUIRED),
    ROW(type_bool, "required", .flags = FIELD_KEEP_ZERO),
    ROW(type_string, "format"),
};

static void env_file_finish(struct schema_pass *pass, struct node *map)
{
    if (!node_get(map, "required"))
        schema_put(pass->arena, &object_env_file, map, "required", node_bool(pass->arena, true, map));
}

static struct node *env_file_from_path(struct schema_pass *pass, const struct schema_object *object,
                                       struct node *in)
{
    if (in->kind != NODE_STRING)
        return refuse(pass, in);
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    schema_put(pass->arena, object, map, "path", type_path.canon(pass, &env_file_fields[0], in));
    env_file_finish(pass, map);
    return map;
}

static const char *env_file_key(struct arena *arena UNUSED, const struct node *map)
{
    return node_get_text(map, "path");
}
const struct schema_object object_env_file =
    OBJECT("env_file", env_file_fields, .short_form = "PATH", .from_short = env_file_from_path,
           .finish = env_file_finish, .list_key = env_file_key);

static const struct schema_field reference_fields[] = {
    ROW(type_string, "source", MEMBER(struct file_reference, source, char *)),
    ROW(type_string, "target", MEMBER(struct file_reference, target, char *)),
    ROW(type_string, "uid", MEMBER(struct file_reference, uid, char *)),
    ROW(type_string, "gid", MEMBER(struct file_reference, gid, char *)),
    ROW(type_file_mode, "mode", MEMBER(struct file_reference, mode, int64_t)),
};

static struct node *reference_from_name(struct schema_pass *pass, const struct schema_object *object,
                                        struct node *in)
{
    if (in->kind != NODE_STRING)
        return refuse(pass, in);
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    schema_put(pass->arena, object, map, "source", in);
    if (object->finish)
        object->finish(pass, map);
    return map;
}

static void secret_finish(struct schema_pass *pass, struct node *map)
{
    const char *source = node_get_text(map, "source");
    if (source && !node_get(map, "target"))
        schema_put(pass->arena, &object_service_secret, map, "target",
                   node_string(pass->arena, arena_printf(pass->arena, "/run/secrets/%s", source), map));
}

static const char *config_key(struct arena *arena, const struct node *map)
{
    const char *target = node_get_text(map, "target"), *source = node_get_text(map, "source");
    return target ? target : source ? arena_printf(arena, "/%s", source) : NULL;
}

static const char *secret_key(struct arena *arena, const struct node *map)
{
    const char *target = node_get_text(map, "target"), *source = node_get_text(map, "source");
    return target ? target : source ? arena_printf(arena, "/run/secrets/%s", source) : NULL;
}
const struct schema_object object_service_config =
    OBJECT("config", reference_fields, .extensions = true, .short_form = "NAME",
           .from_short = reference_from_name, .list_key = config_key);
const struct schema_object object_service_secret =
    OBJECT("secret", reference_fields, .extensions = true, .short_form = "NAME",
           .from_short = reference_from_name, .finish = secret_finish, .list_key = secret_key);
const struct schema_object object_build_secret =
    OBJECT("secret", reference_fields, .extensions = true, .short_form = "NAME",
           .from_short = reference_from_name, .list_key = secret_key);

static const struct schema_field ulimit_fields[] = {
    ROW(type_int, "soft", .flags = FIELD_REQUIRED | FIELD_WHOLE | FIELD_ALWAYS_YAML,
        MEMBER(struct ulimit, soft, int64_t)),
    ROW(type_int, "hard", .flags = FIELD_REQUIRED | FIELD_WHOLE | FIELD_ALWAYS_YAML,
        MEMBER(struct ulimit, hard, int64_t)),
};
/* One number for both limits stays a number, which is also how it is printed. */
static struct node *ulimit_from_number(struct schema_pass *pass, const struct schema_object *object,
                                       struct node *in)
{
    static const struct schema_field field = {.type = &type_int, .flags = FIELD_WHOLE};
    struct node *limit = type_int.canon(pass, &field, in);
    if (!limit || limit->integer != 0)
        return limit;
    struct node *map = node_new(pass->arena, NODE_MAP, in); /* 0 stands for no short form */
    schema_put(pass->arena, object, map, "soft", limit);
    schema_put(pass->arena, object, map, "hard", limit);
    return map;
}
const struct schema_object object_ulimit =
    OBJECT("ulimit", ulimit_fields, .extensions = true, .short_form = "a number for both",
           .from_short = ulimit_from_number);

static void add_host(struct schema_pass *pass, struct node *list, const struct node *at, const char *host,
                     size_t host_length, const char *address, size_t n)
{
    if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    }
    node_list_add(pass->arena, list,
                  node_string(pass->arena,
                              arena_printf(pass->arena, "%.*s=%.*s", (int)host_length, host, (int)n, address),
                              at));
}

static void host_from_text(struct schema_pass *pass, struct node *list, const struct node *item)
{
    const char *text = node_text(item), *split = text ? strchr(text, '=') : NULL;
    if (text && !split)
        split = strchr(text, ':');
    if (!text)
        schema_expected(pass, item, NULL, "a string");
    else if (!split)
        schema_error(pass, item, "write it as HOST=ADDRESS", "'%s' has no address", text);
    if (!split)
        return;
    for (const char *address = split + 1, *end;; address = end + 1) {
        end = address + strcspn(address, ",");
        add_host(pass, list, item, text, (size_t)(split - text), address, (size_t)(end - address));
        if (!*end)
            break;
    }
}

/* Without interpolation the elements are as they were written, and need not be strings. */
static int by_text(const void *a, const void *b)
{
    const char *x = (*(struct node *const *)a)->text, *y = (*(struct node *const *)b)->text;
    return strcmp(x ? x : "", y ? y : "");
}

static struct node *canon_hosts(struct schema_pass *pass, const struct schema_field *field UNUSED,
                                struct node *in)
{
    if (in->kind != NODE_LIST && in->kind != NODE_MAP) {
        schema_expected(pass, in, NULL, "a list of HOST=ADDRESS or a mapping");
        return NULL;
    }
    struct node *list = node_new(pass->arena, NODE_LIST, in);
    refuse_twice(pass, in);
    node_foreach_item (i, in) {
        struct schema_path frame = {.up = pass->path, .index = i};
        pass->path = &frame;
        host_from_text(pass, list, in->list.items[i]);
        pass->path = frame.up;
    }
    node_foreach_entry (e, in) {
        struct schema_path frame = {.up = pass->path, .key = e->key};
        pass->path = &frame;
        bool many = e->value->kind == NODE_LIST;
        for (uint32_t i = 0; i < (many ? e->value->list.count : 1); i++) {
            const struct node *address = many ? e->value->list.items[i] : e->value;
            if (address->kind != NODE_STRING)
                schema_expected(pass, address, NULL, "an address, a string");
            else
                add_host(pass, list, address, e->key, strlen(e->key), address->text, strlen(address->text));
        }
        pass->path = frame.up;
    }
    return list;
}

const struct schema_type type_hosts = {"a list of HOST=ADDRESS or a mapping", canon_hosts, NULL};

void hosts_sort(struct node *list)
{
    if (node_is(list, NODE_LIST) && list->list.count > 1)
        qsort(list->list.items, list->list.count, sizeof(*list->list.items), by_text);
}

/* Lists of ID=PATH; a mapping while variables are not replaced. */
static void add_ssh(struct schema_pass *pass, struct node *keys, const char *id, const char *path,
                    const struct node *at)
{
    const char *text = str_is_empty(path) ? NULL : path_resolve(pass, path);
    if (pass->lenient)
        node_set(pass->arena, keys, id,
                 text ? node_string(pass->arena, text, at) : node_new(pass->arena, NODE_NULL, at));
    else
        node_list_add(pass->arena, keys,
                      node_string(pass->arena, text ? arena_printf(pass->arena, "%s=%s", id, text) : id, at));
}

static struct node *canon_ssh(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    struct node *keys = node_new(pass->arena, pass->lenient ? NODE_MAP : NODE_LIST, in);
    refuse_twice(pass, in);
    struct node *all =
        in->kind == NODE_LIST ? type_strings.canon(pass, field, in) : type_options.canon(pass, field, in);
    if (!all)
        return NULL;
    node_foreach_entry (e, all)
        add_ssh(pass, keys, e->key, node_text(e->value), e->value);
    node_foreach_item (i, all) {
        const struct node *item = all->list.items[i];
        size_t id = strcspn(item->text, "=");
        if (!item->text[id] && !str_eq(item->text, "default"))
            schema_error(pass, item, "write ID=PATH", "'%s' names no file of a key", item->text);
        else
            add_ssh(pass, keys, arena_strndup(pass->arena, item->text, id),
                    item->text[id] ? item->text + id + 1 : NULL, item);
    }
    return keys;
}
const struct schema_type type_ssh = {"a list of ID[=PATH] or a mapping", canon_ssh, NULL,
                                     .canonical_raw = true};

bool context_is_remote(const char *text)
{
    static const char *const prefixes[] = {"github.com/", "git@", "service:", "docker-image:"};
    if (strstr(text, "://"))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (str_starts(text, prefixes[i]))
            return true;
    return false;
}

static const char *resolve_context(struct schema_pass *pass, const char *text)
{
    if (!*text || context_is_remote(text) || !pass->base_dir)
        return text;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    return arena_strdup(pass->arena, path_clean(tmp, path_resolve(pass, text)));
}

static struct node *canon_context(struct schema_pass *pass, const struct schema_field *field UNUSED,
                                  struct node *in)
{
    if (in->kind == NODE_STRING)
        return node_string(pass->arena, resolve_context(pass, in->text), in);
    schema_expected(pass, in, NULL, "a string");
    return NULL;
}

static struct node *canon_contexts(struct schema_pass *pass, const struct schema_field *field,
                                   struct node *in)
{
    struct node *map = type_mapping.canon(pass, field, in);
    node_foreach_entry (e, map)
        if (e->value->kind == NODE_STRING)
            e->value = node_string(pass->arena, resolve_context(pass, e->value->text), e->value);
    return map;
}
const struct schema_type type_context = {"a string", canon_context, NULL, .canonical_raw = true};
const struct schema_type type_contexts = {"a mapping or a list of NAME=CONTEXT", canon_contexts, NULL,
                                          .canonical_raw = true};
