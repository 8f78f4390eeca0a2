#include "base/str.h"
#include "data/digest.h"
#include "data/dotenv.h"
#include "data/ignore.h"
#include "data/json_write.h"
#include "data/yaml_read.h"
#include "data/yaml_write.h"

#include "lib/unit.h"

static struct node *read_one(struct arena *arena, const char *text)
{
    struct node *documents;
    struct error err = ERROR_INIT;
    assert_int_equal(yaml_read(arena, "f.yaml", text, strlen(text), &documents, &err), 0);
    assert_int_equal(documents->list.count, 1);
    return documents->list.items[0];
}

static void assert_json(const char *yaml, const char *json)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer out = BUFFER_INIT(tmp);
    json_write(&out, read_one(arena_new(tmp), yaml), true);
    assert_string_equal(out.data, json);
}

static void assert_refused(const char *yaml, const char *message)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct node *documents;
    struct error err = ERROR_INIT;
    assert_true(yaml_read(arena_new(tmp), "f.yaml", yaml, strlen(yaml), &documents, &err) < 0);
    assert_string_equal(err.text, message);
}

static void test_scalars(void **state UNUSED)
{
    assert_json("[1, -2, +3, 0x10, 017, 0o17, 0b11, 1_000]", "[1,-2,3,16,15,15,3,1000]");
    assert_json("[1.5, 1e3, .5, 1., -0.25, 1e21]", "[1.5,1000,0.5,1,-0.25,1e+21]");
    assert_json("[true, True, FALSE, yes, off, y, null, ~, Null]",
                "[true,true,false,\"yes\",\"off\",\"y\",null,null,null]");
    assert_json(
        "['1', \"true\", !!str 5, 190:20:30, 1.2.3, 0x, 1e, 08x, -, 123456789012345678901]",
        "[\"1\",\"true\",\"5\",\"190:20:30\",\"1.2.3\",\"0x\",\"1e\",\"08x\",\"-\",123456789012345680000]");
    assert_json("{a: !!int '5', b: !!float 5, c: !unknown 5}", "{\"a\":5,\"b\":5,\"c\":5}");
}

static void test_merge_keys(void **state UNUSED)
{
    assert_json("x: &x {a: 1, b: 2}\ny: {b: 3, <<: *x}", "{\"x\":{\"a\":1,\"b\":2},\"y\":{\"b\":3,\"a\":1}}");
    assert_json("x: &x {a: 1}\nz: &z {a: 2, c: 4}\ny: {<<: [*x, *z]}",
                "{\"x\":{\"a\":1},\"z\":{\"a\":2,\"c\":4},\"y\":{\"a\":1,\"c\":4}}");
    assert_json("{'<<': 1}", "{\"\\u003c\\u003c\":1}");
}

static void test_yaml_errors_name_their_place(void **state UNUSED)
{
    assert_refused("a: 1\nb:\n  c: 1\n  c: 2\n",
                   "f.yaml:4:3: key 'c' is already defined in line 3, column 3");
    assert_refused("a: *x\n", "f.yaml:1:4: unknown anchor 'x'");
    assert_refused("a: &x [*x]\n", "f.yaml:1:8: anchor 'x' contains itself");
    assert_refused("1: a\n", "f.yaml:1:1: key '1' is no string");
    assert_refused("? [a]\n: b\n", "f.yaml:1:3: a key must be a string");
    assert_refused("a: {<<: 1}\n", "f.yaml:1:5: a merge key (<<) needs a mapping or a list of mappings");
    assert_refused("a: \"x\\0y\"\n", "f.yaml:1:4: a NUL character, which no value can hold");
    assert_refused("a: !!int x\n", "f.yaml:1:4: 'x' is no !!int");
}

static void test_positions(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct node *tree = read_one(arena_new(tmp), "a:\n  - x\n  - {b: 5}\n");
    const struct node *inner = node_get(tree, "a")->list.items[1];
    assert_int_equal(inner->line, 3);
    assert_int_equal(inner->col, 5);
    assert_int_equal(node_entry(inner, "b")->col, 6);
    assert_int_equal(node_get(inner, "b")->col, 9);
}

