#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "lib/unit.h"
#include "network/network.h"
#include "network/prefix.h"
#include "network/record.h"

static void prefixes_are_read_strictly(void **state UNUSED)
{
    static const char *const good[] = {"10.89.3.0/24", "10.89.3.1/32", "0.0.0.0/0",
                                       "fd00::/64",    "::/0",         "fd00::1/128"};
    static const char *const bad[] = {"",
                                      "/",
                                      "10.89.3.0/33",
                                      "10.89.3/24",
                                      "10.89.3.0/",
                                      "fd00::/129",
                                      "10.89.3.0/-1",
                                      "10.89.3.0/ 8",
                                      "a/8",
                                      "10.89.3.0/24/1",
                                      "010.1.1.1/8",
                                      " 10.0.0.1"};
    struct prefix prefix;
    char text[PREFIX_TEXT];
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(prefix_parse(good[i], &prefix));
        prefix_print(&prefix, text);
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(prefix_parse(bad[i], &prefix));
    assert_false(prefix_parse(NULL, &prefix));
    assert_true(prefix_parse("10.1.2.3", &prefix));
    assert_int_equal(prefix.length, 32);
}

static void prefixes_contain_and_overlap(void **state UNUSED)
{
    static const struct {
        const char *a, *b;
        bool a_has_b, overlap;
    } cases[] = {
        {"10.89.0.0/16",  "10.89.3.0/24",   true,  true },
        {"10.89.3.0/24",  "10.89.0.0/16",   false, true },
        {"10.89.3.0/24",  "10.89.4.0/24",   false, false},
        {"10.89.3.0/25",  "10.89.3.128/25", false, false},
        {"0.0.0.0/0",     "1.2.3.4/32",     true,  true },
        {"0.0.0.0/0",     "fd00::/64",      false, false},
        {"fd00:1::/32",   "fd00:1:2::/64",  true,  true },
        {"10.89.3.64/26", "10.89.3.127/32", true,  true },
        {"10.89.3.64/26", "10.89.3.128/32", false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct prefix a, b;
        assert_true(prefix_parse(cases[i].a, &a) && prefix_parse(cases[i].b, &b));
        assert_int_equal(prefix_contains(&a, &b), cases[i].a_has_b);
        assert_int_equal(prefix_overlaps(&a, &b), cases[i].overlap);
        assert_int_equal(prefix_overlaps(&b, &a), cases[i].overlap);
    }
    assert_true(ipam_contains("10.89.3.0/24", "10.89.3.7"));
    assert_true(ipam_contains("10.89.3.0/24", "10.89.3.7/24"));
    assert_false(ipam_contains("10.89.3.0/24", "10.89.4.7"));
    assert_false(ipam_contains("10.89.3.0/24", "x"));
}

static void subnets_are_checked(void **state UNUSED)
{
    char *taken[] = {"172.20.0.0/16", "fd00:7::/64", NULL};
    struct error err = ERROR_INIT;
    assert_int_equal(ipam_check_subnet("10.89.3.0/24", taken, &err), 0);
    assert_int_equal(ipam_check_subnet("fd00:8::/64", taken, &err), 0);
    static const struct {
        const char *subnet, *message;
    } bad[] = {
        {"10.89.3.1",     "'10.89.3.1' is not a subnet like 10.89.3.0/24"                                 },
        {"10.89.3.1/24",  "subnet '10.89.3.1/24' has bits set behind its prefix: '10.89.3.0/24' is meant?"},
        {"172.20.9.0/24", "subnet '172.20.9.0/24' overlaps '172.20.0.0/16' of another network"            },
        {"172.0.0.0/8",   "subnet '172.0.0.0/8' overlaps '172.20.0.0/16' of another network"              },
        {"127.0.0.0/8",   "'127.0.0.0/8' cannot be the subnet of a network"                               },
        {"fd00:7::/96",   "subnet 'fd00:7::/96' overlaps 'fd00:7::/64' of another network"                },
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_true(ipam_check_subnet(bad[i].subnet, taken, &err) < 0);
        assert_string_equal(err.text, bad[i].message);
    }
}

static void ipv6_subnets_have_a_gateway(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    char *gateway;
    assert_int_equal(ipam_gateway6(tmp, "fd00:8::/64", &gateway, &err), 0);
    assert_string_equal(gateway, "fd00:8::1");
    assert_int_equal(ipam_gateway6(tmp, "fd00:8::/96", &gateway, &err), 0);
    static const char *const bad[] = {"fd00:8::/97", "fd00::1", "10.0.0.0/8", "x",
                                      "fd00::/64 }; flush ruleset"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_true(ipam_gateway6(tmp, bad[i], &gateway, &err) < 0);
        error_clear(&err);
    }
}

static void chosen_subnets_avoid_what_is_taken(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    char **taken = NULL, *subnet, *gateway;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ipam_choose_subnet(tmp, taken, &subnet, &gateway, &err), 0);
        assert_int_equal(ipam_check_subnet(subnet, taken, &err), 0);
        assert_true(ipam_contains(subnet, gateway));
        assert_true(str_ends(gateway, ".1"));
        taken = strv_add(tmp, taken, subnet);
    }
    char *everything[] = {"0.0.0.0/0", NULL};
    assert_true(ipam_choose_subnet(tmp, everything, &subnet, &gateway, &err) < 0);
    assert_true(err.hint[0]);
}

