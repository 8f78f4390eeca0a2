/* The rows of deploy, develop, build, hooks and device requests. */
#include "model/table_macros.h"
#include "model/tables.h"

#include "base/str.h"

#define KEEP .flags = FIELD_KEEP_ZERO
#define ONCE .unique = UNIQUE_ONCE
#define STORED .support = SUPPORT_STORED

static const char *const order_choices[] = {"start-first", "stop-first", NULL};
static const struct schema_field update_fields[] = {
    ROW(type_int, "parallelism", .flags = FIELD_KEEP_ZERO | FIELD_WHOLE),
    ROW(type_duration, "delay"),
    ROW(type_string, "failure_action"),
    ROW(type_duration, "monitor"),
    ROW(type_number, "max_failure_ratio"),
    ROW(type_string, "order", .choices = order_choices),
};
static const struct schema_object object_update = OBJECT("update_config", update_fields, .extensions = true);

static const struct schema_field resource_spec_fields[] = {
    ROW(type_string, "kind", .flags = FIELD_ALWAYS),
    ROW(type_int, "value", .flags = FIELD_ALWAYS),
};
static const struct schema_object object_resource_spec =
    OBJECT("discrete_resource_spec", resource_spec_fields, .extensions = true);

static const struct schema_field generic_resource_fields[] = {
    ROW(type_object, "discrete_resource_spec", .object = &object_resource_spec),
};
static const struct schema_object object_generic_resource =
    OBJECT("generic_resources", generic_resource_fields, .extensions = true);

/* How many devices: "all" is -1. */
static struct node *canon_count(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (str_eq(node_text(in), "all"))
        return node_int(pass->arena, -1, in);
    return type_int.canon(pass, field, in);
}
static const struct schema_type type_count = {"an integer or \"all\"", canon_count, NULL};

static const struct schema_field device_request_fields[] = {
    ROW(type_strings, "capabilities", .unique = UNIQUE_ERROR),
    ROW(type_string, "driver"),
    ROW(type_count, "count", .flags = FIELD_WHOLE),
    ROW(type_strings, "device_ids", .unique = UNIQUE_ERROR),
    ROW(type_mapping, "options"),
};

static void device_request_finish(struct schema_pass *pass, struct node *map)
{
    struct node *all = pass->lenient ? node_string(pass->arena, "all", map) : node_int(pass->arena, -1, map);
    if (!node_get(map, "count") && !node_get(map, "device_ids"))
        schema_put(pass->arena, &object_device_request, map, "count", all);
}

static void device_request_check(struct schema_pass *pass, const struct node *map)
{
    if (node_get(map, "count") && node_get(map, "device_ids"))
        schema_error(pass, map, NULL, "'count' and 'device_ids' exclude each other");
}

const struct schema_object object_device_request =
    OBJECT("device request", device_request_fields, .extensions = true, .finish = device_request_finish,
           .check = device_request_check);

/* "all" alone stands for a list of one request. */
static struct node *canon_gpus(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (in->kind == NODE_LIST)
        return type_objects.canon(pass, field, in);
    if (!str_eq(node_text(in), "all")) {
        schema_expected(pass, in, NULL, "\"all\" or a list of device requests");
        return NULL;
    }
    struct node *list = node_new(pass->arena, NODE_LIST, in), *map = node_new(pass->arena, NODE_MAP, in);
    schema_put(pass->arena, field->object, map, "count", pass->lenient ? in : node_int(pass->arena, -1, in));
    node_list_add(pass->arena, list, map);
    return list;
}
const struct schema_type type_gpus = {"\"all\" or a list", canon_gpus, NULL};

static void reservation_device_check(struct schema_pass *pass, const struct node *map)
{
    if (!node_get(map, "capabilities"))
        schema_error(pass, map, NULL, "'capabilities' is missing");
    device_request_check(pass, map);
}
static const struct schema_object object_reservation_device =
    OBJECT("device request", device_request_fields, .extensions = true, .finish = device_request_finish,
           .check = reservation_device_check);

static const struct schema_field limit_fields[] = {
    ROW(type_number, "cpus"),
    ROW(type_bytes, "memory", .flags = FIELD_STRING_ONLY),
    ROW(type_int, "pids", .flags = FIELD_WHOLE),
};
static const struct schema_object object_limits = OBJECT("limits", limit_fields, .extensions = true);

static const struct schema_field reservation_fields[] = {
    ROW(type_number, "cpus", STORED),
    ROW(type_bytes, "memory", .flags = FIELD_STRING_ONLY),
    ROW(type_objects, "devices", .object = &object_reservation_device),
    ROW(type_objects, "generic_resources", .object = &object_generic_resource, STORED),
};
static const struct schema_object object_reservations =
    OBJECT("reservations", reservation_fields, .extensions = true);

static const struct schema_field resources_fields[] = {
    ROW(type_object, "limits", .object = &object_limits),
    ROW(type_object, "reservations", .object = &object_reservations),
};
static const struct schema_object object_resources =
    OBJECT("resources", resources_fields, .extensions = true);

static const struct schema_field restart_policy_fields[] = {
    ROW(type_string, "condition"),
    ROW(type_duration, "delay", KEEP),
    ROW(type_int, "max_attempts", .flags = FIELD_KEEP_ZERO | FIELD_WHOLE),
    ROW(type_duration, "window", KEEP),
};
static const struct schema_object object_restart_policy =
    OBJECT("restart_policy", restart_policy_fields, .usual = "condition", .extensions = true);

