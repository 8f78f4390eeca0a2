#include "imaged/pack.h"

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "imaged/tree.h"
#include "sys/fs.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <uthash.h>

enum { BUFFER_SIZE = 256 << 10, XATTR_NAMES_MAX = 64 << 10 };

struct inode {
    dev_t device;
    ino_t number;
};

struct linked {
    struct inode inode;
    char *path;
    UT_hash_handle hh;
};

struct pack {
    struct pack_job job;
    struct archive *archive;
    struct archive_entry *entry;
    struct linked *linked; /* files of several names, by inode */
    char path[TREE_PATH_MAX + 1];
    char *buffer, *zeros, *xattr_names;
};

static int pack_destroy(struct pack *pack)
{
    HASH_CLEAR(hh, pack->linked);
    archive_entry_free(pack->entry);
    archive_write_free(pack->archive);
    return 0;
}

static int archive_failed(struct pack *pack, struct error *err)
{
    const char *text = archive_error_string(pack->archive);
    int code = archive_errno(pack->archive);
    return error_set(err, code > 0 ? code : EIO, "write: %s", text ? text : "unknown");
}

int pack_new(const void *owner, const struct pack_job *job, struct pack **ret, struct error *err)
{
    struct pack *pack = mem_new(owner, struct pack);
    pack->job = *job;
    pack->buffer = mem_array(pack, char, BUFFER_SIZE);
    pack->zeros = mem_array(pack, char, BUFFER_SIZE);
    pack->xattr_names = mem_array(pack, char, XATTR_NAMES_MAX);
    memset(pack->zeros, 0, BUFFER_SIZE);
    pack->archive = mem_check(archive_write_new());
    pack->entry = mem_check(archive_entry_new());
    talloc_set_destructor(pack, pack_destroy);
    if (archive_write_set_format_pax_restricted(pack->archive) != ARCHIVE_OK ||
        archive_write_open_fd(pack->archive, job->output) != ARCHIVE_OK)
        return archive_failed(pack, err);
    *ret = pack;
    return 0;
}

bool pack_is_kernel_fs(int fd)
{
    static const unsigned long kinds[] = {
        PROC_SUPER_MAGIC,
        SYSFS_MAGIC,
        CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC,
        DEVPTS_SUPER_MAGIC,
        SECURITYFS_MAGIC,
        DEBUGFS_MAGIC,
        TRACEFS_MAGIC,
        BPF_FS_MAGIC,
        EFIVARFS_MAGIC,
        0x19800202 /* POSIX message queues */,
    };
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if ((unsigned long)fs.f_type == kinds[i])
            return true;
    return false;
}

/* ---- one entry ---- */

static void add_xattrs(struct pack *pack, int fd)
{
    ssize_t size = flistxattr(fd, pack->xattr_names, XATTR_NAMES_MAX);
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(pack->xattr_names + at) + 1) {
        const char *name = pack->xattr_names + at;
        ssize_t n = tree_xattr_is_wanted(name) ? fgetxattr(fd, name, pack->buffer, BUFFER_SIZE) : -1;
        if (n >= 0)
            archive_entry_xattr_add_entry(pack->entry, name, pack->buffer, (size_t)n);
    }
}

/* Where a file has data, when it has holes. */
static void add_sparse(struct pack *pack, int fd, const struct stat *st)
{
    if ((int64_t)st->st_blocks * 512 >= st->st_size)
        return;
    bool any = false;
    for (off_t at = 0; at < st->st_size;) {
        off_t data = lseek(fd, at, SEEK_DATA), hole;
        if (data < 0 || data >= st->st_size || (hole = lseek(fd, data, SEEK_HOLE)) < 0)
            break;
        hole = hole > st->st_size ? st->st_size : hole;
        archive_entry_sparse_add_entry(pack->entry, data, hole - data);
        any = true;
        at = hole;
    }
    if (!any && st->st_size > 0)
        archive_entry_sparse_add_entry(pack->entry, 0, 0);
    lseek(fd, 0, SEEK_SET);
}

static void set_entry(struct pack *pack, const struct stat *st)
{
    archive_entry_clear(pack->entry);
    archive_entry_copy_stat(pack->entry, st);
    archive_entry_copy_pathname(pack->entry, pack->path);
    archive_entry_unset_atime(pack->entry);
    archive_entry_unset_ctime(pack->entry);
    archive_entry_unset_birthtime(pack->entry);
    archive_entry_set_nlink(pack->entry, 1);
}

static int write_header(struct pack *pack, struct error *err)
{
    int status = archive_write_header(pack->archive, pack->entry);
    return status == ARCHIVE_OK || status == ARCHIVE_WARN ? 0 : archive_failed(pack, err);
}

