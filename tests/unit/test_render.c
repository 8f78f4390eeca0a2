#include "cli/render.h"

#include "base/units.h"

#include "lib/unit.h"

static int64_t clock_ns;
static int screen_columns, screen_rows;

static int64_t fake_now(void)
{
    return clock_ns;
}

static void fake_size(int fd UNUSED, int *columns, int *rows)
{
    *columns = screen_columns;
    *rows = screen_rows;
}

static struct renderer *start(const void *owner, const char *mode, bool color, bool dry_run)
{
    clock_ns = 100 * NS_PER_S;
    screen_columns = 60;
    screen_rows = 24;
    const struct render_options options = {
        .mode = mode, .color = color, .dry_run = dry_run, .fd = -1, .now = fake_now, .size = fake_size};
    return renderer_new(owner, &options);
}

static void send(struct renderer *renderer, const char *id, const char *parent, enum progress_state state,
                 const char *text, const char *details, int64_t current, int64_t total)
{
    const struct progress_event event = {.id = id,
                                         .parent = parent,
                                         .state = state,
                                         .text = text,
                                         .details = details,
                                         .current = current,
                                         .total = total};
    renderer->sink.event(&renderer->sink, &event);
}

static char *take(const void *owner, struct renderer *renderer)
{
    char *out = mem_strdup(owner, renderer->out);
    renderer->out[0] = '\0';
    talloc_free(renderer->out);
    renderer->out = mem_strdup(renderer, "");
    return out;
}

static void test_plain(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "plain", false, false);
    send(renderer, "Container demo-web-1", NULL, PROGRESS_WORKING, "Starting", NULL, 0, 0);
    send(renderer, "4f4fb700ef54", "Image nginx", PROGRESS_WORKING, "Downloading", NULL, 1, 10);
    send(renderer, "4f4fb700ef54", "Image nginx", PROGRESS_WORKING, "Downloading", NULL, 5, 10);
    send(renderer, "Container demo-web-1", NULL, PROGRESS_ERROR, "Error", "no such\nfile\x1b[2J", 0, 0);
    assert_string_equal(take(tmp, renderer), " Container demo-web-1 Starting \n"
                                             " 4f4fb700ef54 Downloading \n"
                                             " Container demo-web-1 Error no such file [2J\n");
    renderer = start(tmp, "plain", false, true);
    send(renderer, "Network demo_default", NULL, PROGRESS_DONE, "Created", NULL, 0, 0);
    assert_string_equal(take(tmp, renderer), " DRY-RUN MODE -  Network demo_default Created \n");
}

static void test_json(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "json", false, false);
    send(renderer, "Container a", NULL, PROGRESS_DONE, "Started", NULL, 0, 0);
    send(renderer, "4f4f", "Image \"x\"\xff", PROGRESS_WORKING, "Downloading", "soon", 5, 20);
    assert_string_equal(
        take(tmp, renderer),
        "{\"id\":\"Container a\",\"status\":\"Done\",\"text\":\"Started\"}\n"
        "{\"id\":\"4f4f\",\"parent_id\":\"Image \\\"x\\\"\xef\xbf\xbd\",\"status\":\"Working\","
        "\"text\":\"Downloading\",\"details\":\"soon\",\"current\":5,\"total\":20,\"percent\":25}\n");
    renderer = start(tmp, "json", false, true);
    send(renderer, "Container a", NULL, PROGRESS_WARNING, "Skipped", NULL, 0, 0);
    assert_string_equal(
        take(tmp, renderer),
        "{\"dry-run\":true,\"id\":\"Container a\",\"status\":\"Warning\",\"text\":\"Skipped\"}\n");
}

static void test_quiet(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "quiet", false, false);
    send(renderer, "Container a", NULL, PROGRESS_ERROR, "Error", NULL, 0, 0);
    assert_string_equal(take(tmp, renderer), "");
}

