#include "data/node.h"

#include "base/hash.h"

enum { SMALL = 12 }; /* maps up to this size are searched from front to back */

struct node *node_new(struct arena *arena, enum node_kind kind, const struct node *at)
{
    struct node *node = arena_new_object(arena, struct node);
    node->kind = kind;
    if (at) {
        node->file = at->file;
        node->line = at->line;
        node->col = at->col;
    }
    return node;
}

struct node *node_string(struct arena *arena, const char *text, const struct node *at)
{
    struct node *node = node_new(arena, NODE_STRING, at);
    node->text = arena_strdup(arena, text);
    return node;
}

struct node *node_int(struct arena *arena, int64_t value, const struct node *at)
{
    struct node *node = node_new(arena, NODE_INT, at);
    node->integer = value;
    return node;
}

struct node *node_bool(struct arena *arena, bool value, const struct node *at)
{
    struct node *node = node_new(arena, NODE_BOOL, at);
    node->boolean = value;
    return node;
}

void node_list_add(struct arena *arena, struct node *list, struct node *item)
{
    uint32_t n = list->list.count;
    if ((n & (n - 1)) == 0) { /* full at each power of two */
        struct node **items = arena_array(arena, struct node *, n ? 2 * (size_t)n : 1);
        if (n)
            memcpy(items, list->list.items, n * sizeof(*items));
        list->list.items = items;
    }
    list->list.items[list->list.count++] = item;
}

static void slot_insert(struct node *map, uint32_t index)
{
    uint32_t s = hash_text(map->map.entries[index].key) & (map->map.slot_count - 1);
    while (map->map.slots[s])
        s = (s + 1) & (map->map.slot_count - 1);
    map->map.slots[s] = index + 1;
}

struct node_entry *node_entry(const struct node *map, const char *key)
{
    if (!node_is(map, NODE_MAP))
        return NULL;
    if (!map->map.slots) {
        for (uint32_t i = 0; i < map->map.count; i++)
            if (map->map.entries[i].key[0] == key[0] && strcmp(map->map.entries[i].key, key) == 0)
                return &map->map.entries[i];
        return NULL;
    }
    uint32_t mask = map->map.slot_count - 1;
    for (uint32_t s = hash_text(key) & mask; map->map.slots[s]; s = (s + 1) & mask)
        if (strcmp(map->map.entries[map->map.slots[s] - 1].key, key) == 0)
            return &map->map.entries[map->map.slots[s] - 1];
    return NULL;
}

struct node *node_get(const struct node *map, const char *key)
{
    struct node_entry *e = node_entry(map, key);
    return e ? e->value : NULL;
}

static void rebuild(struct arena *arena, struct node *map)
{
    map->map.slot_count = 8 * SMALL;
    while ((map->map.slot_count & (map->map.slot_count - 1)) != 0)
        map->map.slot_count++;
    while (map->map.slot_count < map->map.count * 4)
        map->map.slot_count *= 2;
    map->map.slots = arena_array(arena, uint32_t, map->map.slot_count);
    for (uint32_t i = 0; i < map->map.count; i++)
        slot_insert(map, i);
}

struct node_entry *node_set(struct arena *arena, struct node *map, const char *key, struct node *value)
{
    struct node_entry *found = node_entry(map, key);
    if (found) {
        found->value = value;
        return found;
    }
    uint32_t n = map->map.count;
    if ((n & (n - 1)) == 0) {
        struct node_entry *entries = arena_array(arena, struct node_entry, n ? 2 * (size_t)n : 1);
        if (n)
            memcpy(entries, map->map.entries, n * sizeof(*entries));
        map->map.entries = entries;
    }
    struct node_entry *e = &map->map.entries[map->map.count++];
    *e = (struct node_entry){.key = key, .value = value};
    if (value) {
        e->line = value->line;
        e->col = value->col;
    }
    if (map->map.slots && map->map.count * 2 < map->map.slot_count)
        slot_insert(map, map->map.count - 1);
    else if (map->map.count > SMALL)
        rebuild(arena, map);
    return e;
}

void node_reindex(struct node *map)
{
    if (!map->map.slots)
        return;
    memset(map->map.slots, 0, map->map.slot_count * sizeof(*map->map.slots));
    for (uint32_t i = 0; i < map->map.count; i++)
        slot_insert(map, i);
}

void node_compact(struct node *map)
{
    uint32_t kept = 0, count = map->map.count;
    for (uint32_t i = 0; i < count; i++)
        if (map->map.entries[i].value)
            map->map.entries[kept++] = map->map.entries[i];
    map->map.count = kept;
    if (kept != count)
        node_reindex(map);
}

void node_remove(struct node *map, const char *key)
{
    struct node_entry *e = node_entry(map, key);
    if (!e)
        return;
    uint32_t i = (uint32_t)(e - map->map.entries);
    map->map.count--;
    memmove(e, e + 1, (map->map.count - i) * sizeof(*e));
    node_reindex(map);
}

void node_drop_reset(struct node *tree)
{
    node_foreach_item (i, tree)
        node_drop_reset(tree->list.items[i]);
    node_foreach_entry (e, tree) {
        if (e->value->tag == NODE_RESET)
            e->value = NULL;
        else
            node_drop_reset(e->value);
    }
    if (node_is(tree, NODE_MAP))
        node_compact(tree);
}

/* Lists and maps are full at each power of two. */
static size_t room_for(uint32_t count)
{
    size_t room = 1;
    while (room < count)
        room *= 2;
    return room;
}

struct node *node_copy(struct arena *arena, const struct node *node)
{
    struct node *copy = arena_new_object(arena, struct node);
    *copy = *node;
    if (node->kind == NODE_LIST) {
        copy->list.items = arena_array(arena, struct node *, room_for(node->list.count));
        node_foreach_item (i, node)
            copy->list.items[i] = node_copy(arena, node->list.items[i]);
    } else if (node->kind == NODE_MAP) {
        copy->map.entries = arena_array(arena, struct node_entry, room_for(node->map.count));
        copy->map.slots = NULL;
        for (uint32_t i = 0; i < node->map.count; i++) {
            copy->map.entries[i] = node->map.entries[i];
            copy->map.entries[i].value = node_copy(arena, node->map.entries[i].value);
        }
        if (copy->map.count > SMALL)
            rebuild(arena, copy);
    }
    return copy;
}

static size_t text_weight(const char *text)
{
    return text ? strlen(text) / 32 : 0;
}

size_t node_weight(const struct node *node)
{
    size_t n = 1 + text_weight(node->text);
    node_foreach_item (i, node)
        n += node_weight(node->list.items[i]);
    node_foreach_entry (e, node)
        n += text_weight(e->key) + node_weight(e->value);
    return n;
}

bool node_equal(const struct node *a, const struct node *b)
{
    if (!a || !b || a->kind != b->kind)
        return a == b;
    switch (a->kind) {
    case NODE_NULL:
        return true;
    case NODE_BOOL:
        return a->boolean == b->boolean;
    case NODE_INT:
        return a->integer == b->integer;
    case NODE_FLOAT:
        return a->number == b->number;
    case NODE_STRING:
        return strcmp(a->text, b->text) == 0;
    case NODE_LIST:
        if (a->list.count != b->list.count)
            return false;
        node_foreach_item (i, a)
            if (!node_equal(a->list.items[i], b->list.items[i]))
                return false;
        return true;
    case NODE_MAP:
        if (a->map.count != b->map.count)
            return false;
        node_foreach_entry (e, a)
            if (!node_equal(e->value, node_get(b, e->key)))
                return false;
        return true;
    }
    return false;
}
