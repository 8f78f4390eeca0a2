#include "base/mem.h"
#include "base/str.h"
#include "image/transfer_message.h"
#include "imaged/emit.h"
#include "imaged/fetch.h"
#include "imaged/hash.h"
#include "imaged/http.h"
#include "imaged/inflate.h"
#include "imaged/registry.h"
#include "imaged/report.h"
#include "sys/fd.h"

#include "lib/unit.h"
#include <isa-l/igzip_lib.h>
#include <sys/mman.h>

static void test_challenges(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    size_t n;
    struct challenge *c = challenge_parse(tmp,
                                          "Bearer realm=\"https://a/t?x=1,2\",service=\"s \\\"q\\\"\", "
                                          "scope=pull , Basic realm=\"r\", Negotiate",
                                          &n);
    assert_int_equal(n, 3);
    assert_string_equal(c[0].scheme, "bearer");
    assert_string_equal(c[0].realm, "https://a/t?x=1,2");
    assert_string_equal(c[0].service, "s \"q\"");
    assert_string_equal(c[0].scope, "pull");
    assert_string_equal(c[1].scheme, "basic");
    assert_string_equal(c[1].realm, "r");
    assert_string_equal(c[2].scheme, "negotiate");
    assert_null(c[2].realm);
    static const char *const odd[] = {
        "",    ",",        "=",   "Bearer realm=",      "Bearer realm=\"open",  "\"quoted\"",
        "a=b", "Bearer =", "x\\", "Bearer realm=\"a\\", "A B C D E F G H I J K"};
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        challenge_parse(tmp, odd[i], &n);
}

static void test_stored_credentials(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct credentials c = {0};
    assert_true(credentials_decode(tmp, "dXNlcjpwYTpzcw==", &c));
    assert_string_equal(c.user, "user");
    assert_string_equal(c.password, "pa:ss");
    assert_true(credentials_decode(tmp, "dTo=", &c));
    assert_string_equal(c.password, "");
    static const char *const bad[] = {"", "!!!!", "dXNlcg==", "OnB3", "dXNlcjpwYQ", "dToAYQ==", "===="};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(credentials_decode(tmp, bad[i], &c));
}

