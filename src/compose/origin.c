/*
 * Where texts come from: which file gave a variable, and which references a value was made of. Little is kept
 * for each load, because messages need it; the rest is found out when somebody asks, by expanding the text
 * once more.
 */
#include "compose/loader.h"

#include "base/str.h"

static const char *value_name(const char *value, char room[32])
{
    snprintf(room, 32, "%p", (const void *)value);
    return room;
}

void origin_set(struct load_record *r, const char *value, const char *file, unsigned line,
                const struct place *beaten)
{
    char room[32];
    struct place *place = arena_new_object(r->arena, struct place);
    *place = (struct place){.file = file, .line = line, .beaten = beaten};
    omap_set(r->places, value_name(value, room), place);
}

const struct place *origin_of(const struct load_record *r, const char *value)
{
    char room[32];
    return omap_get(r->places, value_name(value, room));
}

void origin_interpolated(struct load_record *r, const struct node *node, const char *raw,
                         const struct omap *environment)
{
    struct interpolated item = {.node = node, .raw = raw, .environment = environment};
    mem_append(r->arena, r->items, r->count, item);
}

const struct interpolated *origin_find(const struct load_record *r, const struct node *at)
{
    for (size_t i = r->count; at && at->file && i-- > 0;) {
        const struct node *node = r->items[i].node;
        if (node->line == at->line && node->col == at->col && node->file == at->file)
            return &r->items[i];
    }
    return NULL;
}

struct collector {
    struct template_scope scope;
    const struct load_record *record;
    const void *owner;
    struct variable *found;
    size_t count;
};

static void collect(const struct template_scope *scope, const char *name, const char *value, bool operand)
{
    struct collector *c = (struct collector *)(uintptr_t)scope;
    for (size_t i = 0; i < c->count; i++)
        if (str_eq(c->found[i].name, name))
            return;
    struct variable variable = {
        .name = mem_strdup(c->owner, name),
        .value = value,
        .place = value ? origin_of(c->record, value) : NULL,
        .operand = operand,
    };
    mem_append(c->owner, c->found, c->count, variable);
}

struct variable *origin_variables(const void *owner, const struct load_record *r,
                                  const struct interpolated *item, size_t *ret_count)
{
    struct collector c = {
        .scope = {.lookup = environment_lookup,
                  .used = collect,
                  .data = (void *)(uintptr_t)item->environment},
        .record = r,
        .owner = owner,
    };
    char *text;
    struct error ignored = ERROR_INIT;
    template_expand(owner, item->raw, &c.scope, &text, &ignored);
    *ret_count = c.count;
    return c.found;
}

static char *place_text(const void *owner, const struct place *place)
{
    if (!place || !place->file)
        return mem_strdup(owner, "the environment");
    return place->line ? mem_printf(owner, "%s:%u", place->file, place->line)
                       : mem_strdup(owner, place->file);
}

char *origin_describe(const void *owner, const struct load_record *r, const struct interpolated *item)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    size_t count;
    const struct variable *v = origin_variables(tmp, r, item, &count);
    char *text = mem_printf(owner, "from \"%s\"", item->raw);
    for (size_t i = 0; i < count; i++, v++) {
        text = mem_append_printf(text, i ? ", " : "; ");
        if (!v->value)
            text = mem_append_printf(text, "%s is not set", v->name);
        else if (!*v->value)
            text = mem_append_printf(text, "%s is empty in %s", v->name, place_text(tmp, v->place));
        else
            text = mem_append_printf(text, "%s=%s from %s", v->name, v->value, place_text(tmp, v->place));
        if (v->operand)
            text = mem_append_str(text, v->value && *v->value ? ", so the text behind it counts"
                                                              : ", so the default counts");
        else if (v->place && v->place->beaten)
            text = mem_append_printf(text, ", which wins over %s", place_text(tmp, v->place->beaten));
    }
    return text;
}
