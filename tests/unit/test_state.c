#include "base/strv.h"
#include "lib/unit.h"
#include "state/state.h"
#include "sys/fs.h"

struct fixture {
    char *root;
    struct state *state;
    struct error err;
};

static int setup(void **data)
{
    char template[] = "/tmp/compote-test-state-XXXXXX";
    struct fixture *f = mem_new(NULL, struct fixture);
    assert_non_null(mkdtemp(template));
    f->root = mem_strdup(f, template);
    *data = f;
    return state_open(f, f->root, &f->state, &f->err);
}

static int teardown(void **data)
{
    struct fixture *f = *data;
    fs_remove_tree(f->root, &f->err);
    talloc_free(f);
    return 0;
}

static struct container_record *sample(struct fixture *f, const char *id, const char *name, int number)
{
    struct container_record *c = mem_new(f, struct container_record);
    *c = (struct container_record){.id = mem_strdup(c, id),
                                   .name = mem_strdup(c, name),
                                   .project = mem_strdup(c, "demo"),
                                   .service = mem_strdup(c, "web"),
                                   .number = number,
                                   .created = 12345,
                                   .command = mem_strdup(c, "sleep \"1\""),
                                   .attach = true,
                                   .stop_grace = 7};
    c->labels = omap_new(c);
    omap_set_str(c->labels, "k", "v=\n\u00e9");
    c->depends_on = strv_new(c, "db", "cache", NULL);
    c->links = strv_new(c, "database db", NULL);
    c->endpoints = mem_array(c, struct endpoint_record, 1);
    c->endpoint_count = 1;
    c->endpoints[0] = (struct endpoint_record){.network = mem_strdup(c, "demo_default"), .gateway = true};
    c->ports = mem_array(c, struct port_map, 1);
    c->port_count = 1;
    c->ports[0] =
        (struct port_map){.protocol = IPPROTO_UDP, .host_ip = "127.0.0.1", .host_port = 53, .port = 5353};
    return c;
}

