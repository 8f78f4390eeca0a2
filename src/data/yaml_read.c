/*
 * libyaml's parser gives events; a recursive descent over them builds the tree. An anchor is a name for a
 * finished node; an alias copies it, which keeps later passes free of sharing, and is charged against a
 * budget, so that ten lines of nested aliases cannot make a billion nodes. The keys that a merge key (<<)
 * brings are added when their map ends, because the map's own keys win over them wherever they stand.
 */
#include "data/yaml_read.h"

#include "base/omap.h"
#include "base/str.h"
#include "data/yaml_problem.h"

#include <openssl/evp.h>
#include <yaml.h>

struct reader {
    struct arena *arena;
    const char *file, *data;
    size_t size;
    yaml_parser_t parser;
    yaml_event_t event;
    struct omap *anchors;        /* name -> struct node *, NULL while it is being read */
    size_t weight, alias_weight; /* of what the file says, and of what aliases add (node_weight) */
    struct error *err;
};

static void parser_cleanup(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
}

static int fail(struct reader *r, yaml_mark_t mark, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int fail(struct reader *r, yaml_mark_t mark, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    error_set(r->err, EINVAL, "%s:%zu:%zu: %s", r->file, mark.line + 1, mark.column + 1, text);
    return yaml_problem_show(r->data, r->size, mark.line, mark.column, NULL, r->err);
}

/* Bytes that are no text: the parser knows their number only. */
static int not_text(struct reader *r)
{
    size_t line = 1, start = 0,
           offset = r->parser.problem_offset < r->size ? r->parser.problem_offset : r->size;
    for (size_t i = 0; i < offset; i++)
        if (r->data[i] == '\n') {
            line++;
            start = i + 1;
        }
    error_set(r->err, EINVAL, "%s:%zu:%zu: %s", r->file, line, offset - start + 1,
              r->parser.problem ? r->parser.problem : "not text");
    return error_hint(r->err, "a Compose file is UTF-8 text without control characters; look at byte %zu",
                      offset + 1);
}

static int next_event(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event))
        return 0;
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_READER_ERROR)
        return not_text(r);
    const struct yaml_problem problem = {
        .data = r->data,
        .size = r->size,
        .line = p->problem_mark.line,
        .column = p->problem_mark.column,
        .start_line = p->context_mark.line,
        .start_column = p->context_mark.column,
        .problem = p->problem,
        .context = p->context,
    };
    return yaml_problem_explain(&problem, r->file, r->err);
}

static struct node *make(struct reader *r, enum node_kind kind)
{
    struct node *node = node_new(r->arena, kind, NULL);
    node->file = r->file;
    node->line = (uint32_t)r->event.start_mark.line + 1;
    node->col = (uint32_t)r->event.start_mark.column + 1;
    return node;
}

static void set_tag(struct node *node, const char *tag)
{
    if (str_eq(tag, "!reset"))
        node->tag = NODE_RESET;
    else if (str_eq(tag, "!override"))
        node->tag = NODE_OVERRIDE;
}

/* !!binary: the text is base64 of the value. */
static int decode_binary(struct reader *r, struct node *node)
{
    size_t length = strlen(node->text);
    unsigned char *out = arena_array(r->arena, unsigned char, length + 1);
    int n = EVP_DecodeBlock(out, (const unsigned char *)node->text, (int)length);
    for (size_t i = length; n > 0 && i > 0 && node->text[i - 1] == '='; i--)
        n--; /* padding counts as zeros */
    if (n < 0 || memchr(out, '\0', (size_t)n))
        return fail(r, r->event.start_mark, "'%s' is no base64 of a text", node->text);
    out[n] = '\0';
    node->text = (const char *)out;
    return 0;
}

/* Standard tags decide the kind; unknown ones are left aside. */
static int read_scalar(struct reader *r, struct node **ret)
{
    const char *text = (const char *)r->event.data.scalar.value,
               *tag = (const char *)r->event.data.scalar.tag;
    size_t length = r->event.data.scalar.length;
    r->weight += length / 32;
    if (memchr(text, '\0', length))
        return fail(r, r->event.start_mark, "a NUL character, which no value can hold");
    struct node *node = make(r, NODE_STRING);
    node->text = arena_strndup(r->arena, text, length);
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *standard = str_after(tag, "tag:yaml.org,2002:");
    set_tag(node, tag);
    *ret = node;
    if (str_eq(standard, "binary"))
        return decode_binary(r, node);
    if (standard && strcmp(standard, "str") != 0) {
        scalar_resolve(node);
        enum node_kind want = strcmp(standard, "int") == 0     ? NODE_INT
                              : strcmp(standard, "float") == 0 ? NODE_FLOAT
                              : strcmp(standard, "bool") == 0  ? NODE_BOOL
                              : strcmp(standard, "null") == 0  ? NODE_NULL
                                                               : node->kind;
        if (want == NODE_FLOAT && node->kind == NODE_INT) {
            node->kind = NODE_FLOAT;
            node->number = (double)node->integer;
        }
        if (want != node->kind)
            return fail(r, r->event.start_mark, "'%s' is no !!%s", text, standard);
    } else if (plain && !standard) {
        scalar_resolve(node);
    }
    return 0;
}

