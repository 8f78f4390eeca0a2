#pragma once
/*
 * Reading JSON documents that came from elsewhere: bounded size, no duplicate keys, and members looked up
 * with a type. A member that is absent or null leaves the result at NULL or 0; one of another type is an
 * error that names it.
 */
#include "base/mem.h"

#include "base/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { JSON_DOCUMENT_MAX = 4 << 20 };

static inline void cleanup_json_fn(json_t **j)
{
    json_decref(*j);
}
#define cleanup_json CLEANUP(cleanup_json_fn)

/* The document, whose top is an object; the caller holds a reference. */
int json_document(const void *data, size_t size, json_t **ret, struct error *err);

/* Members of `object`. Strings and values point into the document. */
int json_text(const json_t *object, const char *key, const char **ret, struct error *err);
int json_whole(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret,
               struct error *err);
int json_child(const json_t *object, const char *key, json_type type, json_t **ret, struct error *err);

/* An array of strings as a vector; NULL when absent or null. */
int json_texts(const void *owner, const json_t *object, const char *key, char ***ret, struct error *err);