static int write_data(struct pack *pack, const char *data, size_t size, struct error *err)
{
    while (size) {
        la_ssize_t n = archive_write_data(pack->archive, data, size);
        if (n <= 0)
            return n < 0 ? archive_failed(pack, err) : 0;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* As many bytes as the header says: the file may grow or shrink while it is read. Holes are not read. */
static int write_content(struct pack *pack, int fd, int64_t size, struct error *err)
{
    for (int64_t at = 0; at < size;) {
        int64_t left = size - at;
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            data = size; /* a hole to the end, or the file has become shorter */
        const char *from = pack->buffer;
        ssize_t n;
        if (data > at) {
            from = pack->zeros;
            n = (ssize_t)(data - at < left ? data - at : left);
            n = n < BUFFER_SIZE ? n : BUFFER_SIZE;
        } else {
            n = RETRY_EINTR(pread(fd, pack->buffer, left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE, at));
        }
        if (n < 0)
            return error_errno(err, "read");
        if (n == 0)
            return 0; /* libarchive fills up */
        int r = write_data(pack, from, (size_t)n, err);
        if (r < 0)
            return r;
        at += n;
    }
    return 0;
}

/* The second and further names of a file refer to the first. */
static bool add_link(struct pack *pack, const struct stat *st)
{
    struct inode inode;
    struct linked *found;
    if (st->st_nlink < 2)
        return false;
    memset(&inode, 0, sizeof(inode)); /* with its padding: it is a key */
    inode.device = st->st_dev;
    inode.number = st->st_ino;
    HASH_FIND(hh, pack->linked, &inode, sizeof(inode), found);
    if (found) {
        archive_entry_copy_hardlink(pack->entry, found->path);
        archive_entry_unset_size(pack->entry);
        return true;
    }
    found = mem_new(pack, struct linked);
    found->inode = inode;
    found->path = mem_strdup(found, pack->path);
    HASH_ADD(hh, pack->linked, inode, sizeof(inode), found);
    return false;
}

static int add_file(struct pack *pack, int fd, const struct stat *st, struct error *err)
{
    set_entry(pack, st);
    if (add_link(pack, st))
        return write_header(pack, err);
    add_xattrs(pack, fd);
    add_sparse(pack, fd, st);
    int r = write_header(pack, err);
    return r < 0 ? r : write_content(pack, fd, st->st_size, err);
}

/* `name` "" when `dir_fd` is the link itself. */
static int add_symlink(struct pack *pack, int dir_fd, const char *name, const struct stat *st,
                       struct error *err)
{
    char target[TREE_PATH_MAX + 1];
    ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
    if (n < 0)
        return 0;
    target[n] = '\0';
    set_entry(pack, st);
    if (!add_link(pack, st))
        archive_entry_copy_symlink(pack->entry, target);
    return write_header(pack, err);
}

static int add_node(struct pack *pack, const struct stat *st, struct error *err)
{
    if (S_ISSOCK(st->st_mode))
        return 0; /* which no archive can hold, and nobody would listen to */
    set_entry(pack, st);
    if (!add_link(pack, st))
        archive_entry_set_size(pack->entry, 0);
    return write_header(pack, err);
}

/* ---- a layer's marks ---- */

static bool has_mark(int fd, const char *name)
{
    char value[2] = "";
    return fgetxattr(fd, name, value, sizeof(value)) == 1 && value[0] == 'y';
}

/* An empty file of that name in the directory `pack->path`. */
static int add_marker(struct pack *pack, size_t length, const char *prefix, const char *name,
                      struct error *err)
{
    const struct stat st = {.st_mode = S_IFREG};
    if (snprintf(pack->path + length, sizeof(pack->path) - length, "%s%s%s", length ? "/" : "", prefix,
                 name) >= (int)(sizeof(pack->path) - length))
        return error_set(err, ENAMETOOLONG, "the name is too long");
    set_entry(pack, &st);
    int r = write_header(pack, err);
    pack->path[length] = '\0';
    return r;
}

/* ---- directories ---- */

static int add_dir(struct pack *pack, int fd, const struct stat *st, bool header, int depth,
                   struct error *err);

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, so that the same tree is the same archive. */
static int read_names(const void *owner, int dir_fd, char ***ret, size_t *ret_count, struct error *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    char **names = NULL;
    size_t count = 0;
    if (!dir)
        return error_errno(err, "read directory");
    for (struct dirent *e; (e = readdir(dir));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            mem_append(owner, names, count, mem_strdup(owner, e->d_name));
    if (count)
        qsort(names, count, sizeof(*names), by_text);
    *ret = names;
    *ret_count = count;
    return 0;
}

/* Opens what was a file or directory when it was looked at; -1 when it is something else by now. */
static int open_child(int dir_fd, const char *name, int flags, struct stat *st)
{
    mode_t before = st->st_mode & S_IFMT;
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);
    if (fd >= 0 && fstat(fd, st) == 0 && (st->st_mode & S_IFMT) == before)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int add_child(struct pack *pack, int dir_fd, const char *name, int depth, struct error *err)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "look");
    if (S_ISLNK(st.st_mode))
        return add_symlink(pack, dir_fd, name, &st, err);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return add_node(pack, &st, err);
    cleanup_close int fd = open_child(dir_fd, name, S_ISDIR(st.st_mode) ? O_DIRECTORY : 0, &st);
    if (fd < 0)
        return errno == EACCES || errno == EPERM || errno == EIO ? error_errno(err, "open") : 0;
    return S_ISDIR(st.st_mode) ? add_dir(pack, fd, &st, true, depth + 1, err) : add_file(pack, fd, &st, err);
}

static int add_children(struct pack *pack, int fd, size_t length, int depth, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    size_t count = 0;
    int r = read_names(tmp, fd, &names, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct stat st;
        bool removed = pack->job.layer && fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISCHR(st.st_mode) && st.st_rdev == 0;
        if (removed) {
            r = add_marker(pack, length, ".wh.", names[i], err);
            continue;
        }
        size_t room = sizeof(pack->path) - length;
        if (snprintf(pack->path + length, room, "%s%s", length ? "/" : "", names[i]) >= (int)room)
            return error_set(err, ENAMETOOLONG, "its name has more than %d bytes", TREE_PATH_MAX);
        r = add_child(pack, fd, names[i], depth, err);
        if (r == 0)
            pack->path[length] = '\0'; /* after an error it tells where */
    }
    return r;
}

static int add_dir(struct pack *pack, int fd, const struct stat *st, bool header, int depth,
                   struct error *err)
{
    size_t length = strlen(pack->path);
    if (depth > TREE_DEPTH_MAX)
        return error_set(err, ELOOP, "more than %d directories within each other", TREE_DEPTH_MAX);
    if (header) {
        set_entry(pack, st);
        add_xattrs(pack, fd);
        int r = write_header(pack, err);
        if (r < 0)
            return r;
    }
    if (pack->job.list)
        return 0;
    if (pack->job.layer && fgetxattr(fd, "trusted.overlay.redirect", NULL, 0) >= 0)
        return error_set(err, ENOTSUP, "the directory was renamed by overlayfs (redirect_dir)");
    if (pack->job.layer && has_mark(fd, "trusted.overlay.opaque")) {
        int r = add_marker(pack, length, ".wh..wh.", ".opq", err);
        if (r < 0)
            return r;
    }
    return pack_is_kernel_fs(fd) ? 0 : add_children(pack, fd, length, depth, err);
}

static int add_first(struct pack *pack, struct error *err)
{
    const struct pack_job *job = &pack->job;
    struct stat st;
    if (fstat(job->fd, &st) < 0)
        return error_errno(err, "look");
    str_copy(pack->path, sizeof(pack->path), job->name ? job->name : "");
    if (S_ISDIR(st.st_mode))
        return add_dir(pack, job->fd, &st, job->name != NULL, 0, err);
    if (S_ISREG(st.st_mode))
        return add_file(pack, job->fd, &st, err);
    return S_ISLNK(st.st_mode) ? add_symlink(pack, job->fd, "", &st, err) : add_node(pack, &st, err);
}

/* Over links nothing is found: one that was a directory when it was listed leads elsewhere by now. */
static int add_listed(struct pack *pack, const char *path, const char *name, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int dir = -1;
    if (!str_copy(pack->path, sizeof(pack->path), name))
        return error_set(err, ENAMETOOLONG, "its name has more than %d bytes", TREE_PATH_MAX);
    if (fs_open_beneath(pack->job.fd, path_parent(tmp, path), O_RDONLY | O_DIRECTORY, 0, false, &dir, NULL) <
        0)
        return 0;
    return add_child(pack, dir, path_name(path), 0, err);
}

static int add_list(struct pack *pack, struct error *err)
{
    const char *at = pack->job.list, *end = at + pack->job.list_size;
    int r = 0;
    while (r == 0 && at < end) {
        const char *name = at + strlen(at) + 1;
        if (name >= end)
            return error_set(err, EINVAL, "the list is cut short");
        r = add_listed(pack, at, name, err);
        at = name + strlen(name) + 1;
    }
    if (r == 0)
        pack->path[0] = '\0';
    return r;
}

int pack_run(struct pack *pack, struct error *err)
{
    int r = pack->job.list ? add_list(pack, err) : add_first(pack, err);
    if (r == 0 && archive_write_close(pack->archive) != ARCHIVE_OK)
        return archive_failed(pack, err);
    return r < 0 && *pack->path ? error_wrap(err, "'%.300s'", pack->path) : r;
}
