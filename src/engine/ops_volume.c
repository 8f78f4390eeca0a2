/*
 * Volumes: the directory below the root, its record, and the options that make a file system of its own out
 * of it, which runtime/volume.c mounts when a container starts.
 */
#include "engine/ops.h"
#include "engine/volume.h"
#include "sys/fs.h"

#define TRASH_PREFIX ".removed-" /* no volume's name begins with a dot */

int volume_make(struct engine *engine, const struct volume_record *volume, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = state_volume_put(engine->state, volume, err);
    /* The way to the data is closed to others: volumes hold databases, and set-user-ID files of images. The
     * data's own mode is the container's, whatever the caller's umask. */
    char *top = mem_printf(tmp, "%s/volumes", engine->root),
         *data = engine_volume_path(tmp, engine, volume->name);
    if (r == 0)
        r = fs_mkdir_p(mem_printf(tmp, "%s/%s", top, volume->name), 0700, err);
    if (r == 0 && chmod(top, 0700) < 0)
        r = error_errno(err, "close '%s' to others", top);
    if (r == 0 && !fs_exists(data)) {
        r = fs_mkdir_p(data, 0755, err);
        if (r == 0 && chmod(data, 0755) < 0)
            r = error_errno(err, "set mode of '%s'", data);
    }
    return r < 0 ? error_wrap(err, "volume %s", volume->name) : 0;
}

/* Volumes on their way out, this one's and what killed commands left. */
static int empty_trash(struct engine *engine, const char *top, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, top, &names, err);
    for (char **n = names; r == 0 && n && *n; n++)
        if (str_starts(*n, TRASH_PREFIX))
            r = fs_remove_tree(mem_printf(tmp, "%s/%s", top, *n), err);
    if (r == 0)
        rmdir(mem_printf(tmp, "%s/volumes", engine->root)); /* when it was the last */
    return r;
}

/*
 * The volume leaves its name first, then its record goes, then the data: a volume that can be found is always
 * whole, even when the removal is killed half-way.
 */
int volume_delete(struct engine *engine, const char *name, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *top = mem_printf(tmp, "%s/volumes", engine->root);
    char *from = mem_printf(tmp, "%s/%s", top, name),
         *to = mem_printf(tmp, "%s/" TRASH_PREFIX "%.16s", top, engine_new_id(tmp));
    int r = rename(from, to) < 0 && errno != ENOENT ? error_errno(err, "rename '%s'", from) : 0;
    if (r == 0)
        r = state_volume_remove(engine->state, name, err);
    if (r == 0)
        r = empty_trash(engine, top, err);
    return r < 0 ? error_wrap(err, "volume %s", name) : 0;
}

/* ---- what the file says about a volume ---- */

/* The local driver's options go together: without a device there is nothing to mount (docker's rule). */
static int check_options(const struct volume *volume, struct error *err)
{
    static const char *const known[] = {"type", "o", "device", NULL};
    const char *type = omap_get(volume->driver_opts, "type"), *o = omap_get(volume->driver_opts, "o"),
               *device = omap_get(volume->driver_opts, "device");
    omap_foreach (e, volume->driver_opts)
        if (!strv_contains((char *const *)(uintptr_t)known, e->key)) {
            error_set(err, EINVAL, "driver_opts: the local driver has no option '%s'", e->key);
            return error_hint(err, "it has type, o and device");
        }
    if (!type || !device)
        return error_set(err, EINVAL, "driver_opts: missing required option '%s'", type ? "device" : "type");
    if (!volume_options_bind(o))
        return 0;
    if (device[0] != '/') {
        error_set(err, EINVAL, "driver_opts: device '%s' is not an absolute path", device);
        return error_hint(err, "a relative one is resolved when `driver: local` and `o: bind` are given");
    }
    return access(device, F_OK) < 0 ? error_errno(err, "driver_opts: device '%s'", device) : 0;
}

int volume_check(const struct volume *volume, struct error *err)
{
    int r = 0;
    if (volume->external)
        return 0;
    if (volume->driver && strcmp(volume->driver, "local") != 0)
        r = error_set(err, ENOTSUP, "driver '%s' is not available (local is)", volume->driver);
    else if (volume->driver_opts && volume->driver_opts->count)
        r = check_options(volume, err);
    return r < 0 ? error_wrap(err, "volume %s", volume->name) : 0;
}