static void test_alias_bomb_is_refused(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer text = BUFFER_INIT(tmp);
    buffer_add_str(&text, "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buffer_printf(&text, "l%d: &l%d [", i, i);
        for (int k = 0; k < 10; k++)
            buffer_printf(&text, "%s*l%d", k ? ", " : "", i - 1);
        buffer_add_str(&text, "]\n");
    }
    struct node *documents;
    struct error err = ERROR_INIT;
    assert_true(yaml_read(arena_new(tmp), "f.yaml", text.data, text.size, &documents, &err) < 0);
    assert_non_null(strstr(err.text, "aliases make the document too large"));
}

/* Few values, but each of a million letters. */
static void test_aliases_of_long_texts_are_refused(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer text = BUFFER_INIT(tmp);
    buffer_add_str(&text, "t: &t ");
    buffer_add_fill(&text, 'a', 1000000);
    buffer_add_str(&text, "\nl: [");
    for (int i = 0; i < 1000; i++)
        buffer_add_str(&text, "*t,");
    buffer_add_str(&text, "]\n");
    struct node *documents;
    struct error err = ERROR_INIT;
    assert_true(yaml_read(arena_new(tmp), "f.yaml", text.data, text.size, &documents, &err) < 0);
    assert_non_null(strstr(err.text, "aliases make the document too large"));
}

/* With letters of one byte and of two. */
static void test_tag_directives_are_limited(void **state UNUSED)
{
    for (size_t width = 1; width <= 2; width++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct buffer text = BUFFER_INIT(tmp);
        for (int i = 0; i <= YAML_MAX_TAG_DIRECTIVES; i++) {
            const char *line = mem_printf(tmp, "%%TAG !t%d! a\n", i);
            for (; *line; line++)
                buffer_add(&text, (const char[]){*line, '\0'}, width);
        }
        struct node *documents;
        struct error err = ERROR_INIT;
        assert_true(yaml_read(arena_new(tmp), "f.yaml", text.data, text.size, &documents, &err) < 0);
        assert_string_equal(err.text, "f.yaml: more than 100 %TAG directives");
    }
}

static const char *no_variable(const struct template_scope *scope UNUSED, const char *name UNUSED)
{
    return NULL;
}

static void test_values_of_dotenv_are_limited(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer text = BUFFER_INIT(tmp);
    struct error err = ERROR_INIT;
    buffer_add_str(&text, "A=");
    buffer_add_fill(&text, 'a', 1 << 20);
    for (int i = 0; i < 100; i++)
        buffer_printf(&text, "\nB%d=$A", i);
    const struct template_scope scope = {.lookup = no_variable};
    assert_true(dotenv_parse(text.data, &scope, omap_new(tmp), NULL, &err) < 0);
    assert_string_equal(err.text, "line 65: variables make the values larger than 64 MiB");
}

static void test_depth_is_limited(void **state UNUSED)
{
    char text[2 * YAML_MAX_DEPTH + 8];
    memset(text, '[', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct node *documents;
    struct error err = ERROR_INIT;
    assert_true(yaml_read(arena_new(tmp), "f.yaml", text, strlen(text), &documents, &err) < 0);
    assert_string_equal(err.text, "f.yaml:1:130: nested more than 128 deep");
}

static void test_yaml_written_reads_the_same(void **state UNUSED)
{
    static const char *const texts[] = {"",
                                        "a",
                                        " a",
                                        "a ",
                                        "a: b",
                                        "a #b",
                                        "#",
                                        "- a",
                                        "-",
                                        "1",
                                        "0x1F",
                                        "true",
                                        "null",
                                        "~",
                                        "yes",
                                        "1:20",
                                        "a\nb",
                                        "a\n",
                                        "\n",
                                        "\n\na\n\n",
                                        " a\nb",
                                        "a \n",
                                        "a\tb",
                                        "\"'\\",
                                        "\x01",
                                        "é",
                                        "😀",
                                        "2020-1-1",
                                        "[a]",
                                        "{}",
                                        "*x",
                                        "&x",
                                        "!x",
                                        "%x",
                                        "@x",
                                        "`x",
                                        "? x",
                                        ": x",
                                        "a\r\nb",
                                        "--- a",
                                        "...",
                                        "=",
                                        "1_000",
                                        "1e3",
                                        ".inf",
                                        "+.5",
                                        "08",
                                        "a,b",
                                        "\xe2\x80\xa8",
                                        "x\ty\nz",
                                        "a\xe2\x80\xa8z\n"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct arena *arena = arena_new(tmp);
        struct node *map = node_new(arena, NODE_MAP, NULL);
        struct buffer out = BUFFER_INIT(tmp);
        node_set(arena, map, "k", node_string(arena, texts[i], NULL));
        if (*texts[i])
            node_set(arena, map, texts[i], node_string(arena, "v", NULL));
        yaml_write(&out, map);
        struct node *again = read_one(arena, out.data);
        if (!node_equal(map, again))
            fail_msg("'%s' became\n%s", texts[i], out.data);
    }
}

static const char *lookup(const struct template_scope *scope, const char *name)
{
    return omap_get(scope->data, name);
}

static void count_unset(const struct template_scope *scope, const char *name)
{
    omap_set(scope->data, "unset", (void *)(uintptr_t)name);
}

static void test_template(void **state UNUSED)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"plain",          "plain"},
        {"$A",             "a"    },
        {"${A}b",          "ab"   },
        {"$A$A",           "aa"   },
        {"$$A",            "$A"   },
        {"$",              "$"    },
        {"$1",             "$1"   },
        {"a$",             "a$"   },
        {"${N:-d}",        "d"    },
        {"${E:-d}",        "d"    },
        {"${E-d}",         ""     },
        {"${A:-d}",        "a"    },
        {"${N:-${A}}",     "a"    },
        {"${N:-$A$A}",     "aa"   },
        {"${A:+r}",        "r"    },
        {"${E:+r}",        ""     },
        {"${E+r}",         "r"    },
        {"${N+r}",         ""     },
        {"${A:?m}",        "a"    },
        {"${E?m}",         ""     },
        {"${A:-${N:?no}}", "a"    },
        {"${N:-}",         ""     },
        {"${N:-{a}}",      "{a}"  },
        {"${N:-a}b}",      "ab}"  },
        {"${N:-a:-b}",     "a:-b" },
        {"$A_",            ""     },
        {"${N:-$$x}",      "$x"   },
        {"é$A",           "éa"  },
    };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *values = omap_new(tmp);
    struct template_scope scope = {.lookup = lookup, .data = values};
    omap_set_str(values, "A", "a");
    omap_set_str(values, "E", "");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *out = NULL;
        struct error err = ERROR_INIT;
        assert_int_equal(template_expand(tmp, cases[i].text, &scope, &out, &err), 0);
        assert_string_equal(out, cases[i].expected);
    }
    static const char *const bad[] = {"${",    "${}",     "${ A}", "${A }", "${A!}",
                                      "${A:}", "${A:=b}", "${1A}", "${A.b}"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *out = NULL;
        struct error err = ERROR_INIT;
        assert_true(template_expand(tmp, bad[i], &scope, &out, &err) < 0);
        assert_null(out);
        assert_true(err.hint[0] != '\0');
    }
}

