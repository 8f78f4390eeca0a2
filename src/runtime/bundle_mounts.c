#include "runtime/private.h"

#include "base/path.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { SHM_DEFAULT = 64 << 20 };

static json_t *mount_new(const char *type, const char *source, const char *target)
{
    return json_pack("{s:s, s:s, s:s, s:[]}", "type", type, "source", source, "destination", target,
                     "options");
}

static json_t *mount_options(json_t *mount)
{
    return json_object_get(mount, "options");
}

static json_t *mount_bind_new(const char *source, const char *target, bool read_only)
{
    json_t *mount = mount_new("bind", source, target);
    json_add_strings(mount_options(mount), "rbind", "rprivate", read_only ? "ro" : "rw", NULL);
    return mount;
}

bool bundle_target_is_taken(const struct container_spec *spec, const char *target)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        char *clean = path_clean(NULL, spec->mounts[i].target);
        bool same = str_eq(clean, target);
        talloc_free(clean);
        if (same)
            return true;
    }
    for (size_t i = 0; i < spec->file_count; i++)
        if (str_eq(spec->files[i].target, target))
            return true;
    return false;
}

static void add_system(const struct bundle *bundle, json_t *mounts)
{
    const struct container_spec *spec = bundle->spec;
    static const struct {
        const char *target, *type, *source;
        const char *options[7];
    } system[] = {
        {"/proc",          "proc",   "proc",   {"nosuid", "noexec", "nodev"}                       },
        {"/dev",           "tmpfs",  "tmpfs",  {"nosuid", "strictatime", "mode=755", "size=65536k"}},
        {"/dev/pts",
         "devpts",                   "devpts",
         {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}                },
        {"/sys",           "sysfs",  "sysfs",  {"nosuid", "noexec", "nodev", "ro"}                 },
        {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}     },
        {"/dev/mqueue",    "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}                       },
    };
    for (size_t i = 0; i < ARRAY_SIZE(system); i++) {
        if (bundle_target_is_taken(spec, system[i].target))
            continue;
        if (str_eq(system[i].type, "mqueue") && str_eq(spec->ipc_mode, "host") && fs_exists("/dev/mqueue")) {
            json_array_append_new(mounts, mount_bind_new("/dev/mqueue", "/dev/mqueue", false));
            continue;
        }
        json_t *mount = mount_new(system[i].type, system[i].source, system[i].target);
        for (const char *const *o = system[i].options; *o; o++)
            if (!spec->privileged || !str_eq(*o, "ro"))
                json_add_strings(mount_options(mount), *o, NULL);
        json_array_append_new(mounts, mount);
    }
}

static void add_shm(const struct bundle *bundle, json_t *mounts)
{
    const struct container_spec *spec = bundle->spec;
    if (bundle_target_is_taken(spec, "/dev/shm") || str_eq(spec->ipc_mode, "none"))
        return;
    if (str_eq(spec->ipc_mode, "host")) {
        json_array_append_new(mounts, mount_bind_new("/dev/shm", "/dev/shm", false));
        return;
    }
    if (spec->ipc_mode && str_starts(spec->ipc_mode, "container:")) {
        json_array_append_new(mounts, mount_bind_new(bundle->paths->shm, "/dev/shm", false));
        return;
    }
    char text[64];
    json_t *mount = mount_new("tmpfs", "shm", "/dev/shm");
    snprintf(text, sizeof(text), "size=%lld", (long long)(spec->shm_size > 0 ? spec->shm_size : SHM_DEFAULT));
    json_add_strings(mount_options(mount), "nosuid", "noexec", "nodev", "mode=1777", text, NULL);
    json_array_append_new(mounts, mount);
}

/* Writes one of the small files that the container sees in /etc. NULL content: as the host's. */
static int add_etc_file(const struct bundle *bundle, json_t *mounts, const char *name, const char *content,
                        struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *target = mem_printf(tmp, "/etc/%s", name),
         *path = mem_printf(tmp, "%s/%s", bundle->paths->dir, name);
    if (bundle_target_is_taken(bundle->spec, target))
        return 0;
    char *host = NULL;
    if (!content) {
        int r = fs_read_file(tmp, target, 1 << 20, &host, NULL, err);
        if (r < 0)
            return r;
        content = host ? host : "";
    }
    int r = file_renew(path, content, 0644, err);
    if (r == 0)
        json_array_append_new(mounts, mount_bind_new(path, target, bundle->spec->read_only));
    return r;
}

