#pragma once
/*
 * Patterns as in .dockerignore: a path matches when it, or a directory that it is in, does; a later pattern
 * that begins with "!" takes it out again, and the last pattern that applies decides.
 *
 *     *       anything but a slash               ?     one character but a slash
 *     [a-z]   one of them, [^a-z] none           \     the next character as it is
 *     **      any number of directories, also none; at the end anything
 *
 * Paths and patterns are relative to the same directory.
 */
#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>

struct ignore; /* a talloc object */

struct ignore *ignore_new(const void *owner);

/* Blanks around it, "./" and slashes at its ends have no meaning; an empty one is none. */
int ignore_add(struct ignore *ignore, const char *pattern, struct error *err);

/* Every line of a .dockerignore; "#" begins a comment. */
int ignore_add_file(struct ignore *ignore, const char *text, struct error *err);

bool ignore_is_empty(const struct ignore *ignore);
bool ignore_matches(const struct ignore *ignore, const char *path);

/* The directory matches, and no "!" pattern can take out anything in it. */
bool ignore_matches_all(const struct ignore *ignore, const char *directory);
