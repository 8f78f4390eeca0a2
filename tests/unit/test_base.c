#include "base/error.h"
#include "base/omap.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/units.h"

#include "lib/unit.h"

static int fail_deep(struct error *err)
{
    return error_set(err, ENOENT, "open '%s'", "x");
}

static void test_error_wraps_outside_in(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    assert_int_equal(fail_deep(&err), -ENOENT);
    assert_int_equal(error_wrap(&err, "service %s", "web"), -ENOENT);
    assert_string_equal(err.text, "service web: open 'x'");
    error_hint(&err, "try %d", 2);
    assert_string_equal(err.hint, "try 2");
    assert_int_equal(error_set(&err, EIO, "again: %s", err.text), -EIO);
    assert_string_equal(err.text, "again: service web: open 'x'");
    assert_int_equal(error_set(NULL, EIO, "nobody listens"), -EIO);
}

static void test_error_cuts_long_texts(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    char big[2 * ERROR_TEXT_SIZE];
    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    error_set(&err, EIO, "%s", big);
    error_wrap(&err, "%s", big);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
}

static void test_numbers_are_strict(void **state UNUSED)
{
    uint64_t u = 7;
    int64_t i = 7;
    assert_true(str_to_u64("65535", 0, 65535, &u));
    assert_int_equal(u, 65535);
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "65536", "1e3", "99999999999999999999"};
    for (size_t n = 0; n < ARRAY_SIZE(bad); n++)
        assert_false(str_to_u64(bad[n], 0, 65535, &u));
    assert_int_equal(u, 65535);
    assert_true(str_to_i64("-12", -20, 20, &i));
    assert_int_equal(i, -12);
    assert_false(str_to_i64("--1", -20, 20, &i));
}

static void test_bytes(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0",     0         },
        {"1024",  1024      },
        {"1k",    1024      },
        {"1.5K",  1536      },
        {"64m",   64 << 20  },
        {"1gb",   1 << 30   },
        {"2GiB",  2LL << 30 },
        {"10 MB", 10 << 20  },
        {"1b",    1         },
        {"1t",    1LL << 40 },
        {"+5",    5         },
        {"1_000", 1000      },
        {"1e3k",  1000 << 10},
    };
    static const char *const bad[] = {"",     "k",  "1x",   "1kk", "-1",       "0x10",
                                      "1__0", "_1", "1  k", "5zz", "99999999p"};
    int64_t v;
    for (size_t n = 0; n < ARRAY_SIZE(good); n++) {
        assert_true(bytes_parse(good[n].text, &v));
        assert_int_equal(v, good[n].value);
    }
    for (size_t n = 0; n < ARRAY_SIZE(bad); n++)
        assert_false(bytes_parse(bad[n], &v));
}

static void test_durations_go_both_ways(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t ns;
        const char *print;
    } cases[] = {
        {"5s",    5 * NS_PER_S,         "5s"      },
        {"1m30s", 90 * NS_PER_S,        "1m30s"   },
        {"90s",   90 * NS_PER_S,        "1m30s"   },
        {"2m",    120 * NS_PER_S,       "2m0s"    },
        {"1h",    3600 * NS_PER_S,      "1h0m0s"  },
        {"1.5s",  1500 * NS_PER_MS,     "1.5s"    },
        {"300ms", 300 * NS_PER_MS,      "300ms"   },
        {"1us",   1000,                 "1\u00b5s"},
        {"0",     0,                    "0s"      },
        {"1d",    86400 * NS_PER_S,     "24h0m0s" },
        {"1w",    7 * 86400 * NS_PER_S, "168h0m0s"}
    };
    static const char *const bad[] = {"", "5", "s", "5x", "5s3", "1 s", "0x1s"};
    char text[UNITS_TEXT];
    int64_t v;
    for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
        assert_true(duration_parse(cases[n].text, &v));
        assert_int_equal(v, cases[n].ns);
        duration_print(v, text);
        assert_string_equal(text, cases[n].print);
    }
    for (size_t n = 0; n < ARRAY_SIZE(bad); n++)
        assert_false(duration_parse(bad[n], &v));
}

static void test_path_clean(void **state UNUSED)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"",            "."      },
        {"/",           "/"      },
        {"a//b/",       "a/b"    },
        {"./a",         "a"      },
        {"a/../b",      "b"      },
        {"../a",        "../a"   },
        {"../../a",     "../../a"},
        {"/../a",       "/a"     },
        {"/a/../..",    "/"      },
        {"a/..",        "."      },
        {"../a/..",     ".."     },
        {"/a/./b/../c", "/a/c"   }
    };
    for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
        char *clean = path_clean(NULL, cases[n].from);
        assert_string_equal(clean, cases[n].to);
        talloc_free(clean);
    }
    char *joined = path_join(NULL, "/x/y", "../z");
    assert_string_equal(joined, "/x/z");
    talloc_free(joined);
}

static void test_path_relative(void **state UNUSED)
{
    static const struct {
        const char *base, *path, *expected;
    } cases[] = {
        {"/a/b", "/a/b",   "."      },
        {"/a/b", "/a/b/c", "c"      },
        {"/a/b", "/a",     ".."     },
        {"/a/b", "/a/c/d", "../c/d" },
        {"/a/b", "/x",     "../../x"},
        {"/a",   "/ab",    "../ab"  },
        {"/ab",  "/a",     "../a"   },
        {"/",    "/a",     "a"      },
        {"/a",   "/",      ".."     },
    };
    for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
        char *relative = path_relative(NULL, cases[n].base, cases[n].path);
        assert_string_equal(relative, cases[n].expected);
        talloc_free(relative);
    }
}

static void test_omap_keeps_order_at_any_size(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *map = omap_new(tmp);
    for (int i = 0; i < 5000; i++)
        omap_set_str(map, mem_printf(tmp, "k%d", i), mem_printf(tmp, "%d", i));
    omap_set_str(map, "k7", "seven");
    assert_int_equal(map->count, 5000);
    assert_string_equal(omap_get(map, "k7"), "seven");
    assert_string_equal(map->entries[4999].key, "k4999");
    assert_null(omap_get(map, "k5000"));
    for (int i = 0; i < 500; i++)
        assert_true(omap_remove(map, map->entries[0].key));
    assert_int_equal(map->count, 4500);
    assert_string_equal(map->entries[0].key, "k500");
    omap_set_str(map, "a", "first");
    omap_sort(map);
    assert_string_equal(map->entries[0].key, "a");
    assert_string_equal(omap_get(map, "k4999"), "4999");
}

static void test_strv_environment(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **v = strv_new(tmp, "A=1", "AB=2", NULL);
    v = strv_env_set(tmp, v, "A", "x");
    v = strv_env_set(tmp, v, "C", "3");
    assert_string_equal(strv_env_get(v, "A"), "x");
    assert_string_equal(strv_env_get(v, "AB"), "2");
    v = strv_env_set(tmp, v, "AB", NULL);
    assert_null(strv_env_get(v, "AB"));
    char *joined = strv_join(tmp, v, " ");
    assert_string_equal(joined, "A=x C=3");
    assert_int_equal(strv_len(strv_split(tmp, "a::b", ':')), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_wraps_outside_in), cmocka_unit_test(test_error_cuts_long_texts),
        cmocka_unit_test(test_numbers_are_strict),     cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_durations_go_both_ways), cmocka_unit_test(test_path_clean),
        cmocka_unit_test(test_path_relative),          cmocka_unit_test(test_omap_keeps_order_at_any_size),
        cmocka_unit_test(test_strv_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
