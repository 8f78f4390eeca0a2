#include "cli/human.h"
#include "cli/table.h"
#include "cli/template.h"
#include "cli/text.h"

#include "base/units.h"

#include "lib/unit.h"

static void test_columns(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct table *table = table_new(tmp, 10, 3);
    table_row(table, "NAME", "IMAGE", "PORTS");
    table_row(table, "demo-web-1", "nginx", "");
    table_row(table, "x", "registry.example/é", "0.0.0.0:80->80/tcp, [::]:80->80/tcp");
    assert_string_equal(table_print(tmp, table), "NAME         IMAGE                PORTS\n"
                                                 "demo-web-1   nginx                \n"
                                                 "x            registry.example/é   0.0.0.0:80->80/tcp, "
                                                 "[::]:80->80/tcp\n");
    table = table_new(tmp, 20, 3);
    table_row(table, "NAME", "STATUS");
    table_row(table, "a\tb\x1b[31m", "running(2)");
    assert_string_equal(table_print(tmp, table), "NAME                STATUS\n"
                                                 "a b [31m            running(2)\n");
    assert_string_equal(table_print(tmp, table_new(tmp, 10, 3)), "");
}

static const struct template_field fields[] = {
    {"ID",    "CONTAINER ID"},
    {"Name",  "NAME"        },
    {"Ports", "PORTS"       },
    {"Code",  "CODE"        },
    {NULL,    NULL          }
};

static char *print(const void *owner, const char *text, struct error *err)
{
    struct template *template;
    if (template_parse(owner, text, fields, &template, err) < 0)
        return NULL;
    struct omap *labels = omap_new(owner);
    omap_set_str(labels, "com.example.a", "b");
    omap_set_str(labels, "screen", "\033]0;x\007");
    json_t *one = json_pack("{s:s, s:s, s:[i, i], s:i}", "ID", "0123456789abcdef", "Name", "web", "Ports", 80,
                            81, "Code", 0);
    json_t *two = json_pack("{s:s, s:s, s:[], s:i}", "ID", "fedcba9876543210", "Name", "database", "Ports",
                            "Code", 137);
    const struct template_row rows[] = {
        {one, labels},
        {two, NULL  }
    };
    char *out = template_print(owner, template, rows, 2);
    json_decref(one);
    json_decref(two);
    return out;
}

static void test_templates(void **state UNUSED)
{
    static const struct {
        const char *text, *expect;
    } cases[] = {
        {"{{.Name}}",                         "web\ndatabase\n"                                                               },
        {"{{ .Name }}:{{.Code}}",             "web:0\ndatabase:137\n"                                                         },
        {"plain",                             "plain\nplain\n"                                                                },
        {"{{.Name}}\\t{{.Code}}",             "web\t0\ndatabase\t137\n"                                                       },
        {"{{json .Name}}",                    "\"web\"\n\"database\"\n"                                                       },
        {"{{json .Ports}}",                   "[80,81]\n[]\n"                                                                 },
        {"{{len .Ports}}",                    "2\n0\n"                                                                        },
        {"{{upper .Name}}",                   "WEB\nDATABASE\n"                                                               },
        {"{{.Name | upper}}",                 "WEB\nDATABASE\n"                                                               },
        {"{{.Name | upper | lower | title}}", "Web\nDatabase\n"                                                               },
        {"{{truncate .ID 4}}",                "0123\nfedc\n"                                                                  },
        {"a {{- .Name -}} b",                 "awebb\nadatabaseb\n"                                                           },
        {"{{.Label \"com.example.a\"}}",      "b\n\n"                                                                         },
        {"{{.Label \"screen\"}}",             " ]0;x \n\n"                                                                    },
        {"{{json .}}",                        "{\"ID\":\"0123456789abcdef\",\"Name\":\"web\",\"Ports\":[80,81],\"Code\":0}\n"
                       "{\"ID\":\"fedcba9876543210\",\"Name\":\"database\",\"Ports\":[],\"Code\":137}\n"},
        {"table {{.Name}}\\t{{.Code}}",       "NAME       CODE\nweb        0\ndatabase   137\n"                               },
        {"table {{.ID}}\t{{upper .Name}}",
         "CONTAINER ID       NAME\n0123456789abcdef   WEB\nfedcba9876543210   DATABASE\n"                                     },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct error err = ERROR_INIT;
        char *out = print(tmp, cases[i].text, &err);
        assert_string_equal(err.text, "");
        assert_string_equal(out, cases[i].expect);
    }
}

