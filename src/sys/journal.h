#pragma once
/*
 * A journal: lines that several processes append to one file, and others follow. Needs libc only.
 *
 * A line is one write(2) to a descriptor that appends, so lines never mix. A file that has grown to
 * JOURNAL_MAX bytes is renamed to PATH.1, over an older one, by whoever finds it so: there are never more
 * than two. Who writes to the old one in that moment still does no harm, because a reader reads it to its end
 * (journal_read).
 */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { JOURNAL_MAX = 256 << 10, JOURNAL_LINE_MAX = 16 << 10 };

/* `line` ends with a line break. The directory is there. */
int journal_append(const char *path, const char *line, size_t size, struct error *err);

struct journal_file {
    int fd; /* -1: none */
    size_t used;
    char line[JOURNAL_LINE_MAX]; /* the beginning of one that is not all there yet */
};

/* Follows a journal; the storage is the caller's. */
struct journal_reader {
    const char *path;
    struct journal_file current, before;
    /* Called with each line, without its end and NUL-ended. */
    void (*line)(void *data, char *line);
    void *data;
};

/* From the oldest line on, or (`from_now`) with those that come after this call. */
void journal_open(struct journal_reader *reader, const char *path, bool from_now);
void journal_read(struct journal_reader *reader); /* what is there */
void journal_close(struct journal_reader *reader);
