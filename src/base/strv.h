#pragma once
/*
 * NULL-ended string vectors, in the form that exec takes. A vector is a talloc object that owns its
 * strings; NULL is an empty vector.
 */
#include "base/mem.h"

#include <stdbool.h>

size_t strv_len(char *const *v);
bool strv_contains(char *const *v, const char *s);

/* Appends a copy and returns the vector, which may have moved. `owner` owns a vector that is made anew. */
char **strv_add(const void *owner, char **v, const char *s);
char **strv_addf(const void *owner, char **v, const char *fmt, ...) PRINTF_LIKE(3, 4);
char **strv_extend(const void *owner, char **v, char *const *more);
char **strv_dup(const void *owner, char *const *v);

/* A new vector from arguments that end with NULL. */
char **strv_new(const void *owner, ...) __attribute__((sentinel));

/* Parts between separators; empty parts are kept, so that "" gives one empty string. */
char **strv_split(const void *owner, const char *s, char separator);
char *strv_join(const void *owner, char *const *v, const char *separator);
void strv_sort(char **v);

/* `K=V` vectors, as environments are. */
const char *strv_env_get(char *const *v, const char *key);                            /* value, or NULL */
char **strv_env_set(const void *owner, char **v, const char *key, const char *value); /* NULL value removes */