static void test_redirects(void **state UNUSED)
{
    static const char home[] = "https://reg.example/";
    static const struct {
        const char *from, *location, *url; /* NULL: refused */
        bool is_home;
    } cases[] = {
        {"https://reg.example/v2/a", "/v2/b",                       "https://reg.example/v2/b",     true },
        {"https://reg.example/v2/a", "b?x=1",                       "https://reg.example/v2/b?x=1", true },
        {"https://reg.example/v2/a", "https://REG.example:443/b",   "https://REG.example:443/b",    true },
        {"https://reg.example/v2/a", "https://reg.example:444/b",   "https://reg.example:444/b",    false},
        {"https://reg.example/v2/a", "//cdn.example/b",             "https://cdn.example/b",        false},
        {"https://reg.example/v2/a", "https://reg.example.evil/b",  "https://reg.example.evil/b",   false},
        {"https://cdn.example/a",    "https://reg.example/b",       "https://reg.example/b",        true },
        {"https://reg.example/v2/a", "http://reg.example/b",        NULL,                           false},
        {"https://reg.example/v2/a", "https://me:pw@reg.example/b", NULL,                           false},
        {"https://reg.example/v2/a", "file:///etc/passwd",          NULL,                           false},
        {"https://reg.example/v2/a", "ftp://reg.example/b",         NULL,                           false},
        {"https://reg.example/v2/a", "https://",                    NULL,                           false},
        {"https://reg.example/v2/a", NULL,                          NULL,                           false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct error err = ERROR_INIT;
        struct redirect redirect;
        int r = redirect_resolve(tmp, cases[i].from, cases[i].location, home, &redirect, &err);
        assert_int_equal(r < 0, !cases[i].url);
        if (r < 0)
            continue;
        assert_string_equal(redirect.url, cases[i].url);
        assert_int_equal(redirect.is_home, cases[i].is_home);
    }
}

static void test_chain_ids(void **state UNUSED)
{
    char a[DIGEST_HEX + 1], b[DIGEST_HEX + 1], digest[DIGEST_TEXT];
    hash_of("", 0, digest);
    assert_string_equal(digest, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_chain(NULL, digest, a);
    assert_string_equal(a, digest_hex(digest));
    /* printf 'sha256:%s sha256:%s' HEX HEX | sha256sum */
    hash_chain(a, digest, b);
    assert_string_equal(b, "de9d9016b852e46e9f3973e20d3a6d17e120f7144931d50cd6e2a8ad53e81960");
}

static void test_messages_are_read_strictly(void **state UNUSED)
{
    struct transfer_message m;
    struct error err = ERROR_INIT;
    static const char good[] =
        "{\"layer\":\"0123456789ab\",\"status\":\"Downloading\",\"current\":1,\"total\":2}";
    assert_int_equal(transfer_message_parse(good, sizeof(good) - 1, &m, &err), 0);
    assert_int_equal(m.kind, MESSAGE_PROGRESS);
    assert_string_equal(m.status, "Downloading");
    assert_int_equal(m.total, 2);
    static const char *const bad[] = {
        "",
        "x",
        "{}",
        "[]",
        "{\"status\":\"Hacking\"}",
        "{\"status\":\"Downloading\",\"layer\":\"../..\"}",
        "{\"status\":\"Downloading\",\"current\":-1}",
        "{\"done\":\"sha256:x\"}",
        "{\"done\":5}",
        "{\"done\":null}",
        "{\"status\":\"Waiting\",\"error\":\"x\"}",
        "{\"error\":\"x\",\"code\":99999}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(transfer_message_parse(bad[i], strlen(bad[i]), &m, &err) < 0);
}

/* What is emitted is what is read, whatever bytes an error text has. */
static void test_messages_go_round(void **state UNUSED)
{
    int ends[2];
    struct error err = ERROR_INIT, nasty = ERROR_INIT;
    struct transfer_message m;
    char line[TRANSFER_LINE_MAX];
    size_t got;
    assert_int_equal(fd_pipe(ends, &err), 0);
    struct emit emit = {.fd = ends[1]};
    char text[ERROR_TEXT_SIZE];
    memset(text, '"', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "a\n\x1b[31m\xff\x01", 8);
    error_set(&nasty, EACCES, "%s", text);
    error_hint(&nasty, "line\ttwo");
    emit_error(&emit, &nasty);
    close(ends[1]);
    assert_int_equal(fd_read_full(ends[0], line, sizeof(line), &got, &err), 0);
    close(ends[0]);
    assert_true(got < sizeof(line));
    assert_int_equal(line[got - 1], '\n');
    assert_null(memchr(line, '\n', got - 1));
    assert_int_equal(transfer_message_parse(line, got - 1, &m, &err), 0);
    assert_int_equal(m.error.code, EACCES);
    assert_memory_equal(m.error.text, "a\n?[31m??", 8);
    assert_int_equal(strlen(m.error.text), ERROR_TEXT_SIZE - 1);
    assert_string_equal(m.error.hint, "line?two");
}

static void test_reports(void **state UNUSED)
{
    int pair[2];
    struct error err = ERROR_INIT, sent = ERROR_INIT, back = ERROR_INIT;
    struct report report;
    assert_int_equal(fd_seqpacket_pair(pair, &err), 0);
    assert_int_equal(report_send(pair[0], REPORT_OPAQUE, 7, 42, "path", 4, &err), 0);
    assert_int_equal(report_receive(pair[1], &report, &err), 0);
    assert_int_equal(report.id, 7);
    assert_int_equal(report.value, 42);
    assert_string_equal(report.text, "path");
    error_set(&sent, ENOSPC, "full");
    error_hint(&sent, "make room");
    report_send_error(pair[0], 1, &sent);
    assert_int_equal(report_receive(pair[1], &report, &err), 0);
    report_error(&report, &back);
    assert_int_equal(back.code, ENOSPC);
    assert_string_equal(back.text, "full");
    assert_string_equal(back.hint, "make room");

    struct report lie = {.kind = 99};
    assert_int_equal(write(pair[0], &lie, offsetof(struct report, text)), offsetof(struct report, text));
    assert_true(report_receive(pair[1], &report, &err) < 0);
    lie = (struct report){.kind = REPORT_OPAQUE, .length = 4000};
    assert_int_equal(write(pair[0], &lie, offsetof(struct report, text) + 3),
                     offsetof(struct report, text) + 3);
    assert_true(report_receive(pair[1], &report, &err) < 0);
    assert_int_equal(write(pair[0], &lie, 3), 3);
    assert_true(report_receive(pair[1], &report, &err) < 0);
    close(pair[0]);
    assert_int_equal(report_receive(pair[1], &report, &err), REPORT_END);
    close(pair[1]);
}

enum { PLAIN_SIZE = 3000017 };

/* Compressible, and different everywhere. */
static unsigned char *make_plain(const void *owner)
{
    unsigned char *plain = mem_array(owner, unsigned char, PLAIN_SIZE);
    uint32_t x = 1;
    for (size_t i = 0; i < PLAIN_SIZE; i++) {
        x = x * 1664525 + 1013904223;
        plain[i] = (unsigned char)(x >> 24 & (i / 1000 % 2 ? 0x3f : 0x03));
    }
    return plain;
}

/* Runs the decompressor over `size` bytes of input; the output goes to a memory file. */
static int run_inflate(const void *owner, const void *data, size_t size, int *ret_out, struct error *err)
{
    int input = memfd_create("in", MFD_CLOEXEC), output = memfd_create("out", MFD_CLOEXEC), pair[2];
    assert_int_equal(fd_write_all(input, data, size, err), 0);
    assert_int_equal(lseek(input, 0, SEEK_SET), 0);
    assert_int_equal(fd_seqpacket_pair(pair, err), 0);
    struct inflate_job job = {.input = input,
                              .size = (int64_t)size,
                              .more = -1,
                              .output = output,
                              .report = pair[1],
                              .room = INFLATE_ROOM};
    int r = inflate_run(inflate_new(owner, &job), err);
    close(input);
    close(pair[0]);
    close(pair[1]);
    *ret_out = output;
    return r;
}

static size_t deflate_member(unsigned char *to, size_t room, unsigned char *from, size_t size)
{
    struct isal_zstream stream;
    isal_deflate_stateless_init(&stream);
    stream.gzip_flag = IGZIP_GZIP;
    stream.end_of_stream = 1;
    stream.next_in = from;
    stream.avail_in = (uint32_t)size;
    stream.next_out = to;
    stream.avail_out = (uint32_t)room;
    assert_int_equal(isal_deflate_stateless(&stream), COMP_OK);
    return stream.total_out;
}

/* Members of every odd size, so that their ends fall anywhere in the buffers. */
static void test_gzip_members_are_joined(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    unsigned char *plain = make_plain(tmp), *packed = mem_array(tmp, unsigned char, 2 * PLAIN_SIZE);
    size_t used = 0;
    for (size_t done = 0, step = 1; done < PLAIN_SIZE; step = step * 3 + 1) {
        size_t n = step < PLAIN_SIZE - done ? step : PLAIN_SIZE - done;
        used += deflate_member(packed + used, 2 * PLAIN_SIZE - used, plain + done, n);
        done += n;
        if (step > 400000)
            step = 7;
    }
    int out;
    assert_int_equal(run_inflate(tmp, packed, used, &out, &err), 0);
    unsigned char *back = mem_array(tmp, unsigned char, PLAIN_SIZE + 1);
    size_t got;
    lseek(out, 0, SEEK_SET);
    assert_int_equal(fd_read_full(out, back, PLAIN_SIZE + 1, &got, &err), 0);
    assert_int_equal(got, PLAIN_SIZE);
    assert_memory_equal(back, plain, PLAIN_SIZE);
    close(out);
    /* Cut anywhere, it is an error and never a crash. */
    for (size_t cut = 1; cut < 60; cut++) {
        error_clear(&err);
        assert_true(run_inflate(tmp, packed, used - cut, &out, &err) < 0);
        assert_true(error_is_set(&err));
        close(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenges),
        cmocka_unit_test(test_stored_credentials),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_chain_ids),
        cmocka_unit_test(test_messages_are_read_strictly),
        cmocka_unit_test(test_messages_go_round),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_gzip_members_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
