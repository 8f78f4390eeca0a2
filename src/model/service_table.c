/* The rows of a service. */
#include "model/project.h"
#include "model/table_macros.h"
#include "model/tables.h"

#include "base/str.h"

#include <ctype.h>

#define AT(member_, ctype_) MEMBER(struct service, member_, ctype_)
#define AT_STRING(member_) AT(member_, char *)
#define AT_STRINGS(member_) AT(member_, char **)
#define AT_INT(member_) AT(member_, int64_t)
#define AT_BOOL(member_) AT(member_, bool)
#define AT_MAP(member_) AT(member_, struct omap *)
#define ONCE .unique = UNIQUE_ONCE
#define DISTINCT .unique = UNIQUE_ERROR
#define KEEP .flags = FIELD_KEEP_ZERO
#define WEIGHT .ranged = true, .min = 0, .max = UINT16_MAX
#define STORED .support = SUPPORT_STORED
#define MISSING .support = SUPPORT_MISSING

static bool is_container_name(const char *s)
{
    for (; *s; s++)
        if (isalnum((unsigned char)*s) && s[1] && (isalnum((unsigned char)s[1]) || strchr("_.-", s[1])))
            return true;
    return false;
}

/* As the specification's pattern, which may match anywhere in the text. */
static bool is_pull_policy(const char *s)
{
    static const char *const words[] = {"always",  "never",   "build", "if_not_present",
                                        "missing", "refresh", "daily", "weekly"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strstr(s, words[i]))
            return true;
    const char *every = strstr(s, "every_");
    size_t digits = every ? strspn(every + 6, "0123456789") : 0;
    return digits && every[6 + digits] && strchr("wdhms", every[6 + digits]);
}

static const char *const cgroup_choices[] = {"host", "private", NULL};
static const char *const condition_choices[] = {"service_started", "service_healthy",
                                                "service_completed_successfully", NULL};

/* depends_on.X */
static const struct schema_field dependency_fields[] = {
    ROW(type_string, "condition", .choices = condition_choices, .flags = FIELD_REQUIRED),
    ROW(type_bool, "restart"),
    ROW(type_bool, "required", .flags = FIELD_KEEP_ZERO | FIELD_NO_CAST),
};

static struct node *dependency_from_name(struct schema_pass *pass, const struct schema_object *object,
                                         struct node *in)
{
    bool named = pass->path && pass->path->key; /* "db: service_healthy" is no name in a list */
    if (in->kind != NODE_STRING || named) {
        schema_expected(pass, in, named ? "write {condition: service_healthy}" : NULL, "a mapping");
        return NULL;
    }
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    schema_put(pass->arena, object, map, "condition", node_string(pass->arena, "service_started", in));
    schema_put(pass->arena, object, map, "required", node_bool(pass->arena, true, in));
    return map;
}

static void dependency_finish(struct schema_pass *pass, struct node *map);
static const struct schema_object object_dependency =
    OBJECT("dependency", dependency_fields, .extensions = true, .from_short = dependency_from_name,
           .finish = dependency_finish);

static void dependency_finish(struct schema_pass *pass, struct node *map)
{
    if (!node_get(map, "required"))
        schema_put(pass->arena, &object_dependency, map, "required", node_bool(pass->arena, true, map));
}

static const struct schema_field network_fields[] = {
    ROW(type_strings, "aliases", ONCE, MEMBER(struct service_network, aliases, char **)),
    ROW(type_driver_options, "driver_opts", MEMBER(struct service_network, driver_opts, struct omap *)),
    ROW(type_int, "gw_priority", .flags = FIELD_NO_CAST,
        MEMBER(struct service_network, gw_priority, int64_t)),
    ROW(type_string, "interface_name", MEMBER(struct service_network, interface_name, char *)),
    ROW(type_string, "ipv4_address", MEMBER(struct service_network, ipv4_address, char *)),
    ROW(type_string, "ipv6_address", MEMBER(struct service_network, ipv6_address, char *)),
    ROW(type_strings, "link_local_ips", ONCE, MEMBER(struct service_network, link_local_ips, char **)),
    ROW(type_string, "mac_address", MEMBER(struct service_network, mac_address, char *)),
    ROW(type_int, "priority", .flags = FIELD_NO_CAST, MEMBER(struct service_network, priority, int64_t)),
};
static const struct schema_object object_service_network =
    OBJECT("network", network_fields, .extensions = true);

