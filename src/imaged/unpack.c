#include "imaged/unpack.h"

#include "base/mem.h"
#include "base/str.h"
#include "imaged/report.h"

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <sys/stat.h>

enum { BUFFER_SIZE = 256 << 10 };

struct unpack {
    struct unpack_job job;
    struct archive *archive;
    char *buffer;
    int read_error;
    struct tree_xattr *xattrs;
    size_t xattr_room;
    bool has_first;
    char first[NAME_MAX + 1]; /* rename: the archive's own name of what it has */
    char path[2 * TREE_PATH_MAX], link[2 * TREE_PATH_MAX];
};

static ssize_t read_input(struct archive *archive, void *data, const void **ret)
{
    struct unpack *unpack = data;
    ssize_t n = RETRY_EINTR(read(unpack->job.input, unpack->buffer, BUFFER_SIZE));
    if (n < 0) {
        unpack->read_error = errno;
        archive_set_error(archive, errno, "read");
        return ARCHIVE_FATAL;
    }
    *ret = unpack->buffer;
    return n;
}

static int unpack_destroy(struct unpack *unpack)
{
    archive_read_free(unpack->archive);
    return 0;
}

int unpack_new(const void *owner, const struct unpack_job *job, struct unpack **ret, struct error *err)
{
    struct unpack *unpack = mem_new(owner, struct unpack);
    unpack->job = *job;
    unpack->buffer = mem_array(unpack, char, BUFFER_SIZE);
    unpack->archive = mem_check(archive_read_new());
    talloc_set_destructor(unpack, unpack_destroy);
    if (archive_read_support_format_tar(unpack->archive) != ARCHIVE_OK ||
        archive_read_support_format_empty(unpack->archive) != ARCHIVE_OK)
        return error_set(err, EIO, "libarchive: %s", archive_error_string(unpack->archive));
    if (job->compressed) {
        archive_read_support_filter_gzip(unpack->archive);
        archive_read_support_filter_bzip2(unpack->archive);
        archive_read_support_filter_xz(unpack->archive);
        archive_read_support_filter_zstd(unpack->archive);
    }
    *ret = unpack;
    return 0;
}

static int entry_type(struct archive_entry *entry, enum tree_type *ret)
{
    if (archive_entry_hardlink(entry)) {
        *ret = TREE_HARDLINK;
        return 0;
    }
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        *ret = TREE_FILE;
        return 0;
    case AE_IFDIR:
        *ret = TREE_DIR;
        return 0;
    case AE_IFLNK:
        *ret = TREE_SYMLINK;
        return 0;
    case AE_IFCHR:
        *ret = TREE_CHAR;
        return 0;
    case AE_IFBLK:
        *ret = TREE_BLOCK;
        return 0;
    case AE_IFIFO:
        *ret = TREE_FIFO;
        return 0;
    default:
        return -1;
    }
}

static void read_xattrs(struct unpack *unpack, struct archive_entry *from, struct tree_entry *entry)
{
    int count = archive_entry_xattr_reset(from);
    if (count <= 0)
        return;
    if ((size_t)count > unpack->xattr_room) {
        unpack->xattrs = mem_grow(unpack, unpack->xattrs, struct tree_xattr, (size_t)count);
        unpack->xattr_room = (size_t)count;
    }
    struct tree_xattr *x = unpack->xattrs;
    size_t n = 0;
    while (n < unpack->xattr_room &&
           archive_entry_xattr_next(from, &x[n].name, &x[n].value, &x[n].size) == ARCHIVE_OK)
        n += x[n].name != NULL;
    entry->xattrs = x;
    entry->xattr_count = n;
}

static const char *skip_dots(const char *path)
{
    while (*path == '/' || (path[0] == '.' && (path[1] == '/' || path[1] == '\0')))
        path++;
    return path;
}

/* The name below the new one. */
static int rename_path(struct unpack *unpack, const char *path, char *to, size_t size, struct error *err)
{
    const char *rest = skip_dots(path);
    size_t n = strlen(unpack->first);
    if (strncmp(rest, unpack->first, n) != 0 || (n && rest[n] != '\0' && rest[n] != '/'))
        return error_set(err, EBADMSG, "it does not belong to '%s'", unpack->first);
    if (snprintf(to, size, "%s/%s", unpack->job.rename.name, rest + n) >= (int)size)
        return error_set(err, ENAMETOOLONG, "its name is too long");
    return 0;
}

static int entry_rename(struct unpack *unpack, struct tree_entry *entry, struct error *err)
{
    const struct unpack_rename *rename = &unpack->job.rename;
    if (!unpack->has_first) {
        const char *name = skip_dots(entry->path);
        size_t n = strcspn(name, "/");
        if (rename->is_file && entry->type == TREE_DIR)
            return error_set(err, EISDIR, "cannot copy directory");
        if (rename->is_directory && entry->type != TREE_DIR)
            return error_set(err, ENOENT, "no such directory");
        if (n >= sizeof(unpack->first))
            return error_set(err, ENAMETOOLONG, "its name is too long");
        memcpy(unpack->first, name, n);
        unpack->has_first = true;
    }
    int r = rename_path(unpack, entry->path, unpack->path, sizeof(unpack->path), err);
    if (r == 0 && entry->type == TREE_HARDLINK) {
        r = rename_path(unpack, entry->link, unpack->link, sizeof(unpack->link), err);
        entry->link = unpack->link;
    }
    entry->path = unpack->path;
    return r;
}

