#pragma once
/*
 * The table engine: one row for each property of a format says everything about it, and passes over node
 * trees are driven by the rows. A row names a type; the types own behaviour (types.c); an object is a list of
 * rows.
 *
 *   canon   raw tree -> canonical tree: short forms become long ones, every value gets its one form (sizes as
 *           decimal strings, durations as Go prints them, paths absolute), unknown keys and wrong types are
 *           reported, map entries learn their row and stand in the order of the table
 *   merge   canonical tree over canonical tree, by the rows' rules (and !reset, !override)
 *   check   the merged tree: doubled list elements, nulls, required keys, ranges, choices; the objects' hooks
 *   print   canonical tree -> tree as it is shown: without empty values, maps sorted
 *   bind    canonical tree -> C struct
 *
 * Problems go to the pass's report function with the node's place and the path in the model; passes go on, so
 * that one run tells all independent problems.
 */
#include "data/node.h"

#include <stddef.h>

struct omap;
struct history;
struct schema_object;
struct schema_field;
struct schema_pass;

/* How a value of a later file joins the value before it. Null keeps what was there, unless said otherwise. */
enum schema_merge {
    MERGE_NORMAL,   /* scalars: replaced; lists: appended; maps: key by key */
    MERGE_REPLACE,  /* the whole value, even by null */
    MERGE_SAME_KIND /* key by key, but replaced when `discriminator` differs (logging.driver) */
};

/* What becomes of equal elements in a list. */
enum schema_unique {
    UNIQUE_NOT,   /* they stay */
    UNIQUE_ONCE,  /* the first of equal scalars stays */
    UNIQUE_KEY,   /* of equal list_key the last stays, in the place of the first */
    UNIQUE_MERGE, /* of equal list_key the later are merged into the first */
    UNIQUE_ERROR  /* they are an error */
};

enum schema_support {
    SUPPORTED,       /* acted on */
    SUPPORT_STORED,  /* kept and printed; another tool or platform acts on it */
    SUPPORT_MISSING, /* not acted on: one warning for each use in a project */
};

enum {
    FIELD_KEEP_ZERO = 1 << 0, /* printed even when empty, 0 or false */
    FIELD_NO_CAST = 1 << 1,   /* a number or boolean must be written as one, not as a string */
    FIELD_REQUIRED = 1 << 2,
    FIELD_NULLABLE = 1 << 3,   /* null is a value */
    FIELD_HIDDEN = 1 << 4,     /* not printed */
    FIELD_NO_HASH = 1 << 5,    /* not part of the config hash */
    FIELD_JSON_EMPTY = 1 << 6, /* objects: dropped from YAML when empty, {} in JSON even when absent */
    FIELD_JSON_NULL = 1 << 7,  /* JSON says null when absent */
    FIELD_NULL_VALUES =
        1 << 8, /* mappings: null values stay null, else they become ""; object maps: allowed */
    FIELD_STRING_ONLY = 1 << 9,  /* sizes: a bare number is refused */
    FIELD_WHOLE = 1 << 10,       /* numbers and sizes: integers only */
    FIELD_LIST_FORM = 1 << 11,   /* object maps: a list of names is a short form */
    FIELD_ALONE = 1 << 12,       /* objects: one string stands for the list */
    FIELD_YAML_ONLY = 1 << 13,   /* left out of JSON */
    FIELD_RAW_ALONE = 1 << 14,   /* without interpolation: a string alone stays one */
    FIELD_RAW_LIST = 1 << 15,    /* without interpolation: one variable keeps all short forms of the list */
    FIELD_SKIP_EMPTY = 1 << 16,  /* lists: empty strings are left out */
    FIELD_ALWAYS = 1 << 17,      /* strings, integers, sizes: printed as "" or 0 even when absent */
    FIELD_ALWAYS_YAML = 1 << 18, /* the same, but not in JSON */
};

struct schema_type {
    const char *what; /* for messages: "a string" */
    struct node *(*canon)(struct schema_pass *pass, const struct schema_field *field, struct node *in);
    void (*bind)(const void *owner, const struct node *node, void *member); /* NULL: bound by hand */
    bool canonical_raw; /* also when variables were not replaced */
    unsigned raw_kinds; /* what else may stand there then: bits of enum node_kind, 0 for anything */
};

struct schema_field {
    const char *key;
    size_t key_length;
    const struct schema_type *type;
    const struct schema_object *object; /* of objects, and of elements of lists and maps of objects */
    enum schema_merge merge;
    enum schema_unique unique;
    unsigned flags;
    enum schema_support support;
    const char *const *choices;      /* NULL-ended, for strings */
    bool (*valid)(const char *text); /* for strings; `expects` says what it wants */
    const char *expects;
    bool ranged; /* numbers and sizes */
    int64_t min, max;
    size_t member;        /* offset in the struct + 1; 0: bound by hand or not at all */
    const char *json_key; /* when JSON names it otherwise */
    const char *also;     /* other words that people write for the key, between blanks */
};