static int unknown_anchor(struct reader *r, const char *name)
{
    const char **names = arena_array(r->arena, const char *, r->anchors->count + 1);
    size_t n = 0;
    omap_foreach (e, r->anchors)
        names[n++] = e->key;
    const char *near = word_nearest(name, names);
    yaml_mark_t mark = r->event.start_mark;
    char advice[128];
    snprintf(advice, sizeof(advice),
             near ? "did you mean '*%.60s'?" : "an anchor, &%.60s, stands before its aliases",
             near ? near : name);
    fail(r, mark, "unknown anchor '%s'", name);
    return yaml_problem_show(r->data, r->size, mark.line, mark.column, advice, r->err);
}

static int read_alias(struct reader *r, struct node **ret)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    const struct node *node = omap_get(r->anchors, name);
    if (!node)
        return omap_has(r->anchors, name) ? fail(r, r->event.start_mark, "anchor '%s' contains itself", name)
                                          : unknown_anchor(r, name);
    r->alias_weight += node_weight(node);
    if (r->alias_weight > YAML_MAX_ALIAS_WEIGHT + 10 * r->weight)
        return fail(r, r->event.start_mark, "aliases make the document too large (over %d values)",
                    YAML_MAX_ALIAS_WEIGHT);
    *ret = node_copy(r->arena, node);
    node_drop_reset(*ret); /* what a mark takes away, it takes away where the anchor stands */
    return 0;
}

static int read_node(struct reader *r, unsigned depth, struct node **ret);

static int read_list(struct reader *r, unsigned depth, struct node *node)
{
    for (;;) {
        int e = next_event(r);
        if (e < 0)
            return e;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        struct node *item = NULL;
        if ((e = read_node(r, depth + 1, &item)) < 0)
            return e;
        node_list_add(r->arena, node, item);
    }
}

static int merge_one(struct reader *r, struct node *map, const struct node *source, yaml_mark_t mark)
{
    if (!node_is(source, NODE_MAP))
        return fail(r, mark, "a merge key (<<) needs a mapping or a list of mappings");
    node_foreach_entry (e, source) {
        const struct node *own = node_get(map, e->key);
        if (own && (own->tag != NODE_RESET || e->value->tag == NODE_RESET))
            continue;
        if (own) /* takes away what other files say, and has no value to win over this one */
            e->value->tag = NODE_OVERRIDE;
        struct node_entry *added = node_set(r->arena, map, e->key, e->value);
        added->line = e->line;
        added->col = e->col;
    }
    return 0;
}

static int merge_keys(struct reader *r, struct node *map, const struct node *source, yaml_mark_t mark)
{
    if (!node_is(source, NODE_LIST))
        return merge_one(r, map, source, mark);
    node_foreach_item (i, source) {
        int e = merge_one(r, map, source->list.items[i], mark);
        if (e < 0)
            return e;
    }
    return 0;
}

static int read_key(struct reader *r, const struct node *map, char **ret, bool *ret_merge)
{
    yaml_mark_t mark = r->event.start_mark;
    if (r->event.type == YAML_ALIAS_EVENT) {
        struct node *alias;
        int e = read_alias(r, &alias);
        if (e < 0)
            return e;
        if (!node_is(alias, NODE_STRING))
            return fail(r, mark, "a key must be a string");
        *ret = arena_strdup(r->arena, alias->text);
    } else if (r->event.type == YAML_SCALAR_EVENT) {
        struct node *key;
        int e = read_scalar(r, &key);
        if (e < 0)
            return e;
        if (!node_is(key, NODE_STRING)) {
            fail(r, mark, "key '%s' is no string", key->text);
            return error_hint(r->err, "put the key in quotes: \"%s\"", key->text);
        }
        *ret = (char *)(uintptr_t)key->text;
        *ret_merge = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(*ret, "<<") == 0;
    } else {
        return fail(r, mark, "a key must be a string");
    }
    const struct node_entry *before = *ret_merge ? NULL : node_entry(map, *ret);
    if (before)
        return fail(r, mark, "key '%s' is already defined in line %u, column %u", *ret, before->line,
                    before->col);
    return 0;
}

