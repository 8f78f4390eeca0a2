#pragma once
/*
 * Reads containers' logs in docker's json-file form, rotated files included, and follows them.
 *
 *     {"log":"text\n","stream":"stdout","time":"2026-11-23T14:50:01.123456789Z"}
 *
 * The current file is PATH, older ones PATH.1, PATH.2 ... The monitor rotates by renaming. A reader keeps the
 * file it is in open, so nothing is lost however many rotations pass between two looks: it reads that file to
 * its end and then every younger one, in order, found by their inodes. What the files contain comes from
 * containers: a line that is not such an object is skipped.
 *
 * Readers are independent of each other; following ones share a watch, because inotify instances are few.
 */
#include "base/error.h"
#include "sys/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_record {
    const char *text; /* `size` bytes, with the line's end unless the line goes on in the next record */
    size_t size;
    bool is_stderr;
    int64_t time;          /* ns since the epoch */
    const char *time_text; /* as it is written */
};

struct log_options {
    int64_t tail;         /* records at the end, -1: all */
    int64_t since, until; /* ns since the epoch, 0: no bound */
    uint64_t end;         /* bytes of the current file to read at most, 0: all */
    void (*record)(void *data, const struct log_record *record);
    void (*flushed)(void *data); /* after a batch while following; may be NULL */
    void *data;
};

struct log_reader; /* talloc; freeing it ends the reading */
struct log_watch;

/* A log that is not there yet is empty. */
int log_reader_open(const void *owner, const char *path, const struct log_options *options,
                    struct log_reader **ret, struct error *err);

/* Hands on what is there now. */
int log_reader_read(struct log_reader *reader, struct error *err);

/* No more records can come: one after `until` has been seen. */
bool log_reader_is_done(const struct log_reader *reader);

/* The watch must outlive its readers; make both children of one owner, the watch first, or end readers
 * before. */
int log_watch_new(const void *owner, struct loop *loop, struct log_watch **ret, struct error *err);

/* From now on the loop reads what is added. Read once after this, or what came in between waits. */
int log_watch_add(struct log_watch *watch, struct log_reader *reader, struct error *err);

/* "2026-11-23T14:50:01.5Z" and with offsets "+01:00"; ns since the epoch. */
bool rfc3339_parse(const char *text, int64_t *ret_ns);
