#include "base/path.h"

#include "base/str.h"

char *path_clean(const void *owner, const char *path)
{
    bool absolute = *path == '/';
    char *out = mem_array(owner, char, strlen(path) + 2);
    size_t n = 0, floor = 0; /* below `floor` stand leading ".." components that cannot be taken back */
    if (absolute)
        out[n++] = '/';
    floor = n;
    while (*path) {
        while (*path == '/')
            path++;
        size_t len = strcspn(path, "/");
        if (len == 0)
            break;
        if (len == 1 && path[0] == '.') {
            /* stays where it is */
        } else if (len == 2 && path[0] == '.' && path[1] == '.' && n > floor) {
            while (n > floor && out[n - 1] != '/')
                n--;
            if (n > floor)
                n--;
        } else if (!(len == 2 && path[0] == '.' && path[1] == '.' && absolute)) {
            if (n && out[n - 1] != '/')
                out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
            if (len == 2 && path[0] == '.' && path[1] == '.')
                floor = n;
        }
        path += len;
    }
    if (n == 0)
        out[n++] = '.';
    out[n] = '\0';
    return out;
}

char *path_join(const void *owner, const char *base, const char *path)
{
    if (*path == '/' || str_is_empty(base))
        return path_clean(owner, path);
    char *joined = mem_printf(NULL, "%s/%s", base, path);
    char *clean = path_clean(owner, joined);
    talloc_free(joined);
    return clean;
}

char *path_relative(const void *owner, const char *base, const char *path)
{
    size_t same = 0, i = 0; /* bytes of both up to the end of a component */
    for (;; i++) {
        if ((!base[i] || base[i] == '/') && (!path[i] || path[i] == '/'))
            same = i;
        if (base[i] != path[i] || !base[i])
            break;
    }
    char *relative = mem_strdup(NULL, ".");
    for (const char *s = base + same; *s; s += strspn(s, "/"), s += strcspn(s, "/"))
        relative = mem_append_str(relative, s[strspn(s, "/")] ? "/.." : "");
    relative = mem_append_str(relative, path + same);
    char *clean = path_clean(owner, relative);
    talloc_free(relative);
    return clean;
}

char *path_parent(const void *owner, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_strdup(owner, ".");
    return mem_strndup(owner, path, slash == path ? 1 : (size_t)(slash - path));
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