static void test_bad_templates(void **state UNUSED)
{
    static const struct {
        const char *text, *expect;
    } cases[] = {
        {"{{.Nope}}",                          "template: there is no field .Nope"  },
        {"{{.Name",                            "template: '{{' without '}}'"        },
        {"{{}}",                               "template: '{{}}' names no field"    },
        {"{{json}}",                           "template: '{{json}}' names no field"},
        {"{{if .Name}}x{{end}}",               "template: 'if' is not supported"    },
        {"{{json json json json json .Name}}", "template: 'json' is not supported"  },
        {"{{\"x}}",                            "template: '\"x' is not supported"   },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct error err = ERROR_INIT;
        assert_null(print(tmp, cases[i].text, &err));
        assert_string_equal(err.text, cases[i].expect);
    }
}

static void test_durations(void **state UNUSED)
{
    static const struct {
        int64_t seconds;
        const char *expect;
    } cases[] = {
        {-5,          "Less than a second"},
        {0,           "Less than a second"},
        {1,           "1 second"          },
        {59,          "59 seconds"        },
        {60,          "About a minute"    },
        {119,         "About a minute"    },
        {120,         "2 minutes"         },
        {3599,        "59 minutes"        },
        {3600,        "About an hour"     },
        {5399,        "About an hour"     },
        {5400,        "2 hours"           },
        {47 * 3600,   "47 hours"          },
        {48 * 3600,   "2 days"            },
        {13 * 86400,  "13 days"           },
        {14 * 86400,  "2 weeks"           },
        {59 * 86400,  "8 weeks"           },
        {60 * 86400,  "2 months"          },
        {729 * 86400, "24 months"         },
        {730 * 86400, "2 years"           },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[HUMAN_TEXT];
        human_duration(cases[i].seconds * NS_PER_S, text);
        assert_string_equal(text, cases[i].expect);
    }
}

static void test_sizes(void **state UNUSED)
{
    static const struct {
        int64_t bytes;
        const char *expect;
    } cases[] = {
        {0,            "0B"    },
        {999,          "999B"  },
        {1000,         "1kB"   },
        {1234567,      "1.23MB"},
        {45300000,     "45.3MB"},
        {187000000000, "187GB" }
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[HUMAN_TEXT];
        human_size(cases[i].bytes, 3, text);
        assert_string_equal(text, cases[i].expect);
    }
}

static void test_text(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    assert_string_equal(text_clean(tmp, "a\nb\x1b[0m\x7f\xc2\x9bz"), "a b [0m  z");
    assert_string_equal(text_clean(tmp, "\xff\xc3(\xe2\x82"),
                        "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(text_clean(tmp, "\xc0\xaf \xed\xa0\x80"),
                        "\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(text_clean(tmp, "grün 日本 😀"), "grün 日本 😀");
    assert_int_equal(text_width("grün"), 4);
    assert_int_equal(text_width("日本"), 4);
    assert_int_equal(text_width("e\u0301"), 1);
    assert_string_equal(text_cut(tmp, "abcdef", 6), "abcdef");
    assert_string_equal(text_cut(tmp, "abcdef", 5), "abcd…");
    assert_string_equal(text_cut(tmp, "日本語", 4), "日…");
    assert_string_equal(text_cut(tmp, "abc", 0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),       cmocka_unit_test(test_templates),
        cmocka_unit_test(test_bad_templates), cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
