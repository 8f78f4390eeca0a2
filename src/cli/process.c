#include "cli/process.h"

#include "base/str.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <pwd.h>
#include <sys/sysmacros.h>
#include <time.h>

/* What field numbers of /proc/PID/stat (proc(5)) are needed; the name in field 2 may contain anything. */
struct stat_fields {
    int parent, tty;
    uint64_t user_ticks, system_ticks, start_ticks;
};

static bool read_stat(const void *owner, pid_t pid, struct stat_fields *ret)
{
    char *text;
    size_t size;
    if (fs_read_file(owner, mem_printf(owner, "/proc/%d/stat", pid), 4096, &text, &size, NULL) != 0)
        return false;
    const char *rest = strrchr(text, ')');
    return rest &&
           sscanf(rest + 1,
                  " %*c %d %*d %*d %d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                  " %*d %*d %*d %*d %*d %*d %" SCNu64,
                  &ret->parent, &ret->tty, &ret->user_ticks, &ret->system_ticks, &ret->start_ticks) == 5;
}

static char *tty_name(const void *owner, int number)
{
    unsigned device_major = major((dev_t)(unsigned)number), device_minor = minor((dev_t)(unsigned)number);
    if (device_major >= 136 && device_major <= 143)
        return mem_printf(owner, "pts/%u", (device_major - 136) * 256 + device_minor);
    return mem_strdup(owner, number ? mem_printf(owner, "tty%u", device_minor) : "?");
}

static char *user_name(const void *owner, pid_t pid)
{
    struct stat st;
    if (stat(mem_printf(owner, "/proc/%d", pid), &st) != 0)
        return mem_strdup(owner, "?");
    const struct passwd *user = getpwuid(st.st_uid);
    return user ? mem_strdup(owner, user->pw_name) : mem_printf(owner, "%u", st.st_uid);
}

/* Arguments joined by blanks; a kernel thread or a process that is ending has none. */
static char *command_line(const void *owner, pid_t pid)
{
    char *text;
    size_t size;
    if (fs_read_file(owner, mem_printf(owner, "/proc/%d/cmdline", pid), 1 << 20, &text, &size, NULL) != 0)
        return mem_strdup(owner, "");
    for (size_t i = 0; i + 1 < size; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    return text;
}

/* "14:50" today, "Nov23" before. */
static char *start_text(const void *owner, time_t started)
{
    char text[32];
    struct tm tm, today;
    time_t now = time(NULL);
    if (!localtime_r(&started, &tm) || !localtime_r(&now, &today))
        return mem_strdup(owner, "?");
    bool same_day = tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year;
    strftime(text, sizeof(text), same_day ? "%H:%M" : "%b%d", &tm);
    return mem_strdup(owner, text);
}

bool process_view_read(const void *owner, pid_t pid, struct process_view *ret)
{
    struct stat_fields fields;
    struct timespec up, now;
    if (!read_stat(owner, pid, &fields))
        return false;
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK), busy = (fields.user_ticks + fields.system_ticks) / hz;
    clock_gettime(CLOCK_BOOTTIME, &up);
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = up.tv_sec - (int64_t)(fields.start_ticks / hz);
    *ret = (struct process_view){
        .user = user_name(owner, pid),
        .pid = mem_printf(owner, "%d", pid),
        .parent = mem_printf(owner, "%d", fields.parent),
        .cpu = mem_printf(owner, "%" PRIu64, age > 0 ? busy * 100 / (uint64_t)age : 0),
        .started = start_text(owner, now.tv_sec - age),
        .tty = tty_name(owner, fields.tty),
        .time = mem_printf(owner, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, busy / 3600, busy / 60 % 60,
                           busy % 60),
        .command = command_line(owner, pid),
    };
    return true;
}
