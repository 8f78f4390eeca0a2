/*
 * The log in Docker's json-file form: one object for each line,
 *
 *     {"log":"text\n","stream":"stdout","time":"2024-01-02T03:04:05.678901234Z"}
 *
 * The unfinished line of a stream is kept also when no log is written: a client that attaches gets it.
 *
 * A line longer than 16 KiB becomes several records, of which only the last has the line break; so does
 * output that ended without one. Bytes that are not UTF-8 become U+FFFD. Records are written whole, so a
 * reader never sees half of one unless the disk is full. Rotation renames container.log to .1 and so on; a
 * reader goes on with its open file to the end and then finds a new inode under the name.
 * Each record is sent away too when the driver says so (forward.c).
 */
#include "monitor/monitor.h"

#include "sys/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

void date_of_day(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468, era = z / 146097, in_era = z - era * 146097;
    int64_t of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * of_era + of_era / 4 - of_era / 100), shifted = (5 * in_year + 2) / 153;
    *day = (int)(in_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int)(of_era + era * 400 + (*month <= 2));
}

static void print_time(char *to, size_t size)
{
    struct timespec now;
    int year, month, day;
    clock_gettime(CLOCK_REALTIME, &now);
    date_of_day(now.tv_sec / 86400, &year, &month, &day);
    int second = (int)(now.tv_sec % 86400);
    snprintf(to, size, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", year, month, day, second / 3600,
             second / 60 % 60, second % 60, now.tv_nsec);
}

static int open_file(struct logfile *log, int flags)
{
    log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0640);
    return log->fd;
}

int logfile_open(struct logfile *log, const struct conf *conf, struct error *err)
{
    log->fd = -1;
    log->max_size = conf->log_max_size;
    log->max_file = conf->log_max_file;
    log->attributes = conf->log_attributes;
    int r = forward_open(&log->forward, conf, err);
    if (r < 0)
        return r;
    if (!conf->log)
        return 0;
    snprintf(log->path, sizeof(log->path), "%s/log/container.log", conf->dir);
    struct stat st;
    if (open_file(log, 0) < 0 || fstat(log->fd, &st) < 0)
        return error_errno(err, "open '%s'", log->path);
    log->size = st.st_size;
    return 0;
}

static void rotate(struct logfile *log)
{
    char from[sizeof(log->path) + 24], to[sizeof(log->path) + 24];
    for (int64_t i = log->max_file - 1; i > 0; i--) {
        snprintf(to, sizeof(to), "%s.%lld", log->path, (long long)i);
        if (i > 1)
            snprintf(from, sizeof(from), "%s.%lld", log->path, (long long)i - 1);
        else
            snprintf(from, sizeof(from), "%s", log->path);
        rename(from, to);
    }
    if (log->max_file <= 1)
        unlink(log->path);
    close(log->fd);
    log->size = 0;
    log->rotations++;
    open_file(log, 0);
}

static void write_buffer(struct logfile *log)
{
    if (log->fd >= 0 && log->buffered) {
        if (fd_write_all(log->fd, log->buffer, log->buffered, NULL) == 0)
            log->size += (int64_t)log->buffered;
        else if (ftruncate(log->fd, log->size) < 0) /* the disk is full: no half a record */
            log->size = lseek(log->fd, 0, SEEK_END);
    }
    log->buffered = 0;
}

/* The length of the UTF-8 character at `p`, 0 when it is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
               (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90);
    return bad ? 0 : n;
}

/* At most 6 bytes for each of `size`. */
size_t json_escape(char *to, const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    char *start = to;
    for (size_t i = 0; i < size;) {
        size_t n = utf8_length(p + i, size - i);
        unsigned char c = p[i];
        if (n == 0) {
            memcpy(to, "\\ufffd", 6);
            to += 6;
            i++;
        } else if (n > 1 || (c >= ' ' && c != '"' && c != '\\' && c != 0x7f)) {
            memcpy(to, p + i, n);
            to += n;
            i += n;
        } else {
            const char *found = c ? strchr("\"\"\\\\\nn\rr\tt", c) : NULL;
            if (found) {
                *to++ = '\\';
                *to++ = found[1];
            } else {
                static const char digits[] = "0123456789abcdef";
                memcpy(to, "\\u00", 4);
                to[4] = digits[c >> 4];
                to[5] = digits[c & 15];
                to += 6;
            }
            i++;
        }
    }
    return (size_t)(to - start);
}

static size_t put(char *to, const char *text)
{
    size_t n = strlen(text);
    memcpy(to, text, n);
    return n;
}

static void add_record(struct logfile *log, enum stream stream, const char *text, size_t size,
                       const char *time_text)
{
    enum { OVERHEAD = 128 + LOG_ATTRIBUTES_MAX };
    forward_record(&log->forward, stream, text, size);
    if (log->fd < 0)
        return;
    if (log->buffered + size * 6 + OVERHEAD > sizeof(log->buffer))
        write_buffer(log);
    size_t before = log->buffered;
    char *to = log->buffer + before;
    to += put(to, "{\"log\":\"");
    to += json_escape(to, text, size);
    to += put(to, stream == STREAM_OUT ? "\",\"stream\":\"stdout" : "\",\"stream\":\"stderr");
    if (log->attributes[0]) {
        to += put(to, "\",\"attrs\":");
        to += put(to, log->attributes);
        to += put(to, ",\"time\":\"");
    } else {
        to += put(to, "\",\"time\":\"");
    }
    to += put(to, time_text);
    to += put(to, "\"}\n");
    size_t record = (size_t)(to - log->buffer) - before;
    if (log->max_size > 0 && log->size + (int64_t)(before + record) > log->max_size &&
        log->size + (int64_t)before > 0) {
        log->buffered = before;
        write_buffer(log);
        if (log->fd >= 0)
            rotate(log);
        memmove(log->buffer, log->buffer + before, record);
        before = 0;
    }
    log->buffered = before + record;
}

/* How much of a full line buffer to write, so that no character is cut in two. */
static size_t cut_at(const char *line, size_t size)
{
    for (size_t back = 1; back <= 3 && back < size; back++) {
        unsigned char c = (unsigned char)line[size - back];
        if (c < 0x80)
            break;
        if (c >= 0xc0)
            return utf8_length((const unsigned char *)line + size - back, back) == 0 ? size - back : size;
    }
    return size;
}

void logfile_write(struct logfile *log, enum stream stream, const char *data, size_t size)
{
    char time_text[40];
    print_time(time_text, sizeof(time_text));
    char *line = log->line[stream];
    while (size) {
        size_t room = LINE_MAX_BYTES - log->used[stream];
        size_t n = size < room ? size : room;
        const char *end = memchr(data, '\n', n);
        if (end)
            n = (size_t)(end - data) + 1;
        memcpy(line + log->used[stream], data, n);
        size_t used = log->used[stream] += n;
        data += n;
        size -= n;
        if (end) {
            add_record(log, stream, line, used, time_text);
            log->used[stream] = 0;
        } else if (used == LINE_MAX_BYTES) {
            size_t cut = cut_at(line, used);
            add_record(log, stream, line, cut, time_text);
            memmove(line, line + cut, used - cut);
            log->used[stream] = used - cut;
        }
    }
}

void logfile_flush(struct logfile *log, bool partial_lines)
{
    char time_text[40];
    for (unsigned s = 0; partial_lines && s < STREAM__COUNT; s++) {
        if (!log->used[s])
            continue;
        print_time(time_text, sizeof(time_text));
        add_record(log, (enum stream)s, log->line[s], log->used[s], time_text);
        log->used[s] = 0;
    }
    write_buffer(log);
}
