#pragma once
/*
 * What is wrong with a text that is not YAML, in the words of whoever wrote it. The parser says at which
 * token it gave up; the cause is usually a line or a quote before that. The rules here look at the source
 * around it.
 */
#include "base/error.h"

#include <stddef.h>

struct yaml_problem {
    const char *data; /* the source */
    size_t size;
    size_t line, column;             /* where the parser gave up, from 0 */
    size_t start_line, start_column; /* of what it was reading */
    const char *problem, *context;   /* the parser's words; may be NULL */
};

/* Fills err: "file:line:col: text", with the source line, a caret and advice as the hint; returns its code.
 */
int yaml_problem_explain(const struct yaml_problem *problem, const char *file, struct error *err);
/* The source line with a caret, and `advice`, which may be NULL, as the hint of an error that is set. */
int yaml_problem_show(const char *data, size_t size, size_t line, size_t column, const char *advice,
                      struct error *err);
