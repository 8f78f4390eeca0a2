/*
 * compote-copy: one half of a copy, confined to the files that it is about.
 *
 *     compote-copy pack --path=P [--follow] [--content|--layer|--list]
 *         a tree becomes a tar archive on standard output; with --list those files of the directory P that
 *         standard input lists, under the names that it gives them (pack.h)
 *     compote-copy place --path=P [--links] [--stream|--spread] [--owner=U:G]
 *         a tar archive on standard input becomes files; with --spread on several mounts, of which each says
 *         itself whether it can be written
 *     compote-copy remove --path=P
 *         what standard input lists below P goes, with what is in it: paths that end with NUL
 *
 * The current directory is the root of the file system that P is looked up in: a container's, in a mount
 * namespace of this process's own, or the machine's. P and the links in it are resolved inside that root,
 * first; then the process gives up everything else (sandbox.h), and only then it reads the tree or the
 * archive. Errors are one line on standard error, with the status 1.
 *
 * The rules for names are docker cp's. Where P ends with a slash, or with a dot, it means a directory: a link
 * is followed then, and with the dot it is the directory's content that is copied.
 */
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "imaged/pack.h"
#include "imaged/sandbox.h"
#include "imaged/unpack.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

enum { LINKS_MAX = 40, LIST_MAX = 256 << 20 };

struct options {
    const char *path;
    bool follow, content, layer, list; /* pack */
    bool links, stream, spread;        /* place */
    bool has_owner;
    uint32_t uid, gid;
};

static bool ends_with_dot(const char *path)
{
    const char *slash = strrchr(path, '/');
    return str_eq(slash ? slash + 1 : path, ".");
}

static bool is_written_as_directory(const char *path)
{
    size_t n = strlen(path);
    return (n && path[n - 1] == '/') || ends_with_dot(path);
}

/* The last part of the name, "." for content, "" never. */
static const char *name_of(const void *owner, const char *path)
{
    const char *name = path_name(path_clean(owner, path));
    return ends_with_dot(path) || !*name || str_eq(name, "/") ? "." : name;
}

static int read_only(int fd, int root_fd, struct error *err)
{
    struct statvfs fs;
    struct stat st, root;
    if (fstatvfs(fd, &fs) < 0 || !(fs.f_flag & ST_RDONLY))
        return 0;
    bool is_root = fstat(fd, &st) == 0 && fstat(root_fd, &root) == 0 && st.st_dev == root.st_dev;
    return error_set(err, EROFS, "%s is marked read-only", is_root ? "container rootfs" : "mounted volume");
}

