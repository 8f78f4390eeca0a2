#include "engine/logreader.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/units.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

enum {
    READ_SIZE = 64 * 1024,
    LINE_MAX_SIZE = 1024 * 1024, /* longer lines are not ours */
    ROTATED_MAX = 1000,
};

struct log_reader {
    char *path;
    struct log_options options;
    int fd; /* the file that is being read, or -1 when there was none yet */
    dev_t device;
    ino_t inode;
    off_t offset;
    char *buffer; /* an unfinished line at its start */
    size_t used, room;
    bool skipping; /* the rest of an overlong line */
    bool done;
    struct log_watch *watch; /* or NULL */
    int wd;
    bool dirty;
};

/* The chain of a log's files, youngest first. */
struct chain {
    struct chain_file {
        int fd;
        dev_t device;
        ino_t inode;
        off_t size;
    } files[ROTATED_MAX];
    size_t count;
};

static int chain_done(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        cleanup_close_fn(&chain->files[i].fd);
    return 0;
}

/*
 * Opens from the youngest on, until `stop` (the reader's own file) or the end. A rotation meanwhile only
 * moves files towards the end, so that one may be met twice but none is missed.
 */
static int chain_open(struct chain *chain, const char *path, const struct log_reader *stop, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    chain->count = 0;
    for (size_t n = 0; n < ROTATED_MAX; n++) {
        const char *name = n ? mem_printf(tmp, "%s.%zu", path, n) : path;
        cleanup_close int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT && n == 0)
            continue;
        if (fd < 0 && errno == ENOENT)
            return 0;
        struct stat st;
        if (fd < 0 || fstat(fd, &st) != 0) {
            error_errno(err, "open '%s'", name);
            chain_done(chain);
            return -err->code;
        }
        if (stop->fd >= 0 && st.st_dev == stop->device && st.st_ino == stop->inode)
            return 0;
        bool seen = false;
        for (size_t i = 0; i < chain->count; i++)
            seen |= chain->files[i].device == st.st_dev && chain->files[i].inode == st.st_ino;
        if (!seen && S_ISREG(st.st_mode))
            chain->files[chain->count++] = (struct chain_file){TAKE_FD(fd), st.st_dev, st.st_ino, st.st_size};
    }
    return 0;
}

/* Moves the reader to a file of the chain. */
static void enter_file(struct log_reader *reader, struct chain_file *file, off_t offset)
{
    cleanup_close_fn(&reader->fd);
    reader->fd = TAKE_FD(file->fd);
    reader->device = file->device;
    reader->inode = file->inode;
    reader->offset = offset;
    reader->used = 0;
    reader->skipping = false;
}

static bool digits(const char **p, int count, int *ret)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        value = value * 10 + (**p - '0');
    }
    *ret = value;
    return true;
}

static bool expect(const char **p, const char *any)
{
    if (!**p || !strchr(any, **p))
        return false;
    (*p)++;
    return true;
}

