#include "network/sysctl.h"

#include <fcntl.h>
#include <string.h>

int sysctl_set(const char *name, const char *value, struct error *err)
{
    char path[256], now[64];
    snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? SYSCTL_ABSENT : error_errno(err, "open '%s'", path);
    ssize_t n = read(fd, now, sizeof(now) - 1);
    if (n > 0) {
        now[n] = '\0';
        now[strcspn(now, "\n")] = '\0';
        if (strcmp(now, value) == 0)
            return 0;
    }
    if (pwrite(fd, value, strlen(value), 0) < 0)
        return error_errno(err, "write '%s' to '%s'", value, path);
    return 0;
}
