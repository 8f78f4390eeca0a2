/*
 * Volumes of a service: [SOURCE:]TARGET[:OPTIONS]. A source that looks like a path is bound, another is the
 * name of a volume; without one the volume is anonymous. A single letter and a colon count as a Windows
 * drive, as in docker compose, so that "v:/data" is one field.
 */
#include "model/project.h"
#include "model/table_macros.h"
#include "model/tables.h"

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"

#include <ctype.h>

static const char *const recursive_choices[] = {"enabled", "disabled", "writable", "readonly", NULL};
static const char *const selinux_choices[] = {"z", "Z", NULL};
static const char *const type_choices[] = {"bind", "volume", "tmpfs", "cluster", "npipe", "image", NULL};

static const struct schema_field bind_fields[] = {
    ROW(type_string, "selinux", .choices = selinux_choices, MEMBER(struct volume_mount, selinux, char *)),
    ROW(type_string, "propagation", MEMBER(struct volume_mount, propagation, char *)),
    ROW(type_bool, "create_host_path", MEMBER(struct volume_mount, create_host_path, bool)),
    ROW(type_string, "recursive", .choices = recursive_choices,
        MEMBER(struct volume_mount, recursive, char *)),
};
static const struct schema_object object_bind = OBJECT("bind", bind_fields, .extensions = true);

static const struct schema_field mount_volume_fields[] = {
    ROW(type_mapping, "labels", .support = SUPPORT_STORED),
    ROW(type_bool, "nocopy", MEMBER(struct volume_mount, nocopy, bool)),
    ROW(type_string, "subpath", MEMBER(struct volume_mount, subpath, char *)),
};
static const struct schema_object object_mount_volume =
    OBJECT("volume", mount_volume_fields, .extensions = true);

static const struct schema_field tmpfs_fields[] = {
    ROW(type_bytes, "size", .flags = FIELD_WHOLE, .ranged = true, .max = INT64_MAX,
        MEMBER(struct volume_mount, tmpfs_size, int64_t)),
    ROW(type_int, "mode", .flags = FIELD_NO_CAST, .ranged = true, .min = 0, .max = UINT32_MAX),
};
static const struct schema_object object_tmpfs = OBJECT("tmpfs", tmpfs_fields, .extensions = true);

static const struct schema_field mount_image_fields[] = {
    ROW(type_string, "subpath", MEMBER(struct volume_mount, subpath, char *)),
};
static const struct schema_object object_mount_image =
    OBJECT("image", mount_image_fields, .extensions = true);

static const struct schema_field mount_fields[] = {
    ROW(type_string, "type", .choices = type_choices, .flags = FIELD_REQUIRED),
    ROW(type_string, "source", MEMBER(struct volume_mount, source, char *)),
    ROW(type_string, "target", MEMBER(struct volume_mount, target, char *)),
    ROW(type_bool, "read_only", MEMBER(struct volume_mount, read_only, bool)),
    ROW(type_string, "consistency", .support = SUPPORT_STORED),
    ROW(type_object, "bind", .object = &object_bind),
    ROW(type_object, "volume", .object = &object_mount_volume),
    ROW(type_object, "tmpfs", .object = &object_tmpfs),
    ROW(type_object, "image", .object = &object_mount_image),
};

static bool is_drive(const char *s)
{
    return isalpha((unsigned char)s[0]) && s[1] == ':';
}

/* A drive and an absolute path on it. */
static bool is_absolute_on_drive(const char *s)
{
    return is_drive(s) && (s[2] == '/' || s[2] == '\\');
}

static bool is_path(const char *s)
{
    return *s == '.' || *s == '/' || *s == '~' || is_drive(s);
}

/* The colon behind a field, not one in ${}; or the end. */
static const char *field_end(const char *s)
{
    for (unsigned open = 0; *s && (*s != ':' || open); s++) {
        if (str_starts(s, "${"))
            open++;
        else if (*s == '}' && open)
            open--;
    }
    return s;
}

/* The next field of `*at`, which goes behind its colon; NULL when it is empty. */
static char *next_field(struct arena *arena, const char **at)
{
    const char *s = *at, *end = field_end(is_drive(s) ? s + 2 : s);
    *at = *end ? end + 1 : end;
    return end == s ? NULL : arena_strndup(arena, s, (size_t)(end - s));
}

/* The map under `key`, made when it is not there. */
static struct node *sub_map(struct schema_pass *pass, struct node *mount, const char *key)
{
    struct node *map = node_get(mount, key);
    if (!map) {
        map = node_new(pass->arena, NODE_MAP, mount);
        schema_put(pass->arena, &object_mount, mount, key, map);
    }
    return map;
}