static void ipv6_subnets_follow_from_the_seed(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *a, *b, *c, *gateway;
    struct prefix prefix;
    assert_int_equal(ipam_choose_subnet6(tmp, "shop_default", &a, &gateway, NULL), 0);
    assert_int_equal(ipam_choose_subnet6(tmp, "shop_default", &b, &gateway, NULL), 0);
    assert_int_equal(ipam_choose_subnet6(tmp, "shop_defaulu", &c, &gateway, NULL), 0);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_true(prefix_parse(a, &prefix));
    assert_int_equal(prefix.length, 64);
    assert_int_equal(prefix.bytes[0], 0xfd);
    assert_false(prefix_has_host_bits(&prefix));
}

static char *next(const void *tmp, const char *subnet, const char *range, const char *gateway,
                  const char *last, const struct omap *used)
{
    struct error err = ERROR_INIT;
    char *address = NULL;
    int r = ipam_next_address(tmp, subnet, range, gateway, last, used, &address, &err);
    return r < 0 ? mem_strdup(tmp, err.text) : address;
}

static void addresses_are_handed_out_serially(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *used = omap_new(tmp);
    const char *net = "10.89.3.0/24", *gw = "10.89.3.1";
    assert_string_equal(next(tmp, net, NULL, gw, NULL, used), "10.89.3.2/24");
    assert_string_equal(next(tmp, net, NULL, gw, "10.89.3.2", used), "10.89.3.3/24");
    assert_string_equal(next(tmp, net, NULL, gw, "10.89.3.2/24", NULL), "10.89.3.3/24");
    /* Around the end, past broadcast, network and gateway. */
    assert_string_equal(next(tmp, net, NULL, gw, "10.89.3.254", used), "10.89.3.2/24");
    /* Used ones are skipped, in either spelling. */
    omap_set(used, "10.89.3.2", "");
    omap_set(used, "10.89.3.3/24", "");
    assert_string_equal(next(tmp, net, NULL, gw, NULL, used), "10.89.3.4/24");
    assert_string_equal(next(tmp, net, NULL, gw, "10.89.3.255", used), "10.89.3.4/24");
    /* Somebody else's last address is no starting point. */
    assert_string_equal(next(tmp, net, NULL, gw, "10.90.0.9", used), "10.89.3.4/24");
    assert_string_equal(next(tmp, net, "10.89.3.128/25", gw, NULL, used), "10.89.3.128/24");
    assert_string_equal(next(tmp, net, "10.89.3.128/25", gw, "10.89.3.254", used), "10.89.3.128/24");
    assert_string_equal(next(tmp, net, "10.90.0.0/24", gw, NULL, used),
                        "range '10.90.0.0/24' is not inside subnet '10.89.3.0/24'");
    assert_string_equal(next(tmp, "fd00::/64", NULL, "fd00::1", NULL, NULL), "fd00::2/64");
    assert_string_equal(next(tmp, "fd00::/64", NULL, "fd00::1", "fd00::ffff", NULL), "fd00::1:0/64");
}

static void a_full_subnet_is_an_error(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct omap *used = omap_new(tmp);
    char *last = NULL;
    for (int i = 0; i < 5; i++) {
        last = next(tmp, "10.89.3.0/29", NULL, "10.89.3.1", last, used);
        assert_true(str_ends(last, "/29"));
        omap_set(used, last, "");
    }
    assert_string_equal(next(tmp, "10.89.3.0/29", NULL, "10.89.3.1", last, used),
                        "no address is free in '10.89.3.0/29'");
    assert_string_equal(next(tmp, "10.89.3.0/31", NULL, NULL, NULL, NULL), "10.89.3.0/31");
    assert_string_equal(next(tmp, "10.89.3.4/32", NULL, NULL, NULL, NULL), "10.89.3.4/32");
}

