/*
 * Devices by the Container Device Interface: vendors describe in files what a container needs to have one of
 * their devices, and a container names "vendor/class=device". A request for GPUs and the like (`gpus`,
 * deploy.resources.reservations.devices) becomes such names here: its capabilities are the class, its driver
 * the vendor.
 *
 * The files are the administrator's: they may name programs that run as root on the host, so a file that
 * others could have written is not read.
 */
#include "runtime/private.h"

#include "data/yaml_read.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

enum { SPEC_LIMIT = 4 << 20 };

static const char *const spec_dirs[] = {"/etc/cdi", "/var/run/cdi"}; /* the later ones win */

struct cdi {
    struct arena *arena;
    struct node **specs;
    size_t count;
    struct error problem; /* of the first file that could not be used */
};

static int read_spec(struct cdi *cdi, const char *path, struct error *err)
{
    struct stat st;
    char *text;
    size_t size;
    struct node *documents;
    if (stat(path, &st) < 0)
        return error_errno(err, "'%s'", path);
    if (st.st_uid != 0 || st.st_mode & 022)
        return error_set(err, EPERM, "'%s' can be written by others than root: it is not used", path);
    int r = fs_read_file(cdi, path, SPEC_LIMIT, &text, &size, err);
    if (r == 0)
        r = yaml_read(cdi->arena, path, text, size, &documents, err);
    node_foreach_item (i, r == 0 ? documents : NULL)
        if (node_get_text(documents->list.items[i], "kind"))
            mem_append(cdi, cdi->specs, cdi->count, documents->list.items[i]);
    return r < 0 ? r : 0;
}

static struct cdi *cdi_read(const void *owner)
{
    struct cdi *cdi = mem_new(owner, struct cdi);
    cdi->arena = arena_new(cdi);
    for (size_t d = 0; d < ARRAY_SIZE(spec_dirs); d++) {
        char **names;
        if (fs_list(cdi, spec_dirs[d], &names, NULL) < 0)
            continue;
        for (; names && *names; names++) {
            struct error err = ERROR_INIT;
            if ((str_ends(*names, ".json") || str_ends(*names, ".yaml")) &&
                read_spec(cdi, mem_printf(cdi, "%s/%s", spec_dirs[d], *names), &err) < 0 &&
                !cdi->problem.code)
                cdi->problem = err;
        }
    }
    return cdi;
}

static int explain(const struct cdi *cdi, struct error *err)
{
    return cdi->problem.code
               ? error_hint(err, "%s", cdi->problem.text)
               : error_hint(err,
                            "devices are described by CDI files in %s and %s, which their vendor's tools "
                            "make",
                            spec_dirs[0], spec_dirs[1]);
}

/* The edits of the device, and of all devices of its file; false when nobody describes it. */
static bool find_device(const struct cdi *cdi, const char *kind, const char *name,
                        const struct node **ret_device, const struct node **ret_all)
{
    for (size_t i = cdi->count; i-- > 0;) {
        const struct node *spec = cdi->specs[i], *devices = node_get(spec, "devices");
        if (!str_eq(node_get_text(spec, "kind"), kind))
            continue;
        node_foreach_item (d, devices)
            if (str_eq(node_get_text(devices->list.items[d], "name"), name)) {
                *ret_device = node_get(devices->list.items[d], "containerEdits");
                *ret_all = node_get(spec, "containerEdits");
                return true;
            }
    }
    return false;
}

bool cdi_is_name(const char *source)
{
    return source[0] != '/' && strchr(source, '/') && strchr(source, '=');
}

/* ---- requests ---- */

/* "nvidia.com/gpu" for the driver "nvidia" and the capability "gpu". */
static bool kind_fits(const char *kind, const struct device_request *request)
{
    const char *slash = strchr(kind, '/');
    if (!slash || !strv_contains(request->capabilities, slash + 1))
        return false;
    const char *rest = str_is_empty(request->driver) ? kind : str_after(kind, request->driver);
    return rest && (rest == kind || *rest == '.' || *rest == '/');
}

static int no_driver(const struct cdi *cdi, const struct device_request *request, struct error *err)
{
    char *capabilities = strv_join(NULL, request->capabilities, " ");
    error_set(err, ENODEV, "could not select device driver \"%s\" with capabilities: [[%s]]",
              request->driver ? request->driver : "", capabilities);
    talloc_free(capabilities);
    return explain(cdi, err);
}

static int choose_kind(const struct cdi *cdi, const struct device_request *request, const char **ret,
                       struct error *err)
{
    *ret = NULL;
    for (size_t i = 0; i < cdi->count; i++) {
        const char *kind = node_get_text(cdi->specs[i], "kind");
        if (!kind_fits(kind, request))
            continue;
        if (*ret && !str_eq(*ret, kind))
            return error_hint((error_set(err, EINVAL, "devices of %s and of %s fit", *ret, kind), err),
                              "name one of them in `driver:`");
        *ret = kind;
    }
    return *ret ? 0 : no_driver(cdi, request, err);
}

