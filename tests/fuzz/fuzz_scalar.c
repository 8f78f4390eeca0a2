/*
 * One text as a duration, a size, a command, a number, and as a string in YAML. What is printed is read back
 * as the same.
 */
#include "base/str.h"
#include "base/units.h"
#include "data/yaml_read.h"
#include "data/yaml_write.h"
#include "schema/types.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_units(const char *text)
{
    int64_t value, again;
    char printed[UNITS_TEXT], twice[UNITS_TEXT];
    if (bytes_parse(text, &value))
        bytes_print(value, printed);
    if (!duration_parse(text, &value))
        return;
    duration_print(value, printed);
    assert(duration_parse(printed, &again));
    duration_print(again, twice);
    assert(str_eq(printed, twice));
}

static void check_number(const char *text)
{
    struct node node = {.text = text};
    scalar_resolve(&node);
    if (node.kind != NODE_FLOAT || !isfinite(node.number))
        return;
    for (enum number_style style = NUMBER_TEXT; style <= NUMBER_JSON; style++) {
        char printed[NUMBER_ROOM];
        number_print(&node, style, printed);
        assert(strtod(printed, NULL) == node.number);
    }
}

/* As a value, as a key, and as an element, so that it stands at all indentations. */
static void check_yaml(struct arena *arena, const char *text)
{
    struct buffer out = BUFFER_INIT(arena);
    struct node *map = node_new(arena, NODE_MAP, NULL), *list = node_new(arena, NODE_LIST, NULL),
                *read = NULL;
    struct error err = ERROR_INIT;
    node_list_add(arena, list, node_string(arena, text, NULL));
    node_list_add(arena, list, node_string(arena, text, NULL));
    node_set(arena, map, "a", list);
    node_set(arena, map, arena_printf(arena, "k%s", text), node_string(arena, text, NULL));
    yaml_write(&out, map);
    if (yaml_read(arena, "printed", out.data, out.size, &read, &err) < 0 ||
        !node_equal(map, read->list.items[0])) {
        fprintf(stderr, "%s%s\n", out.data, err.text);
        abort();
    }
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);
    json_decref(string);
    return string != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct arena *arena = arena_new(tmp);
    const char *text = arena_strndup(arena, (const char *)data, size), *rest;
    check_units(text);
    check_number(text);
    if (command_split(arena, text, NULL, &rest))
        assert(str_ends(text, rest));
    if (is_utf8(text))
        check_yaml(arena, text);
    return 0;
}
