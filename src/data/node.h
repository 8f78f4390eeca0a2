#pragma once
/*
 * The node tree: what a YAML file says, with the place where each value stands. Nodes belong to an arena and
 * are changed freely by the passes that own the tree; strings in them are never changed in place.
 *
 * Maps keep the order of the file; look-up is linear for small maps and by hash for large ones. A map entry
 * carries a pointer for the schema engine, which notes there which row of its table the key belongs to.
 */
#include "data/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum node_kind { NODE_NULL, NODE_BOOL, NODE_INT, NODE_FLOAT, NODE_STRING, NODE_LIST, NODE_MAP };

/* Compose's own tags: what merging does with the value. */
enum node_tag { NODE_UNTAGGED, NODE_RESET, NODE_OVERRIDE };

struct node_entry {
    const char *key;
    struct node *value;
    const void *row; /* schema row, NULL for keys that people choose */
    uint32_t line, col;
};

struct node {
    enum node_kind kind : 8;
    enum node_tag tag : 8;
    uint32_t line, col;
    const char *file; /* as messages name it */
    const char *text; /* scalars: as written (strings: the value) */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            struct node **items;
            uint32_t count;
        } list;
        struct {
            struct node_entry *entries;
            uint32_t count;
            uint32_t *slots; /* hash index of large maps: entry + 1 */
            uint32_t slot_count;
        } map;
    };
};

/* New nodes take their position from `at`, which may be NULL. */
struct node *node_new(struct arena *arena, enum node_kind kind, const struct node *at);
struct node *node_string(struct arena *arena, const char *text, const struct node *at); /* copies */
struct node *node_int(struct arena *arena, int64_t value, const struct node *at);
struct node *node_bool(struct arena *arena, bool value, const struct node *at);
struct node *node_copy(struct arena *arena, const struct node *node); /* deep */
bool node_equal(const struct node *a, const struct node *b);          /* by value; order in maps is ignored */
size_t node_weight(const struct node *node); /* how much there is of it: its values and, by length, texts */

void node_list_add(struct arena *arena, struct node *list, struct node *item);

/* NULL when `map` is NULL, no map, or has no such key. */
struct node *node_get(const struct node *map, const char *key);
struct node_entry *node_entry(const struct node *map, const char *key);
/* Replaces or appends; the key is not copied. Returns the entry, valid until the map grows. */
struct node_entry *node_set(struct arena *arena, struct node *map, const char *key, struct node *value);
void node_remove(struct node *map, const char *key); /* linear */
void node_compact(struct node *map);                 /* removes all entries whose value was set to NULL */
void node_reindex(struct node *map);                 /* after entries were moved by hand */
void node_drop_reset(struct node *tree);             /* removes the entries marked !reset, at any depth */

/* Text of a string node, else NULL. */
static inline const char *node_text(const struct node *node)
{
    return node && node->kind == NODE_STRING ? node->text : NULL;
}
static inline bool node_is(const struct node *node, enum node_kind kind)
{
    return node && node->kind == kind;
}
static inline const char *node_get_text(const struct node *map, const char *key)
{
    return node_text(node_get(map, key));
}
static inline bool node_get_bool(const struct node *map, const char *key)
{
    const struct node *n = node_get(map, key);
    return node_is(n, NODE_BOOL) && n->boolean;
}

#define node_foreach_entry(e, node)                                                                          \
    for (struct node_entry *e = node_is(node, NODE_MAP) ? (node)->map.entries : NULL,                        \
                           *e##_end = e ? e + (node)->map.count : NULL;                                      \
         e != e##_end; e++)
#define node_foreach_item(i, node)                                                                           \
    for (uint32_t i = 0; node_is(node, NODE_LIST) && i < (node)->list.count; i++)

/* What a plain scalar means: YAML 1.1 numbers as Go's YAML reads them, and YAML 1.2 booleans and nulls. */
void scalar_resolve(struct node *node);
/* Whether a plain scalar of this text would be read as something other than that string. */
bool scalar_is_ambiguous(const char *text);
/* Shortest decimal text that gives the number of a NODE_FLOAT back, in the forms that Go programs print. */
enum number_style {
    NUMBER_TEXT, /* in texts and in YAML: exponents below -4 and from 6 on */
    NUMBER_JSON  /* exponents below -6 and from 21 on, without leading zeros */
};
enum { NUMBER_ROOM = 48 };
void number_print(const struct node *node, enum number_style style, char text[NUMBER_ROOM]);
/* The number that single precision makes of a text, such that it prints with as few digits. */
double number_single(double value);