static int add_etc(const struct bundle *bundle, json_t *mounts, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct container_spec *spec = bundle->spec;
    char *hostname = str_is_empty(spec->hostname) ? NULL : mem_printf(tmp, "%s\n", spec->hostname);
    int r = add_etc_file(bundle, mounts, "hosts", spec->hosts, err);
    if (r == 0)
        r = add_etc_file(bundle, mounts, "hostname", hostname, err);
    if (r == 0)
        r = add_etc_file(bundle, mounts, "resolv.conf", spec->resolv_conf, err);
    return r;
}

/* What the runtime cannot be given by its path is mounted in the bundle, at a place of its own. */
static bool needs_place(const struct mount_spec *m)
{
    return !str_is_empty(m->subpath) || str_eq(m->recursive, "disabled");
}

static bool is_shared(const struct mount_spec *m)
{
    return m->type == MOUNT_BIND && (str_eq(m->propagation, "shared") || str_eq(m->propagation, "rshared"));
}

const char *root_propagation(const struct container_spec *spec)
{
    const char *result = "rprivate";
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct mount_spec *m = &spec->mounts[i];
        if (is_shared(m))
            return "shared";
        if (str_eq(m->propagation, "slave") || str_eq(m->propagation, "rslave"))
            result = "rslave";
    }
    return result;
}

/* Where the mount's content is: an image is mounted for that. */
static int content_of(const void *owner, const struct container_paths *paths,
                      const struct container_spec *spec, const struct mount_spec *m, char **ret,
                      struct error *err)
{
    *ret = m->source;
    if (m->type != MOUNT_IMAGE)
        return 0;
    *ret = mem_printf(owner, "%s/image-%zu", paths->bundle, (size_t)(m - spec->mounts));
    int r = rootfs_mount_image(m->layers, *ret, err);
    return r < 0 ? error_wrap(err, "image %s", m->source) : 0;
}

static char *place_of(const void *owner, const struct container_paths *paths,
                      const struct container_spec *spec, const struct mount_spec *m)
{
    return mem_printf(owner, "%s/mount-%zu", paths->bundle, (size_t)(m - spec->mounts));
}

/*
 * The directory or file below a volume, refused when a link is on the way. The runtime is given what was
 * opened: who can write to the volume could put a link in its place before the runtime goes the way again.
 */
static int open_subpath(const struct mount_spec *m, const char *source, int *ret_fd, struct error *err)
{
    cleanup_close int volume = -1;
    int r = fs_open_dir(source, &volume, err);
    if (r == 0)
        r = fs_open_beneath(volume, m->subpath, O_PATH, 0, false, ret_fd, err);
    if (r == -EXDEV || r == -ELOOP)
        return error_set(err, EPERM, "subpath '%s' of the volume for '%s' leads out of it, or over a link",
                         m->subpath, m->target);
    return r < 0 ? error_wrap(err, "subpath '%s' of the volume for '%s'", m->subpath, m->target) : 0;
}

static int place_mount(const struct mount_spec *m, const char *source, const char *place, struct error *err)
{
    cleanup_close int fd = -1;
    int r = 0;
    if (!str_is_empty(m->subpath))
        r = open_subpath(m, source, &fd, err);
    else if ((fd = open(source, O_PATH | O_CLOEXEC)) < 0)
        r = error_errno(err, "open '%s'", source);
    return r < 0 ? r : rootfs_mount_opened(fd, place, !str_eq(m->recursive, "disabled"), err);
}

