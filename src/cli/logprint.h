#pragma once
/*
 * Several containers' output as docker compose shows it: each line behind the container's name, padded to the
 * longest, in a colour of its own.
 *
 *     web-1  | GET / 200
 *     db-1   | ready
 *
 * Lines of standard output go to standard output, those of standard error to standard error. A line appears
 * when it is complete (or too long to be kept), so that containers never share one.
 */
#include "engine/logreader.h"

#include <stdio.h>

struct log_printer_options {
    bool no_prefix, timestamps, color;
    FILE *out, *err;
    void (*before)(void *data); /* called before something is printed; may be NULL */
    void *data;
};

struct log_printer {
    struct log_printer_options options;
    int width; /* of the longest name */
    size_t sources;
};

/* A line that is no container's, with a mark where the others have their names. */
void log_printer_notice(struct log_printer *printer, const char *text);

struct log_source; /* a container's place in the display */

struct log_printer *log_printer_new(const void *owner, const struct log_printer_options *options);

/* Names that will come, so that the first lines are as wide as the later ones. */
void log_printer_reserve(struct log_printer *printer, const char *name);

/* `name` as the display shows it: see log_display_name. Colours go by the order of these calls. */
struct log_source *log_source_new(const void *owner, struct log_printer *printer, const char *name);

/* A record of the log; for log_options.record, with the source as data. */
void log_source_record(void *data, const struct log_record *record);

/* Prints what has no line end yet, and hands everything on to the files; for log_options.flushed too. */
void log_source_finish(struct log_source *source);
void log_source_flushed(void *data);

/* A line about the container itself: "web-1 exited with code 0". */
void log_source_status(struct log_source *source, const char *text);

/* The container's name without "PROJECT-". */
const char *log_display_name(const char *project, const char *container_name);
