#pragma once
/* Paths as text: nothing here looks at the file system. */
#include "base/mem.h"

#include <stdbool.h>

/* Without ".", "..", double and trailing slashes, as far as text can tell; "" becomes ".". */
char *path_clean(const void *owner, const char *path);

/* `base`/`path` cleaned, or `path` cleaned when it is absolute. */
char *path_join(const void *owner, const char *base, const char *path);

/* How `path` is written from `base`; both are absolute and clean. */
char *path_relative(const void *owner, const char *base, const char *path);

/* All but the last component ("." when there is none), and the last one (points into `path`). */
char *path_parent(const void *owner, const char *path);
const char *path_name(const char *path);