void places_take(const struct container_paths *paths, const struct container_spec *spec)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct mount_spec *m = &spec->mounts[i];
        char *place = place_of(tmp, paths, spec, m);
        /* The container goes on with what it has; without the place a restart fails and says why. */
        char *source;
        if (content_of(tmp, paths, spec, m, &source, NULL) == 0 && needs_place(m) &&
            place_mount(m, source, place, NULL) < 0)
            remove(place);
    }
}

static int bind_source(const struct mount_spec *m, struct error *err)
{
    struct stat st;
    if (stat(m->source, &st) == 0)
        return 0;
    if (errno == ENOENT && m->create_host_path)
        return fs_mkdir_p(m->source, 0755, err);
    return error_errno(err, "bind mount source '%s'", m->source);
}

/* In a namespace of its own a clone would be a slave of the machine's mount, which hears but is not heard. */
int shared_open(const struct container_spec *spec, int **ret_trees, struct error *err)
{
    *ret_trees = NULL;
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct mount_spec *m = &spec->mounts[i];
        if (!is_shared(m))
            continue;
        int r = bind_source(m, err);
        if (r < 0)
            return r;
        if (!*ret_trees)
            *ret_trees = mem_array(spec, int, spec->mount_count);
        (*ret_trees)[i] = rootfs_open_tree(AT_FDCWD, m->source, true);
        if ((*ret_trees)[i] < 0)
            return error_errno(err, "clone the mount at '%s'", m->source);
    }
    return 0;
}

int shared_place(const struct container_paths *paths, const struct container_spec *spec, const int *trees,
                 struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = 0;
    for (size_t i = 0; trees && r == 0 && i < spec->mount_count; i++)
        if (trees[i] > 0)
            r = rootfs_mount_tree(trees[i], place_of(tmp, paths, spec, &spec->mounts[i]), err);
    return r;
}

static json_t *tmpfs_new(const struct mount_spec *m, const char *target)
{
    static const char *const opposites[][2] = {
        {"suid", "nosuid"},
        {"dev",  "nodev" },
        {"exec", "noexec"},
    };
    json_t *mount = mount_new("tmpfs", "tmpfs", target);
    for (size_t i = 0; i < ARRAY_SIZE(opposites); i++)
        json_add_strings(mount_options(mount),
                         opposites[i][strv_contains(m->options, opposites[i][0]) ? 0 : 1], NULL);
    bool has_mode = false;
    for (char **o = m->options; o && *o; o++) {
        has_mode |= str_starts(*o, "mode=");
        json_add_strings(mount_options(mount), *o, NULL);
    }
    if (!has_mode)
        json_add_strings(mount_options(mount), "mode=1777", NULL);
    if (m->read_only)
        json_add_strings(mount_options(mount), "ro", NULL);
    return mount;
}

static int add_user_mount(const struct bundle *bundle, const struct mount_spec *m, json_t *mounts,
                          struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (str_is_empty(m->target) || m->target[0] != '/')
        return error_set(err, EINVAL, "mount target '%s' is not an absolute path",
                         m->target ? m->target : "");
    char *target = path_clean(tmp, m->target), *source = m->source;
    if (str_eq(target, "/"))
        return error_set(err, EINVAL, "'/' cannot be the target of a mount");
    if (m->type == MOUNT_TMPFS) {
        json_array_append_new(mounts, tmpfs_new(m, target));
        return 0;
    }
    if (str_is_empty(m->source))
        return error_set(err, EINVAL, "the mount at '%s' has no source", target);
    int r = m->type == MOUNT_BIND ? bind_source(m, err) : 0;
    if (r == 0 && m->type == MOUNT_VOLUME && m->copy_up)
        r = volume_copy_up(bundle->root_fd, target, m->source, err);
    if (r == 0)
        r = content_of(tmp, bundle->paths, bundle->spec, m, &source, err);
    if (r == 0 && is_shared(m)) {
        source = place_of(tmp, bundle->paths, bundle->spec, m);
    } else if (r == 0 && needs_place(m)) {
        char *place = place_of(tmp, bundle->paths, bundle->spec, m);
        r = place_mount(m, source, place, err);
        source = place;
    }
    if (r < 0)
        return r;
    /* What is mounted below a directory becomes read-only with it; crun refuses this option for a file. */
    struct stat st;
    bool recursive =
        m->read_only && !str_eq(m->recursive, "writable") && stat(source, &st) == 0 && S_ISDIR(st.st_mode);
    json_t *mount = mount_new("bind", source, target);
    json_add_strings(mount_options(mount), "rbind", m->propagation ? m->propagation : "rprivate",
                     m->read_only ? "ro" : "rw", recursive ? "rro" : NULL, NULL);
    volume_add_flags(m, mount_options(mount));
    json_array_append_new(mounts, mount);
    return 0;
}

