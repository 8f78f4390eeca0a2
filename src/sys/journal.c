#include "sys/journal.h"

#include "sys/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static bool is_same_file(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Of several who find the file full, the one with the lock renames it, unless it has been renamed meanwhile.
 */
static void rotate(int fd, const char *path)
{
    char old[PATH_MAX];
    if (snprintf(old, sizeof(old), "%s.1", path) < (int)sizeof(old) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        is_same_file(fd, path))
        rename(path, old);
}

int journal_append(const char *path, const char *line, size_t size, struct error *err)
{
    cleanup_close int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    if (fd < 0)
        return error_errno(err, "open '%s'", path);
    int r = fd_write_all(fd, line, size, err);
    if (r == 0 && fstat(fd, &st) == 0 && st.st_size >= JOURNAL_MAX)
        rotate(fd, path);
    return r;
}

/* ---- reading ---- */

static void file_close(struct journal_file *file)
{
    cleanup_close_fn(&file->fd);
    file->fd = -1;
    file->used = 0;
}

static void file_open(struct journal_file *file, const char *path)
{
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    file->used = 0;
}

static void take_lines(struct journal_reader *reader, struct journal_file *file)
{
    char *start = file->line, *end;
    while ((end = memchr(start, '\n', file->used - (size_t)(start - file->line)))) {
        *end = '\0';
        reader->line(reader->data, start);
        start = end + 1;
    }
    file->used -= (size_t)(start - file->line);
    memmove(file->line, start, file->used);
    if (file->used == sizeof(file->line)) /* which nobody writes */
        file->used = 0;
}

static void file_read(struct journal_reader *reader, struct journal_file *file)
{
    ssize_t n;
    while (file->fd >= 0 &&
           (n = RETRY_EINTR(read(file->fd, file->line + file->used, sizeof(file->line) - file->used))) > 0) {
        file->used += (size_t)n;
        take_lines(reader, file);
    }
}

/* The older file and the current one; with `all` both are read, in this order, else only what is added. */
void journal_open(struct journal_reader *reader, const char *path, bool from_now)
{
    char old[PATH_MAX];
    reader->path = path;
    reader->current.fd = reader->before.fd = -1;
    snprintf(old, sizeof(old), "%s.1", path);
    if (!from_now)
        file_open(&reader->before, old);
    file_open(&reader->current, path);
    if (from_now && reader->current.fd >= 0)
        lseek(reader->current.fd, 0, SEEK_END);
}

/* Goes on to the next younger file; true when there was one. */
static bool advance(struct journal_reader *reader)
{
    char old[PATH_MAX];
    struct journal_file *current = &reader->current;
    if (current->fd >= 0 && is_same_file(current->fd, reader->path))
        return false;
    snprintf(old, sizeof(old), "%s.1", reader->path);
    /* Renamed more than once since: the one in between comes first. */
    bool skipped = current->fd >= 0 && !is_same_file(current->fd, old);
    struct journal_file next;
    file_open(&next, skipped ? old : reader->path);
    if (next.fd < 0)
        return false;
    if (current->fd >= 0) {
        file_close(&reader->before);
        reader->before = *current;
    }
    *current = next;
    return true;
}

void journal_read(struct journal_reader *reader)
{
    do {
        file_read(reader, &reader->before);
        file_read(reader, &reader->current);
    } while (advance(reader));
}

void journal_close(struct journal_reader *reader)
{
    file_close(&reader->before);
    file_close(&reader->current);
}