bool rfc3339_parse(const char *text, int64_t *ret_ns)
{
    const char *p = text;
    struct tm tm = {0};
    int hours = 0, minutes = 0;
    if (!(digits(&p, 4, &tm.tm_year) && expect(&p, "-") && digits(&p, 2, &tm.tm_mon) && expect(&p, "-") &&
          digits(&p, 2, &tm.tm_mday) && expect(&p, "Tt ") && digits(&p, 2, &tm.tm_hour) && expect(&p, ":") &&
          digits(&p, 2, &tm.tm_min) && expect(&p, ":") && digits(&p, 2, &tm.tm_sec)))
        return false;
    int64_t ns = 0;
    if (*p == '.') {
        p++;
        for (int64_t unit = NS_PER_S / 10; *p >= '0' && *p <= '9'; p++, unit /= 10)
            ns += unit * (*p - '0');
    }
    char sign = *p;
    if (!expect(&p, "Zz+-"))
        return false;
    if (strchr("+-", sign) && !(digits(&p, 2, &hours) && expect(&p, ":") && digits(&p, 2, &minutes)))
        return false;
    if (*p || tm.tm_year < 1970 || tm.tm_year > 2200 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t away = (hours * 60 + minutes) * (int64_t)60 * (sign == '-' ? -1 : 1);
    *ret_ns = (timegm(&tm) - away) * NS_PER_S + ns;
    return true;
}

static void handle_line(struct log_reader *reader, const char *line, size_t size)
{
    json_t *object = json_loadb(line, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    json_t *text = json_object_get(object, "log");
    const char *stream = json_string_value(json_object_get(object, "stream"));
    const char *time = json_string_value(json_object_get(object, "time"));
    struct log_record record = {
        .text = json_string_value(text), .size = json_string_length(text), .time_text = time};
    if (!record.text || !stream || !time || !rfc3339_parse(time, &record.time)) {
        log_debug("%s: line that is no log record", reader->path);
        json_decref(object);
        return;
    }
    record.is_stderr = str_eq(stream, "stderr");
    if (reader->options.until && record.time > reader->options.until)
        reader->done = true;
    else if (!reader->options.since || record.time >= reader->options.since)
        reader->options.record(reader->options.data, &record);
    json_decref(object);
}

/* Hands on the whole lines of the buffer and keeps the rest. */
static void handle_buffer(struct log_reader *reader)
{
    char *line = reader->buffer, *end = reader->buffer + reader->used, *newline;
    while (!reader->done && (newline = memchr(line, '\n', (size_t)(end - line)))) {
        if (!reader->skipping)
            handle_line(reader, line, (size_t)(newline - line));
        reader->skipping = false;
        line = newline + 1;
    }
    reader->used = (size_t)(end - line);
    memmove(reader->buffer, line, reader->used);
    if (reader->used >= LINE_MAX_SIZE) {
        reader->skipping = true;
        reader->used = 0;
    }
}

/* Up to the size that the file has now, so that a busy writer cannot hold the caller for ever. */
static int read_file(struct log_reader *reader, struct error *err)
{
    struct stat st;
    if (fstat(reader->fd, &st) != 0)
        return error_errno(err, "stat '%s'", reader->path);
    if (reader->options.end && st.st_size > (off_t)reader->options.end)
        st.st_size = (off_t)reader->options.end;
    while (!reader->done && reader->offset < st.st_size) {
        if (reader->room - reader->used < READ_SIZE) {
            reader->room = reader->used + READ_SIZE;
            reader->buffer = mem_grow(reader, reader->buffer, char, reader->room);
        }
        size_t wanted =
            st.st_size - reader->offset < READ_SIZE ? (size_t)(st.st_size - reader->offset) : READ_SIZE;
        ssize_t n = RETRY_EINTR(pread(reader->fd, reader->buffer + reader->used, wanted, reader->offset));
        if (n < 0)
            return error_errno(err, "read '%s'", reader->path);
        if (n == 0)
            break;
        reader->offset += n;
        reader->used += (size_t)n;
        handle_buffer(reader);
    }
    return 0;
}

/* Whether PATH is another file than the one being read. */
static bool is_rotated(const struct log_reader *reader)
{
    struct stat st;
    if (lstat(reader->path, &st) != 0)
        return false;
    return reader->fd < 0 || st.st_dev != reader->device || st.st_ino != reader->inode;
}

/* Reads the younger files to their ends, oldest first, and stays in the youngest. */
static int read_younger(struct log_reader *reader, struct error *err)
{
    struct chain *chain = mem_new(reader, struct chain);
    int r = chain_open(chain, reader->path, reader, err);
    /* What the old file got before it was renamed. */
    if (r == 0 && reader->fd >= 0)
        r = read_file(reader, err);
    for (size_t i = chain->count; r == 0 && !reader->done && i-- > 0;) {
        enter_file(reader, &chain->files[i], 0);
        r = read_file(reader, err);
    }
    chain_done(chain);
    talloc_free(chain);
    return r;
}

int log_reader_read(struct log_reader *reader, struct error *err)
{
    if (reader->done)
        return 0;
    int r = reader->fd >= 0 ? read_file(reader, err) : 0;
    if (r == 0 && !reader->done && is_rotated(reader))
        r = read_younger(reader, err);
    return r;
}

bool log_reader_is_done(const struct log_reader *reader)
{
    return reader->done;
}

/* Where the last *lines lines of a file begin; *lines becomes how many are still to be found before it. */
static int find_tail(const struct chain_file *file, int64_t *lines, off_t *ret, struct error *err)
{
    char block[READ_SIZE / 8];
    off_t at = file->size;
    while (at > 0) {
        size_t size = at < (off_t)sizeof(block) ? (size_t)at : sizeof(block);
        ssize_t n = RETRY_EINTR(pread(file->fd, block, size, at - (off_t)size));
        if (n < 0)
            return error_errno(err, "read the log");
        if ((size_t)n < size)
            break;
        at -= (off_t)size;
        for (size_t i = size; i-- > 0;) {
            /* A line's end counts when the line after it is complete or begun, not at the very end. */
            if (block[i] != '\n' || at + (off_t)i + 1 == file->size)
                continue;
            if (--*lines == 0) {
                *ret = at + (off_t)i + 1;
                return 0;
            }
        }
    }
    if (file->size > 0)
        --*lines;
    *ret = 0;
    return 0;
}

/* Puts the reader where its first record is, reading the older files on the way. */
static int seek_start(struct log_reader *reader, struct chain *chain, struct error *err)
{
    int64_t lines = reader->options.tail;
    off_t offset = lines == 0 && chain->count ? chain->files[0].size : 0;
    size_t first = lines < 0 && chain->count ? chain->count - 1 : 0;
    for (size_t i = 0; lines > 0 && i < chain->count; i++) {
        int r = find_tail(&chain->files[i], &lines, &offset, err);
        if (r < 0)
            return r;
        first = i;
    }
    for (size_t i = first + 1; chain->count && i-- > 0;) {
        enter_file(reader, &chain->files[i], i == first ? offset : 0);
        int r = i > 0 && !reader->done ? read_file(reader, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int reader_destroy(struct log_reader *reader);

int log_reader_open(const void *owner, const char *path, const struct log_options *options,
                    struct log_reader **ret, struct error *err)
{
    struct log_reader *reader = mem_new(owner, struct log_reader);
    reader->path = mem_strdup(reader, path);
    reader->options = *options;
    reader->fd = reader->wd = -1;
    talloc_set_destructor(reader, reader_destroy);
    struct chain *chain = mem_new(reader, struct chain);
    int r = chain_open(chain, path, reader, err);
    if (r == 0)
        r = seek_start(reader, chain, err);
    chain_done(chain);
    talloc_free(chain);
    if (r < 0)
        talloc_free(reader);
    else
        *ret = reader;
    return r;
}

struct log_watch {
    int inotify;
    struct loop *loop;
    struct loop_source source;
    struct log_reader **readers;
    size_t count;
};

static int reader_destroy(struct log_reader *reader)
{
    cleanup_close_fn(&reader->fd);
    struct log_watch *watch = reader->watch;
    for (size_t i = 0; watch && i < watch->count; i++)
        if (watch->readers[i] == reader) {
            inotify_rm_watch(watch->inotify, reader->wd);
            watch->readers[i] = watch->readers[--watch->count];
            break;
        }
    return 0;
}

static int watch_destroy(struct log_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        watch->readers[i]->watch = NULL;
    loop_remove(watch->loop, &watch->source);
    cleanup_close_fn(&watch->inotify);
    return 0;
}

static void mark_dirty(struct log_watch *watch, const struct inotify_event *event)
{
    for (size_t i = 0; i < watch->count; i++)
        if ((event->mask & IN_Q_OVERFLOW) || watch->readers[i]->wd == event->wd)
            watch->readers[i]->dirty = true;
}

static int on_inotify(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                      void *data, struct error *err)
{
    struct log_watch *watch = data;
    _Alignas(struct inotify_event) char buffer[READ_SIZE / 4];
    ssize_t n;
    while ((n = RETRY_EINTR(read(watch->inotify, buffer, sizeof(buffer)))) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)(buffer + at);
            mark_dirty(watch, event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    for (size_t i = 0; i < watch->count; i++) {
        struct log_reader *reader = watch->readers[i];
        if (!reader->dirty)
            continue;
        reader->dirty = false;
        int r = log_reader_read(reader, err);
        if (r < 0)
            return r;
        if (reader->options.flushed)
            reader->options.flushed(reader->options.data);
    }
    return 0;
}

int log_watch_new(const void *owner, struct loop *loop, struct log_watch **ret, struct error *err)
{
    struct log_watch *watch = mem_new(owner, struct log_watch);
    watch->source = (struct loop_source)LOOP_SOURCE_INIT;
    watch->loop = loop;
    watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    talloc_set_destructor(watch, watch_destroy);
    int r = watch->inotify < 0
                ? error_errno(err, "watch logs")
                : loop_add(loop, &watch->source, watch->inotify, EPOLLIN, on_inotify, watch, err);
    if (r < 0)
        talloc_free(watch);
    else
        *ret = watch;
    return r;
}

int log_watch_add(struct log_watch *watch, struct log_reader *reader, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *directory = path_parent(tmp, reader->path);
    reader->wd = inotify_add_watch(watch->inotify, directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    if (reader->wd < 0)
        return error_errno(err, "watch '%s'", directory);
    reader->watch = watch;
    mem_append(watch, watch->readers, watch->count, reader);
    return 0;
}
