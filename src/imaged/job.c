#include "imaged/job.h"

#include "base/str.h"
#include "sys/fs.h"

#include <sys/file.h>

/* Unfinished layers and unpacked archives; nobody else transfers now. */
static int remove_leftovers(struct job *job, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names, *dir = image_store_path(tmp, job->store, "layers");
    int r = fs_list(tmp, dir, &names, err);
    for (size_t i = 0; r == 0 && names && names[i]; i++)
        if (names[i][0] == '.')
            r = fs_remove_tree(mem_printf(tmp, "%s/%s", dir, names[i]), err);
    return r;
}

int job_prepare(struct job *job, struct error *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } dirs[] = {
        {"blobs",         0700},
        {"blobs/sha256",  0700},
        {"blobs/partial", 0700},
        {"layers",        0700}, /* set-user-ID files of images are nobody's to run */
        {"locks",         0700},
    };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = fs_mkdir_p(job->store->root, 0711, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++)
        r = fs_mkdir_p(image_store_path(tmp, job->store, dirs[i].name), dirs[i].mode, err);
    if (r < 0)
        return error_wrap(err, "image store");
    char *lock = image_store_path(tmp, job->store, "transfer.lock");
    cleanup_close int fd = -1;
    r = fs_lock(lock, false, false, &fd, err);
    if (r == 0) {
        r = remove_leftovers(job, err);
        if (r == 0 && flock(fd, LOCK_SH) < 0)
            r = error_errno(err, "lock '%s'", lock);
    } else if (r == LOCK_BUSY) {
        r = fs_lock(lock, true, true, &fd, err);
    }
    if (r < 0)
        return r;
    job->transfer_lock = TAKE_FD(fd);
    return 0;
}

int job_store_blob(struct job *job, const char *digest, const void *data, size_t size, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = image_blob_path(tmp, job->store, digest);
    return fs_exists(path) ? 0 : fs_write_file(path, data, size, 0600, true, err);
}