static const struct schema_field model_fields[] = {
    ROW(type_string, "endpoint_var"),
    ROW(type_string, "model_var"),
};
static const struct schema_object object_service_model = OBJECT("model", model_fields, .extensions = true);

/* A test written as one string goes to a shell. */
static struct node *canon_test(struct schema_pass *pass, const struct schema_field *field, struct node *in)
{
    if (in->kind != NODE_STRING)
        return type_strings.canon(pass, field, in);
    struct node *list = node_new(pass->arena, NODE_LIST, in);
    node_list_add(pass->arena, list, node_string(pass->arena, "CMD-SHELL", in));
    node_list_add(pass->arena, list, node_string(pass->arena, in->text, in));
    return list;
}
static const struct schema_type type_test = {"a string or a list of strings", canon_test, NULL};

static const struct schema_field healthcheck_fields[] = {
    ROW(type_test, "test", .merge = MERGE_REPLACE),
    ROW(type_duration, "timeout", KEEP, MEMBER(struct healthcheck, timeout, int64_t)),
    ROW(type_duration, "interval", KEEP, MEMBER(struct healthcheck, interval, int64_t)),
    ROW(type_int, "retries", KEEP, MEMBER(struct healthcheck, retries, int64_t)),
    ROW(type_duration, "start_period", KEEP, MEMBER(struct healthcheck, start_period, int64_t)),
    ROW(type_duration, "start_interval", KEEP, MEMBER(struct healthcheck, start_interval, int64_t)),
    ROW(type_bool, "disable", MEMBER(struct healthcheck, disable, bool)),
};

static const struct schema_object object_healthcheck =
    OBJECT("healthcheck", healthcheck_fields, .usual = "test", .extensions = true);

static const struct schema_field logging_fields[] = {
    ROW(type_string, "driver", MEMBER(struct logging, driver, char *)),
    ROW(type_options, "options", MEMBER(struct logging, options, struct omap *)),
};
static const struct schema_object object_logging =
    OBJECT("logging", logging_fields, .usual = "driver", .extensions = true, .discriminator = "driver");

static const struct schema_field credential_fields[] = {
    ROW(type_string, "config"),
    ROW(type_string, "file"),
    ROW(type_string, "registry"),
};
static const struct schema_object object_credential =
    OBJECT("credential_spec", credential_fields, .extensions = true);

static const struct schema_field weight_device_fields[] = {
    ROW(type_string, "path", .flags = FIELD_ALWAYS, .json_key = "Path"),
    ROW(type_int, "weight", .flags = FIELD_ALWAYS | FIELD_NO_CAST | FIELD_WHOLE, WEIGHT,
        .json_key = "Weight"),
};
static const struct schema_object object_weight_device = OBJECT("weight_device", weight_device_fields);

static const struct schema_field throttle_fields[] = {
    ROW(type_string, "path", .flags = FIELD_ALWAYS, .json_key = "Path"),
    ROW(type_bytes, "rate", .flags = FIELD_ALWAYS | FIELD_WHOLE, .json_key = "Rate"),
};
static const struct schema_object object_throttle = OBJECT("device limit", throttle_fields);