static int read_map(struct reader *r, unsigned depth, struct node *node)
{
    struct node *merges = NULL;
    yaml_mark_t merge_mark = {0};
    int e;
    for (;;) {
        if ((e = next_event(r)) < 0)
            return e;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        char *key;
        bool merge = false;
        yaml_mark_t mark = r->event.start_mark;
        if ((e = read_key(r, node, &key, &merge)) < 0 || (e = next_event(r)) < 0)
            return e;
        struct node *value = NULL;
        if ((e = read_node(r, depth + 1, &value)) < 0)
            return e;
        if (merge) {
            if (merges)
                return fail(r, mark, "a second merge key (<<); give it a list of mappings instead");
            merges = value;
            merge_mark = mark;
            continue;
        }
        struct node_entry *entry = node_set(r->arena, node, key, value);
        entry->line = (uint32_t)mark.line + 1;
        entry->col = (uint32_t)mark.column + 1;
    }
    return merges ? merge_keys(r, node, merges, merge_mark) : 0;
}

/* The node that begins with the current event. */
static int read_node(struct reader *r, unsigned depth, struct node **ret)
{
    if (depth > YAML_MAX_DEPTH)
        return fail(r, r->event.start_mark, "nested more than %d deep", YAML_MAX_DEPTH);
    r->weight++;
    if (arena_is_full(r->arena))
        return fail(r, r->event.start_mark, "what is said takes too much memory for the size of the file");
    const yaml_char_t *anchor = NULL, *tag = NULL;
    enum node_kind kind = NODE_NULL;
    int e = 0;
    struct node *node = NULL;
    if (r->event.type == YAML_ALIAS_EVENT)
        return read_alias(r, ret);
    if (r->event.type == YAML_SCALAR_EVENT) {
        anchor = r->event.data.scalar.anchor;
    } else if (r->event.type == YAML_SEQUENCE_START_EVENT) {
        anchor = r->event.data.sequence_start.anchor;
        tag = r->event.data.sequence_start.tag;
        kind = NODE_LIST;
    } else if (r->event.type == YAML_MAPPING_START_EVENT) {
        anchor = r->event.data.mapping_start.anchor;
        tag = r->event.data.mapping_start.tag;
        kind = NODE_MAP;
    } else {
        return fail(r, r->event.start_mark, "a value is missing");
    }
    char *name = NULL; /* the event is gone when the node is complete */
    if (anchor) {
        name = arena_strdup(r->arena, (const char *)anchor);
        omap_set(r->anchors, name, NULL);
    }
    if (kind == NODE_NULL) {
        e = read_scalar(r, &node);
    } else {
        node = make(r, kind);
        set_tag(node, (const char *)tag);
        e = kind == NODE_LIST ? read_list(r, depth, node) : read_map(r, depth, node);
    }
    if (e < 0)
        return e;
    if (name)
        omap_set(r->anchors, name, node);
    *ret = node;
    return 0;
}

/* Also those of a UTF-16 text, between whose letters stand zeros. */
static bool has_many_tag_directives(const char *data, size_t size)
{
    unsigned count = 0;
    for (const char *at = data, *end = data + size; (at = memchr(at, '%', (size_t)(end - at))) != NULL;
         at++) {
        const char *c = at, *word = "%TAG";
        for (; c < end && *word && (*c == *word || !*c); c++)
            word += *c == *word;
        if (!*word && ++count > YAML_MAX_TAG_DIRECTIVES)
            return true;
    }
    return false;
}

int yaml_read(struct arena *arena, const char *file, const char *data, size_t size, struct node **ret,
              struct error *err)
{
    if (size > YAML_MAX_SIZE)
        return error_set(err, EFBIG, "%s: larger than %d MiB", file, YAML_MAX_SIZE >> 20);
    if (has_many_tag_directives(data, size))
        return error_set(err, E2BIG, "%s: more than %d %%TAG directives", file, YAML_MAX_TAG_DIRECTIVES);
    __attribute__((cleanup(parser_cleanup))) struct reader r = {
        .arena = arena, .file = file, .data = data, .size = size, .err = err};
    if (!yaml_parser_initialize(&r.parser))
        mem_check(NULL);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)data, size);
    arena_allow(arena, size);
    struct node *documents = node_new(arena, NODE_LIST, NULL);
    int e;
    do {
        if ((e = next_event(&r)) < 0)
            return e;
        if (r.event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        talloc_free(r.anchors); /* anchors end with their document */
        r.anchors = omap_new(arena);
        struct node *node;
        if ((e = next_event(&r)) < 0 || (e = read_node(&r, 0, &node)) < 0)
            return e;
        if (!node_is(node, NODE_NULL))
            node_list_add(arena, documents, node);
    } while (r.event.type != YAML_STREAM_END_EVENT);
    *ret = documents;
    return 0;
}