static const char record_text[] = "container c1\n"
                                  "netns /run/with blank/c1\n"
                                  "internal\n"
                                  "network shop_default 10.89.3.2 fd00::2 web shop-web-1\n"
                                  "network other - - db\n"
                                  "dns 192.0.2.53\n"
                                  "dns fd00::53\n"
                                  "link database db\n"
                                  "port tcp - 8080 10.89.3.2 80\n"
                                  "port udp 127.0.0.1 53 10.89.3.2 5353\n";

static void records_survive_a_round_trip(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct netd_record *record;
    char *text;
    assert_int_equal(record_parse(tmp, record_text, &record, &err), 0);
    assert_string_equal(record->netns, "/run/with blank/c1");
    assert_true(record->internal_only);
    assert_int_equal(record->network_count, 2);
    assert_string_equal(record->networks[0].names[1], "shop-web-1");
    assert_null(record->networks[1].address);
    assert_int_equal(record->port_count, 2);
    assert_string_equal(record->ports[0].host_ip, "");
    assert_int_equal(record->ports[1].protocol, IPPROTO_UDP);
    assert_int_equal(record->ports[1].port, 5353);
    assert_int_equal(record_print(tmp, record, &text, &err), 0);
    assert_string_equal(text, record_text);
}

static void bad_records_are_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "container c1\n",
        "netns /x\n",
        "container c1\nnetns relative\n",
        "container ../c1\nnetns /x\n",
        "container c1 c2\nnetns /x\n",
        "container c1\nnetns /x\nnetwork n\n",
        "container c1\nnetns /x\nnetwork n fd00::1 - web\n",
        "container c1\nnetns /x\nnetwork n 10.0.0.1/24 - web\n",
        "container c1\nnetns /x\nnetwork n - -  web\n",
        "container c1\nnetns /x\nport tcp - 0 10.0.0.1 80\n",
        "container c1\nnetns /x\nport tcp - 80 10.0.0.1 65536\n",
        "container c1\nnetns /x\nport icmp - 80 10.0.0.1 80\n",
        "container c1\nnetns /x\nport tcp localhost 80 10.0.0.1 80\n",
        "container c1\nnetns /x\ndns example.org\n",
        "container c1\nnetns /x\ndns -\n",
        "container c1\nnetns /x\nlink database\n",
        "container c1\nnetns /x\nfrobnicate\n",
    };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = ERROR_INIT;
        struct netd_record *record;
        assert_true(record_parse(tmp, bad[i], &record, &err) < 0);
        assert_true(error_is_set(&err));
    }
    struct error err = ERROR_INIT;
    char *names[] = {"two words", NULL}, *text;
    struct netd_network network = {.network = "n", .names = names};
    struct netd_record record = {.container = "c", .netns = "/x", .networks = &network, .network_count = 1};
    assert_true(record_print(tmp, &record, &text, &err) < 0);
    assert_string_equal(err.text, "name 'two words' has blanks");
    char *links[] = {"one two three", NULL};
    record = (struct netd_record){.container = "c", .netns = "/x", .links = links};
    assert_true(record_print(tmp, &record, &text, &err) < 0);
}

static void sockets_serve_the_ports_of_their_address(void **state UNUSED)
{
    struct port_map any = {.protocol = IPPROTO_TCP, .host_port = 80};
    struct port_map one = {.protocol = IPPROTO_TCP, .host_port = 80, .host_ip = "127.0.0.1"};
    assert_true(record_port_matches(&any, IPPROTO_TCP, "0.0.0.0", 80));
    assert_true(record_port_matches(&any, IPPROTO_TCP, "::", 80));
    assert_false(record_port_matches(&any, IPPROTO_TCP, "127.0.0.1", 80));
    assert_false(record_port_matches(&any, IPPROTO_UDP, "0.0.0.0", 80));
    assert_false(record_port_matches(&any, IPPROTO_TCP, "0.0.0.0", 81));
    assert_true(record_port_matches(&one, IPPROTO_TCP, "127.0.0.1", 80));
    assert_false(record_port_matches(&one, IPPROTO_TCP, "0.0.0.0", 80));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_are_read_strictly),
        cmocka_unit_test(prefixes_contain_and_overlap),
        cmocka_unit_test(subnets_are_checked),
        cmocka_unit_test(ipv6_subnets_have_a_gateway),
        cmocka_unit_test(chosen_subnets_avoid_what_is_taken),
        cmocka_unit_test(ipv6_subnets_follow_from_the_seed),
        cmocka_unit_test(addresses_are_handed_out_serially),
        cmocka_unit_test(a_full_subnet_is_an_error),
        cmocka_unit_test(records_survive_a_round_trip),
        cmocka_unit_test(bad_records_are_refused),
        cmocka_unit_test(sockets_serve_the_ports_of_their_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