static const struct schema_field blkio_fields[] = {
    ROW(type_int, "weight", .flags = FIELD_NO_CAST | FIELD_WHOLE, WEIGHT),
    ROW(type_objects, "weight_device", .object = &object_weight_device),
    ROW(type_objects, "device_read_bps", .object = &object_throttle),
    ROW(type_objects, "device_read_iops", .object = &object_throttle),
    ROW(type_objects, "device_write_bps", .object = &object_throttle),
    ROW(type_objects, "device_write_iops", .object = &object_throttle),
};
static const struct schema_object object_blkio = OBJECT("blkio_config", blkio_fields);

/* A value or a list of values; the project has lists (loader_fill). */
static struct node *canon_provider_options(struct schema_pass *pass, const struct schema_field *field UNUSED,
                                           struct node *in)
{
    static const struct schema_field option_field = {.type = &type_scalar_list};
    if (in->kind != NODE_MAP) {
        schema_expected(pass, in, NULL, "a mapping");
        return NULL;
    }
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    node_foreach_entry (e, in) {
        struct schema_path frame = {.up = pass->path, .key = e->key};
        pass->path = &frame;
        const struct schema_type *type =
            e->value->kind == NODE_LIST ? &type_scalar_list : &type_scalar_string;
        struct node *value = type->canon(pass, &option_field, e->value);
        if (value)
            node_set(pass->arena, map, e->key, value);
        pass->path = frame.up;
    }
    return map;
}
static const struct schema_type type_provider_options = {"a mapping", canon_provider_options, NULL};

static const struct schema_field provider_fields[] = {
    ROW(type_string, "type", .flags = FIELD_REQUIRED),
    ROW(type_provider_options, "options"),
};
static const struct schema_object object_provider = OBJECT("provider", provider_fields, .extensions = true);

static const struct schema_field extends_fields[] = {
    ROW(type_string, "file"),
    ROW(type_string, "service", .flags = FIELD_REQUIRED),
};

static struct node *extends_from_name(struct schema_pass *pass, const struct schema_object *object,
                                      struct node *in)
{
    if (in->kind != NODE_STRING) {
        schema_expected(pass, in, NULL, "a service's name or a mapping");
        return NULL;
    }
    struct node *map = node_new(pass->arena, NODE_MAP, in);
    schema_put(pass->arena, object, map, "service", in);
    return map;
}
static const struct schema_object object_extends =
    OBJECT("extends", extends_fields, .short_form = "SERVICE", .from_short = extends_from_name);

