#include "sys/unit.h"

#include "base/macro.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The v2 hierarchy alone, or that of a hybrid host, by which systemd keeps track of its units there too. */
static const char *const tops[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

bool unit_is_named(const char *cgroups)
{
    static const char *const kinds[] = {".service", ".scope"};
    const char *line = strncmp(cgroups, "0::", 3) == 0 ? cgroups : strstr(cgroups, "\n0::");
    const char *end = line ? strchrnul(line + 1, '\n') : NULL;
    for (size_t i = 0; line && i < ARRAY_SIZE(kinds); i++)
        for (const char *p = line; (p = strstr(p, kinds[i])) && p < end;) {
            p += strlen(kinds[i]);
            if (p == end || *p == '/')
                return true;
        }
    return false;
}

static int open_top(void)
{
    char text[PATH_MAX + 1024];
    size_t got = 0;
    cleanup_close int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_full(fd, text, sizeof(text) - 1, &got, NULL) < 0)
        return -1;
    text[got] = '\0';
    for (size_t i = 0; unit_is_named(text) && i < ARRAY_SIZE(tops); i++) {
        cleanup_close int top = open(tops[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (top >= 0 && faccessat(top, "cgroup.procs", W_OK, 0) == 0)
            return TAKE_FD(top);
    }
    return -1;
}

pid_t unit_fork_outside(void)
{
    cleanup_close int top = open_top();
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (__u64)top};
    long pid = top < 0 ? -1 : syscall(SYS_clone3, &args, sizeof(args));
    return pid < 0 ? fork() : (pid_t)pid;
}
