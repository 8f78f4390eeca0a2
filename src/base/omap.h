#pragma once
/*
 * A string-to-pointer map that keeps the order of insertion, so that whatever is made from it comes
 * out the same each time. Look-up is by hash once the map has grown, so it is fit for ten thousand
 * services as well as for three labels. Keys are copied; values belong to whoever put them in
 * (usually they are talloc children of the same owner).
 */
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct omap_entry {
    char *key;
    void *value;
};

struct omap {
    struct omap_entry *entries; /* `count` of them, in order of insertion */
    size_t count;
    uint32_t *slots; /* entry number + 1, 0 for none; NULL while the map is small */
    size_t slot_count;
};

struct omap *omap_new(const void *owner);
void *omap_get(const struct omap *map, const char *key); /* NULL when absent; NULL map is empty */
bool omap_has(const struct omap *map, const char *key);
void omap_set(struct omap *map, const char *key, void *value); /* replaces in place */
bool omap_remove(struct omap *map, const char *key);           /* linear; order is kept */
void omap_sort(struct omap *map);                              /* by key, bytewise */

/* String values: copied, owned by the map; a NULL value is kept as NULL. */
void omap_set_str(struct omap *map, const char *key, const char *value);

static inline struct omap_entry *omap_begin(const struct omap *map)
{
    return map ? map->entries : NULL;
}

static inline struct omap_entry *omap_end(const struct omap *map)
{
    return map && map->count ? map->entries + map->count : omap_begin(map);
}

#define omap_foreach(e, map) for (struct omap_entry *e = omap_begin(map); e != omap_end(map); e++)