/* The whole standard input, ended by NUL. */
static int read_list(const void *owner, char **ret, size_t *ret_size, struct error *err)
{
    struct stat st;
    if (fstat(STDIN_FILENO, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > LIST_MAX)
        return error_set(err, EINVAL, "the list is no file, or too large");
    *ret = mem_array(owner, char, (size_t)st.st_size + 1);
    return fd_read_full(STDIN_FILENO, *ret, (size_t)st.st_size, ret_size, err);
}

/* ---- pack ---- */

static int open_source(const struct options *o, int root_fd, int *ret_fd, struct error *err)
{
    bool follow = o->follow || is_written_as_directory(o->path);
    struct error cause = ERROR_INIT;
    cleanup_close int fd = -1;
    struct stat st;
    int r = fs_open_in_root(root_fd, o->path, O_PATH | (follow ? 0 : O_NOFOLLOW), &fd, &cause);
    if (r < 0)
        return error_set(err, cause.code, "%s", strerror(cause.code));
    if (fstat(fd, &st) < 0)
        return error_errno(err, "look");
    if (pack_is_kernel_fs(fd))
        return error_set(err, EINVAL, "what the kernel shows there has no content to copy");
    if (is_written_as_directory(o->path) && !S_ISDIR(st.st_mode))
        return error_set(err, ENOTDIR, "%s", strerror(ENOTDIR));
    if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) {
        /* The very same file, whatever may stand at its name by now. */
        char name[64];
        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        int readable = open(name, O_RDONLY | O_CLOEXEC);
        if (readable < 0)
            return error_errno(err, "open");
        close(fd);
        fd = readable;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* A directory becomes the root; the descriptor from outside would lead past the mount that is made inert. */
static int enter_source(const struct options *o, const struct sandbox *sandbox, int root_fd, int *fd,
                        struct error *err)
{
    struct stat st;
    if (fstat(*fd, &st) < 0)
        return error_errno(err, "look");
    bool is_dir = S_ISDIR(st.st_mode);
    int r = sandbox_enter(sandbox, o->layer ? SANDBOX_PACK_LAYER : SANDBOX_PACK, is_dir ? *fd : root_fd, err);
    if (r < 0 || !is_dir)
        return r;
    cleanup_close_fn(fd);
    *fd = -1;
    return fs_open_dir("/", fd, err);
}

static int run_pack(const void *owner, const struct options *o, int root_fd, struct error *err)
{
    cleanup_close int fd = -1;
    struct sandbox *sandbox;
    struct pack *pack;
    char *list = NULL;
    size_t list_size = 0;
    int r = o->list ? read_list(owner, &list, &list_size, err) : 0;
    if (r == 0)
        r = open_source(o, root_fd, &fd, err);
    if (r == 0)
        r = sandbox_new(owner, SANDBOX_PACK, SANDBOX_PACK_LAYER, &sandbox, err);
    if (r < 0)
        return r;
    r = enter_source(o, sandbox, root_fd, &fd, err);
    const struct pack_job job = {.output = STDOUT_FILENO,
                                 .fd = fd,
                                 .name = o->content || o->layer ? NULL : name_of(owner, o->path),
                                 .layer = o->layer,
                                 .list = list,
                                 .list_size = list_size};
    if (r == 0)
        r = pack_new(owner, &job, &pack, err);
    return r < 0 ? r : pack_run(pack, err);
}

/* ---- place ---- */

struct destination {
    char *dir; /* what entries go into */
    struct unpack_rename rename;
};

/* A link at the end of `path` leads on; *ret is where it ends, which need not be there. */
static int follow_links(const void *owner, int root_fd, const char *path, char **ret, struct stat *st,
                        struct error *err)
{
    char *at = mem_strdup(owner, path), target[TREE_PATH_MAX + 1];
    for (int i = 0; i < LINKS_MAX; i++) {
        cleanup_close int fd = -1;
        struct error cause = ERROR_INIT;
        *ret = at;
        int r = fs_open_in_root(root_fd, at, O_PATH | O_NOFOLLOW, &fd, &cause);
        if (r == -ENOENT)
            return FS_ABSENT;
        if (r < 0)
            return error_set(err, cause.code, "%s", strerror(cause.code));
        if (fstat(fd, st) < 0)
            return error_errno(err, "look");
        if (!S_ISLNK(st->st_mode))
            return 0;
        ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
        if (n < 0)
            return error_errno(err, "read link");
        target[n] = '\0';
        /* The text is joined and not cleaned: ".." after a link is the kernel's to understand. */
        at = target[0] == '/' ? mem_strdup(owner, target)
                              : mem_printf(owner, "%s/%s", path_parent(owner, at), target);
    }
    return error_set(err, ELOOP, "%s", strerror(ELOOP));
}

static int find_destination(const void *owner, const struct options *o, int root_fd, struct destination *ret,
                            struct error *err)
{
    struct stat st;
    char *plain = path_clean(owner, o->path), *at;
    int r = follow_links(owner, root_fd, plain, &at, &st, err);
    if (r < 0)
        return r;
    bool exists = r == 0;
    if (exists && S_ISDIR(st.st_mode)) {
        ret->dir = at;
        return 0;
    }
    if (exists && !S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "must be a directory or a regular file");
    if (o->stream)
        return error_set(err, ENOTDIR, "must be a directory");
    ret->dir = path_parent(owner, at);
    ret->rename = (struct unpack_rename){.name = path_name(at),
                                         .is_file = exists,
                                         .is_directory = !exists && is_written_as_directory(o->path)};
    return 0;
}

static int open_destination(const struct options *o, int root_fd, const struct destination *to, int *ret_fd,
                            struct error *err)
{
    struct error cause = ERROR_INIT;
    int r = fs_open_in_root(root_fd, to->dir, O_PATH | O_DIRECTORY, ret_fd, &cause);
    if (r < 0)
        return error_set(err, cause.code, "%s", strerror(cause.code));
    return o->links && !o->spread ? read_only(*ret_fd, root_fd, err) : 0;
}

static int run_place(const void *owner, const struct options *o, int root_fd, struct error *err)
{
    struct destination to = {0};
    cleanup_close int dir = -1;
    cleanup_close int root = -1;
    struct sandbox *sandbox;
    struct unpack *unpack;
    int r = find_destination(owner, o, root_fd, &to, err);
    if (r == 0)
        r = open_destination(o, root_fd, &to, &dir, err);
    if (r == 0)
        r = sandbox_new(owner, SANDBOX_PLACE, SANDBOX_PLACE, &sandbox, err);
    const struct unpack_job job = {
        .input = STDIN_FILENO,
        .report = -1,
        .options = {.lowest = true,
                    .literal = true,
                    .placing = true,
                    .room = INT64_MAX,
                    .below = o->links ? to.dir : NULL},
        .compressed = o->stream,
        .rename = to.rename,
        .has_owner = o->has_owner,
        .uid = o->uid,
        .gid = o->gid,
    };
    if (r == 0)
        r = unpack_new(owner, &job, &unpack, err);
    if (r == 0)
        r = sandbox_enter(sandbox, SANDBOX_PLACE, o->links ? root_fd : dir, err);
    if (r == 0)
        r = fs_open_dir("/", &root, err);
    return r < 0 ? r : unpack_run(unpack, root, err);
}

/* ---- remove ---- */

/* Links on the way lead where they lead for a process with that root; one at the end is what goes. */
static int remove_listed(int root_fd, const char *path, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int dir = -1;
    char *plain = path_clean(tmp, path);
    struct error cause = ERROR_INIT;
    int r = fs_open_in_root(root_fd, path_parent(tmp, plain), O_RDONLY | O_DIRECTORY, &dir, &cause);
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r == 0)
        r = fs_remove_tree_at(dir, path_name(plain), &cause);
    return r < 0 ? error_set(err, cause.code, "'%s': %s", plain, cause.text) : 0;
}

static int run_remove(const void *owner, const struct options *o, int root_fd, struct error *err)
{
    cleanup_close int dir = -1;
    cleanup_close int root = -1;
    struct sandbox *sandbox;
    char *list;
    size_t size;
    int r = read_list(owner, &list, &size, err);
    if (r == 0)
        r = fs_open_in_root(root_fd, o->path, O_PATH | O_DIRECTORY, &dir, err);
    if (r == 0)
        r = sandbox_new(owner, SANDBOX_PLACE, SANDBOX_PLACE, &sandbox, err);
    if (r == 0)
        r = sandbox_enter(sandbox, SANDBOX_PLACE, dir, err);
    if (r == 0)
        r = fs_open_dir("/", &root, err);
    for (const char *at = list; r == 0 && at < list + size; at += strlen(at) + 1)
        if (*at)
            r = remove_listed(root, at, err);
    return r;
}

/* ---- the program ---- */

static bool read_owner(const char *text, struct options *ret)
{
    char *end;
    ret->uid = (uint32_t)strtoul(text, &end, 10);
    ret->has_owner = *end == ':';
    if (ret->has_owner)
        ret->gid = (uint32_t)strtoul(end + 1, &end, 10);
    return ret->has_owner && *end == '\0';
}

static int read_options(int argc, char **argv, struct options *ret, struct error *err)
{
    static const struct option names[] = {
        {"path",    required_argument, NULL, 'p'},
        {"follow",  no_argument,       NULL, 'f'},
        {"content", no_argument,       NULL, 'c'},
        {"layer",   no_argument,       NULL, 'y'},
        {"list",    no_argument,       NULL, 'i'},
        {"spread",  no_argument,       NULL, 'd'},
        {"links",   no_argument,       NULL, 'l'},
        {"stream",  no_argument,       NULL, 's'},
        {"owner",   required_argument, NULL, 'o'},
        {NULL,      0,                 NULL, 0  },
    };
    bool valid = true;
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (o) {
        case 'p':
            ret->path = optarg;
            break;
        case 'f':
            ret->follow = true;
            break;
        case 'c':
            ret->content = true;
            break;
        case 'y':
            ret->layer = true;
            break;
        case 'i':
            ret->list = true;
            break;
        case 'd':
            ret->spread = true;
            break;
        case 'l':
            ret->links = true;
            break;
        case 's':
            ret->stream = true;
            break;
        case 'o':
            valid &= read_owner(optarg, ret);
            break;
        default:
            valid = false;
        }
    }
    if (!valid || argc - optind != 1 || str_is_empty(ret->path))
        return error_set(err, EINVAL, "usage: compote-copy pack|place|remove --path=PATH [options]");
    return 0;
}

static int run(const void *owner, int argc, char **argv, struct error *err)
{
    struct options options = {0};
    cleanup_close int root = -1;
    int r = read_options(argc, argv, &options, err);
    if (r == 0)
        r = fs_open_dir(".", &root, err);
    if (r < 0)
        return r;
    if (str_eq(argv[optind], "pack"))
        return run_pack(owner, &options, root, err);
    if (str_eq(argv[optind], "place"))
        return run_place(owner, &options, root, err);
    if (str_eq(argv[optind], "remove"))
        return run_remove(owner, &options, root, err);
    return error_set(err, EINVAL, "unknown command '%s'", argv[optind]);
}

int main(int argc, char **argv)
{
    TALLOC_CTX *owner = mem_ctx();
    struct error err = ERROR_INIT;
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    /* Names in PAX headers are UTF-8, and libarchive takes and gives them in the locale's encoding. */
    setlocale(LC_CTYPE, "C.UTF-8");
    int r = run(owner, argc, argv, &err);
    if (r < 0 && err.code != EPIPE)
        dprintf(STDERR_FILENO, "%s\n", err.text);
    /* Confined, there is no more to do than to end. */
    _exit(r < 0 ? 1 : 0);
}
