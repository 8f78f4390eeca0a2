#include "base/omap.h"

#include "base/hash.h"

enum { SMALL = 16 }; /* up to here a linear search is quicker than hashing */

struct omap *omap_new(const void *owner)
{
    return mem_new(owner, struct omap);
}

static size_t find(const struct omap *map, const char *key)
{
    if (!map->slots) {
        size_t i = 0;
        while (i < map->count && strcmp(map->entries[i].key, key) != 0)
            i++;
        return i;
    }
    for (size_t s = hash_text(key) & (map->slot_count - 1); map->slots[s];
         s = (s + 1) & (map->slot_count - 1)) {
        size_t i = map->slots[s] - 1;
        if (strcmp(map->entries[i].key, key) == 0)
            return i;
    }
    return map->count;
}

static void slot_insert(struct omap *map, size_t index)
{
    size_t s = hash_text(map->entries[index].key) & (map->slot_count - 1);
    while (map->slots[s])
        s = (s + 1) & (map->slot_count - 1);
    map->slots[s] = (uint32_t)index + 1;
}

static void rebuild(struct omap *map)
{
    talloc_free(map->slots);
    map->slots = NULL;
    if (map->count <= SMALL)
        return;
    map->slot_count = 4 * SMALL;
    while (map->slot_count < map->count * 4)
        map->slot_count *= 2;
    map->slots = mem_array(map, uint32_t, map->slot_count);
    for (size_t i = 0; i < map->count; i++)
        slot_insert(map, i);
}

void *omap_get(const struct omap *map, const char *key)
{
    if (!map || !map->count)
        return NULL;
    size_t i = find(map, key);
    return i < map->count ? map->entries[i].value : NULL;
}

bool omap_has(const struct omap *map, const char *key)
{
    return map && map->count && find(map, key) < map->count;
}

void omap_set(struct omap *map, const char *key, void *value)
{
    size_t i = map->count ? find(map, key) : 0;
    if (i < map->count) {
        map->entries[i].value = value;
        return;
    }
    struct omap_entry entry = {.key = mem_strdup(map, key), .value = value};
    mem_append(map, map->entries, map->count, entry);
    if (map->slots && map->count * 2 < map->slot_count)
        slot_insert(map, map->count - 1);
    else if (map->count > SMALL)
        rebuild(map);
}

void omap_set_str(struct omap *map, const char *key, const char *value)
{
    omap_set(map, key, mem_strdup(map, value));
}

bool omap_remove(struct omap *map, const char *key)
{
    if (!map || !map->count)
        return false;
    size_t i = find(map, key);
    if (i >= map->count)
        return false;
    talloc_free(map->entries[i].key);
    map->count--;
    memmove(&map->entries[i], &map->entries[i + 1], (map->count - i) * sizeof(*map->entries));
    rebuild(map);
    return true;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct omap_entry *)a)->key, ((const struct omap_entry *)b)->key);
}

void omap_sort(struct omap *map)
{
    if (map && map->count > 1) {
        qsort(map->entries, map->count, sizeof(*map->entries), by_key);
        rebuild(map);
    }
}
