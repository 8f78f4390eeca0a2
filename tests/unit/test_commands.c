/* The tables as a whole, and what is made from them; how containers are described. */
#include "cli/command.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/man.h"
#include "cli/psview.h"

#include "base/str.h"
#include "base/strv.h"
#include "base/units.h"
#include "sys/fs.h"

#include "lib/unit.h"

/* ---- tables ---- */

static void for_each(const struct command *const *table, void (*check)(const struct command *command))
{
    for (; *table; table++) {
        check(*table);
        if ((*table)->children)
            for_each((*table)->children, check);
    }
}

static bool choices_have(const char *const *choices, const char *value)
{
    for (; *choices; choices++)
        if (str_eq(*choices, value))
            return true;
    return false;
}

static void check_flags(const struct flag *flags, size_t options_size)
{
    static const size_t sizes[] = {[FLAG_BOOL] = sizeof(bool),
                                   [FLAG_INT] = sizeof(int64_t),
                                   [FLAG_STRING] = sizeof(char *),
                                   [FLAG_LIST] = sizeof(char **)};
    for (const struct flag *f = flags; f && f->long_name; f++) {
        assert_true(f->offset + sizes[f->kind] <= options_size);
        assert_true(f->help && *f->help);
        assert_true(!str_ends(f->help, "\n"));
        if (f->choices && f->fallback)
            assert_true(choices_have(f->choices, f->fallback));
        for (const struct flag *g = f + 1; g->long_name; g++) {
            assert_string_not_equal(f->long_name, g->long_name);
            assert_true(!f->short_name || f->short_name != g->short_name);
        }
    }
}

static void check_command(const struct command *command)
{
    assert_true(command->name && command->args && command->summary);
    assert_true(command->run || command->children);
    assert_true(command->max_args < 0 || command->min_args <= command->max_args);
    assert_true(!command->flags || command->options_size > 0);
    check_flags(command->flags, command->options_size);
}

static void test_rows_are_whole(void **state UNUSED)
{
    for_each(command_table, check_command);
    check_flags(global_flags, sizeof(struct globals));
}

static void test_names_are_unique(void **state UNUSED)
{
    for (const struct command *const *c = command_table; *c; c++) {
        assert_ptr_equal(command_find(command_table, (*c)->name), *c);
        for (const char *const *a = (*c)->aliases; a && *a; a++)
            assert_ptr_equal(command_find(command_table, *a), *c);
    }
    assert_null(command_find(command_table, "nosuch"));
}

/* Every default can be given by hand. */
static void set_defaults(const struct command *command)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    void *options = talloc_zero_size(tmp, command->options_size + 1);
    for (const struct flag *f = command->flags; f && f->long_name; f++) {
        struct error err = ERROR_INIT;
        if (f->fallback)
            assert_int_equal(flag_set(tmp, f, options, f->long_name, f->fallback, &err), 0);
    }
}

static void test_defaults_are_values(void **state UNUSED)
{
    for_each(command_table, set_defaults);
}

static char *page;

static void is_in_man_page(const struct command *command)
{
    if ((command->bits & COMMAND_HIDDEN) || command->children)
        return;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    assert_non_null(strstr(page, mem_printf(tmp, " %s ", command->name)));
    for (const struct flag **f = flags_sorted(tmp, command->flags); *f; f++) {
        char *name = mem_strdup(tmp, "\\-\\-");
        for (const char *p = (*f)->long_name; *p; p++)
            name = mem_append_printf(name, *p == '-' ? "\\-" : "%c", *p);
        assert_non_null(strstr(page, name));
    }
}

static void test_man_page_has_everything(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    page = man_page(tmp, command_table, global_flags);
    for_each(command_table, is_in_man_page);
}

static void test_argument_counts(void **state UNUSED)
{
    static const struct {
        int min, max;
        const char *args, *text;
    } cases[] = {
        {0, 0,  "a",     "unknown command \"a\" for \"compote x\""    },
        {2, 2,  "a",     "accepts 2 arg(s), received 1"               },
        {2, -1, "a",     "\"compote x\" requires at least 2 arguments"},
        {1, -1, "",      "\"compote x\" requires at least 1 argument" },
        {0, 1,  "a b",   "accepts at most 1 arg(s), received 2"       },
        {1, 2,  "a b",   NULL                                         },
        {0, -1, "a b c", NULL                                         },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        const struct command command = {
            .name = "x", .args = "ARGS", .min_args = cases[i].min, .max_args = cases[i].max};
        static char *const none[] = {NULL};
        char *const *args = *cases[i].args ? strv_split(tmp, cases[i].args, ' ') : none;
        struct error err = ERROR_INIT;
        int r = command_check_args(&command, "compote x", args, &err);
        assert_int_equal(r < 0, cases[i].text != NULL);
        assert_string_equal(err.text, cases[i].text ? cases[i].text : "");
    }
}

