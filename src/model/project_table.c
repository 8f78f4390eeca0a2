/* The rows of the top level: networks, volumes, configs, secrets, models. */
#include "model/project.h"
#include "model/table_macros.h"
#include "model/tables.h"

#include "base/str.h"

#define STORED .support = SUPPORT_STORED

static const struct schema_field external_fields[] = {
    ROW(type_string, "name"),
};
static const struct schema_object object_external = OBJECT("external", external_fields, .extensions = true);

/* A boolean, or the old form {name: X}, whose name the object's finish takes out. */
static struct node *canon_external(struct schema_pass *pass, const struct schema_field *field,
                                   struct node *in)
{
    if (in->kind != NODE_MAP)
        return type_bool.canon(pass, field, in);
    schema_warn(pass, in, "external.name is old; write 'external: true' and 'name'");
    return schema_canon(pass, &object_external, in);
}
static const struct schema_type type_external = {"a boolean, or the old mapping {name: NAME}", canon_external,
                                                 NULL};

static void external_finish(struct schema_pass *pass, const struct schema_object *object, struct node *map)
{
    struct node *external = node_get(map, "external");
    if (!node_is(external, NODE_MAP))
        return;
    struct node *name = node_get(external, "name");
    const struct node *given = node_get(map, "name");
    if (name && !given)
        schema_put(pass->arena, object, map, "name", name);
    else if (name && !node_equal(name, given))
        schema_error(pass, name, "keep 'name' and write 'external: true'",
                     "'%s' is not the 'name' that stands beside it", node_text(name));
    schema_put(pass->arena, object, map, "external", node_bool(pass->arena, true, external));
}

/* An external volume is found by its name; nothing else about it can be said here. */
static void volume_check(struct schema_pass *pass, const struct node *map)
{
    if (!node_get_bool(map, "external"))
        return;
    node_foreach_entry (e, map)
        if (e->row && !str_eq(e->key, "external") && !str_eq(e->key, "name"))
            schema_error(pass, e->value, "remove one of them", "'external' and '%s' exclude each other",
                         e->key);
}

static const struct schema_field pool_fields[] = {
    ROW(type_string, "subnet", MEMBER(struct ipam_pool, subnet, char *)),
    ROW(type_string, "gateway", MEMBER(struct ipam_pool, gateway, char *)),
    ROW(type_string, "ip_range", MEMBER(struct ipam_pool, ip_range, char *)),
    ROW(type_texts, "aux_addresses", MEMBER(struct ipam_pool, aux_addresses, struct omap *)),
};
static const char *pool_key(struct arena *arena UNUSED, const struct node *map)
{
    return node_get_text(map, "subnet");
}
static const struct schema_object object_pool =
    OBJECT("address pool", pool_fields, .extensions = true, .list_key = pool_key);

static const struct schema_field ipam_fields[] = {
    ROW(type_string, "driver"),
    ROW(type_objects, "config", .object = &object_pool, .unique = UNIQUE_MERGE),
    ROW(type_texts, "options", .flags = FIELD_HIDDEN, STORED),
};
static const struct schema_object object_ipam = OBJECT("ipam", ipam_fields, .extensions = true);

#define AT(member_, ctype_) MEMBER(struct network, member_, ctype_)
static const struct schema_field network_fields[] = {
    ROW(type_string, "name", AT(name, char *)),
    ROW(type_string, "driver", AT(driver, char *)),
    ROW(type_driver_options, "driver_opts", AT(driver_opts, struct omap *)),
    ROW(type_object, "ipam", .object = &object_ipam, .flags = FIELD_JSON_EMPTY),
    ROW(type_external, "external"),
    ROW(type_bool, "internal", AT(internal, bool)),
    ROW(type_bool, "attachable", AT(attachable, bool)),
    ROW(type_mapping, "labels", AT(labels, struct omap *)),
    ROW(type_bool, "enable_ipv4", AT(enable_ipv4, bool), .flags = FIELD_KEEP_ZERO),
    ROW(type_bool, "enable_ipv6", AT(enable_ipv6, bool), .flags = FIELD_KEEP_ZERO),
};
#undef AT
static void network_finish(struct schema_pass *pass, struct node *map)
{
    external_finish(pass, &object_network, map);
}
const struct schema_object object_network =
    OBJECT("network", network_fields, .usual = "driver", .extensions = true, .finish = network_finish);

#define AT(member_, ctype_) MEMBER(struct volume, member_, ctype_)
static const struct schema_field volume_fields[] = {
    ROW(type_string, "name", AT(name, char *)),
    ROW(type_string, "driver", AT(driver, char *)),
    ROW(type_driver_options, "driver_opts", AT(driver_opts, struct omap *)),
    ROW(type_external, "external"),
    ROW(type_mapping, "labels", AT(labels, struct omap *)),
};
#undef AT
/* The device of a local bind volume is a path on this machine. */
static void volume_finish(struct schema_pass *pass, struct node *map)
{
    external_finish(pass, &object_volume, map);
    struct node *options = node_get(map, "driver_opts");
    const char *device = node_get_text(options, "device"), *o = node_get_text(options, "o");
    if (device && str_eq(o, "bind") && str_eq(node_get_text(map, "driver"), "local"))
        node_set(pass->arena, options, "device",
                 node_string(pass->arena, path_resolve(pass, device), node_get(options, "device")));
}
const struct schema_object object_volume =
    OBJECT("volume", volume_fields, .extensions = true, .finish = volume_finish, .check = volume_check);

