#include "monitor/monitor.h"

#include "sys/fd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <time.h>

int64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Errors are dropped: the monitor's first duty is the container, and nobody is there to be told. */
static void replace_file(const char *dir, const char *text, size_t size, bool durable)
{
    char path[PATH_MAX + 16], temporary[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/status", dir);
    snprintf(temporary, sizeof(temporary), "%s/status.tmp", dir);
    cleanup_close int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fd_write_all(fd, text, size, NULL) < 0)
        return;
    if (durable)
        fsync(fd);
    if (rename(temporary, path) < 0)
        unlink(temporary);
}

void record_status(struct monitor *m)
{
    char text[STATUS_TEXT_SIZE];
    size_t n = status_print(&m->status, text, sizeof(text));
    replace_file(m->conf.run, text, n, false);
}

/*
 * The record is read after a reboot only, so it may be missing for a moment; and ext4 writes a file out at
 * once when it is renamed over another one, which takes longer than everything else here.
 */
void record_note(struct monitor *m)
{
    char text[STATUS_TEXT_SIZE], path[PATH_MAX + 16];
    size_t n = status_print(&m->status, text, sizeof(text));
    snprintf(path, sizeof(path), "%s/status", m->conf.dir);
    unlink(path);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        fd_write_all(fd, text, n, NULL);
}

void record_durable(struct monitor *m)
{
    char text[STATUS_TEXT_SIZE];
    size_t n = status_print(&m->status, text, sizeof(text));
    replace_file(m->conf.dir, text, n, true);
    cleanup_close int dir = open(m->conf.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        fsync(dir);
}

void record_event(struct monitor *m, const char *action, const char *attributes, ...)
{
    char *line = m->event_line;
    size_t room = sizeof(m->event_line);
    va_list values;
    if (!m->conf.journal[0])
        return;
    int n = snprintf(line, room, "{\"time\":%lld,\"id\":\"%s\",\"action\":\"%s\",%s,\"attributes\":{",
                     (long long)wall_ns(), m->conf.id, action, m->conf.event);
    if (n < 0 || (size_t)n >= room)
        return;
    va_start(values, attributes);
    int more = vsnprintf(line + n, room - (size_t)n, attributes, values);
    va_end(values);
    if (more < 0 || (size_t)(n + more) + sizeof("}}\n") > room)
        return;
    memcpy(line + n + more, "}}\n", 3);
    journal_append(m->conf.journal, line, (size_t)(n + more) + 3, NULL);
}

void record_report(struct monitor *m, int code, const char *text)
{
    if (m->report_fd < 0)
        return;
    struct start_report report = {.code = code};
    if (text)
        snprintf(report.text, sizeof(report.text), "%s", text);
    fd_write_all(m->report_fd, &report, sizeof(report), NULL);
    close(m->report_fd);
    m->report_fd = -1;
}
