/*
 * Users and groups as the image names them. The files belong to whoever made the image: they are opened as
 * in a chroot (a link cannot lead out), without waiting for a FIFO, must be regular, and are read up to a
 * limit. Numbers are 0 to 2^32-2 in plain decimal; text that looks like a number is never a name, because
 * a fallback in one direction or the other has made "4294967296" root in other tools.
 */
#include "runtime/private.h"

#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 4 << 20, ID_TEXT_MAX = 64 };
#define ID_LIMIT UINT64_C(4294967294)

/* The content, or "" when there is no such file. */
static int read_database(const void *owner, int root_fd, const char *path, char **ret, struct error *err)
{
    cleanup_close int fd = -1;
    struct error problem = ERROR_INIT;
    int r = fs_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, &problem);
    if (r < 0) {
        if (problem.code == ENOENT || problem.code == ENOTDIR || problem.code == ELOOP) {
            *ret = mem_strdup(owner, "");
            return 0;
        }
        return error_set(err, problem.code, "the image's %s", problem.text);
    }
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "the image's '%s'", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "the image's '%s' is not a regular file", path);
    if (st.st_size > FILE_LIMIT)
        return error_set(err, EFBIG, "the image's '%s' is too large", path);
    char *text = mem_array(owner, char, (size_t)st.st_size + 1);
    size_t got;
    r = fd_read_full(fd, text, (size_t)st.st_size, &got, err);
    if (r < 0)
        return r;
    text[got] = '\0';
    *ret = text;
    return 0;
}

static bool is_number(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

static bool id_parse(const char *s, uint32_t *ret)
{
    uint64_t value;
    if (!is_number(s) || !str_to_u64(s, 0, ID_LIMIT, &value))
        return false;
    *ret = (uint32_t)value;
    return true;
}

/* Splits "a:b:c" in place; returns how many fields there are, at most `max`. */
static size_t split_fields(char *line, char **fields, size_t max)
{
    size_t n = 0;
    while (n < max && (fields[n] = strsep(&line, ":")))
        n++;
    return n;
}

static void user_row(char **fields, size_t count, struct user_ids *ids)
{
    uint32_t uid, gid;
    if (count < 4 || !id_parse(fields[2], &uid) || !id_parse(fields[3], &gid))
        return;
    ids->uid = uid;
    ids->gid = gid;
    if (count >= 6 && fields[5][0] == '/')
        str_copy(ids->home, sizeof(ids->home), fields[5]);
}

/* Looks for the user by name, or by number; *ret_name is the name found. */
static int find_user(const void *owner, int root_fd, const char *user, struct user_ids *ids, char **ret_name,
                     struct error *err)
{
    char *text;
    int r = read_database(owner, root_fd, "etc/passwd", &text, err);
    if (r < 0)
        return r;
    bool numeric = is_number(user);
    uint32_t wanted = 0;
    if (numeric && !id_parse(user, &wanted))
        return error_set(err, ERANGE, "user id '%s' is out of range", user);
    for (char *line; (line = strsep(&text, "\n"));) {
        char *fields[7];
        uint32_t uid;
        size_t count = split_fields(line, fields, 7);
        if (count < 4 || !id_parse(fields[2], &uid))
            continue;
        if (numeric ? uid == wanted : str_eq(fields[0], user)) {
            user_row(fields, count, ids);
            *ret_name = mem_strdup(owner, fields[0]);
            return 0;
        }
    }
    if (!numeric)
        return error_set(err, ENOENT, "no user '%s' in the image's /etc/passwd", user);
    ids->uid = wanted;
    *ret_name = NULL;
    return 0;
}

static bool group_has_member(char *members, const char *name)
{
    for (char *m; (m = strsep(&members, ","));)
        if (str_eq(m, name))
            return true;
    return false;
}

static int add_group(struct user_ids *ids, uint32_t gid, struct error *err)
{
    for (size_t i = 0; i < ids->group_count; i++)
        if (ids->groups[i] == gid)
            return 0;
    if (ids->group_count == USER_MAX_GROUPS)
        return error_set(err, E2BIG, "more than %d groups", USER_MAX_GROUPS);
    ids->groups[ids->group_count++] = gid;
    return 0;
}

/* Adds the groups that name `member` in /etc/group. */
static int add_memberships(const void *owner, const char *database, const char *member, struct user_ids *ids,
                           struct error *err)
{
    char *text = mem_strdup(owner, database);
    for (char *line; (line = strsep(&text, "\n"));) {
        char *fields[4];
        uint32_t gid;
        if (split_fields(line, fields, 4) < 4 || !id_parse(fields[2], &gid))
            continue;
        if (group_has_member(fields[3], member)) {
            int r = add_group(ids, gid, err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int find_group(const void *owner, const char *database, const char *group, uint32_t *ret,
                      struct error *err)
{
    if (is_number(group)) {
        if (!id_parse(group, ret))
            return error_set(err, ERANGE, "group id '%s' is out of range", group);
        return 0;
    }
    char *text = mem_strdup(owner, database);
    for (char *line; (line = strsep(&text, "\n"));) {
        char *fields[4];
        if (split_fields(line, fields, 4) >= 3 && str_eq(fields[0], group) && id_parse(fields[2], ret))
            return 0;
    }
    return error_set(err, ENOENT, "no group '%s' in the image's /etc/group", group);
}

int user_resolve(int root_fd, const char *user, char *const *group_add, struct user_ids *ret,
                 struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct user_ids ids = {.home = "/"};
    char *name = mem_strdup(tmp, str_is_empty(user) ? "0" : user);
    char *group = strchr(name, ':');
    if (group)
        *group++ = '\0';
    char *found = NULL, *database;
    int r = find_user(tmp, root_fd, *name ? name : "0", &ids, &found, err);
    if (r == 0)
        r = read_database(tmp, root_fd, "etc/group", &database, err);
    if (r < 0)
        return r;
    if (ids.uid == 0 && !found)
        str_copy(ids.home, sizeof(ids.home), "/root");
    if (!str_is_empty(group))
        r = find_group(tmp, database, group, &ids.gid, err);
    else if (found)
        r = add_memberships(tmp, database, found, &ids, err);
    for (size_t i = 0; r == 0 && group_add && group_add[i]; i++) {
        uint32_t gid;
        r = find_group(tmp, database, group_add[i], &gid, err);
        if (r == 0)
            r = add_group(&ids, gid, err);
    }
    if (r == 0)
        r = add_group(&ids, ids.gid, err);
    if (r == 0)
        *ret = ids;
    return r;
}
