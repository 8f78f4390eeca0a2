/* The small parts of the command line that need no engine. */
#include "cli/config.h"
#include "cli/detachkeys.h"
#include "cli/envflag.h"
#include "cli/reference.h"
#include "cli/scale.h"
#include "cli/signame.h"
#include "cli/upflags.h"
#include "cli/when.h"

#include "base/strv.h"
#include "base/units.h"

#include <signal.h>
#include <time.h>

#include "lib/unit.h"

static void test_references(void **state UNUSED)
{
    static const struct {
        const char *reference, *repository, *tag;
    } cases[] = {
        {"docker.io/library/nginx:1.27",     "nginx",              "1.27"  },
        {"docker.io/grafana/grafana:latest", "grafana/grafana",    "latest"},
        {"nginx",                            "nginx",              "latest"},
        {"localhost:5000/a/b",               "localhost:5000/a/b", "latest"},
        {"localhost:5000/a/b:v2",            "localhost:5000/a/b", "v2"    },
        {"quay.io/x@sha256:abcd",            "quay.io/x",          "<none>"},
        {"quay.io/x:1@sha256:abcd",          "quay.io/x",          "1"     },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        char *repository, *tag;
        reference_split(tmp, cases[i].reference, &repository, &tag);
        assert_string_equal(repository, cases[i].repository);
        assert_string_equal(tag, cases[i].tag);
    }
}

static void test_signals(void **state UNUSED)
{
    static const struct {
        const char *text;
        int number;
    } good[] = {
        {"SIGKILL", SIGKILL },
        {"kill",    SIGKILL },
        {"sighup",  SIGHUP  },
        {"9",       9       },
        {"USR1",    SIGUSR1 },
        {"WINCH",   SIGWINCH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int number = 0;
        assert_true(signal_parse(good[i].text, &number));
        assert_int_equal(number, good[i].number);
    }
    int number = 77;
    assert_true(signal_parse("RTMIN+3", &number));
    assert_int_equal(number, SIGRTMIN + 3);
    assert_true(signal_parse("SIGRTMAX", &number));
    assert_int_equal(number, SIGRTMAX);
    static const char *const bad[] = {"", "0", "SIG", "nope", "RTMIN-1", "RTMAX+1", "RTMIN+99", "-9", "65"};
    number = 77;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(signal_parse(bad[i], &number));
    assert_int_equal(number, 77);
}

static void test_points_in_time(void **state UNUSED)
{
    const int64_t now = 1700000000 * NS_PER_S;
    setenv("TZ", "UTC", 1);
    tzset();
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"10m",                       (1700000000 - 600) * NS_PER_S    },
        {"1h30m",                     (1700000000 - 5400) * NS_PER_S   },
        {"1600000000",                1600000000 * NS_PER_S            },
        {"1600000000.5",              1600000000 * NS_PER_S + 500000000},
        {"2013-01-02T13:23:37Z",      1357133017 * NS_PER_S            },
        {"2013-01-02T13:23:37+01:00", 1357129417 * NS_PER_S            },
        {"2013-01-02T13:23:37",       1357133017 * NS_PER_S            },
        {"2013-01-02T13:23",          1357132980 * NS_PER_S            },
        {"2013-01-02",                1357084800 * NS_PER_S            },
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int64_t ns = 0;
        assert_true(when_parse(good[i].text, now, &ns));
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"", "soon", "10", ".", "2013-01-02T", "2013-01-02x", "99999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int64_t ns = 0;
        bool is_number = bad[i][0] == '1';
        assert_int_equal(when_parse(bad[i], now, &ns), is_number);
    }
}

static void test_scale_arguments(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct project project = {.services = omap_new(tmp)};
    struct service service = {.name = (char *)"web"};
    omap_set(project.services, "web", &service);
    struct omap *scale = NULL;
    struct error err = ERROR_INIT;
    char *const none[] = {NULL}, *const good[] = {(char *)"web=3", NULL};
    assert_int_equal(scale_parse(tmp, &project, none, &scale, &err), 0);
    assert_null(scale);
    assert_int_equal(scale_parse(tmp, &project, good, &scale, &err), 0);
    assert_string_equal(omap_get(scale, "web"), "3");
    static const struct {
        const char *word, *text;
    } bad[] = {
        {"web",    "invalid --scale option \"web\". Should be SERVICE=NUM"},
        {"=3",     "invalid --scale option \"=3\". Should be SERVICE=NUM" },
        {"web=x",  "invalid scale specifier: web=x"                       },
        {"web=-1", "invalid scale specifier: web=-1"                      },
        {"db=1",   "no such service: db"                                  },
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *const words[] = {(char *)bad[i].word, NULL};
        assert_true(scale_parse(tmp, &project, words, &scale, &err) < 0);
        assert_string_equal(err.text, bad[i].text);
    }
}

static void test_environment_words(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct app app = {.config.environment = strv_new(tmp, "HOME=/root", "EMPTY=", NULL)};
    char *const words[] = {(char *)"A=1",   (char *)"HOME", (char *)"NOPE",
                           (char *)"EMPTY", (char *)"B=",   NULL};
    assert_string_equal(strv_join(tmp, env_resolve(tmp, &app, words), " "), "A=1 HOME=/root EMPTY= B=");
    assert_null(env_resolve(tmp, &app, NULL));
}

static void test_directories(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct config config = {.cwd = (char *)"/home/me/dir",
                            .environment = strv_new(tmp, "COMPOTE_ROOT=up", NULL)};
    char *data, *run;
    config_dirs(tmp, &config, "../x", &data, &run);
    assert_string_equal(data, "/home/me/x");
    assert_string_equal(run, "/home/me/x/run");
    config_dirs(tmp, &config, NULL, &data, &run);
    assert_string_equal(data, "/home/me/dir/up");
}

static void test_conflicts(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    assert_int_equal(create_flags_check(&(struct create_flags){.force_recreate = true}, &err), 0);
    assert_true(
        create_flags_check(&(struct create_flags){.force_recreate = true, .no_recreate = true}, &err) < 0);
    assert_string_equal(err.text, "--force-recreate and --no-recreate are incompatible");
}

static void test_detach_keys(void **state UNUSED)
{
    static const struct {
        const char *text, *keys; /* keys NULL: refused */
    } cases[] = {
        {"ctrl-p,ctrl-q", "\020\021"},
        {"ctrl-A,d",      "\001d"   },
        {"ctrl-],x,,",    "\035x,"  },
        {"DEL",           "\177"    },
        {"",              ""        },
        {"ctrl-",         NULL      },
        {"ctrl-1",        NULL      },
        {"ctrl-ab",       NULL      },
        {"a,",            NULL      },
        {"word",          NULL      },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char keys[DETACH_KEYS_MAX];
        size_t count = 0;
        struct error err = ERROR_INIT;
        int r = detach_keys_parse(cases[i].text, keys, &count, &err);
        bool right = cases[i].keys
                         ? r == 0 && count == strlen(cases[i].keys) && memcmp(keys, cases[i].keys, count) == 0
                         : r < 0;
        if (!right)
            fail_msg("'%s'", cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_points_in_time),    cmocka_unit_test(test_scale_arguments),
        cmocka_unit_test(test_environment_words), cmocka_unit_test(test_directories),
        cmocka_unit_test(test_conflicts),         cmocka_unit_test(test_detach_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
