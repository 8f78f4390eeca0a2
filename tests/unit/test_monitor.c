#include "lib/unit.h"

#include "monitor/monitor.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[] = "/tmp/compote-test-monitor.XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static void remove_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    unlink(path);
}

static int remove_dir(void **state)
{
    (void)state;
    static const char *const names[] = {"log/container.log", "log/container.log.1", "log/container.log.2",
                                        "conf"};
    char path[256];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        remove_file(names[i]);
    snprintf(path, sizeof(path), "%s/log", dir);
    rmdir(path);
    return rmdir(dir);
}

static char *slurp(const char *name, char *text, size_t size)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return NULL;
    text[n] = '\0';
    return text;
}

static void open_log(struct logfile *log, int64_t max_size, int64_t max_file)
{
    char path[256];
    struct conf conf = {.log = 1, .log_max_size = max_size, .log_max_file = max_file};
    remove_file("log/container.log");
    remove_file("log/container.log.1");
    remove_file("log/container.log.2");
    snprintf(path, sizeof(path), "%s/log", dir);
    mkdir(path, 0700);
    snprintf(conf.dir, sizeof(conf.dir), "%s", dir);
    memset(log, 0, sizeof(*log));
    assert_int_equal(logfile_open(log, &conf, NULL), 0);
}

/* The text between "log":" and the next field, of record `number`. */
static void record_text(const char *file, int number, char *to, size_t size)
{
    const char *p = file;
    for (int i = 0; i < number; i++)
        p = strchr(p, '\n') + 1;
    const char *end = strstr(p, "\",\"stream\":");
    assert_non_null(end);
    snprintf(to, size, "%.*s", (int)(end - p - 8), p + 8);
}

static void test_log_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain\n",            "plain\\n"                       },
        {"\"\\\t\r\n",         "\\\"\\\\\\t\\r\\n"              },
        {"\001\033\177\n",     "\\u0001\\u001b\\u007f\\n"       },
        {"gr\303\274n\n",      "gr\303\274n\\n"                 },
        {"\360\237\230\200\n", "\360\237\230\200\\n"            },
        {"\377\303\n",         "\\ufffd\\ufffd\\n"              },
        {"\300\257\n",         "\\ufffd\\ufffd\\n"              },
        {"\355\240\200\n",     "\\ufffd\\ufffd\\ufffd\\n"       },
        {"\364\220\200\200\n", "\\ufffd\\ufffd\\ufffd\\ufffd\\n"},
        {"\n",                 "\\n"                            },
    };
    static struct logfile log;
    static char file[8192];
    char text[256];
    open_log(&log, -1, 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        logfile_write(&log, STREAM_OUT, cases[i].in, strlen(cases[i].in));
    logfile_flush(&log, true);
    assert_non_null(slurp("log/container.log", file, sizeof(file)));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        record_text(file, (int)i, text, sizeof(text));
        assert_string_equal(text, cases[i].out);
    }
    close(log.fd);
}

static void test_log_joins_pieces_by_stream(void **state)
{
    (void)state;
    static struct logfile log;
    char file[4096], text[64];
    open_log(&log, -1, 1);
    logfile_write(&log, STREAM_OUT, "on", 2);
    logfile_write(&log, STREAM_ERR, "err", 3);
    logfile_write(&log, STREAM_OUT, "e\ntwo", 5);
    logfile_flush(&log, false);
    assert_non_null(slurp("log/container.log", file, sizeof(file)));
    record_text(file, 0, text, sizeof(text));
    assert_string_equal(text, "one\\n");
    logfile_flush(&log, true);
    assert_non_null(slurp("log/container.log", file, sizeof(file)));
    record_text(file, 1, text, sizeof(text));
    assert_string_equal(text, "two");
    assert_non_null(strstr(file, "{\"log\":\"err\",\"stream\":\"stderr\""));
    close(log.fd);
}

static void test_log_cuts_between_characters(void **state)
{
    (void)state;
    static struct logfile log;
    static char file[65536], line[LINE_MAX_BYTES + 8], text[LINE_MAX_BYTES + 64];
    open_log(&log, -1, 1);
    /* A two-byte character lies across the limit. */
    memset(line, 'x', sizeof(line));
    memcpy(line + LINE_MAX_BYTES - 1, "\303\274\n", 3);
    logfile_write(&log, STREAM_OUT, line, LINE_MAX_BYTES + 2);
    logfile_flush(&log, true);
    assert_non_null(slurp("log/container.log", file, sizeof(file)));
    record_text(file, 0, text, sizeof(text));
    assert_int_equal(strlen(text), LINE_MAX_BYTES - 1);
    record_text(file, 1, text, sizeof(text));
    assert_string_equal(text, "\303\274\\n");
    close(log.fd);
}