static void apply_option(struct schema_pass *pass, struct node *mount, const char *option)
{
    static const char *const propagations[] = {"rprivate", "private", "rshared", "shared",
                                               "rslave",   "slave",   NULL};
    struct arena *arena = pass->arena;
    if (str_eq(option, "ro"))
        schema_put(arena, &object_mount, mount, "read_only", node_bool(arena, true, mount));
    else if (str_eq(option, "rw"))
        node_remove(mount, "read_only");
    else if (str_eq(option, "nocopy"))
        schema_put(arena, &object_mount_volume, sub_map(pass, mount, "volume"), "nocopy",
                   node_bool(arena, true, mount));
    else if (str_eq(option, "z") || str_eq(option, "Z"))
        schema_put(arena, &object_bind, sub_map(pass, mount, "bind"), "selinux",
                   node_string(arena, option, mount));
    else if (strv_contains((char *const *)(uintptr_t)propagations, option))
        schema_put(arena, &object_bind, sub_map(pass, mount, "bind"), "propagation",
                   node_string(arena, option, mount));
}

static void set_text(struct schema_pass *pass, struct node *mount, const char *key, const char *text)
{
    schema_put(pass->arena, &object_mount, mount, key, node_string(pass->arena, text, mount));
}

static struct node *mount_from_text(struct schema_pass *pass, struct node *in)
{
    const char *at = in->text;
    struct node *mount = node_new(pass->arena, NODE_MAP, in);
    if (strlen(at) <= 2) {
        if (!*at) {
            schema_error(pass, in, NULL, "must not be empty");
            return NULL;
        }
        set_text(pass, mount, "type", "volume");
        set_text(pass, mount, "target", at);
        return mount;
    }
    bool trailing = at[strlen(at) - 1] == ':';
    char *first = next_field(pass->arena, &at), *second = *at ? next_field(pass->arena, &at) : NULL;
    bool more = *at != '\0', options_end = !*field_end(at);
    if (!first || trailing || (!second && more) || (more && *at == ':')) {
        schema_error(pass, in, NULL, "'%s' has an empty part between colons", in->text);
        return NULL;
    }
    if (!options_end) {
        schema_error(pass, in, "use the long form for paths with colons", "'%s' has too many colons",
                     in->text);
        return NULL;
    }
    const char *source = second ? first : NULL;
    bool bind = source && is_path(source);
    set_text(pass, mount, "type", bind ? "bind" : "volume");
    if (source)
        set_text(pass, mount, "source", source);
    set_text(pass, mount, "target", second ? second : first);
    if (more) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        char **options = strv_split(tmp, at, ',');
        for (size_t i = 0; options[i]; i++)
            apply_option(pass, mount, options[i]);
    }
    struct node *sub = sub_map(pass, mount, bind ? "bind" : "volume");
    if (bind)
        schema_put(pass->arena, &object_bind, sub, "create_host_path", node_bool(pass->arena, true, in));
    return mount;
}

/* Sources of binds become absolute, targets lose what a path does not need. */
static void mount_finish(struct schema_pass *pass, struct node *map)
{
    const char *source = node_get_text(map, "source"), *target = node_get_text(map, "target");
    if (source && str_eq(node_get_text(map, "type"), "bind") && !is_absolute_on_drive(source)) {
        const char *path = path_resolve(pass, source);
        if (path != source)
            schema_put(pass->arena, &object_mount, map, "source",
                       node_string(pass->arena, path, node_get(map, "source")));
    }
    if (target && *target == '/') {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        schema_put(pass->arena, &object_mount, map, "target",
                   node_string(pass->arena, path_clean(tmp, target), node_get(map, "target")));
    }
}

static struct node *mount_from_short(struct schema_pass *pass, const struct schema_object *object UNUSED,
                                     struct node *in)
{
    if (in->kind != NODE_STRING) {
        schema_expected(pass, in, NULL, "a string or a mapping");
        return NULL;
    }
    struct node *mount = mount_from_text(pass, in);
    if (mount)
        mount_finish(pass, mount);
    return mount;
}

static const char *mount_key(struct arena *arena UNUSED, const struct node *map)
{
    return node_get_text(map, "target");
}

static void mount_check(struct schema_pass *pass, const struct node *map)
{
    const char *type = node_get_text(map, "type");
    if (!node_get(map, "target"))
        schema_error(pass, map, NULL, "'target' is missing");
    if (str_eq(type, "bind") && str_is_empty(node_get_text(map, "source")))
        schema_error(pass, map, NULL, "'source' is missing, which a bind needs");
}

const struct schema_object object_mount = OBJECT(
    "volume", mount_fields, .extensions = true, .short_form = "[SOURCE:]TARGET[:OPTIONS]",
    .from_short = mount_from_short, .finish = mount_finish, .list_key = mount_key, .check = mount_check);
