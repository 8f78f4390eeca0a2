#include "cli/logprint.h"
#include "engine/logreader.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "sys/fs.h"

#include <sys/stat.h>

#include "lib/unit.h"

struct fixture {
    char directory[64], *path;
    char *got; /* records, joined by blanks */
    struct error err;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    snprintf(f->directory, sizeof(f->directory), "/tmp/test_logs.XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    f->path = mem_printf(f, "%s/container.log", f->directory);
    f->got = mem_strdup(f, "");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fs_remove_tree(f->directory, NULL);
    talloc_free(f);
    return 0;
}

/* Appends records with the texts from..to (numbers), each a second after the one before. */
static void write_log(struct fixture *f, const char *suffix, int from, int to)
{
    char *path = mem_printf(f, "%s%s", f->path, suffix);
    FILE *log = fopen(path, "ae");
    assert_non_null(log);
    for (int i = from; i <= to; i++)
        fprintf(log, "{\"log\":\"%d\\n\",\"stream\":\"%s\",\"time\":\"2026-01-01T00:00:%02d.5Z\"}\n", i,
                i % 2 ? "stdout" : "stderr", i);
    fclose(log);
}

static void rotate(struct fixture *f, int files)
{
    for (int i = files; i >= 0; i--) {
        char *from = i ? mem_printf(f, "%s.%d", f->path, i) : f->path;
        char *to = mem_printf(f, "%s.%d", f->path, i + 1);
        (void)rename(from, to);
    }
}

static void on_record(void *data, const struct log_record *record)
{
    struct fixture *f = data;
    f->got = mem_append_printf(f->got, "%s%.*s", *f->got ? " " : "", (int)record->size - 1, record->text);
}

static struct log_reader *open_log(struct fixture *f, int64_t tail, int64_t since, int64_t until)
{
    const struct log_options options = {
        .tail = tail, .since = since, .until = until, .record = on_record, .data = f};
    struct log_reader *reader = NULL;
    assert_int_equal(log_reader_open(f, f->path, &options, &reader, &f->err), 0);
    return reader;
}

static void read_all(struct fixture *f, struct log_reader *reader, const char *expect)
{
    assert_int_equal(log_reader_read(reader, &f->err), 0);
    assert_string_equal(f->got, expect);
    f->got[0] = '\0';
    talloc_free(f->got);
    f->got = mem_strdup(f, "");
}

static int64_t at(int second)
{
    int64_t start;
    assert_true(rfc3339_parse("2026-01-01T00:00:00Z", &start));
    return start + second * NS_PER_S;
}

static void test_tail_across_files(void **state)
{
    struct fixture *f = *state;
    write_log(f, ".2", 1, 3);
    write_log(f, ".1", 4, 6);
    write_log(f, "", 7, 9);
    static const struct {
        int64_t tail;
        const char *expect;
    } cases[] = {
        {-1,  "1 2 3 4 5 6 7 8 9"},
        {0,   ""                 },
        {1,   "9"                },
        {3,   "7 8 9"            },
        {4,   "6 7 8 9"          },
        {6,   "4 5 6 7 8 9"      },
        {7,   "3 4 5 6 7 8 9"    },
        {9,   "1 2 3 4 5 6 7 8 9"},
        {100, "1 2 3 4 5 6 7 8 9"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct log_reader *reader = open_log(f, cases[i].tail, 0, 0);
        read_all(f, reader, cases[i].expect);
        read_all(f, reader, "");
        talloc_free(reader);
    }
}

static void test_since_and_until(void **state)
{
    struct fixture *f = *state;
    write_log(f, ".1", 1, 4);
    write_log(f, "", 5, 9);
    struct log_reader *reader = open_log(f, -1, at(3), 0);
    read_all(f, reader, "3 4 5 6 7 8 9");
    reader = open_log(f, -1, at(3), at(7));
    read_all(f, reader, "3 4 5 6");
    assert_true(log_reader_is_done(reader));
    reader = open_log(f, 2, at(3), 0);
    read_all(f, reader, "8 9");
    reader = open_log(f, -1, at(30), 0);
    read_all(f, reader, "");
    reader = open_log(f, -1, 0, at(2));
    read_all(f, reader, "1");
}

static void test_follow_through_rotations(void **state)
{
    struct fixture *f = *state;
    struct log_reader *reader = open_log(f, -1, 0, 0);
    read_all(f, reader, "");
    write_log(f, "", 1, 2);
    read_all(f, reader, "1 2");
    write_log(f, "", 3, 3);
    rotate(f, 0);
    write_log(f, "", 4, 4);
    read_all(f, reader, "3 4");
    /* Two rotations between two looks. */
    write_log(f, "", 5, 5);
    rotate(f, 1);
    write_log(f, "", 6, 7);
    rotate(f, 2);
    write_log(f, "", 8, 8);
    read_all(f, reader, "5 6 7 8");
    /* Renamed, and the new file is not there yet. */
    rotate(f, 3);
    read_all(f, reader, "");
    write_log(f, "", 9, 9);
    read_all(f, reader, "9");
}

static void append_raw(struct fixture *f, const char *text)
{
    FILE *log = fopen(f->path, "ae");
    assert_non_null(log);
    fputs(text, log);
    fclose(log);
}

static void test_lines_in_pieces_and_rubbish(void **state)
{
    struct fixture *f = *state;
    struct log_reader *reader = open_log(f, -1, 0, 0);
    append_raw(f, "{\"log\":\"a\\n\",\"stream\":\"stdo");
    read_all(f, reader, "");
    append_raw(f, "ut\",\"time\":\"2026-01-01T00:00:00Z\"}\n{\"log\":\"b");
    read_all(f, reader, "a");
    append_raw(f, "\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-01T00:00:00+01:00\"}\n");
    read_all(f, reader, "b");
    append_raw(f, "\n[]\nnonsense\n{\"log\":1}\n{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":"
                  "\"yesterday\"}\n\xff\n");
    read_all(f, reader, "");
    char *big = mem_array(f, char, 1200001);
    memset(big, 'x', 1200000);
    append_raw(f, big);
    append_raw(f, "\n{\"log\":\"c\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n");
    read_all(f, reader, "c");
}

static void test_watch(void **state)
{
    struct fixture *f = *state;
    struct loop loop;
    assert_int_equal(loop_init(&loop, &f->err), 0);
    struct log_watch *watch;
    assert_int_equal(log_watch_new(f, &loop, &watch, &f->err), 0);
    struct log_reader *reader = open_log(f, -1, 0, 0);
    assert_int_equal(log_watch_add(watch, reader, &f->err), 0);
    write_log(f, "", 1, 2);
    while (!str_eq(f->got, "1 2"))
        assert_int_equal(loop_once(&loop, 10000, &f->err), 0);
    rotate(f, 0);
    write_log(f, "", 3, 3);
    while (!str_eq(f->got, "1 2 3"))
        assert_int_equal(loop_once(&loop, 10000, &f->err), 0);
    talloc_free(reader);
    talloc_free(watch);
    loop_done(&loop);
}

static void test_times(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1970-01-01T00:00:00Z",                0                  },
        {"1970-01-01T00:00:01.5Z",              1500000000         },
        {"1970-01-01T01:00:00.000000001+01:00", 1                  },
        {"1969-12-31T23:00:00-01:00",           -1                 },
        {"2026-11-23T14:50:01.123456789Z",      1795445401123456789},
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int64_t ns = -1;
        assert_int_equal(rfc3339_parse(good[i].text, &ns), good[i].ns >= 0);
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-01-01",
                                      "2026-13-01T00:00:00Z",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01T00:00:00Zx",
                                      "20260101T000000Z",
                                      "2026-01-01T00:00:00+1"};
    int64_t ns;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(rfc3339_parse(bad[i], &ns));
}

struct printed {
    char *out, *err;
    size_t out_size, err_size;
    struct log_printer_options options;
};

static void printed_start(struct printed *p)
{
    p->options.out = open_memstream(&p->out, &p->out_size);
    p->options.err = open_memstream(&p->err, &p->err_size);
}

static void printed_expect(struct printed *p, const char *out, const char *err)
{
    fclose(p->options.out);
    fclose(p->options.err);
    assert_string_equal(p->out, out);
    assert_string_equal(p->err, err);
    free(p->out);
    free(p->err);
}

static void say(struct log_source *source, bool is_stderr, const char *text)
{
    const struct log_record record = {text, strlen(text), is_stderr, 0, "2026-01-01T00:00:00Z"};
    log_source_record(source, &record);
}

static void test_prefixes(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct printed p = {0};
    printed_start(&p);
    struct log_printer *printer = log_printer_new(tmp, &p.options);
    log_printer_reserve(printer, "web-1");
    struct log_source *db = log_source_new(tmp, printer, log_display_name("demo", "demo-db-1"));
    struct log_source *web = log_source_new(tmp, printer, log_display_name("demo", "demo-web-1"));
    say(db, false, "ready\n");
    say(web, true, "half ");
    say(web, false, "out\n");
    say(db, false, "\n");
    say(web, true, "and half\n");
    say(web, false, "no end");
    log_source_finish(web);
    log_source_status(db, "exited with code 0");
    printed_expect(&p, "db-1   | ready\nweb-1  | out\ndb-1   | \nweb-1  | no end\ndb-1 exited with code 0\n",
                   "web-1  | half and half\n");
}

static void test_colors_and_times(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct printed p = {
        .options = {.color = true, .timestamps = true}
    };
    printed_start(&p);
    struct log_printer *printer = log_printer_new(tmp, &p.options);
    struct log_source *a = log_source_new(tmp, printer, "a"), *b = log_source_new(tmp, printer, "b");
    say(a, false, "x\n");
    say(b, false, "y\n");
    printed_expect(
        &p, "\033[36ma  | \033[0m2026-01-01T00:00:00Z x\n\033[33mb  | \033[0m2026-01-01T00:00:00Z y\n", "");
    p = (struct printed){
        .options = {.no_prefix = true, .color = true}
    };
    printed_start(&p);
    printer = log_printer_new(tmp, &p.options);
    say(log_source_new(tmp, printer, "a"), false, "x\n");
    printed_expect(&p, "x\n", "");
}

static void test_display_names(void **state UNUSED)
{
    assert_string_equal(log_display_name("demo", "demo-web-1"), "web-1");
    assert_string_equal(log_display_name("demo", "custom"), "custom");
    assert_string_equal(log_display_name("demo", "demo-"), "demo-");
    assert_string_equal(log_display_name("demo", "demonstration"), "demonstration");
    assert_string_equal(log_display_name(NULL, "x-y"), "x-y");
}

int main(void)
{
#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_tail_across_files),
        WITH_FILES(test_since_and_until),
        WITH_FILES(test_follow_through_rotations),
        WITH_FILES(test_lines_in_pieces_and_rubbish),
        WITH_FILES(test_watch),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_colors_and_times),
        cmocka_unit_test(test_display_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
