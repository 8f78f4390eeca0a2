#include "base/log.h"

#include <stdarg.h>
#include <time.h>

static bool enabled; /* the only mutable global: diagnostics are a property of the process */

void log_enable(bool on)
{
    enabled = on;
}

bool log_enabled(void)
{
    return enabled;
}

void log_debug(const char *fmt, ...)
{
    if (!enabled)
        return;
    int saved = errno;
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    dprintf(STDERR_FILENO, "[%ld.%06ld %d] %s\n", (long)now.tv_sec, now.tv_nsec / 1000, getpid(), text);
    errno = saved;
}
