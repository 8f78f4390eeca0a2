#pragma once
/*
 * The error value.
 *
 * Every function that can fail returns int: 0 is success; a negative value means that it failed
 * and filled `err`, and the caller passes that on; a positive value is an outcome that the
 * function's header names (LOCK_BUSY, STORE_ABSENT ...) and `err` is untouched.
 *
 * The value belongs to the caller and holds its text inline, so that it cannot leak, needs no
 * release, and works when memory is gone. Texts read from the outside in, joined by ": "; no
 * "failed to", no full stop; strings that came from a user stand in single quotes; advice goes on a
 * second line (error_hint). Only the programs' main functions and the cli print them.
 */
#include "base/macro.h"

#include <stdarg.h>
#include <stdbool.h>

enum { ERROR_TEXT_SIZE = 2048 };

struct error {
    int code; /* an errno value that fits; 0 while unset */
    char text[ERROR_TEXT_SIZE];
    char hint[512];        /* what the user can do; may be empty */
    const char *born_file; /* source position where it was first set, for debugging output */
    int born_line;
};

#define ERROR_INIT                                                                                           \
    {                                                                                                        \
        .code = 0                                                                                            \
    }

/* Fills `err` (which may be NULL) and returns -code, which is negative (code 0 counts as EINVAL). */
#define error_set(err, code, ...) error_set_at(__FILE__, __LINE__, err, code, __VA_ARGS__)

/* As error_set, with ": strerror(errno)" appended and errno as code. */
#define error_errno(err, ...) error_errno_at(__FILE__, __LINE__, err, __VA_ARGS__)

int error_set_at(const char *file, int line, struct error *err, int code, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
int error_errno_at(const char *file, int line, struct error *err, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Puts "context: " in front of the text and returns the error's negative code. */
int error_wrap(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the advice and returns the error's negative code. */
int error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

void error_clear(struct error *err);
static inline bool error_is_set(const struct error *err)
{
    return err->code != 0;
}
