/* The store through its interface, with the real compote-image: argument 1 is that program. */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/store.h"
#include "sys/fs.h"
#include "sys/spawn.h"

#include "lib/unit.h"
#include <signal.h>

static const char *program;

struct bed {
    char *top, *root;
    struct image_store *store;
    struct loop loop;
    struct transfer *transfer;
    /* Of the last transfer. */
    int result, calls, events;
    struct image *image;
    struct error error;
};

static int make_bed(void **state)
{
    struct error err = ERROR_INIT;
    char top[] = "/tmp/compote-test-image-XXXXXX";
    struct bed *bed = mem_new(NULL, struct bed);
    *state = bed;
    assert_non_null(mkdtemp(top));
    bed->top = mem_strdup(bed, top);
    bed->root = mem_printf(bed, "%s/root", top);
    assert_int_equal(loop_init(&bed->loop, &err), 0);
    return image_store_open(bed, bed->root, path_parent(bed, program), NULL, &bed->store, &err);
}

static int remove_bed(void **state)
{
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    talloc_free(bed->transfer);
    loop_done(&bed->loop);
    int r = fs_remove_tree(bed->top, &err);
    talloc_free(bed);
    return r;
}

static void on_progress(void *data, const struct transfer_event *event)
{
    struct bed *bed = data;
    assert_non_null(event->status);
    bed->events++;
}

static void on_done(void *data, int result, struct image *image, const struct error *err)
{
    struct bed *bed = data;
    bed->result = result;
    bed->calls++;
    bed->image = image;
    mem_steal(bed, image);
    if (err)
        bed->error = *err;
    talloc_free(bed->transfer); /* which is allowed here */
    bed->transfer = NULL;
    loop_stop(&bed->loop);
}

/* A tar archive with one file, which makes each image another one; the same bytes whenever it is asked for.
 */
static char *make_archive(struct bed *bed, const char *name, const char *text)
{
    struct error err = ERROR_INIT;
    int status;
    char *dir = mem_printf(bed, "%s/%s", bed->top, name), *tar = mem_printf(bed, "%s.tar", dir);
    if (fs_exists(tar))
        return tar;
    assert_int_equal(fs_mkdir_p(dir, 0755, &err), 0);
    assert_int_equal(fs_write_file(mem_printf(bed, "%s/file", dir), text, strlen(text), 0644, false, &err),
                     0);
    char **argv = strv_new(bed, "tar", "-C", dir, "--mtime=@1000000000", "-cf", tar, ".", NULL);
    const struct spawn spawn = {
        .argv = argv, .std = {-1, -1, SPAWN_INHERIT}
    };
    assert_int_equal(spawn_run(&spawn, NULL, 0, &status, &err), 0);
    assert_int_equal(status, 0);
    return tar;
}

static void transfer(struct bed *bed, enum transfer_kind kind, const char *reference, const char *platform,
                     const char *path)
{
    struct error err = ERROR_INIT;
    const struct transfer_request request = {.kind = kind,
                                             .reference = reference,
                                             .platform = platform,
                                             .path = path,
                                             .progress = on_progress,
                                             .done = on_done,
                                             .data = bed};
    bed->calls = bed->events = 0;
    bed->image = NULL;
    error_clear(&bed->error);
    assert_int_equal(transfer_start(bed, bed->store, &bed->loop, &request, &bed->transfer, &err), 0);
    assert_int_equal(loop_run(&bed->loop, &err), 0);
    assert_int_equal(bed->calls, 1);
}

static void import(struct bed *bed, const char *reference, const char *platform, const char *name)
{
    transfer(bed, TRANSFER_IMPORT, reference, platform, make_archive(bed, name, name));
    assert_int_equal(bed->result, 0);
    assert_non_null(bed->image);
}

static size_t layer_count(struct bed *bed)
{
    struct error err = ERROR_INIT;
    char **names;
    assert_int_equal(fs_list(bed, mem_printf(bed, "%s/layers", bed->root), &names, &err), 0);
    return strv_len(names);
}

static int find(struct bed *bed, const char *reference, const char *platform)
{
    struct error err = ERROR_INIT;
    struct image *image;
    return image_find(bed, bed->store, reference, platform, &image, &err);
}