/* ---- completion ---- */

static void test_completion(void **state UNUSED)
{
    /* Words are joined by commas; the candidates by blanks, without what follows the tab. */
    static const struct {
        const char *words, *lines, *names;
    } cases[] = {
        {"dow",                  "down",                      NULL     },
        {"image,l",              "load ls",                   NULL     },
        {"up,--no-d",            "--no-deps",                 NULL     },
        {"up,--buil",            "",                          NULL     }, /* not yet there */
        {"--progress,",          "auto tty plain json quiet", NULL     },
        {"--progress=q",         "--progress=quiet",          NULL     },
        {"up,--pull,al",         "always",                    NULL     },
        {"up,--pull,always,",    "",                          "service"},
        {"up,web,",              "",                          "service"},
        {"exec,",                "",                          "service"},
        {"exec,web,",            "",                          NULL     },
        {"exec,web,-",           "",                          NULL     },
        {"exec,-T,-u,root,",     "",                          "service"},
        {"logs,-f,",             "",                          "service"},
        {"-f,",                  "",                          "file"   },
        {"-p,",                  "",                          "project"},
        {"-p,x,sto",             "stop",                      NULL     },
        {"--project-directory,", "",                          "dir"    },
        {"nosuch,",              "",                          NULL     },
        {"help,",                "",                          "command"},
        {"port,web,",            "",                          NULL     },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct completion completion;
        complete_words(tmp, strv_split(tmp, cases[i].words, ','), &completion);
        char *lines = mem_strdup(tmp, "");
        for (char **line = completion.lines; line && *line; line++)
            lines = mem_append_printf(lines, "%s%.*s", *lines ? " " : "", (int)strcspn(*line, "\t"), *line);
        assert_string_equal(lines, cases[i].lines);
        if (cases[i].names)
            assert_string_equal(completion.names, cases[i].names);
        else
            assert_null(completion.names);
    }
}

/* ---- containers ---- */

static void test_status_texts(void **state UNUSED)
{
    const int64_t now = 1000 * NS_PER_S;
    static const struct {
        struct container_status status;
        const char *text;
    } cases[] = {
        {{.state = STATE_RUNNING, .started = 995 * NS_PER_S},                             "Up 5 seconds"              },
        {{.state = STATE_RUNNING, .started = 880 * NS_PER_S, .health = HEALTH_HEALTHY},
         "Up 2 minutes (healthy)"                                                                                     },
        {{.state = STATE_RUNNING, .started = 995 * NS_PER_S, .health = HEALTH_STARTING},
         "Up 5 seconds (health: starting)"                                                                            },
        {{.state = STATE_RUNNING, .started = 995 * NS_PER_S, .health = HEALTH_UNHEALTHY},
         "Up 5 seconds (unhealthy)"                                                                                   },
        {{.state = STATE_PAUSED, .started = 995 * NS_PER_S, .health = HEALTH_HEALTHY},
         "Up 5 seconds (Paused)"                                                                                      },
        {{.state = STATE_RESTARTING, .finished = 999 * NS_PER_S, .exit_code = 1},
         "Restarting (1) 1 second ago"                                                                                },
        {{.state = STATE_EXITED, .finished = 820 * NS_PER_S, .exit_code = 137},           "Exited (137) 3 minutes ago"},
        {{.state = STATE_EXITED, .finished = 999 * NS_PER_S, .exit_code = -1},
         "Exited (unknown) 1 second ago"                                                                              },
        {{.state = STATE_CREATED},                                                        "Created"                   },
        {{.state = STATE_DEAD},                                                           "Dead"                      },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        assert_string_equal(ps_status(tmp, &cases[i].status, now), cases[i].text);
    }
}

#define EVERYWHERE(outer, inner)                                                                             \
    {(char *)"0.0.0.0", outer, inner, (char *)"tcp"},                                                        \
    {                                                                                                        \
        (char *)"::", outer, inner, (char *)"tcp"                                                            \
    }