static const struct schema_field preference_fields[] = {
    ROW(type_string, "spread"),
};
static const struct schema_object object_preference =
    OBJECT("preferences", preference_fields, .extensions = true);

static const struct schema_field placement_fields[] = {
    ROW(type_strings, "constraints"),
    ROW(type_objects, "preferences", .object = &object_preference),
    ROW(type_int, "max_replicas_per_node", .flags = FIELD_WHOLE),
};
static const struct schema_object object_placement =
    OBJECT("placement", placement_fields, .extensions = true);

static const struct schema_field deploy_fields[] = {
    ROW(type_string, "mode", STORED),
    ROW(type_int, "replicas", .flags = FIELD_KEEP_ZERO | FIELD_WHOLE | FIELD_NO_HASH),
    ROW(type_mapping, "labels", STORED),
    ROW(type_object, "update_config", .object = &object_update, STORED),
    ROW(type_object, "rollback_config", .object = &object_update, STORED),
    ROW(type_object, "resources", .object = &object_resources, .flags = FIELD_JSON_EMPTY),
    ROW(type_object, "restart_policy", .object = &object_restart_policy),
    ROW(type_object, "placement", .object = &object_placement, .flags = FIELD_JSON_EMPTY, STORED),
    ROW(type_string, "endpoint_mode", STORED),
};
const struct schema_object object_deploy = OBJECT("deploy", deploy_fields, .extensions = true);

static const struct schema_field hook_fields[] = {
    ROW(type_command, "command", .merge = MERGE_REPLACE,
        .flags = FIELD_NULLABLE | FIELD_KEEP_ZERO | FIELD_JSON_NULL),
    ROW(type_string, "user"),
    ROW(type_bool, "privileged"),
    ROW(type_string, "working_dir"),
    ROW(type_mapping, "environment", .flags = FIELD_NULL_VALUES),
};

static void hook_check(struct schema_pass *pass, const struct node *map)
{
    if (!node_get(map, "command"))
        schema_error(pass, map, NULL, "'command' is missing");
}
const struct schema_object object_hook = OBJECT("hook", hook_fields, .extensions = true, .check = hook_check);

static const char *const watch_choices[] = {"rebuild", "sync", "restart", "sync+restart", "sync+exec", NULL};
static struct node *canon_watched(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (in->kind == NODE_STRING && !*in->text)
        schema_error(pass, in, "'.' is the project's directory", "is empty");
    return type_path.canon(pass, field, in);
}
static const struct schema_type type_watched = {"a string", canon_watched, NULL, .canonical_raw = true};

static const struct schema_field watch_fields[] = {
    ROW(type_watched, "path", .flags = FIELD_REQUIRED),
    ROW(type_string, "action", .choices = watch_choices, .flags = FIELD_REQUIRED),
    ROW(type_string, "target"),
    ROW(type_object, "exec", .object = &object_hook, .flags = FIELD_JSON_EMPTY),
    ROW(type_string_list, "include"),
    ROW(type_string_list, "ignore"),
    ROW(type_bool, "initial_sync", .flags = FIELD_NO_CAST),
};

static const struct schema_object object_watch = OBJECT("watch", watch_fields, .extensions = true);

static const struct schema_field develop_fields[] = {
    ROW(type_objects, "watch", .object = &object_watch),
};
const struct schema_object object_develop = OBJECT("develop", develop_fields, .extensions = true);

static struct node *canon_attestation(struct schema_pass *pass, const struct schema_field *field,
                                      struct node *in)
{
    return type_scalar_string.canon(pass, field, in);
}
static const struct schema_type type_attestation = {"a boolean or a string", canon_attestation, NULL,
                                                    .canonical_raw = true};

static const struct schema_field build_fields[] = {
    ROW(type_context, "context"),
    ROW(type_string, "dockerfile"),
    ROW(type_string, "dockerfile_inline"),
    ROW(type_strings, "entitlements"),
    ROW(type_mapping, "args", .flags = FIELD_NULL_VALUES),
    ROW(type_attestation, "provenance"),
    ROW(type_attestation, "sbom"),
    ROW(type_ssh, "ssh"),
    ROW(type_mapping, "labels"),
    ROW(type_strings, "cache_from"),
    ROW(type_strings, "cache_to"),
    ROW(type_bool, "no_cache"),
    ROW(type_contexts, "additional_contexts"),
    ROW(type_bool, "pull"),
    ROW(type_hosts, "extra_hosts", ONCE),
    ROW(type_string, "isolation"),
    ROW(type_string, "network"),
    ROW(type_string, "target"),
    ROW(type_objects, "secrets", .object = &object_build_secret),
    ROW(type_bytes, "shm_size"),
    ROW(type_strings, "tags", ONCE),
    ROW(type_object_map, "ulimits", .object = &object_ulimit),
    ROW(type_strings, "platforms"),
    ROW(type_bool, "privileged"),
};

static struct node *build_from_context(struct schema_pass *pass, const struct schema_object *object,
                                       struct node *in)
{
    if (in->kind != NODE_STRING) {
        schema_expected(pass, in, NULL, "a path or a mapping");
        return NULL;
    }
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    schema_put(pass->arena, object, map, "context", type_context.canon(pass, NULL, in));
    return map;
}

const struct schema_object object_build = OBJECT("build", build_fields, .extensions = true,
                                                 .short_form = "CONTEXT", .from_short = build_from_context);