static void test_template_required_and_unset(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *values = omap_new(tmp);
    struct template_scope scope = {.lookup = lookup, .unset = count_unset, .data = values};
    struct error err = ERROR_INIT;
    char *out;
    assert_true(template_expand(tmp, "${N:?give ${M:-it}}", &scope, &out, &err) < 0);
    assert_string_equal(err.text, "required variable N is missing a value: give it");
    assert_false(omap_has(values, "unset"));
    assert_int_equal(template_expand(tmp, "${N}", &scope, &out, &err), 0);
    assert_true(omap_has(values, "unset"));
}

static void test_template_growth_is_bounded(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *values = omap_new(tmp);
    struct template_scope scope = {.lookup = lookup, .data = values};
    struct buffer big = BUFFER_INIT(tmp), text = BUFFER_INIT(tmp);
    struct error err = ERROR_INIT;
    char *out;
    buffer_add_fill(&big, 'x', 1 << 20);
    omap_set_str(values, "B", big.data);
    for (int i = 0; i < 40; i++)
        buffer_add_str(&text, "$B");
    assert_int_equal(template_expand(tmp, text.data, &scope, &out, &err), -E2BIG);
    struct buffer deep = BUFFER_INIT(tmp);
    for (int i = 0; i < 100; i++)
        buffer_add_str(&deep, "${N:-");
    buffer_add_fill(&deep, '}', 100);
    assert_true(template_expand(tmp, deep.data, &scope, &out, &err) < 0);
    assert_non_null(strstr(err.text, "nested"));
}