static size_t path_depth(const char *path)
{
    size_t n = 0;
    for (; *path; path++)
        n += *path == '/' && path[1] != '/' && path[1] != '\0';
    return n;
}

/* Outer mounts before inner ones, otherwise in the given order. */
static int add_user_mounts(const struct bundle *bundle, json_t *mounts, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    size_t deepest = 0;
    for (size_t i = 0; i < spec->mount_count; i++) {
        size_t depth = path_depth(spec->mounts[i].target);
        deepest = depth > deepest ? depth : deepest;
    }
    for (size_t depth = 0; depth <= deepest; depth++)
        for (size_t i = 0; i < spec->mount_count; i++) {
            if (path_depth(spec->mounts[i].target) != depth)
                continue;
            int r = add_user_mount(bundle, &spec->mounts[i], mounts, err);
            if (r < 0)
                return r;
        }
    return 0;
}

/* Secrets and configs: what has its content here becomes a file beside the bundle. */
static int add_file(const struct bundle *bundle, const struct file_spec *file, size_t number, json_t *mounts,
                    struct error *err)
{
    enum { COPY_LIMIT = 64 << 20 };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *copy = NULL;
    size_t size = file->content ? strlen(file->content) : 0;
    if (file->source && file->uid < 0 && file->gid < 0 && file->mode < 0) {
        struct stat st;
        if (stat(file->source, &st) < 0)
            return error_errno(err, "'%s' for '%s'", file->source, file->target);
        json_array_append_new(mounts, mount_bind_new(file->source, file->target, true));
        return 0;
    }
    int r = file->source ? fs_read_file(tmp, file->source, COPY_LIMIT, &copy, &size, err) : 0;
    if (r != 0)
        return r < 0 ? r : error_set(err, ENOENT, "'%s' for '%s' is not there", file->source, file->target);
    char *dir = mem_printf(tmp, "%s/files", bundle->paths->bundle);
    char *path = mem_printf(tmp, "%s/%zu", dir, number);
    mode_t mode = file->mode >= 0 ? (mode_t)file->mode & 07777 : 0444;
    const char *content = copy ? copy : file->content ? file->content : "";
    r = fs_mkdir_p(dir, 0700, err);
    if (r == 0)
        r = fs_write_file(path, content, size, mode, false, err);
    if (r == 0 && (file->uid > 0 || file->gid > 0) &&
        (chown(path, file->uid > 0 ? (uid_t)file->uid : 0, file->gid > 0 ? (gid_t)file->gid : 0) < 0 ||
         chmod(path, mode) < 0))
        r = error_errno(err, "set the owner of '%s'", file->target);
    if (r == 0)
        json_array_append_new(mounts, mount_bind_new(path, file->target, true));
    return r;
}

int bundle_mounts(const struct bundle *bundle, json_t *mounts, struct error *err)
{
    const struct container_spec *spec = bundle->spec;
    add_system(bundle, mounts);
    add_shm(bundle, mounts);
    int r = add_etc(bundle, mounts, err);
    if (r == 0 && spec->init) {
        char *init = mem_printf(NULL, "%s/compote-init", bundle->dirs->libexec);
        json_array_append_new(mounts, mount_bind_new(init, "/dev/init", true));
        talloc_free(init);
    }
    if (r == 0)
        r = add_user_mounts(bundle, mounts, err);
    for (size_t i = 0; r == 0 && i < spec->file_count; i++)
        r = add_file(bundle, &spec->files[i], i, mounts, err);
    return r;
}