static void test_port_texts(void **state UNUSED)
{
    static const struct {
        struct published_port ports[8];
        size_t count;
        const char *text;
    } cases[] = {
        {.count = 0, .text = ""                                                        },
        { {EVERYWHERE(80, 80)},         2,                              "0.0.0.0:80->80/tcp, [::]:80->80/tcp"},
        { {EVERYWHERE(8080, 80)},         2,                          "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"},
        { {{NULL, 0, 6379, (char *)"tcp"}},         1,                                                         "6379/tcp"},
        { {{NULL, 0, 3001, (char *)"tcp"}, {NULL, 0, 3000, (char *)"tcp"}, {NULL, 0, 3003, (char *)"tcp"}},
         3,                                                   "3000-3001/tcp, 3003/tcp"},
        { {{(char *)"127.0.0.1", 53, 53, (char *)"udp"}, {(char *)"127.0.0.1", 53, 53, (char *)"tcp"}},
         2,                                "127.0.0.1:53->53/tcp, 127.0.0.1:53->53/udp"},
        { {EVERYWHERE(7000, 7000), EVERYWHERE(7001, 7001), {NULL, 0, 9000, (char *)"tcp"}},
         5, "0.0.0.0:7000-7001->7000-7001/tcp, [::]:7000-7001->7000-7001/tcp, 9000/tcp"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        assert_string_equal(ps_ports(tmp, cases[i].ports, cases[i].count), cases[i].text);
    }
}

static void test_command_texts(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    assert_string_equal(ps_command(tmp, "nginx", false), "\"nginx\"");
    assert_string_equal(ps_command(tmp, "/docker-entrypoint.sh nginx", false), "\"/docker-entrypoint.…\"");
    assert_string_equal(ps_command(tmp, "/docker-entrypoint.sh nginx", true),
                        "\"/docker-entrypoint.sh nginx\"");
    assert_string_equal(ps_command(tmp, "sh -c \"a\n\\\x01\"", false), "\"sh -c \\\"a\\n\\\\\\x01\\\"\"");
}

static void test_row_is_json_whatever_the_names(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *labels = omap_new(tmp);
    omap_set_str(labels, "a", "\xff\x1b");
    struct container_view view = {.id = (char *)"0123456789abcdef0123",
                                  .name = (char *)"demo-web-1",
                                  .project = (char *)"demo",
                                  .service = (char *)"web",
                                  .image = (char *)"nginx\xc3",
                                  .command = (char *)"nginx",
                                  .labels = labels,
                                  .status = {.state = STATE_RUNNING}};
    struct template_row row = ps_row(&view, false, NS_PER_S);
    assert_string_equal(json_string_value(json_object_get(row.fields, "ID")), "0123456789ab");
    assert_string_equal(json_string_value(json_object_get(row.fields, "Image")), "nginx\xef\xbf\xbd");
    assert_string_equal(json_string_value(json_object_get(row.fields, "Labels")), "a=\xef\xbf\xbd ");
    size_t known = 0;
    for (; ps_fields[known].name; known++)
        assert_non_null(json_object_get(row.fields, ps_fields[known].name));
    assert_int_equal(json_object_size(row.fields), known);
    json_decref(row.fields);
}

static void test_configured_format(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char directory[] = "/tmp/test_commands.XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = mem_printf(tmp, "%s/config.json", directory);
    static const struct {
        const char *text, *format;
    } cases[] = {
        {"{\"psFormat\": \"{{.Name}}\"}", "{{.Name}}"},
        {"{\"psFormat\": 1}",             NULL       },
        {"{}",                            NULL       },
        {"not json",                      NULL       },
        {"",                              NULL       },
    };
    assert_null(ps_configured_format(tmp, NULL));
    assert_null(ps_configured_format(tmp, directory));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(fs_write_file(path, cases[i].text, strlen(cases[i].text), 0600, false, NULL), 0);
        char *format = ps_configured_format(tmp, directory);
        assert_true(str_eq(format, cases[i].format));
    }
    fs_remove_tree(directory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_whole),      cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_defaults_are_values), cmocka_unit_test(test_man_page_has_everything),
        cmocka_unit_test(test_argument_counts),     cmocka_unit_test(test_completion),
        cmocka_unit_test(test_status_texts),        cmocka_unit_test(test_port_texts),
        cmocka_unit_test(test_command_texts),       cmocka_unit_test(test_row_is_json_whatever_the_names),
        cmocka_unit_test(test_configured_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