static const struct schema_field service_fields[] = {
    ROW(type_strings, "profiles", ONCE, .flags = FIELD_NO_HASH, AT_STRINGS(profiles)),
    ROW(type_mapping, "annotations", AT_MAP(annotations)),
    ROW(type_bool, "attach", KEEP, AT_BOOL(attach)),
    ROW(type_object, "build", .object = &object_build, .flags = FIELD_NO_HASH, MISSING),
    ROW(type_object, "develop", .object = &object_develop, .flags = FIELD_NULLABLE),
    ROW(type_object, "blkio_config", .object = &object_blkio),
    ROW(type_strings, "cap_add", ONCE, AT_STRINGS(cap_add)),
    ROW(type_strings, "cap_drop", ONCE, AT_STRINGS(cap_drop)),
    ROW(type_string, "cgroup_parent", AT_STRING(cgroup_parent)),
    ROW(type_string, "cgroup", .choices = cgroup_choices, AT_STRING(cgroup)),
    ROW(type_int, "cpu_count", STORED, .flags = FIELD_WHOLE, .ranged = true, .min = 0, .max = INT64_MAX),
    ROW(type_number, "cpu_percent", STORED, .flags = FIELD_WHOLE, .ranged = true, .min = 0, .max = 100),
    ROW(type_int, "cpu_period", AT_INT(cpu_period)),
    ROW(type_int, "cpu_quota", AT_INT(cpu_quota)),
    ROW(type_int, "cpu_rt_period", AT_INT(cpu_rt_period)),
    ROW(type_int, "cpu_rt_runtime", AT_INT(cpu_rt_runtime)),
    ROW(type_number, "cpus", .also = "cpu", AT(cpus, double)),
    ROW(type_string, "cpuset", AT_STRING(cpuset)),
    ROW(type_int, "cpu_shares", AT_INT(cpu_shares)),
    ROW(type_command, "command", .also = "cmd run", .merge = MERGE_REPLACE, AT_STRINGS(command),
        .flags = FIELD_NULLABLE | FIELD_KEEP_ZERO | FIELD_JSON_NULL),
    ROW(type_objects, "configs", .object = &object_service_config, .unique = UNIQUE_KEY),
    ROW(type_string, "container_name", .also = "name", .valid = is_container_name, AT_STRING(container_name),
        .expects = "a container name: two or more letters, digits, '_', '.' or '-'"),
    ROW(type_object, "credential_spec", .object = &object_credential),
    ROW(type_object_map, "depends_on", .object = &object_dependency,
        .flags = FIELD_LIST_FORM | FIELD_NO_HASH),
    ROW(type_object, "deploy", .object = &object_deploy, .flags = FIELD_NULLABLE),
    ROW(type_strings, "device_cgroup_rules", DISTINCT, AT_STRINGS(devices_cgroup_rules)),
    ROW(type_objects, "devices", .object = &object_device, .unique = UNIQUE_KEY),
    ROW(type_string_list, "dns", ONCE, .flags = FIELD_SKIP_EMPTY, AT_STRINGS(dns)),
    ROW(type_strings, "dns_opt", ONCE, AT_STRINGS(dns_opt)),
    ROW(type_string_list, "dns_search", ONCE, .flags = FIELD_RAW_ALONE, AT_STRINGS(dns_search)),
    ROW(type_string, "domainname", AT_STRING(domainname)),
    ROW(type_command, "entrypoint", .merge = MERGE_REPLACE, AT_STRINGS(entrypoint),
        .flags = FIELD_NULLABLE | FIELD_KEEP_ZERO | FIELD_JSON_NULL),
    ROW(type_object, "provider", .object = &object_provider),
    ROW(type_mapping, "environment", .also = "env envs env_vars variables", .flags = FIELD_NULL_VALUES,
        AT_MAP(environment)),
    ROW(type_objects, "env_file", .object = &object_env_file, .unique = UNIQUE_KEY, .flags = FIELD_ALONE),
    ROW(type_scalar_list, "expose", ONCE, AT_STRINGS(expose), .flags = FIELD_WHOLE),
    ROW(type_object, "extends", .object = &object_extends),
    ROW(type_strings, "external_links", DISTINCT, AT_STRINGS(external_links)),
    ROW(type_hosts, "extra_hosts", ONCE),
    ROW(type_scalar_list, "group_add", DISTINCT, AT_STRINGS(group_add), .flags = FIELD_WHOLE),
    ROW(type_gpus, "gpus", .object = &object_device_request),
    ROW(type_string, "hostname", AT_STRING(hostname)),
    ROW(type_object, "healthcheck", .also = "health", .object = &object_healthcheck),
    ROW(type_string, "image", AT_STRING(image)),
    ROW(type_bool, "init", KEEP, AT_BOOL(init)),
    ROW(type_string, "ipc", .also = "ipc_mode", AT_STRING(ipc)),
    ROW(type_string, "isolation"),
    ROW(type_mapping, "labels", AT_MAP(labels)),
    ROW(type_path_list, "label_file", .flags = FIELD_NO_HASH),
    ROW(type_strings, "links", ONCE, AT_STRINGS(links)),
    ROW(type_object, "logging", .also = "log_driver log_opt log_opts", .object = &object_logging,
        .merge = MERGE_SAME_KIND),
    ROW(type_bytes, "mem_limit", .also = "memory mem ram", AT_INT(mem_limit)),
    ROW(type_bytes, "mem_reservation", AT_INT(mem_reservation)),
    ROW(type_bytes, "memswap_limit"),
    ROW(type_bytes, "mem_swappiness", AT_INT(mem_swappiness)),
    ROW(type_string, "mac_address", AT_STRING(mac_address)),
    ROW(type_object_map, "models", .object = &object_service_model,
        .flags = FIELD_LIST_FORM | FIELD_NULL_VALUES),
    ROW(type_string, "network_mode", AT_STRING(network_mode)),
    ROW(type_object_map, "networks", .object = &object_service_network,
        .flags = FIELD_LIST_FORM | FIELD_NULL_VALUES),
    ROW(type_bool, "oom_kill_disable", AT_BOOL(oom_kill_disable)),
    ROW(type_int, "oom_score_adj", .flags = FIELD_WHOLE, .ranged = true, .min = -1000, .max = 1000,
        AT_INT(oom_score_adj)),
    ROW(type_string, "pid", .also = "pid_mode", .flags = FIELD_NULLABLE, AT_STRING(pid)),
    ROW(type_int, "pids_limit", AT_INT(pids_limit)),
    ROW(type_string, "platform", AT_STRING(platform)),
    ROW(type_objects, "ports", .also = "publish", .object = &object_port, .unique = UNIQUE_KEY,
        .flags = FIELD_RAW_LIST),
    ROW(type_bool, "privileged", AT_BOOL(privileged)),
    ROW(type_string, "pull_policy", .valid = is_pull_policy, .flags = FIELD_NO_HASH, AT_STRING(pull_policy),
        .expects = "one of always, never, missing, if_not_present, build, daily, weekly, every_<duration>"),
    ROW(type_string, "pull_refresh_after", STORED, .flags = FIELD_HIDDEN | FIELD_NO_HASH),
    ROW(type_bool, "read_only", AT_BOOL(read_only)),
    ROW(type_string, "restart", .also = "restart_policy"),
    ROW(type_string, "runtime", AT_STRING(runtime)),
    ROW(type_int, "scale", .flags = FIELD_KEEP_ZERO | FIELD_NO_HASH | FIELD_WHOLE),
    ROW(type_objects, "secrets", .object = &object_service_secret, .unique = UNIQUE_KEY),
    ROW(type_strings, "security_opt", DISTINCT, AT_STRINGS(security_opt)),
    ROW(type_bytes, "shm_size", AT_INT(shm_size)),
    ROW(type_bool, "stdin_open", AT_BOOL(stdin_open)),
    ROW(type_duration, "stop_grace_period", KEEP, AT_INT(stop_grace_period)),
    ROW(type_string, "stop_signal", AT_STRING(stop_signal)),
    ROW(type_options, "storage_opt", .flags = FIELD_WHOLE),
    ROW(type_mapping, "sysctls", AT_MAP(sysctls)),
    ROW(type_string_list, "tmpfs", ONCE, .flags = FIELD_RAW_ALONE, AT_STRINGS(tmpfs)),
    ROW(type_bool, "tty", AT_BOOL(tty)),
    ROW(type_object_map, "ulimits", .object = &object_ulimit),
    ROW(type_bool, "use_api_socket", .flags = FIELD_NO_CAST, MISSING),
    ROW(type_string, "user", .also = "uid", AT_STRING(user)),
    ROW(type_string, "userns_mode", AT_STRING(userns_mode)),
    ROW(type_string, "uts", AT_STRING(uts)),
    ROW(type_objects, "volumes", .also = "mounts", .object = &object_mount, .unique = UNIQUE_KEY),
    ROW(type_strings, "volumes_from", DISTINCT, AT_STRINGS(volumes_from)),
    ROW(type_string, "working_dir", .also = "workdir cwd", AT_STRING(working_dir)),
    ROW(type_objects, "post_start", .object = &object_hook),
    ROW(type_objects, "pre_stop", .object = &object_hook),
};
const struct schema_object object_service =
    OBJECT("service", service_fields, .usual = "image", .extensions = true);
