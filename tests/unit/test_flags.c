#include "cli/flags.h"
#include "cli/help.h"

#include "base/str.h"
#include "base/strv.h"

#include "lib/unit.h"

struct test_options {
    bool detach, tty, interactive;
    int64_t timeout;
    char *pull, *user;
    char **env, **profiles;
};
#define OPTIONS struct test_options

static const char *const pull_choices[] = {"always", "missing", "never", NULL};

static const struct flag rows[] = {
    FLAG("detach", 'd', BOOL, detach, "Run in the background"),
    FLAG("env", 'e', LIST, env, "Set environment variables"),
    FLAG("interactive", 'i', BOOL, interactive, "Keep STDIN open", .fallback = "true"),
    FLAG("later", 0, BOOL, detach, "Something for later", .bits = FLAG_NOT_YET),
    FLAG("old", 0, BOOL, detach, "use --detach", .bits = FLAG_DEPRECATED),
    FLAG("profiles", 0, LIST, profiles, "Profiles", .bits = FLAG_COMMA),
    FLAG("pull", 0, STRING, pull, "Pull image before running", .choices = pull_choices,
         .fallback = "missing"),
    FLAG("timeout", 't', INT, timeout, "Specify a shutdown timeout in seconds", .fallback = "-1",
         .bits = FLAG_QUIET_DEFAULT),
    FLAG("tty", 'T', BOOL, tty, "No terminal"),
    FLAG("user", 'u', STRING, user, "Run as this user", .bits = FLAG_HIDDEN),
    FLAG_END,
};
#undef OPTIONS

struct outer_options {
    char **files;
    bool dry_run;
    char *timeout; /* hidden by the inner table's */
};
#define OPTIONS struct outer_options
static const struct flag outer_rows[] = {
    FLAG("dry-run", 0, BOOL, dry_run, "Only say what would be done"),
    FLAG("file", 'f', LIST, files, "Compose files"),
    FLAG("timeout", 0, STRING, timeout, "Another one"),
    FLAG_END,
};

struct parsed {
    struct test_options inner;
    struct outer_options outer;
    struct flag_parser parser;
    struct error err;
    int result;
};

static struct parsed *parse(const void *owner, bool stop, const char *line)
{
    struct parsed *p = mem_new(owner, struct parsed);
    flags_init(p, rows, &p->inner);
    flags_init(p, outer_rows, &p->outer);
    p->parser = (struct flag_parser){
        .owner = p,
        .scopes = {{rows, &p->inner}, {outer_rows, &p->outer}},
        .scope_count = 2,
        .stop_at_argument = stop,
    };
    char **argv = *line ? strv_split(p, line, ' ') : NULL;
    static char *const none[] = {NULL};
    p->result = flags_parse(&p->parser, argv ? argv : none, &p->err);
    return p;
}

/* Everything that was set, in one line. */
static char *describe(struct parsed *p)
{
    const struct test_options *o = &p->inner;
    char *s = mem_printf(p, "%s%s%s", o->detach ? "d" : "", o->tty ? "T" : "", o->interactive ? "i" : "");
    s = mem_append_printf(s, " t=%d pull=%s user=%s", (int)o->timeout, o->pull, o->user ? o->user : "-");
    s = mem_append_printf(s, " env=%s", o->env ? strv_join(p, o->env, ",") : "-");
    s = mem_append_printf(s, " profiles=%s", o->profiles ? strv_join(p, o->profiles, "+") : "-");
    s = mem_append_printf(s, " files=%s", p->outer.files ? strv_join(p, p->outer.files, ",") : "-");
    return mem_append_printf(s, " args=%s", strv_join(p, p->parser.args, ","));
}

static void test_good_lines(void **state UNUSED)
{
    static const struct {
        bool stop;
        const char *line, *expect;
    } cases[] = {
        {false, "",                               "i t=-1 pull=missing user=- env=- profiles=- files=- args="              },
        {false, "-d web",                         "di t=-1 pull=missing user=- env=- profiles=- files=- args=web"          },
        {false, "web -d db",                      "di t=-1 pull=missing user=- env=- profiles=- files=- args=web,db"       },
        {true,  "-d web -T --what",               "di t=-1 pull=missing user=- env=- profiles=- files=- args=web,-T,--what"},
        {false, "-- -d",                          "i t=-1 pull=missing user=- env=- profiles=- files=- args=-d"            },
        {true,  "-d -- web -- x",                 "di t=-1 pull=missing user=- env=- profiles=- files=- args=web,--,x"     },
        {false, "-",                              "i t=-1 pull=missing user=- env=- profiles=- files=- args=-"             },
        {false, "--interactive=false",            " t=-1 pull=missing user=- env=- profiles=- files=- args="               },
        {false, "-i=0 -d=true",                   "d t=-1 pull=missing user=- env=- profiles=- files=- args="              },
        {false, "-dTt5",                          "dTi t=5 pull=missing user=- env=- profiles=- files=- args="             },
        {false, "-dt 5 x",                        "di t=5 pull=missing user=- env=- profiles=- files=- args=x"             },
        {false, "-t=7 -t 8",                      "i t=8 pull=missing user=- env=- profiles=- files=- args="               },
        {false, "--timeout=-3",                   "i t=-3 pull=missing user=- env=- profiles=- files=- args="              },
        {false, "--timeout -3",                   "i t=-3 pull=missing user=- env=- profiles=- files=- args="              },
        {false, "-e A=1 -eB=2 --env C --env=D=,",
         "i t=-1 pull=missing user=- env=A=1,B=2,C,D=, profiles=- files=- args="                                           },
        {false, "--profiles a,b --profiles c",
         "i t=-1 pull=missing user=- env=- profiles=a+b+c files=- args="                                                   },
        {false, "-u 0:0",                         "i t=-1 pull=missing user=0:0 env=- profiles=- files=- args="            },
        {false, "--user= x",                      "i t=-1 pull=missing user= env=- profiles=- files=- args=x"              },
        {false, "web -f a.yml --file b.yml",
         "i t=-1 pull=missing user=- env=- profiles=- files=a.yml,b.yml args=web"                                          },
        {false, "--pull never",                   "i t=-1 pull=never user=- env=- profiles=- files=- args="                },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct parsed *p = parse(tmp, cases[i].stop, cases[i].line);
        assert_int_equal(p->result, 0);
        assert_string_equal(describe(p), cases[i].expect);
        assert_false(p->parser.help);
    }
}