#define AT(member_) MEMBER(struct file_object, member_, char *)
static const struct schema_field config_fields[] = {
    ROW(type_string, "name", AT(name)),
    ROW(type_path, "file", AT(file)),
    ROW(type_string, "environment", AT(environment)),
    ROW(type_string, "content", AT(content)),
    ROW(type_external, "external"),
    ROW(type_mapping, "labels", STORED),
    ROW(type_string, "template_driver", STORED),
};
static const struct schema_field secret_fields[] = {
    ROW(type_string, "name", AT(name)),
    ROW(type_path, "file", AT(file)),
    ROW(type_string, "environment", AT(environment)),
    ROW(type_external, "external"),
    ROW(type_mapping, "labels", STORED),
    ROW(type_string, "driver", STORED),
    ROW(type_driver_options, "driver_opts", .flags = FIELD_WHOLE, STORED),
    ROW(type_string, "template_driver", STORED),
};
#undef AT

/* One source, unless the object says whether it is external, or a driver makes it. */
static void check_sources(struct schema_pass *pass, const struct node *map, const char *const *sources,
                          const char *all)
{
    const char *found = NULL;
    for (; *sources; sources++) {
        if (!node_get(map, *sources))
            continue;
        if (found)
            schema_error(pass, map, NULL, "'%s' and '%s' exclude each other", found, *sources);
        found = *sources;
    }
    if (!found && !node_get(map, "external") && !node_get(map, "driver"))
        schema_error(pass, map, NULL, "one of %s must be set", all);
}

static void config_check(struct schema_pass *pass, const struct node *map)
{
    static const char *const sources[] = {"file", "environment", "content", NULL};
    check_sources(pass, map, sources, "'file', 'environment' and 'content'");
}

static void secret_check(struct schema_pass *pass, const struct node *map)
{
    static const char *const sources[] = {"file", "environment", NULL};
    check_sources(pass, map, sources, "'file' and 'environment'");
}

static void config_finish(struct schema_pass *pass, struct node *map)
{
    external_finish(pass, &object_config, map);
}
static void secret_finish(struct schema_pass *pass, struct node *map)
{
    external_finish(pass, &object_secret, map);
}
const struct schema_object object_config =
    OBJECT("config", config_fields, .usual = "file", .extensions = true, .finish = config_finish,
           .check = config_check);
const struct schema_object object_secret =
    OBJECT("secret", secret_fields, .usual = "file", .extensions = true, .finish = secret_finish,
           .check = secret_check);

static const struct schema_field model_fields[] = {
    ROW(type_string, "name"),
    ROW(type_string, "model", .flags = FIELD_REQUIRED),
    ROW(type_int, "context_size", .flags = FIELD_NO_CAST | FIELD_WHOLE),
    ROW(type_strings, "runtime_flags"),
};
const struct schema_object object_model = OBJECT("model", model_fields, .extensions = true);

static const struct schema_field include_fields[] = {
    ROW(type_string_list, "path", .also = "file files"),
    ROW(type_string, "project_directory"),
    ROW(type_string_list, "env_file"),
};
static struct node *include_from_path(struct schema_pass *pass, const struct schema_object *object,
                                      struct node *in)
{
    if (in->kind != NODE_STRING) {
        schema_expected(pass, in, NULL, "a path or a mapping");
        return NULL;
    }
    struct node *map = node_new(pass->arena, NODE_MAP, in), *paths = node_new(pass->arena, NODE_LIST, in);
    node_list_add(pass->arena, paths, in);
    schema_put(pass->arena, object, map, "path", paths);
    return map;
}
const struct schema_object object_include =
    OBJECT("include", include_fields, .short_form = "PATH", .from_short = include_from_path);

static const struct schema_field project_fields[] = {
    ROW(type_string, "version", .flags = FIELD_HIDDEN),
    ROW(type_string, "name"),
    ROW(type_objects, "include", .object = &object_include, .flags = FIELD_HIDDEN),
    ROW(type_object_map, "services", .object = &object_service, .flags = FIELD_KEEP_ZERO),
    ROW(type_object_map, "networks", .object = &object_network, .flags = FIELD_NULL_VALUES),
    ROW(type_object_map, "volumes", .object = &object_volume, .flags = FIELD_NULL_VALUES),
    ROW(type_object_map, "secrets", .object = &object_secret),
    ROW(type_object_map, "configs", .object = &object_config),
    ROW(type_object_map, "models", .object = &object_model, .flags = FIELD_YAML_ONLY),
};
const struct schema_object object_project = OBJECT("project", project_fields, .extensions = true);