static int entry_read(struct unpack *unpack, struct archive_entry *from, struct tree_entry *ret,
                      struct error *err)
{
    struct tree_entry entry = {
        .path = archive_entry_pathname(from),
        .mode = archive_entry_perm(from),
        .uid = archive_entry_uid(from),
        .gid = archive_entry_gid(from),
        .size = archive_entry_size_is_set(from) ? archive_entry_size(from) : 0,
        .mtime = {archive_entry_mtime(from), archive_entry_mtime_nsec(from)},
    };
    if (!entry.path || !*entry.path)
        return error_set(err, EBADMSG, "it has no name, or one that is not text");
    if (entry_type(from, &entry.type) < 0)
        return error_set(err, EBADMSG, "it is of an unknown type");
    if (entry.type == TREE_HARDLINK)
        entry.link = archive_entry_hardlink(from);
    else if (entry.type == TREE_SYMLINK)
        entry.link = archive_entry_symlink(from);
    if (entry.type == TREE_CHAR || entry.type == TREE_BLOCK) {
        entry.major = (int64_t)archive_entry_rdevmajor(from);
        entry.minor = (int64_t)archive_entry_rdevminor(from);
    }
    if (unpack->job.has_owner) {
        entry.uid = unpack->job.uid;
        entry.gid = unpack->job.gid;
    }
    read_xattrs(unpack, from, &entry);
    int r = unpack->job.rename.name ? entry_rename(unpack, &entry, err) : 0;
    if (r == 0)
        *ret = entry;
    return r;
}

static int archive_failed(struct unpack *unpack, struct error *err)
{
    if (unpack->read_error) {
        errno = unpack->read_error;
        return error_errno(err, "read");
    }
    const char *text = archive_error_string(unpack->archive);
    return error_set(err, EBADMSG, "the tar archive is damaged: %.400s", text ? text : "unknown");
}

static int copy_data(struct unpack *unpack, struct tree *tree, int fd, struct error *err)
{
    const void *data;
    size_t size;
    la_int64_t offset;
    for (;;) {
        int status = archive_read_data_block(unpack->archive, &data, &size, &offset);
        if (status == ARCHIVE_EOF)
            return 0;
        if (status != ARCHIVE_OK)
            return archive_failed(unpack, err);
        int r = tree_write(tree, fd, data, size, offset, err);
        if (r < 0)
            return r;
    }
}

static int add_entry(struct unpack *unpack, struct tree *tree, struct archive_entry *from, struct error *err)
{
    struct tree_entry entry = {0};
    cleanup_close int fd = -1;
    int r = entry_read(unpack, from, &entry, err);
    if (r == 0)
        r = tree_add(tree, &entry, &fd, err);
    if (r == 0 && fd >= 0)
        r = copy_data(unpack, tree, fd, err);
    if (r == 0 && fd >= 0)
        r = tree_finish_file(tree, fd, &entry, err);
    if (r < 0 && entry.path)
        return error_wrap(err, "entry '%.300s'", entry.path);
    return r;
}

static void send_path(int fd, enum report_kind kind, const char *path)
{
    report_send(fd, kind, 0, 0, path, strlen(path), NULL);
}

static void send_opaque(void *data, const char *path)
{
    send_path(*(int *)data, REPORT_OPAQUE, path);
}

static void send_implied(void *data, const char *path)
{
    send_path(*(int *)data, REPORT_IMPLIED, path);
}

static int add_entries(struct unpack *unpack, struct tree *tree, struct error *err)
{
    if (archive_read_open(unpack->archive, unpack, NULL, read_input, NULL) != ARCHIVE_OK)
        return archive_failed(unpack, err);
    for (;;) {
        struct archive_entry *entry;
        int status = archive_read_next_header(unpack->archive, &entry);
        if (status == ARCHIVE_EOF)
            break;
        /* A warning leaves the entry usable: a name that is not UTF-8, an unknown PAX key. */
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
            return archive_failed(unpack, err);
        int r = add_entry(unpack, tree, entry, err);
        if (r < 0)
            return r;
    }
    /* What follows the end mark belongs to the digest, so the writer must not find the pipe closed. */
    for (ssize_t n = 1; n > 0;) {
        n = RETRY_EINTR(read(unpack->job.input, unpack->buffer, BUFFER_SIZE));
        if (n < 0)
            return error_errno(err, "read");
    }
    return tree_finish(tree, err);
}

int unpack_run(struct unpack *unpack, int root_fd, struct error *err)
{
    struct tree *tree = tree_new(unpack, root_fd, &unpack->job.options);
    int r = add_entries(unpack, tree, err);
    if (unpack->job.report < 0)
        return r;
    if (r < 0) {
        report_send_error(unpack->job.report, 0, err);
        return r;
    }
    tree_foreach_opaque(tree, send_opaque, &unpack->job.report);
    tree_foreach_implied(tree, send_implied, &unpack->job.report);
    return report_send(unpack->job.report, REPORT_DONE, 0, (uint64_t)tree_bytes(tree), NULL, 0, err);
}