/* All devices of the kind, or the first so many; "all" stands for the others and is not one. */
static char **choose_devices(const void *owner, const struct cdi *cdi, const char *kind, int64_t count)
{
    const struct node *device, *all;
    char **names = NULL;
    if (count < 0 && find_device(cdi, kind, "all", &device, &all))
        return strv_addf(owner, NULL, "%s=all", kind);
    for (size_t i = 0; i < cdi->count; i++) {
        const struct node *devices = node_get(cdi->specs[i], "devices");
        if (!str_eq(node_get_text(cdi->specs[i], "kind"), kind))
            continue;
        node_foreach_item (d, devices) {
            const char *name = node_get_text(devices->list.items[d], "name");
            if (name && !str_eq(name, "all") && (count < 0 || (int64_t)strv_len(names) < count))
                names = strv_addf(owner, names, "%s=%s", kind, name);
        }
    }
    return names;
}

static int resolve_request(const void *owner, const struct cdi *cdi, const struct device_request *request,
                           char ***names, struct error *err)
{
    const char *kind = NULL;
    if (!str_eq(request->driver, "cdi")) {
        int r = choose_kind(cdi, request, &kind, err);
        if (r < 0)
            return r;
    }
    for (char **id = request->ids; id && *id; id++)
        *names = kind ? strv_addf(owner, *names, "%s=%s", kind, *id) : strv_add(owner, *names, *id);
    if (request->ids || !kind)
        return 0;
    char **chosen = choose_devices(owner, cdi, kind, request->count);
    if (request->count > 0 && (int64_t)strv_len(chosen) < request->count)
        return error_set(err, ENODEV, "%lld devices of %s are wanted, %zu are there",
                         (long long)request->count, kind, strv_len(chosen));
    *names = strv_extend(owner, *names, chosen);
    return 0;
}

static int device_names(const void *owner, const struct cdi *cdi, const struct container_spec *spec,
                        char ***ret, struct error *err)
{
    *ret = NULL;
    for (size_t i = 0; i < spec->device_count; i++)
        if (cdi_is_name(spec->devices[i].source))
            *ret = strv_add(owner, *ret, spec->devices[i].source);
    int r = 0;
    for (size_t i = 0; r == 0 && i < spec->request_count; i++)
        r = resolve_request(owner, cdi, &spec->requests[i], ret, err);
    return r;
}

static int find_name(const void *owner, const struct cdi *cdi, const char *name,
                     const struct node **ret_device, const struct node **ret_all, struct error *err)
{
    const char *equals = strchr(name, '=');
    char *kind = mem_strndup(owner, name, equals ? (size_t)(equals - name) : strlen(name));
    if (equals && find_device(cdi, kind, equals + 1, ret_device, ret_all))
        return 0;
    error_set(err, ENODEV, "CDI device '%s' is not there", name);
    return explain(cdi, err);
}

static bool needs_cdi(const struct container_spec *spec)
{
    bool named = spec->request_count > 0;
    for (size_t i = 0; !named && i < spec->device_count; i++)
        named = cdi_is_name(spec->devices[i].source);
    return named;
}

int container_devices_check(const struct container_spec *spec, struct error *err)
{
    if (!needs_cdi(spec))
        return 0;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct node *device, *all;
    struct cdi *cdi = cdi_read(tmp);
    char **names;
    int r = device_names(tmp, cdi, spec, &names, err);
    for (; r == 0 && names && *names; names++)
        r = find_name(tmp, cdi, *names, &device, &all, err);
    return r;
}

/* ---- edits ---- */

static json_t *strings_of(const struct node *list)
{
    json_t *array = json_array();
    node_foreach_item (i, list)
        if (node_text(list->list.items[i]))
            json_array_append_new(array, json_string(list->list.items[i]->text));
    return array;
}

/* `then` or, when the file says a number, that. */
static json_int_t number_of(const struct node *map, const char *key, json_int_t otherwise)
{
    const struct node *n = node_get(map, key);
    return node_is(n, NODE_INT) ? n->integer : otherwise;
}

