#include "imaged/layer.h"

#include "base/str.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <sys/xattr.h>

static int layer_dir_destroy(struct layer_dir *dir)
{
    cleanup_close_fn(&dir->fd);
    if (!dir->published)
        fs_remove_tree(dir->path, NULL);
    return 0;
}

int layer_dir_make(const void *owner, struct job *job, const char *tag, struct layer_dir **ret,
                   struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = mem_printf(tmp, "%s/layers/.tmp-%s", job->store->root, tag);
    int r = fs_remove_tree(path, err);
    if (r < 0)
        return r;
    if (mkdir(path, 0755) < 0)
        return error_errno(err, "make directory '%s'", path);
    struct layer_dir *dir = mem_new(tmp, struct layer_dir);
    dir->path = mem_strdup(dir, path);
    dir->fd = -1;
    talloc_set_destructor(dir, layer_dir_destroy);
    r = fs_open_dir(path, &dir->fd, err);
    if (r == 0 && fchmod(dir->fd, 0755) < 0)
        r = error_errno(err, "chmod '%s'", path);
    if (r < 0)
        return r;
    *ret = talloc_move(owner, &dir);
    return 0;
}

static int mark_opaque(struct job *job, struct layer_dir *dir, const char *path, struct error *err)
{
    const char *name = sandbox_is_rootless(job->sandbox) ? "user.overlay.opaque" : "trusted.overlay.opaque";
    cleanup_close int fd = -1;
    int r = fs_open_beneath(dir->fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0, false, &fd, err);
    if (r == 0 && fsetxattr(fd, name, "y", 1, 0) < 0) {
        error_errno(err, "mark directory '%s' as opaque", path);
        return error_hint(err,
                          "the image store must be on a file system with extended attributes, such as ext4, "
                          "xfs or btrfs");
    }
    return r;
}

/* Attributes of the uppermost directory of that name. Failing to find one is not an error. */
static int copy_attributes(struct layer_dir *dir, const char *path, const int *lower_fds, size_t count,
                           struct error *err)
{
    cleanup_close int to = -1;
    int r = fs_open_beneath(dir->fd, path, O_RDONLY | O_DIRECTORY, 0, false, &to, err);
    if (r < 0)
        return r;
    for (size_t i = count; i-- > 0;) {
        cleanup_close int from = -1;
        struct stat st;
        if (fs_open_beneath(lower_fds[i], path, O_RDONLY | O_DIRECTORY, 0, false, &from, NULL) < 0 ||
            fstat(from, &st) < 0)
            continue;
        struct timespec times[2] = {st.st_mtim, st.st_mtim};
        if ((fchown(to, st.st_uid, st.st_gid) < 0 && errno != EPERM) || fchmod(to, st.st_mode & 07777) < 0 ||
            futimens(to, times) < 0)
            return error_errno(err, "set attributes of '%s'", path);
        break;
    }
    return 0;
}

static int copy_from_lower(struct job *job, struct layer_dir *dir, char *const *implied, size_t count,
                           char *const *lower, size_t lower_count, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int *fds = mem_array(tmp, int, lower_count + 1), r = 0;
    size_t opened = 0;
    while (r == 0 && opened < lower_count) {
        r = fs_open_dir(image_layer_path(tmp, job->store, lower[opened]), &fds[opened], err);
        opened += r == 0;
    }
    for (size_t i = 0; r == 0 && i < count; i++)
        r = copy_attributes(dir, implied[i], fds, lower_count, err);
    while (opened)
        close(fds[--opened]);
    return r;
}

int layer_dir_dress(struct job *job, struct layer_dir *dir, const struct pipeline_result *result,
                    char *const *lower, size_t lower_count, struct error *err)
{
    int r = 0;
    if (result->implied_count && lower_count)
        r = copy_from_lower(job, dir, result->implied, result->implied_count, lower, lower_count, err);
    for (size_t i = 0; r == 0 && i < result->opaque_count; i++)
        r = mark_opaque(job, dir, result->opaque[i], err);
    return r;
}

bool layer_exists(struct job *job, const char *chain)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    return fs_exists(image_layer_path(tmp, job->store, chain));
}

int layer_dir_publish(struct job *job, struct layer_dir *dir, const char *chain, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = image_layer_path(tmp, job->store, chain);
    if (rename(dir->path, path) == 0) {
        dir->published = true;
        return 0;
    }
    /* Someone else was quicker with an equal layer: theirs is it. (An empty one is replaced by ours, as
     * empty.) */
    return errno == EEXIST || errno == ENOTEMPTY ? 0 : error_errno(err, "rename '%s'", dir->path);
}

int layer_dirs_sync(struct job *job, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int fd = -1;
    int r = fs_open_dir(image_store_path(tmp, job->store, "layers"), &fd, err);
    if (r == 0 && fsync(fd) < 0)
        r = error_errno(err, "fsync the layers' directory");
    return r;
}