static void test_dotenv(void **state UNUSED)
{
    static const char text[] =
        "\xef\xbb\xbf# comment\nA=1\r\nexport B=two words # c\nC: 'it\\'s $A'\n"
        "D=\"x\\ty \\\"q\\\" $A \\$A\\0101\"\nE=\"l1\nl2\"\n  F = sp  \nG=\nHOME\nNOPE\n"
        "I=$A$HOME\nJ=a#b\n=v\n";
    static const char *const expected[][2] = {
        {"A",    "1"               },
        {"B",    "two words"       },
        {"C",    "it's $A"         },
        {"D",    "x\ty \"q\" 1 $AA"},
        {"E",    "l1\nl2"          },
        {"F",    "sp"              },
        {"G",    ""                },
        {"HOME", "/h"              },
        {"I",    "1/h"             },
        {"J",    "a#b"             },
        {"",     "v"               }
    };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *outer = omap_new(tmp), *values = omap_new(tmp);
    struct template_scope scope = {.lookup = lookup, .data = outer};
    struct error err = ERROR_INIT;
    omap_set_str(outer, "HOME", "/h");
    assert_int_equal(dotenv_parse(text, &scope, values, NULL, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        assert_string_equal(omap_get(values, expected[i][0]), expected[i][1]);
    assert_int_equal(values->count, ARRAY_SIZE(expected));
}

static void test_dotenv_errors_name_the_line(void **state UNUSED)
{
    static const char *const cases[][2] = {
        {"A=1\nB C=2\n",      "line 2: key cannot contain a space"                      },
        {"A=1\n\nB!=2\n",     "line 3: unexpected character '!' in variable name 'B!=2'"},
        {"A=\"x\ny\nB=1\n",   "line 1: unterminated quoted value \"x"                   },
        {"A=1\nB=${X:?no}\n", "line 2: required variable X is missing a value: no"      }
    };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct template_scope scope = {.lookup = lookup, .data = omap_new(tmp)};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = ERROR_INIT;
        assert_true(dotenv_parse(cases[i][0], &scope, omap_new(tmp), NULL, &err) < 0);
        assert_string_equal(err.text, cases[i][1]);
    }
}

static void test_dotenv_raw(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *outer = omap_new(tmp), *values = omap_new(tmp);
    struct template_scope scope = {.lookup = lookup, .data = outer};
    struct error err = ERROR_INIT;
    omap_set_str(outer, "HOME", "/h");
    assert_int_equal(dotenv_parse_raw("# c\nA='q' $B # x\n\nHOME\nNO\n", &scope, values, NULL, &err), 0);
    assert_string_equal(omap_get(values, "A"), "'q' $B # x");
    assert_string_equal(omap_get(values, "HOME"), "/h");
    assert_int_equal(values->count, 2);
    assert_true(dotenv_parse_raw("A B=1\n", &scope, values, NULL, &err) < 0);
}

static void test_large_maps(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct arena *arena = arena_new(tmp);
    struct node *map = node_new(arena, NODE_MAP, NULL);
    for (int i = 0; i < 1000; i++)
        node_set(arena, map, arena_printf(arena, "k%d", i), node_int(arena, i, NULL));
    node_remove(map, "k500");
    node_set(arena, map, "k7", node_int(arena, 77, NULL));
    assert_int_equal(map->map.count, 999);
    assert_null(node_get(map, "k500"));
    assert_int_equal(node_get(map, "k7")->integer, 77);
    assert_int_equal(node_get(map, "k999")->integer, 999);
    assert_true(node_equal(map, node_copy(arena, map)));
}

static void test_ignore_patterns(void **state UNUSED)
{
    static const struct {
        const char *patterns, *path; /* patterns as lines of a .dockerignore */
        bool matches, whole;
    } cases[] = {
        {"",               "a",             false, false},
        {"a",              "a",             true,  true },
        {"a",              "a/b/c",         true,  true },
        {"a",              "ab",            false, false},
        {"a",              "b/a",           false, false},
        {"a/",             "a/b",           true,  true },
        {"./a//b/../c",    "a/c",           true,  true },
        {"/a",             "a",             true,  true },
        {"  a\t",          "a",             true,  true },
        {"# a\na",         "a",             true,  true },
        {"# a",            "# a",           false, false},
        {"\xef\xbb\xbf"
         "a",     "a",             true,  true },
        {"a\r\nb",         "a",             true,  true },
        {"*",              "a/b",           true,  true },
        {"*.log",          "a.log",         true,  true },
        {"*.log",          "d/a.log",       false, false},
        {"*.log",          "a.log/x",       true,  true },
        {"*/x",            "d/x",           true,  true },
        {"*/x",            "d/e/x",         false, false},
        {"a*b*c",          "a--b-b--c",     true,  true },
        {"a*b*c",          "a--b-b--cd",    false, false},
        {"a?c",            "abc",           true,  true },
        {"a?c",
         "a\xc3\xa9"
         "c",                               true,  true },
        {"a?c",            "a/c",           false, false},
        {"[a-c]x",         "bx",            true,  true },
        {"[a-c]x",         "dx",            false, false},
        {"[^a-c]x",        "dx",            true,  true },
        {"[^a-c]x",        "ax",            false, false},
        {"[]]x",           "]x",            true,  true },
        {"[a\\-c]x",       "-x",            true,  true },
        {"[a\\-c]x",       "bx",            false, false},
        {"\\*",            "*",             true,  true },
        {"\\*",            "a",             false, false},
        {"**",             "a/b",           true,  true },
        {"**/x",           "x",             true,  true },
        {"**/x",           "a/b/x",         true,  true },
        {"**/x",           "a/bx",          false, false},
        {"a/**/x",         "a/x",           true,  true },
        {"a/**/x",         "a/b/c/x",       true,  true },
        {"a/**",           "a",             false, false},
        {"a/**",           "a/b/c",         true,  true },
        {"**/*.t",         "a/b.t",         true,  true },
        {"**/a*/**/b",     "x/a1/y/a2/z/b", true,  true },
        {"**/a*/**/b",     "x/a1/y/a2/z/c", false, false},
        {"**/.idea/**",    "p/.idea/x",     true,  true },
        {"a\n!a/b",        "a/b",           false, false},
        {"a\n!a/b",        "a/b/c",         false, false},
        {"a\n!a/b",        "a/c",           true,  true },
        {"a\n!a/b",        "a",             true,  false},
        {"a\n! a/b",       "a/b",           false, false},
        {"a\n!*.md",       "a",             true,  false},
        {"a\n!b",          "a",             true,  true },
        {"a\n!ab",         "a",             true,  true },
        {"!a\na",          "a",             true,  true },
        {"a\n!a/b\na/b/c", "a/b/c",         true,  true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ignore *ignore = ignore_new(NULL);
        struct error err = ERROR_INIT;
        assert_int_equal(ignore_add_file(ignore, cases[i].patterns, &err), 0);
        if (ignore_matches(ignore, cases[i].path) != cases[i].matches ||
            ignore_matches_all(ignore, cases[i].path) != cases[i].whole)
            fail_msg("'%s' and '%s'", cases[i].patterns, cases[i].path);
        talloc_free(ignore);
    }
}

static void test_ignore_refuses_what_is_no_pattern(void **state UNUSED)
{
    static const char *const cases[] = {"a[", "a[b-", "[^]", "[", "a\\", "!", "ok\n["};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ignore *ignore = ignore_new(NULL);
        struct error err = ERROR_INIT;
        assert_true(ignore_add_file(ignore, cases[i], &err) < 0);
        talloc_free(ignore);
    }
}

/* Each star could take each part: it must not be tried out. */
static void test_ignore_is_not_exponential(void **state UNUSED)
{
    struct ignore *ignore = ignore_new(NULL);
    struct error err = ERROR_INIT;
    char *path = mem_strdup(ignore, "a");
    for (int i = 0; i < 200; i++)
        path = mem_append_str(path, "/aaaaaaaa");
    assert_int_equal(ignore_add(ignore, "**/a*a*a*a*/**/a*a*/**/a*/**/a*a*a/**/b", &err), 0);
    assert_false(ignore_matches(ignore, path));
    talloc_free(ignore);
}

static void test_digest(void **state UNUSED)
{
    char text[DIGEST_TEXT];
    digest_sha256("abc", 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_merge_keys),
        cmocka_unit_test(test_yaml_errors_name_their_place),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_alias_bomb_is_refused),
        cmocka_unit_test(test_aliases_of_long_texts_are_refused),
        cmocka_unit_test(test_tag_directives_are_limited),
        cmocka_unit_test(test_values_of_dotenv_are_limited),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_yaml_written_reads_the_same),
        cmocka_unit_test(test_template),
        cmocka_unit_test(test_template_required_and_unset),
        cmocka_unit_test(test_template_growth_is_bounded),
        cmocka_unit_test(test_dotenv),
        cmocka_unit_test(test_dotenv_errors_name_the_line),
        cmocka_unit_test(test_dotenv_raw),
        cmocka_unit_test(test_large_maps),
        cmocka_unit_test(test_ignore_patterns),
        cmocka_unit_test(test_ignore_refuses_what_is_no_pattern),
        cmocka_unit_test(test_ignore_is_not_exponential),
        cmocka_unit_test(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