static int edit_node(const struct node *n, json_t *linux_part, struct error *err)
{
    const char *path = node_get_text(n, "path"), *host = node_get_text(n, "hostPath"),
               *type = node_get_text(n, "type"), *access = node_get_text(n, "permissions");
    struct stat st = {.st_mode = S_IFCHR | 0666};
    if (!path || path[0] != '/')
        return error_set(err, EINVAL, "a device without a path");
    bool complete = type && node_get(n, "major") && node_get(n, "minor");
    if (!complete && stat(host ? host : path, &st) < 0)
        return error_errno(err, "device '%s'", host ? host : path);
    const char *kind = type ? type : S_ISBLK(st.st_mode) ? "b" : S_ISFIFO(st.st_mode) ? "p" : "c";
    json_int_t major_number = number_of(n, "major", major(st.st_rdev)),
               minor_number = number_of(n, "minor", minor(st.st_rdev));
    json_array_append_new(json_object_get(linux_part, "devices"),
                          json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "type", kind, "path", path,
                                    "major", major_number, "minor", minor_number, "fileMode",
                                    number_of(n, "fileMode", st.st_mode & 0777), "uid",
                                    number_of(n, "uid", st.st_uid), "gid", number_of(n, "gid", st.st_gid)));
    if (!str_eq(kind, "p"))
        json_array_append_new(json_object_get(json_object_get(linux_part, "resources"), "devices"),
                              json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type", kind, "major",
                                        major_number, "minor", minor_number, "access",
                                        access ? access : "rwm"));
    return 0;
}

static int edit_mount(const struct node *n, json_t *config, struct error *err)
{
    const char *from = node_get_text(n, "hostPath"), *to = node_get_text(n, "containerPath"),
               *type = node_get_text(n, "type");
    if (!from || !to || to[0] != '/')
        return error_set(err, EINVAL, "a mount without hostPath and containerPath");
    json_t *options = strings_of(node_get(n, "options"));
    if (json_array_size(options) == 0)
        json_add_strings(options, "rbind", "rprivate", NULL);
    json_array_append_new(json_object_get(config, "mounts"),
                          json_pack("{s:s, s:s, s:s, s:o}", "type", type ? type : "bind", "source", from,
                                    "destination", to, "options", options));
    return 0;
}

static int edit_hook(const struct node *n, json_t *config, struct error *err)
{
    static const char *const known[] = {"prestart",       "createRuntime", "createContainer",
                                        "startContainer", "poststart",     "poststop"};
    const char *name = node_get_text(n, "hookName"), *path = node_get_text(n, "path");
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        is_known |= str_eq(name, known[i]);
    if (!is_known || !path || path[0] != '/')
        return error_set(err, EINVAL, "a hook without a known hookName and an absolute path");
    json_t *hooks = json_object_get(config, "hooks");
    if (!hooks)
        json_object_set_new(config, "hooks", hooks = json_object());
    if (!json_object_get(hooks, name))
        json_object_set_new(hooks, name, json_array());
    json_t *hook = json_pack("{s:s}", "path", path);
    if (node_get(n, "args"))
        json_object_set_new(hook, "args", strings_of(node_get(n, "args")));
    if (node_get(n, "env"))
        json_object_set_new(hook, "env", strings_of(node_get(n, "env")));
    if (node_get(n, "timeout"))
        json_object_set_new(hook, "timeout", json_integer(number_of(n, "timeout", 0)));
    json_array_append_new(json_object_get(hooks, name), hook);
    return 0;
}

static int apply_edits(const struct node *edits, json_t *config, struct error *err)
{
    const struct node *nodes = node_get(edits, "deviceNodes"), *mounts = node_get(edits, "mounts"),
                      *hooks = node_get(edits, "hooks"), *groups = node_get(edits, "additionalGids");
    json_t *process = json_object_get(config, "process"), *env = strings_of(node_get(edits, "env"));
    json_array_extend(json_object_get(process, "env"), env);
    json_decref(env);
    int r = 0;
    node_foreach_item (i, groups)
        if (node_is(groups->list.items[i], NODE_INT))
            json_array_append_new(json_object_get(json_object_get(process, "user"), "additionalGids"),
                                  json_integer(groups->list.items[i]->integer));
    node_foreach_item (i, nodes)
        r = r < 0 ? r : edit_node(nodes->list.items[i], json_object_get(config, "linux"), err);
    node_foreach_item (i, mounts)
        r = r < 0 ? r : edit_mount(mounts->list.items[i], config, err);
    node_foreach_item (i, hooks)
        r = r < 0 ? r : edit_hook(hooks->list.items[i], config, err);
    return r;
}

int cdi_apply(const struct container_spec *spec, json_t *config, struct error *err)
{
    if (!needs_cdi(spec))
        return 0;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct node **applied = NULL; /* a file's common edits are made once */
    size_t applied_count = 0;
    struct cdi *cdi = cdi_read(tmp);
    char **names;
    int r = device_names(tmp, cdi, spec, &names, err);
    for (; r == 0 && names && *names; names++) {
        const struct node *device, *all;
        r = find_name(tmp, cdi, *names, &device, &all, err);
        bool again = false;
        for (size_t i = 0; r == 0 && i < applied_count; i++)
            again |= applied[i] == all;
        if (r == 0 && all && !again) {
            mem_append(tmp, applied, applied_count, all);
            r = apply_edits(all, config, err);
        }
        if (r == 0)
            r = apply_edits(device, config, err);
        if (r < 0)
            error_wrap(err, "CDI device '%s'", *names);
    }
    return r;
}