static void test_tty_frames(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "tty", false, false);
    send(renderer, "Network demo_default", NULL, PROGRESS_WORKING, "Creating", NULL, 0, 0);
    assert_string_equal(take(tmp, renderer),
                        "\033[?25l[+] Running 0/1\033[K\n"
                        " ⠋ Network demo_default  Creating                     0.0s \033[K\n"
                        "\033[J\033[?25h");
    /* Within the tenth of a second nothing is drawn, whatever comes. */
    clock_ns += 50 * NS_PER_MS;
    send(renderer, "Network demo_default", NULL, PROGRESS_DONE, "Created", NULL, 0, 0);
    send(renderer, "Container demo-web-1", NULL, PROGRESS_WORKING, "Creating", NULL, 0, 0);
    renderer->sink.tick(&renderer->sink);
    assert_string_equal(take(tmp, renderer), "");
    clock_ns += 250 * NS_PER_MS;
    renderer->sink.tick(&renderer->sink);
    assert_string_equal(take(tmp, renderer),
                        "\033[?25l\033[2A\r[+] Running 1/2\033[K\n"
                        " ✔ Network demo_default  Created                      0.1s \033[K\n"
                        " ⠹ Container demo-web-1  Creating                     0.2s \033[K\n"
                        "\033[J\033[?25h");
    send(renderer, "Container demo-web-1", NULL, PROGRESS_ERROR, "Error", "port is taken", 0, 0);
    renderer->sink.finish(&renderer->sink);
    assert_string_equal(take(tmp, renderer),
                        "\033[?25l\033[3A\r[+] Running 2/2\033[K\n"
                        " ✔ Network demo_default  Created                      0.1s \033[K\n"
                        " ✘ Container demo-web-1  Error port is taken          0.2s \033[K\n"
                        "\033[J\033[?25h");
    /* A finished display is done: nothing to draw until something new comes, below it. */
    renderer->sink.tick(&renderer->sink);
    assert_string_equal(take(tmp, renderer), "");
    renderer_set_title(renderer, "Stopping");
    send(renderer, "Container a", NULL, PROGRESS_DONE, "Stopped", NULL, 0, 0);
    assert_string_equal(take(tmp, renderer),
                        "\033[?25l[+] Stopping 1/1\033[K\n"
                        " ✔ Container a  Stopped                               0.0s \033[K\n"
                        "\033[J\033[?25h");
}

/* Containers' output while they stop: it goes where the frame was, and the frame below it. */
static void test_tty_makes_room(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "tty", false, false);
    renderer_clear(renderer);
    assert_string_equal(take(tmp, renderer), "");
    send(renderer, "Container a", NULL, PROGRESS_DONE, "Stopped", NULL, 0, 0);
    take(tmp, renderer);
    renderer_clear(renderer);
    assert_string_equal(take(tmp, renderer), "\033[2A\r\033[J");
    renderer_clear(renderer);
    renderer->sink.tick(&renderer->sink);
    assert_string_equal(take(tmp, renderer),
                        "\033[?25l[+] Running 1/1\033[K\n"
                        " ✔ Container a  Stopped                               0.0s \033[K\n"
                        "\033[J\033[?25h");
}

static void test_tty_is_still_when_nothing_happens(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "tty", false, false);
    send(renderer, "Container a", NULL, PROGRESS_DONE, "Started", NULL, 0, 0);
    take(tmp, renderer);
    clock_ns += NS_PER_S;
    renderer->sink.tick(&renderer->sink);
    renderer->sink.finish(&renderer->sink);
    assert_string_equal(take(tmp, renderer), "");
}

static void test_tty_colors_and_dry_run(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "tty", true, true);
    send(renderer, "Volume v", NULL, PROGRESS_DONE, "Created", NULL, 0, 0);
    assert_string_equal(take(tmp, renderer),
                        "\033[?25l\033[34m[+] Running 1/1\033[0m\033[K\n"
                        " \033[32m✔\033[0m\033[36m DRY-RUN MODE - \033[0m Volume v  \033[32mCreated\033[0m"
                        "                 \033[34m 0.0s \033[0m\033[K\n"
                        "\033[J\033[?25h");
}

static void test_tty_after_resize(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "tty", false, false);
    send(renderer, "Container a", NULL, PROGRESS_WORKING, "Starting", NULL, 0, 0);
    take(tmp, renderer);
    /* The line of 59 columns now covers three rows of 25, the header one. */
    screen_columns = 25;
    clock_ns += 100 * NS_PER_MS;
    renderer->sink.tick(&renderer->sink);
    assert_string_equal(take(tmp, renderer), "\033[?25l\033[4A\r[+] Running 0/1\033[K\n"
                                             " ⠙ Container a  Starting\033[K\n"
                                             "\033[J\033[?25h");
}

