#pragma once
/* The types that rows are made of, and the C type that each binds to. */
#include "schema/schema.h"

extern const struct schema_type type_string;         /* char * */
extern const struct schema_type type_scalar_string;  /* char *; numbers and booleans are taken as text */
extern const struct schema_type type_path;           /* char *; made absolute */
extern const struct schema_type type_bool;           /* bool */
extern const struct schema_type type_int;            /* int64_t */
extern const struct schema_type type_number;         /* double, single precision */
extern const struct schema_type type_bytes;          /* int64_t */
extern const struct schema_type type_duration;       /* int64_t, nanoseconds */
extern const struct schema_type type_file_mode;      /* int64_t */
extern const struct schema_type type_strings;        /* char **; a list */
extern const struct schema_type type_string_list;    /* char **; a string or a list */
extern const struct schema_type type_path_list;      /* char **; a string or a list, made absolute */
extern const struct schema_type type_scalar_list;    /* char **; numbers are taken as text */
extern const struct schema_type type_command;        /* char **; a string is split like a shell does */
extern const struct schema_type type_mapping;        /* struct omap * of char *; a map or a list of K=V */
extern const struct schema_type type_options;        /* struct omap * of char *; a map */
extern const struct schema_type type_driver_options; /* struct omap * of char *; a map without nulls */
extern const struct schema_type type_texts;          /* struct omap * of char *; a map of strings only */
extern const struct schema_type type_object;         /* by hand */
extern const struct schema_type type_objects;        /* by hand; a list of objects, each may be short */
extern const struct schema_type type_object_map; /* by hand; names to objects or null; or a list of names */
extern const struct schema_type type_any;        /* by hand; taken as it is */

/*
 * Splits a command at blanks, minding quotes, as docker compose does. No shell is started, so what only a
 * shell understands ends the command: *ret_rest is the text from there on, "" when all was taken. NULL when a
 * quote, bracket or backslash is left open.
 */
struct node *command_split(struct arena *arena, const char *text, const struct node *at,
                           const char **ret_rest);
/* Reports elements of a list that are the same as written; 1 and "1" are not. */
void refuse_twice(struct schema_pass *pass, const struct node *list);
/* A scalar as text, the way docker compose makes strings of numbers; NULL for lists, maps and null. */
const char *scalar_text(struct arena *arena, const struct node *node);
/* Absolute form of a path from a Compose file: ~ and relative ones resolved by the pass. */
const char *path_resolve(struct schema_pass *pass, const char *path);