static void test_bad_lines(void **state UNUSED)
{
    static const struct {
        const char *line, *text, *hint;
    } cases[] = {
        {"--nope",         "unknown flag: --nope",                                                          ""                      },
        {"--detahc",       "unknown flag: --detahc",                                                        "did you mean --detach?"},
        {"--det",          "unknown flag: --det",                                                           "did you mean --detach?"},
        {"--usr",          "unknown flag: --usr",                                                           ""                      }, /* hidden flags are not proposed */
        {"--nope=1",       "unknown flag: --nope",                                                          ""                      },
        {"-dx",            "unknown shorthand flag: 'x' in -dx",                                            ""                      },
        {"-t",             "flag needs an argument: 't' in -t",                                             ""                      },
        {"-dt",            "flag needs an argument: 't' in -dt",                                            ""                      },
        {"--timeout",      "flag needs an argument: --timeout",                                             ""                      },
        {"--=x",           "bad flag syntax: --=x",                                                         ""                      },
        {"---x",           "bad flag syntax: ---x",                                                         ""                      },
        {"-t soon",        "invalid argument \"soon\" for \"-t, --timeout\" flag: expected a whole number", ""                      },
        {"--detach=maybe", "invalid argument \"maybe\" for \"-d, --detach\" flag: expected true or false",
         ""                                                                                                                         },
        {"--pull x",       "invalid argument \"x\" for \"--pull\" flag: not one of its values",
         "possible values are: always, missing, never"                                                                              },
        {"--later",        "--later is not available yet",                                                  ""                      },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct parsed *p = parse(tmp, false, cases[i].line);
        assert_true(p->result < 0);
        assert_string_equal(p->err.text, cases[i].text);
        assert_string_equal(p->err.hint, cases[i].hint);
    }
}

static void test_help_and_deprecation(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    assert_true(parse(tmp, false, "x --help")->parser.help);
    assert_true(parse(tmp, false, "-dh")->parser.help);
    assert_false(parse(tmp, true, "x -h")->parser.help);
    assert_string_equal(parse(tmp, false, "--old")->parser.deprecated,
                        "Flag --old has been deprecated, use --detach");
    assert_null(parse(tmp, false, "--detach")->parser.deprecated);
}

static void test_scopes_hide_outer_names(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct parsed *p = parse(tmp, false, "--timeout 4 --dry-run");
    assert_int_equal(p->result, 0);
    assert_int_equal(p->inner.timeout, 4);
    assert_null(p->outer.timeout);
    assert_true(p->outer.dry_run);
}

static void test_nearest_word(void **state UNUSED)
{
    static const char *const words[] = {"start", "stop", "restart", "ps", "pull", "push", "logs", NULL};
    static const struct {
        const char *word, *expect;
    } cases[] = {
        {"strat",   "start"  },
        {"log",     "logs"   },
        {"sotp",    "stop"   },
        {"pul",     "pull"   },
        {"restrat", "restart"},
        {"xyzzy",   NULL     },
        {"",        NULL     },
        {"p",       "ps"     },
        {"rest",    "restart"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *found = word_nearest(cases[i].word, words);
        if (cases[i].expect)
            assert_string_equal(found, cases[i].expect);
        else
            assert_null(found);
    }
    assert_null(word_nearest("a-word-that-is-far-too-long-to-be-a-slip-of-anything", words));
}

static void test_help_layout(void **state UNUSED)
{
    static const char *const aliases[] = {"convert", NULL};
    static const struct command command = {
        .name = "config",
        .aliases = aliases,
        .args = "[OPTIONS] [SERVICE...]",
        .summary = "Parse, resolve and render compose file in canonical format",
        .flags = rows,
    };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct flag *const inherited[] = {flag_find(outer_rows, "dry-run"), NULL};
    assert_string_equal(help_command(tmp, &command, "compote config", inherited, 62),
                        "Usage:  compote config [OPTIONS] [SERVICE...]\n"
                        "\n"
                        "Parse, resolve and render compose file in canonical format\n"
                        "\n"
                        "Aliases:\n"
                        "  compote config, compote convert\n"
                        "\n"
                        "Options:\n"
                        "  -d, --detach                 Run in the background\n"
                        "      --dry-run                Only say what would be done\n"
                        "  -e, --env stringArray        Set environment variables\n"
                        "  -i, --interactive            Keep STDIN open (default true)\n"
                        "      --later                  Something for later\n"
                        "      --profiles stringArray   Profiles\n"
                        "      --pull string            Pull image before running\n"
                        "                               (default \"missing\")\n"
                        "  -t, --timeout int            Specify a shutdown timeout in\n"
                        "                               seconds\n"
                        "  -T, --tty                    No terminal\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines),           cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_help_and_deprecation), cmocka_unit_test(test_scopes_hide_outer_names),
        cmocka_unit_test(test_nearest_word),         cmocka_unit_test(test_help_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