struct schema_object {
    const char *name;
    const struct schema_field *fields;
    size_t count;
    bool extensions;           /* x-* keys may be there */
    const char *usual;         /* the key that a text alone is meant for, when there is no short form */
    const char *discriminator; /* for MERGE_SAME_KIND */
    const char *short_form;    /* what a value that is no mapping says, for messages and documentation */
    /* A value that is no mapping; a list as result stands for several objects. NULL result: was reported. */
    struct node *(*from_short)(struct schema_pass *pass, const struct schema_object *object, struct node *in);
    /* After the keys of a mapping have their canonical form. */
    void (*finish)(struct schema_pass *pass, struct node *map);
    /* What makes an element of a list the same as another. */
    const char *(*list_key)(struct arena *arena, const struct node *map);
    void (*check)(struct schema_pass *pass, const struct node *map);
};

/* The way to a value, for messages; frames live on the stack of the pass. */
struct schema_path {
    const struct schema_path *up;
    const char *key; /* NULL: an element of a list */
    uint32_t index;
    const struct schema_object *object; /* whose key it is; NULL: a name that people choose, or an element */
};

struct schema_report {
    void (*problem)(struct schema_report *report, const struct node *at, const char *path, bool is_error,
                    const char *text, const char *hint);
    bool full; /* further errors are only counted: they need no wording */
};

enum { SCHEMA_MAX_EXPANDED = 200000 }; /* objects that short forms of one pass may stand for */

struct schema_pass {
    struct arena *arena;
    struct schema_report *report;
    const struct schema_path *path;
    const char *base_dir; /* relative paths are made absolute from here; NULL: they stay */
    const char *home;     /* for ~ */
    bool marks_stay;      /* merging keeps !reset and !override for the next merge */
    bool lenient;      /* variables were not replaced: values stay as written, only structure is canonical */
    bool partial;      /* check: more files follow, so the objects' hooks wait */
    size_t expanded;   /* objects made from ranges so far */
    struct omap *told; /* rows that are not acted on and were warned of */
    struct history *history; /* of all values; NULL: not kept */
};

void schema_error(struct schema_pass *pass, const struct node *at, const char *hint, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The value is of the wrong kind: "must be WHAT, not a list". Without a hint, one that follows from both. */
void schema_expected(struct schema_pass *pass, const struct node *in, const char *hint, const char *what);
void schema_warn(struct schema_pass *pass, const struct node *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
char *schema_path_text(struct arena *arena, const struct schema_path *path); /* services.web.ports[0] */
char *schema_place_text(struct arena *arena, const struct node *node);       /* compose.yaml:3:5 */
/* An element that an earlier one of the list says already. */
void schema_twice(struct schema_pass *pass, const struct node *item, const struct node *first,
                  const char *key);

const struct schema_field *schema_find(const struct schema_object *object, const char *key);

struct node *schema_canon(struct schema_pass *pass, const struct schema_object *object, struct node *in);
struct node *schema_canon_field(struct schema_pass *pass, const struct schema_field *field, struct node *in);
struct node *schema_merge(struct schema_pass *pass, const struct schema_field *field, struct node *base,
                          struct node *over);
struct node *schema_merge_objects(struct schema_pass *pass, const struct schema_object *object,
                                  struct node *base, struct node *over);
/* Removes what !reset marks and forgets the marks; for trees that nothing was merged under. */
void schema_settle(struct node *tree);
void schema_check(struct schema_pass *pass, const struct schema_object *object, struct node *tree);
void schema_bind(const void *owner, const struct node *tree, void *into);

enum schema_format { SCHEMA_YAML, SCHEMA_JSON, SCHEMA_HASH, SCHEMA_RAW_YAML, SCHEMA_RAW_JSON };
/* The tree to write; shares nodes with `tree`. SCHEMA_HASH is JSON without the rows marked FIELD_NO_HASH;
 * the raw formats show all that is there, sorted by key. */
struct node *schema_print(struct arena *arena, const struct schema_object *object, const struct node *tree,
                          enum schema_format format);

/* Puts the entries of a canonical map into the order of the table; what has no row comes last, as it was. */
void schema_order(struct node *map);
/* Adds or replaces a value under one of the object's keys. */
void schema_put(struct arena *arena, const struct schema_object *object, struct node *map, const char *key,
                struct node *value);

/* A row's key, and a member with the check that it has the C type that the schema type binds to. */
#define KEY(key_) .key = key_, .key_length = sizeof(key_) - 1
#define MEMBER(type_, member_, ctype_)                                                                       \
    .member =                                                                                                \
        offsetof(type_, member_) + 1 +                                                                       \
        0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type_ *)0)->member_), ctype_) ? 1 : -1])
