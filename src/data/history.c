#include "data/history.h"

#include "base/omap.h"

struct history {
    struct arena *arena;
    struct omap *events;   /* node -> newest struct history_event */
    struct omap *removals; /* map -> newest struct history_removal */
    struct omap *texts;    /* file, line and column -> text */
};

enum { NAME_ROOM = 64 };

struct history *history_new(struct arena *arena)
{
    struct history *h = arena_new_object(arena, struct history);
    *h = (struct history){arena, omap_new(arena), omap_new(arena), omap_new(arena)};
    return h;
}

static const char *node_name(const struct node *node, char room[NAME_ROOM])
{
    snprintf(room, NAME_ROOM, "%p", (const void *)node);
    return room;
}

static const char *place_name(const struct node *node, char room[NAME_ROOM])
{
    snprintf(room, NAME_ROOM, "%p:%u:%u", (const void *)node->file, node->line, node->col);
    return room;
}

static void add(struct history *h, const struct node *node, struct history_event event)
{
    char room[NAME_ROOM];
    struct history_event *added = arena_new_object(h->arena, struct history_event);
    *added = event;
    added->older = omap_get(h->events, node_name(node, room));
    omap_set(h->events, node_name(node, room), added);
}

void history_written(struct history *h, const struct node *tree)
{
    char room[NAME_ROOM];
    if (!h)
        return;
    if (tree->text)
        omap_set(h->texts, place_name(tree, room), (void *)(uintptr_t)tree->text);
    node_foreach_item (i, tree)
        history_written(h, tree->list.items[i]);
    node_foreach_entry (e, tree)
        history_written(h, e->value);
}

void history_replaced(struct history *h, const struct node *now, const struct node *before, const char *why)
{
    if (h && now != before)
        add(h, now, (struct history_event){.step = HISTORY_REPLACED, .before = before, .why = why});
}

void history_same(struct history *h, const struct node *kept, const struct node *dropped)
{
    if (h)
        add(h, kept, (struct history_event){.step = HISTORY_SAME, .before = dropped});
}

void history_made(struct history *h, const struct node *made, const struct node *at, const char *fmt, ...)
{
    if (!h)
        return;
    va_list ap;
    va_start(ap, fmt);
    add(h, made,
        (struct history_event){.step = HISTORY_MADE, .at = at, .why = mem_vprintf(h->arena, fmt, ap)});
    va_end(ap);
}

void history_removed(struct history *h, const struct node *map, const char *key, const struct node *before,
                     const struct node *at, const char *fmt, ...)
{
    char room[NAME_ROOM];
    if (!h)
        return;
    va_list ap;
    va_start(ap, fmt);
    struct history_removal *added = arena_new_object(h->arena, struct history_removal);
    *added = (struct history_removal){
        .older = history_removals(h, map),
        .key = key,
        .event = {.step = HISTORY_REMOVED, .at = at, .before = before, .why = mem_vprintf(h->arena, fmt, ap)},
    };
    va_end(ap);
    omap_set(h->removals, node_name(map, room), added);
}

static void bring(struct history *h, const struct node *tree, const struct history_event *event)
{
    add(h, tree, *event);
    node_foreach_item (i, tree)
        bring(h, tree->list.items[i], event);
    node_foreach_entry (e, tree)
        bring(h, e->value, event);
}

void history_brought(struct history *h, const struct node *tree, const struct node *at, const char *fmt, ...)
{
    if (!h)
        return;
    va_list ap;
    va_start(ap, fmt);
    struct history_event event = {.step = HISTORY_BROUGHT, .at = at, .why = mem_vprintf(h->arena, fmt, ap)};
    va_end(ap);
    bring(h, tree, &event);
}

void history_moved(struct history *h, const struct node *from, const struct node *to)
{
    char room[NAME_ROOM];
    if (!h || from == to)
        return;
    void *events = (void *)(uintptr_t)history_of(h, from),
         *removals = (void *)(uintptr_t)history_removals(h, from);
    if (events)
        omap_set(h->events, node_name(to, room), events);
    if (removals)
        omap_set(h->removals, node_name(to, room), removals);
}

void history_copied(struct history *h, const struct node *from, const struct node *to)
{
    if (!h)
        return;
    history_moved(h, from, to);
    node_foreach_item (i, from)
        history_copied(h, from->list.items[i], to->list.items[i]);
    for (uint32_t i = 0; node_is(from, NODE_MAP) && i < from->map.count; i++)
        history_copied(h, from->map.entries[i].value, to->map.entries[i].value);
}

const struct history_event *history_of(const struct history *h, const struct node *node)
{
    char room[NAME_ROOM];
    return h ? omap_get(h->events, node_name(node, room)) : NULL;
}

const struct history_removal *history_removals(const struct history *h, const struct node *map)
{
    char room[NAME_ROOM];
    return h ? omap_get(h->removals, node_name(map, room)) : NULL;
}

const char *history_text(const struct history *h, const struct node *node)
{
    char room[NAME_ROOM];
    return h ? omap_get(h->texts, place_name(node, room)) : NULL;
}