static void hash_map(char **text, const char *title, const struct omap *map)
{
    char **keys = NULL;
    omap_foreach (e, map)
        keys = strv_add(*text, keys, e->key);
    strv_sort(keys);
    for (char **k = keys; k && *k; k++) {
        const char *value = omap_get(map, *k);
        *text = mem_append_printf(*text, "%s\n%s\n%s\n", title, *k, value ? value : "");
    }
}

/* What a volume is made from; when it changes, the volume no longer is what the file says. */
static char *config_hash(const void *owner, const struct volume *volume)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text = mem_printf(tmp, "%s\n", volume->driver ? volume->driver : "local");
    hash_map(&text, "option", volume->driver_opts);
    hash_map(&text, "label", volume->labels);
    return engine_hash(owner, text);
}

int volume_differs(struct engine *engine, const char *project, const struct volume *volume, bool *ret,
                   struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct volume_record *known;
    *ret = false;
    int r = volume->external ? STATE_ABSENT : state_volume_get(tmp, engine->state, volume->name, &known, err);
    /* A record without a hash is of a time when there were no options. */
    bool options = volume->driver_opts && volume->driver_opts->count;
    if (r == 0 && str_eq(known->project, project))
        *ret = known->config_hash ? !str_eq(known->config_hash, config_hash(tmp, volume)) : options;
    return r < 0 ? r : 0;
}

static struct omap *make_labels(const void *owner, const struct plan *plan, const struct volume *volume,
                                const char *hash)
{
    struct omap *labels = omap_new(owner);
    omap_foreach (e, volume->labels)
        omap_set_str(labels, e->key, e->value);
    omap_set_str(labels, "com.docker.compose.config-hash", hash);
    omap_set_str(labels, "com.docker.compose.project", plan->project_name);
    omap_set_str(labels, "com.docker.compose.version", COMPOTE_VERSION);
    omap_set_str(labels, "com.docker.compose.volume", volume->key);
    return labels;
}

static int use_known(struct operation *op, struct volume_record *known, struct error *err)
{
    struct plan *plan = op->plan;
    if (str_eq(known->project, plan->project_name))
        return volume_make(plan->engine, known, err);
    char *text = mem_printf(op,
                            "volume \"%s\" already exists but was created for project \"%s\" (expected "
                            "\"%s\"). Use `external: true` to use an existing volume",
                            known->name, known->project, plan->project_name);
    engine_report(plan->engine, NULL, PROGRESS_WARNING, text, NULL);
    operation_report(op, PROGRESS_DONE, "Exists", NULL);
    op->quiet = true;
    return 0;
}

int op_volume_create(struct operation *op, struct error *err)
{
    struct plan *plan = op->plan;
    const struct volume *volume = op->volume;
    struct volume_record *known;
    int r = state_volume_get(op, plan->engine->state, volume->name, &known, err);
    if (r <= 0)
        return r < 0 ? r : use_known(op, known, err);
    char *hash = config_hash(op, volume);
    struct volume_record record = {.name = volume->name,
                                   .project = (char *)(uintptr_t)plan->project_name,
                                   .key = volume->key,
                                   .driver = volume->driver,
                                   .options = volume->driver_opts,
                                   .labels = make_labels(op, plan, volume, hash),
                                   .config_hash = hash};
    return volume_make(plan->engine, &record, err);
}

int volume_is_used(struct engine *engine, const char *volume, const char *except, bool *ret,
                   struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_record **containers;
    size_t count;
    *ret = false;
    int r = state_containers(tmp, engine->state, NULL, &containers, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        for (size_t m = 0; m < containers[i]->mount_count && !str_eq(containers[i]->id, except); m++)
            *ret |= str_eq(containers[i]->mounts[m].volume, volume);
    return r;
}

int op_volume_remove(struct operation *op, struct error *err)
{
    bool used;
    int r = volume_is_used(op->plan->engine, op->name, NULL, &used, err);
    if (r == 0 && used) {
        operation_report(op, PROGRESS_WARNING, "Resource is still in use", NULL);
        return 0;
    }
    if (r == 0)
        r = volume_delete(op->plan->engine, op->name, err);
    if (r < 0)
        return r;
    operation_report(op, PROGRESS_DONE, "Removed", NULL);
    return 0;
}