static void test_log_rotation(void **state)
{
    (void)state;
    static struct logfile log;
    char file[4096];
    open_log(&log, 200, 2);
    for (int i = 0; i < 9; i++)
        logfile_write(&log, STREAM_OUT, "0123456789\n", 11);
    logfile_flush(&log, false);
    /* A record has 81 bytes: two fit. */
    assert_int_equal(log.rotations, 4);
    assert_int_equal(strlen(slurp("log/container.log", file, sizeof(file))), 81);
    assert_int_equal(strlen(slurp("log/container.log.1", file, sizeof(file))), 162);
    assert_null(slurp("log/container.log.2", file, sizeof(file)));
    close(log.fd);
}

static void test_status_round_trip(void **state)
{
    (void)state;
    struct container_status before = {
        .state = STATE_PAUSED,
        .health = HEALTH_UNHEALTHY,
        .pid = 12345,
        .pid_start = UINT64_MAX,
        .monitor_pid = 1,
        .monitor_start = 7,
        .exit_code = -1,
        .oom_killed = true,
        .restart_count = 3,
        .created = 1,
        .started = INT64_MAX,
        .error = "two\nlines \\ and = signs\x01",
    };
    struct container_status after;
    char text[STATUS_TEXT_SIZE];
    status_print(&before, text, sizeof(text));
    assert_true(status_parse(text, &after));
    assert_int_equal(after.state, STATE_PAUSED);
    assert_int_equal(after.health, HEALTH_UNHEALTHY);
    assert_int_equal(after.pid, 12345);
    assert_true(after.pid_start == UINT64_MAX);
    assert_int_equal(after.exit_code, -1);
    assert_true(after.oom_killed);
    assert_true(after.started == INT64_MAX);
    assert_string_equal(after.error, "two\nlines \\ and = signs ");
}

static void test_status_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "pid=1\n",
                                      "state=flying\n",
                                      "state=",
                                      "state=running\npid=x\n",
                                      "state=running\noom_killed=2\n",
                                      "state=running\npid=99999999999\n"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char text[128];
        struct container_status status;
        snprintf(text, sizeof(text), "%s", bad[i]);
        assert_false(status_parse(text, &status));
    }
    char text[] = "state=running\nfrom_the_future=1\nno equal sign\n";
    struct container_status status;
    assert_true(status_parse(text, &status));
    /* The longest error there can be fits. */
    static char long_text[STATUS_TEXT_SIZE];
    memset(status.error, '\n', sizeof(status.error) - 1);
    status.error[sizeof(status.error) - 1] = '\0';
    status_print(&status, long_text, sizeof(long_text));
    assert_true(status_parse(long_text, &status));
    assert_int_equal(strlen(status.error), sizeof(status.error) - 1);
}

static void test_process_lives(void **state)
{
    (void)state;
    uint64_t start;
    assert_int_equal(process_start_time(getpid(), &start, NULL), 0);
    assert_true(status_process_lives(getpid(), start));
    assert_false(status_process_lives(getpid(), start + 1));
    assert_false(status_process_lives(0, 0));
    assert_false(status_process_lives(-1, 0));
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(process_start_time(child, &start, NULL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_false(status_process_lives(child, start)); /* a zombie */
    waitpid(child, NULL, 0);
}

static void test_conf(void **state)
{
    (void)state;
    static struct conf conf;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"id=abc\ntty=1\nstop_grace=-1\n", true },
        {"",                               true },
        {"unknown=1\n",                    false},
        {"tty=yes\n",                      false},
    };
    char path[256];
    snprintf(path, sizeof(path), "%s/conf", dir);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, cases[i].text, strlen(cases[i].text)), strlen(cases[i].text));
        close(fd);
        struct error err = ERROR_INIT;
        assert_int_equal(conf_read(path, &conf, &err) == 0, cases[i].good);
    }
    assert_string_equal(conf.id, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_escapes),
        cmocka_unit_test(test_log_joins_pieces_by_stream),
        cmocka_unit_test(test_log_cuts_between_characters),
        cmocka_unit_test(test_log_rotation),
        cmocka_unit_test(test_status_round_trip),
        cmocka_unit_test(test_status_refuses),
        cmocka_unit_test(test_process_lives),
        cmocka_unit_test(test_conf),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