static void test_container_comes_back_as_it_was(void **data)
{
    struct fixture *f = *data;
    assert_int_equal(state_container_put(f->state, sample(f, "aa", "demo-web-1", 1), &f->err), 0);
    struct container_record **all;
    size_t count;
    assert_int_equal(state_containers(f, f->state, "demo", &all, &count, &f->err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(all[0]->command, "sleep \"1\"");
    assert_string_equal(omap_get(all[0]->labels, "k"), "v=\n\u00e9");
    assert_int_equal(strv_len(all[0]->depends_on), 2);
    assert_string_equal(all[0]->links[0], "database db");
    assert_true(all[0]->endpoints[0].gateway && all[0]->attach && !all[0]->ready);
    assert_int_equal(all[0]->ports[0].protocol, IPPROTO_UDP);
    assert_string_equal(all[0]->ports[0].host_ip, "127.0.0.1");
    assert_int_equal(all[0]->stop_grace, 7);
    assert_int_equal(state_containers(f, f->state, "other", &all, &count, &f->err), 0);
    assert_int_equal(count, 0);
}

static void test_names_are_unique(void **data)
{
    struct fixture *f = *data;
    assert_int_equal(state_container_put(f->state, sample(f, "aa", "same", 1), &f->err), 0);
    assert_int_equal(state_container_put(f->state, sample(f, "bb", "same", 2), &f->err), STATE_TAKEN);
    assert_int_equal(state_container_put(f->state, sample(f, "aa", "same", 3), &f->err), 0);
}

static void test_containers_are_sorted_by_number(void **data)
{
    struct fixture *f = *data;
    assert_int_equal(state_container_put(f->state, sample(f, "aa", "demo-web-10", 10), &f->err), 0);
    assert_int_equal(state_container_put(f->state, sample(f, "bb", "demo-web-2", 2), &f->err), 0);
    struct container_record **all;
    size_t count;
    assert_int_equal(state_containers(f, f->state, NULL, &all, &count, &f->err), 0);
    assert_int_equal(all[0]->number, 2);
    assert_int_equal(all[1]->number, 10);
}

static void test_leases(void **data)
{
    struct fixture *f = *data;
    struct network_record network = {
        .name = "n", .project = "demo", .bridge = "b", .subnet = "10.89.0.0/29", .gateway = "10.89.0.1"};
    char *a, *b, *again, *wanted;
    assert_int_equal(state_network_put(f->state, &network, &f->err), 0);
    assert_int_equal(state_lease(f, f->state, "n", "aa", NULL, &a, &f->err), 0);
    assert_string_equal(a, "10.89.0.2/29");
    assert_int_equal(state_lease(f, f->state, "n", "bb", NULL, &b, &f->err), 0);
    assert_string_equal(b, "10.89.0.3/29");
    assert_int_equal(state_lease(f, f->state, "n", "aa", NULL, &again, &f->err), 0);
    assert_string_equal(again, a);
    assert_int_equal(state_lease(f, f->state, "n", "cc", "10.89.0.3", &wanted, &f->err), STATE_TAKEN);
    assert_int_equal(state_lease(f, f->state, "n", "cc", "10.89.0.6", &wanted, &f->err), 0);
    /* An address that is given back is not handed out again at once. */
    assert_int_equal(state_container_remove(f->state, "bb", &f->err), 0);
    assert_int_equal(state_lease(f, f->state, "n", "dd", NULL, &b, &f->err), 0);
    assert_string_equal(b, "10.89.0.4/29");
    assert_int_equal(state_lease(f, f->state, "n", "ee", NULL, &b, &f->err), 0);
    assert_int_equal(state_lease(f, f->state, "n", "ff", NULL, &b, &f->err), 0);
    assert_string_equal(b, "10.89.0.3/29");
    assert_true(state_lease(f, f->state, "n", "gg", NULL, &b, &f->err) < 0);
    assert_non_null(strstr(f->err.text, "network n"));
}

static void test_anonymous_volumes_find_their_successor(void **data)
{
    struct fixture *f = *data;
    struct volume_record v = {.name = "anon",
                              .project = "demo",
                              .service = "db",
                              .number = 1,
                              .target = "/data"},
                         *found;
    assert_int_equal(state_volume_put(f->state, &v, &f->err), 0);
    assert_int_equal(state_volume_find_anonymous(f, f->state, "demo", "db", 1, "/data", &found, &f->err), 0);
    assert_string_equal(found->name, "anon");
    assert_int_equal(state_volume_find_anonymous(f, f->state, "demo", "db", 2, "/data", &found, &f->err),
                     STATE_ABSENT);
    assert_int_equal(state_volume_detach(f->state, "demo", "db", 1, &f->err), 0);
    assert_int_equal(state_volume_find_anonymous(f, f->state, "demo", "db", 1, "/data", &found, &f->err),
                     STATE_ABSENT);
    assert_int_equal(state_volume_get(f, f->state, "anon", &found, &f->err), 0);
    assert_null(found->service);
}

static void test_a_volume_stays_with_its_project(void **data)
{
    struct fixture *f = *data;
    struct volume_record v = {.name = "data", .project = "one", .key = "a"}, *found;
    assert_int_equal(state_volume_put(f->state, &v, &f->err), 0);
    assert_int_equal(state_volume_get(f, f->state, "data", &found, &f->err), 0);
    assert_null(found->options);
    v.key = "b";
    v.options = omap_new(f);
    omap_set_str(v.options, "o", "size=1m,\"x\"");
    omap_set_str(v.options, "type", "tmpfs");
    assert_int_equal(state_volume_put(f->state, &v, &f->err), 0);
    v.project = "two";
    v.key = "c";
    assert_int_equal(state_volume_put(f->state, &v, &f->err), 0);
    assert_int_equal(state_volume_get(f, f->state, "data", &found, &f->err), 0);
    assert_string_equal(found->project, "one");
    assert_string_equal(found->key, "b");
    assert_int_equal(found->options->count, 2);
    assert_string_equal(omap_get(found->options, "o"), "size=1m,\"x\"");
    assert_null(found->labels);
}

static void test_a_network_does_not_push_another_out(void **data)
{
    struct fixture *f = *data;
    struct network_record n = {.name = "one", .project = "p", .bridge = "cpt1", .subnet = "10.0.0.0/24"},
                          *found;
    assert_int_equal(state_network_put(f->state, &n, &f->err), 0);
    n.subnet = "10.0.1.0/24";
    assert_int_equal(state_network_put(f->state, &n, &f->err), 0);
    n.name = "two";
    assert_true(state_network_put(f->state, &n, &f->err) < 0);
    assert_int_equal(state_network_get(f, f->state, "one", &found, &f->err), 0);
    assert_string_equal(found->subnet, "10.0.1.0/24");
}

static void test_damaged_database_says_what_to_do(void **data)
{
    struct fixture *f = *data;
    struct state *other;
    char *dir = mem_printf(f, "%s/bad", f->root);
    assert_int_equal(fs_mkdir_p(dir, 0700, &f->err), 0);
    assert_int_equal(fs_write_file(mem_printf(f, "%s/state.db", dir),
                                   "this is not a database, but long enough to be read as one", 57, 0600,
                                   false, &f->err),
                     0);
    assert_true(state_open(f, dir, &other, &f->err) < 0);
    assert_non_null(strstr(f->err.text, "state database"));
    assert_non_null(strstr(f->err.hint, "damaged"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_container_comes_back_as_it_was),         TEST(test_names_are_unique),
        TEST(test_containers_are_sorted_by_number),        TEST(test_leases),
        TEST(test_anonymous_volumes_find_their_successor), TEST(test_damaged_database_says_what_to_do),
        TEST(test_a_volume_stays_with_its_project),        TEST(test_a_network_does_not_push_another_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