static void test_tty_narrow(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "tty", false, false);
    screen_columns = 16;
    send(renderer, "Container demo-web-1", NULL, PROGRESS_WORKING, "Starting", NULL, 0, 0);
    assert_string_equal(take(tmp, renderer), "\033[?25l[+] Running 0/1\033[K\n"
                                             " ⠋ Container de\033[K\n"
                                             "\033[J\033[?25h");
}

static void test_tty_layers(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "tty", false, false);
    screen_columns = 80;
    send(renderer, "Image nginx", NULL, PROGRESS_WORKING, "Pulling", NULL, 0, 0);
    send(renderer, "aaaa", "Image nginx", PROGRESS_DONE, "Pull complete", NULL, 0, 2000000);
    send(renderer, "bbbb", "Image nginx", PROGRESS_WORKING, "Downloading", NULL, 5000000, 10000000);
    take(tmp, renderer);
    clock_ns += 100 * NS_PER_MS;
    renderer->sink.tick(&renderer->sink);
    assert_string_equal(
        take(tmp, renderer),
        "\033[?25l\033[2A\r[+] Running 1/3\033[K\n"
        " ⠙ Image nginx [⣿⣤]  7.00MB / 12.0MB  Pulling                             0.1s \033[K\n"
        "   ✔ aaaa Pull complete                                                   0.0s \033[K\n"
        "   ⠙ bbbb Downloading [================>               ] 5.00MB/10.0MB    0.1s \033[K\n"
        "\033[J\033[?25h");
}

static void test_tty_more_than_the_screen(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "tty", false, false);
    screen_rows = 6;
    screen_columns = 30;
    for (int i = 0; i < 6; i++)
        send(renderer, mem_printf(tmp, "Container c%d", i), NULL, i % 2 ? PROGRESS_DONE : PROGRESS_WORKING,
             "Word", NULL, 0, 0);
    send(renderer, "layer", "Container c0", PROGRESS_WORKING, "Word", NULL, 0, 0);
    take(tmp, renderer);
    clock_ns += 100 * NS_PER_MS;
    renderer->sink.tick(&renderer->sink);
    assert_string_equal(take(tmp, renderer), "\033[?25l\033[2A\r[+] Running 3/7\033[K\n"
                                             " ⠙ Container c0 [⠀] Word\033[K\n"
                                             " ⠙ Container c2  Word\033[K\n"
                                             " ⠙ Container c4  Word\033[K\n"
                                             "   and 3 more\033[K\n"
                                             "\033[J\033[?25h");
}

/* Steps only as they begin, and what went wrong; each an object. */
static void test_plan(void **state UNUSED)
{
    TALLOC_CTX *tmp = mem_ctx();
    struct renderer *renderer = start(tmp, "plan", false, true);
    const struct progress_event step = {.id = "Container demo-web-1",
                                        .action = "recreate",
                                        .text = "Recreate",
                                        .details = "environment.A \"b\" \u2192 \"c\""};
    renderer->sink.event(&renderer->sink, &step);
    send(renderer, "Container demo-web-1", NULL, PROGRESS_DONE, "Recreated", NULL, 0, 0);
    send(renderer, NULL, NULL, PROGRESS_WARNING, "look out", NULL, 0, 0);
    send(renderer, "Container demo-db-1", NULL, PROGRESS_ERROR, "Error", "no room", 0, 0);
    assert_string_equal(take(tmp, renderer),
                        "{\"action\":\"recreate\",\"resource\":\"container\",\"name\":\"demo-web-1\","
                        "\"reason\":\"environment.A \\\"b\\\" \u2192 \\\"c\\\"\"}\n"
                        "{\"warning\":\"look out\"}\n"
                        "{\"error\":\"no room\"}\n");
    talloc_free(tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_tty_frames),
        cmocka_unit_test(test_tty_makes_room),
        cmocka_unit_test(test_tty_is_still_when_nothing_happens),
        cmocka_unit_test(test_tty_colors_and_dry_run),
        cmocka_unit_test(test_tty_after_resize),
        cmocka_unit_test(test_tty_narrow),
        cmocka_unit_test(test_tty_layers),
        cmocka_unit_test(test_tty_more_than_the_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