static void test_an_empty_store(void **state)
{
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    struct image **images;
    size_t count = 5;
    assert_int_equal(image_list(bed, bed->store, &images, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(find(bed, "nginx", NULL), IMAGE_ABSENT);
    assert_true(find(bed, "Nginx", NULL) < 0);
    assert_false(fs_exists(bed->root)); /* looking makes nothing */
    assert_int_equal(image_remove(bed->store, "nginx", NULL, &err), IMAGE_ABSENT);
}

static void test_import_and_find(void **state)
{
    struct bed *bed = *state;
    import(bed, "app:1", NULL, "one");
    const struct image *image = bed->image;
    assert_string_equal(image->references[0], "docker.io/library/app:1");
    assert_string_equal(image->os, "linux");
    assert_int_equal(strv_len(image->layers), 1);
    assert_true(fs_exists(mem_printf(bed, "%s/file", image->layers[0])));
    assert_int_equal(image->size, 3);
    assert_true(image->created > 0);
    assert_null(image->healthcheck);
    assert_int_equal(find(bed, "app:1", NULL), 0);
    assert_int_equal(find(bed, "docker.io/library/app:1", NULL), 0);
    assert_int_equal(find(bed, "app:2", NULL), IMAGE_ABSENT);
    assert_int_equal(find(bed, image->id, NULL), 0);
    char *short_id = mem_strndup(bed, image->id + strlen("sha256:"), 12);
    assert_int_equal(find(bed, short_id, NULL), 0);
    assert_int_equal(find(bed, mem_printf(bed, "sha256:%s", short_id), NULL), 0);
    assert_int_equal(find(bed, mem_printf(bed, "app@%s", image->manifest_digest), NULL), 0);
    assert_int_equal(find(bed, "sha256:0000", NULL), IMAGE_ABSENT);
}

static void test_platforms_live_side_by_side(void **state)
{
    struct bed *bed = *state;
    import(bed, "app", "linux/s390x", "s390x");
    import(bed, "app", "linux/arm/v6", "arm");
    assert_int_equal(find(bed, "app", "linux/s390x"), 0);
    assert_int_equal(find(bed, "app", "linux/arm/v7"), 0);
    assert_int_equal(find(bed, "app", "linux/riscv64"), IMAGE_ABSENT);
    assert_int_equal(find(bed, "app", NULL), 0);
    assert_true(find(bed, "app", "not a platform") < 0);
    /* The same name and platform again: the name moves. */
    struct error err = ERROR_INIT;
    struct image **images;
    size_t count;
    import(bed, "app", "linux/s390x", "newer");
    assert_int_equal(image_list(bed, bed->store, &images, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_null(images[2]->references);
}

static void test_remove_takes_what_is_not_shared(void **state)
{
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    import(bed, "a", NULL, "same");
    import(bed, "b", "linux/s390x", "same");
    import(bed, "c", NULL, "other");
    import(bed, "d", NULL, "third");
    char *kept[] = {bed->image->layers[0], NULL};
    assert_int_equal(layer_count(bed), 3);
    assert_int_equal(image_remove(bed->store, "a", NULL, &err), 0);
    assert_int_equal(layer_count(bed), 3); /* b has it too */
    assert_int_equal(image_remove(bed->store, "b", NULL, &err), 0);
    assert_int_equal(layer_count(bed), 2);
    assert_int_equal(image_remove(bed->store, "c", NULL, &err), 0);
    assert_int_equal(layer_count(bed), 1);
    assert_int_equal(image_remove(bed->store, "d", kept, &err), 0);
    assert_int_equal(layer_count(bed), 1); /* in use */
    assert_int_equal(image_remove(bed->store, "d", NULL, &err), IMAGE_ABSENT);
    int64_t bytes = 0;
    assert_int_equal(image_prune(bed->store, false, NULL, NULL, &bytes, &err), 0);
    assert_int_equal(layer_count(bed), 0);
    assert_true(bytes > 0);
}

static void test_remove_of_one_name_of_two(void **state)
{
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    char *saved = make_archive(bed, "x", "x");
    transfer(bed, TRANSFER_IMPORT, "a", NULL, saved);
    transfer(bed, TRANSFER_IMPORT, "b", "linux/s390x", saved);
    assert_int_equal(image_remove(bed->store, bed->image->id, NULL, &err), 0);
    assert_int_equal(find(bed, "b", NULL), IMAGE_ABSENT);
    assert_int_equal(find(bed, "a", NULL), 0);
}

static void test_prune(void **state)
{
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    int64_t bytes = 0;
    import(bed, "a", NULL, "one");
    import(bed, "a", NULL, "two"); /* the first one is nameless now */
    import(bed, "b", NULL, "three");
    assert_int_equal(layer_count(bed), 3);
    assert_int_equal(image_prune(bed->store, false, NULL, NULL, &bytes, &err), 0);
    assert_int_equal(layer_count(bed), 2);
    assert_true(bytes > 0);
    char *used[] = {mem_strdup(bed, "b"), NULL};
    assert_int_equal(image_prune(bed->store, true, used, NULL, &bytes, &err), 0);
    assert_int_equal(find(bed, "a", NULL), IMAGE_ABSENT);
    assert_int_equal(find(bed, "b", NULL), 0);
    assert_int_equal(layer_count(bed), 1);
}

static void test_a_lost_layer_makes_an_image_absent(void **state)
{
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    import(bed, "a", NULL, "one");
    assert_int_equal(fs_remove_tree(bed->image->layers[0], &err), 0);
    assert_int_equal(find(bed, "a", NULL), IMAGE_ABSENT);
    import(bed, "a", NULL, "one");
    assert_int_equal(find(bed, "a", NULL), 0);
}

static void test_a_damaged_index_is_told(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\":2}",
        "{\"version\":1,\"images\":[{}]}",
        "{\"version\":1,\"images\":[{\"manifest\":\"../../x\",\"config\":\"y\"}]}",
    };
    struct bed *bed = *state;
    import(bed, "a", NULL, "one");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = ERROR_INIT;
        struct image *image;
        char *path = mem_printf(bed, "%s/images.json", bed->root);
        assert_int_equal(fs_write_file(path, bad[i], strlen(bad[i]), 0600, false, &err), 0);
        assert_true(image_find(bed, bed->store, "a", NULL, &image, &err) < 0);
        assert_non_null(strstr(err.text, "images.json"));
        assert_non_null(strstr(err.hint, "pull the images again"));
    }
}

static void test_transfers_that_fail(void **state)
{
    struct bed *bed = *state;
    transfer(bed, TRANSFER_IMPORT, "a", NULL, "/nonexistent.tar");
    assert_int_equal(bed->result < 0, true);
    assert_non_null(strstr(bed->error.text, "/nonexistent.tar"));
    transfer(bed, TRANSFER_IMPORT, "Bad", NULL, make_archive(bed, "x", "x"));
    assert_non_null(strstr(bed->error.text, "Bad"));
    transfer(bed, TRANSFER_LOAD, NULL, NULL, make_archive(bed, "y", "y"));
    assert_non_null(strstr(bed->error.text, "neither manifest.json nor index.json"));
    assert_non_null(strstr(bed->error.hint, "import"));
    assert_int_equal(layer_count(bed), 0);
}

/* Freed halfway: the helper dies, nothing is called, and the next transfer works. */
static void test_cancel(void **state)
{
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    const struct transfer_request request = {.kind = TRANSFER_IMPORT,
                                             .reference = "a",
                                             .path = make_archive(bed, "x", "x"),
                                             .done = on_done,
                                             .data = bed};
    assert_int_equal(transfer_start(bed, bed->store, &bed->loop, &request, &bed->transfer, &err), 0);
    talloc_free(bed->transfer);
    bed->transfer = NULL;
    assert_int_equal(bed->calls, 0);
    import(bed, "a", NULL, "x");
}

enum { MANY = 6 };

static void on_one_of_many(void *data, int result, struct image *image UNUSED, const struct error *err UNUSED)
{
    struct bed *bed = data;
    bed->result |= result;
    if (++bed->calls == MANY)
        loop_stop(&bed->loop);
}

/* Several at once into one store, of equal and of different content: none is lost. */
static void test_many_at_once(void **state)
{
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    struct transfer *transfers[MANY];
    bed->result = bed->calls = 0;
    for (int i = 0; i < MANY; i++) {
        const struct transfer_request request = {
            .kind = TRANSFER_IMPORT,
            .reference = mem_printf(bed, "app:%d", i),
            .platform = i % 2 ? "linux/s390x" : NULL,
            .path = make_archive(bed, mem_printf(bed, "%d", i / 2), mem_printf(bed, "%d", i / 2)),
            .done = on_one_of_many,
            .data = bed};
        assert_int_equal(transfer_start(bed, bed->store, &bed->loop, &request, &transfers[i], &err), 0);
    }
    assert_int_equal(loop_run(&bed->loop, &err), 0);
    assert_int_equal(bed->result, 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(find(bed, mem_printf(bed, "app:%d", i), NULL), 0);
    assert_int_equal(layer_count(bed), MANY / 2);
}

/* A helper that says what it should not. */
static void test_a_helper_that_lies(void **state)
{
    static const char *const scripts[] = {
        "echo nonsense",
        "echo '{\"done\":\"sha256:../../../etc/passwd\"}'",
        "echo '{\"done\":\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}'",
        "head -c 100000 /dev/zero",
        "exit 3",
        "kill -9 $$",
        "echo '{\"error\":\"x\"}'; echo '{\"error\":\"y\"}'",
    };
    struct bed *bed = *state;
    struct error err = ERROR_INIT;
    char *libexec = mem_printf(bed, "%s/libexec", bed->top);
    assert_int_equal(fs_mkdir_p(libexec, 0755, &err), 0);
    assert_int_equal(image_store_open(bed, bed->root, libexec, NULL, &bed->store, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        char *text = mem_printf(bed, "#!/bin/sh\n%s\n", scripts[i]);
        assert_int_equal(fs_write_file(mem_printf(bed, "%s/compote-image", libexec), text, strlen(text), 0755,
                                       false, &err),
                         0);
        transfer(bed, TRANSFER_PULL, "nginx", NULL, NULL);
        assert_true(bed->result < 0);
        assert_null(bed->image);
        assert_non_null(strstr(bed->error.text, "nginx"));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_bed, remove_bed)

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    program = argv[1];
    const struct CMUnitTest tests[] = {
        TEST(test_an_empty_store),
        TEST(test_import_and_find),
        TEST(test_platforms_live_side_by_side),
        TEST(test_remove_takes_what_is_not_shared),
        TEST(test_remove_of_one_name_of_two),
        TEST(test_prune),
        TEST(test_a_lost_layer_makes_an_image_absent),
        TEST(test_a_damaged_index_is_told),
        TEST(test_transfers_that_fail),
        TEST(test_cancel),
        TEST(test_many_at_once),
        TEST(test_a_helper_that_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
