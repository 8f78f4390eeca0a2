/* What a container gets for a query. Messages are made and read by ldns, so that two implementations agree.
 */
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "lib/unit.h"
#include "netd/answer.h"

#include <ldns/ldns.h>

static struct omap *records;
static const void *top;

static void add_record(const char *text)
{
    struct error err = ERROR_INIT;
    struct stored_record *stored = mem_new(top, struct stored_record);
    assert_int_equal(record_parse(stored, text, &stored->record, &err), 0);
    omap_set(records, stored->record->container, stored);
}

static int make_records(void **state UNUSED)
{
    top = mem_ctx();
    records = omap_new(top);
    add_record("container c1\nnetns /1\n"
               "network shop_front 10.1.0.2 fd01::2 web shop-web-1 c1\n");
    add_record("container c2\nnetns /2\n"
               "network shop_front 10.1.0.3 fd01::3 web shop-web-2 c2\n"
               "network shop_Back 10.2.0.3 - web shop-web-2 c2\nlink database db\nlink data shop-db-1\n"
               "link gone nobody\n");
    add_record("container c3\nnetns /3\ninternal\n"
               "network shop_Back 10.2.0.4 - db shop-db-1 c3 my.alias\n");
    return 0;
}

static int free_records(void **state UNUSED)
{
    talloc_free((void *)(uintptr_t)top);
    return 0;
}

struct result {
    ldns_pkt *packet; /* NULL: nothing came back */
    int outcome;
    char *answers; /* sorted, on `top` */
};

static char *list_answers(const ldns_pkt *packet)
{
    char **found = NULL;
    ldns_rr_list *answers = ldns_pkt_answer(packet);
    for (size_t i = 0; i < ldns_rr_list_rr_count(answers); i++) {
        char *text = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(answers, i), 0));
        found = strv_add(top, found, text);
        free(text);
    }
    if (!found)
        return mem_strdup(top, "");
    strv_sort(found);
    return strv_join(top, found, " ");
}

static struct result ask_as(const char *asker, const char *name, ldns_rr_type type, size_t edns, bool udp,
                            size_t room)
{
    ldns_pkt *query = ldns_pkt_query_new(ldns_dname_new_frm_str(name), type, LDNS_RR_CLASS_IN, LDNS_RD);
    ldns_pkt_set_id(query, 4711);
    if (edns) {
        ldns_pkt_set_edns_udp_size(query, (uint16_t)edns);
    }
    uint8_t *wire, *reply = mem_array(top, uint8_t, room);
    size_t wire_size, reply_size = 0;
    assert_int_equal(ldns_pkt2wire(&wire, query, &wire_size), LDNS_STATUS_OK);
    struct result result = {0};
    result.outcome =
        answer_query(records, omap_get(records, asker), wire, wire_size, udp, reply, room, &reply_size);
    if (result.outcome == 0) {
        assert_int_equal(ldns_wire2pkt(&result.packet, reply, reply_size), LDNS_STATUS_OK);
        assert_true(ldns_pkt_qr(result.packet) && ldns_pkt_rd(result.packet) && ldns_pkt_ra(result.packet));
        assert_int_equal(ldns_pkt_id(result.packet), 4711);
        assert_int_equal(ldns_pkt_edns(result.packet), edns != 0);
        result.answers = list_answers(result.packet);
    }
    free(wire);
    ldns_pkt_free(query);
    return result;
}

static void check(const char *asker, const char *name, ldns_rr_type type, int rcode, const char *answers)
{
    struct result result = ask_as(asker, name, type, 1232, true, 4096);
    assert_int_equal(result.outcome, 0);
    assert_int_equal(ldns_pkt_get_rcode(result.packet), rcode);
    assert_string_equal(result.answers, answers);
    ldns_pkt_free(result.packet);
}

static void check_forward(const char *asker, const char *name, ldns_rr_type type)
{
    struct result result = ask_as(asker, name, type, 0, true, 4096);
    assert_int_equal(result.outcome, ANSWER_FORWARD);
}

static void names_of_shared_networks_are_known(void **state UNUSED)
{
    check("c1", "web", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.1.0.2 10.1.0.3");
    check("c1", "WeB.", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.1.0.2 10.1.0.3");
    check("c1", "shop-web-2", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.1.0.3");
    check("c1", "web", LDNS_RR_TYPE_AAAA, LDNS_RCODE_NOERROR, "fd01::2 fd01::3");
    check("c1", "web", LDNS_RR_TYPE_ANY, LDNS_RCODE_NOERROR, "10.1.0.2 10.1.0.3 fd01::2 fd01::3");
    check("c2", "db", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.2.0.4");
    check("c2", "my.alias", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.2.0.4");
    /* On the asker's own network only. */
    check("c3", "web", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.2.0.3");
    check_forward("c1", "db", LDNS_RR_TYPE_A);
}

static void a_name_with_its_network_means_that_network(void **state UNUSED)
{
    check("c2", "web.shop_back", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.2.0.3");
    check("c2", "web.shop_front", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.1.0.2 10.1.0.3");
    check_forward("c1", "web.shop_back", LDNS_RR_TYPE_A);
    check_forward("c1", "shop_front", LDNS_RR_TYPE_A);
}

static void links_are_names_of_the_asker_alone(void **state UNUSED)
{
    check("c2", "Database", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.2.0.4");
    check("c2", "data", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "10.2.0.4");
    check("c2", "data", LDNS_RR_TYPE_AAAA, LDNS_RCODE_NOERROR, "");
    check_forward("c2", "gone", LDNS_RR_TYPE_A);
    check_forward("c2", "datab", LDNS_RR_TYPE_A);
    check_forward("c1", "database", LDNS_RR_TYPE_A);
}

static void a_known_name_is_never_denied(void **state UNUSED)
{
    check("c2", "db", LDNS_RR_TYPE_AAAA, LDNS_RCODE_NOERROR, "");
    check("c1", "web", LDNS_RR_TYPE_MX, LDNS_RCODE_NOERROR, "");
    check("c1", "web", LDNS_RR_TYPE_SRV, LDNS_RCODE_NOERROR, "");
}

static void addresses_have_names(void **state UNUSED)
{
    check("c1", "3.0.1.10.in-addr.arpa", LDNS_RR_TYPE_PTR, LDNS_RCODE_NOERROR, "web.shop_front.");
    check("c3", "4.0.2.10.in-addr.arpa", LDNS_RR_TYPE_PTR, LDNS_RCODE_NOERROR, "db.shop_Back.");
    check("c1", "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.d.f.ip6.arpa", LDNS_RR_TYPE_PTR,
          LDNS_RCODE_NOERROR, "web.shop_front.");
    check("c1", "3.0.1.10.in-addr.arpa", LDNS_RR_TYPE_TXT, LDNS_RCODE_NOERROR, "");
    check_forward("c1", "4.0.2.10.in-addr.arpa", LDNS_RR_TYPE_PTR);
    check_forward("c1", "256.0.1.10.in-addr.arpa", LDNS_RR_TYPE_PTR);
}

static void internal_containers_learn_nothing_from_outside(void **state UNUSED)
{
    check("c3", "example.org", LDNS_RR_TYPE_A, LDNS_RCODE_NXDOMAIN, "");
    check("c3", "8.8.8.8.in-addr.arpa", LDNS_RR_TYPE_PTR, LDNS_RCODE_NXDOMAIN, "");
    check_forward("c1", "example.org", LDNS_RR_TYPE_A);
    /* Nobody at all. */
    check("none", "web", LDNS_RR_TYPE_A, LDNS_RCODE_REFUSED, "");
}

static void what_does_not_fit_is_truncated(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (int i = 0; i < 100; i++)
        add_record(mem_printf(tmp, "container m%d\nnetns /m%d\nnetwork many 10.9.0.%d - many\n", i, i, i));
    struct result plain = ask_as("m1", "many", LDNS_RR_TYPE_A, 0, true, 4096);
    assert_true(ldns_pkt_tc(plain.packet));
    assert_true(ldns_pkt_ancount(plain.packet) > 20 && ldns_pkt_ancount(plain.packet) < 40);
    struct result wide = ask_as("m1", "many", LDNS_RR_TYPE_A, 4096, true, 4096);
    assert_false(ldns_pkt_tc(wide.packet));
    assert_int_equal(ldns_pkt_ancount(wide.packet), 100);
    struct result stream = ask_as("m1", "many", LDNS_RR_TYPE_A, 0, false, 8192);
    assert_false(ldns_pkt_tc(stream.packet));
    assert_int_equal(ldns_pkt_ancount(stream.packet), 100);
    ldns_pkt_free(plain.packet);
    ldns_pkt_free(wide.packet);
    ldns_pkt_free(stream.packet);
}

static void replicas_come_in_changing_order(void **state UNUSED)
{
    bool seen[2] = {false, false};
    for (int i = 0; i < 200 && !(seen[0] && seen[1]); i++) {
        struct result result = ask_as("c1", "web", LDNS_RR_TYPE_A, 0, true, 4096);
        char *first = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(result.packet), 0), 0));
        seen[str_eq(first, "10.1.0.2")] = true;
        free(first);
        ldns_pkt_free(result.packet);
    }
    assert_true(seen[0] && seen[1]);
}

/* Bytes after the header, header flags, and what comes of them. */
static void malformed_queries_are_told_so(void **state UNUSED)
{
    static const struct {
        const char *what;
        uint8_t bytes[40];
        size_t size;
        int outcome, rcode;
    } cases[] = {
        {"empty",               {0},                                                            0,  ANSWER_NONE, 0          },
        {"half a header",       {0, 1, 1, 0, 0, 1},                                             6,  ANSWER_NONE, 0          },
        {"a reply",             {0, 1, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1}, 19, ANSWER_NONE, 0          },
        {"no question",         {0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},                           12, 0,           DNS_FORMERR},
        {"two questions",       {0, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1},    19, 0,           DNS_FORMERR},
        {"an update",           {0, 1, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1}, 19, 0,           DNS_NOTIMP },
        {"a pointer to itself",
         {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1},
         18,                                                                                        0,
         DNS_FORMERR                                                                                                        },
        {"a cut label",         {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, 'a', 0},                15, 0,           DNS_FORMERR},
        {"no end of the name",  {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a'},                   14, 0,           DNS_FORMERR},
        {"no class",            {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1},          17, 0,           DNS_FORMERR},
        {"a long label",        {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 64, 'a', 0, 0, 1, 0, 1},   19, 0,           DNS_FORMERR},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t reply[512];
        size_t size = 0;
        /* A copy of just the size, so that reading past it is seen. */
        uint8_t *query = mem_dup(top, cases[i].bytes, cases[i].size);
        int r = answer_query(records, omap_get(records, "c1"), query, cases[i].size, true, reply,
                             sizeof(reply), &size);
        if (r != cases[i].outcome || (r == 0 && (reply[3] & 15) != cases[i].rcode))
            fail_msg("%s: outcome %d, code %d", cases[i].what, r, reply[3] & 15);
    }
}

/* Also the hundredth one of those that share a published port. */
static void containers_of_a_port_take_turns(void **state UNUSED)
{
    enum { COUNT = 100 };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct netd netd = {.records = omap_new(tmp)};
    struct endpoint_socket socket = {
        .netd = &netd, .protocol = IPPROTO_TCP, .address = mem_strdup(tmp, "0.0.0.0"), .port = 80};
    unsigned hits[COUNT] = {0};
    assert_null(store_next_target(&netd, &socket));
    for (unsigned i = 0; i < COUNT; i++) {
        struct error err = ERROR_INIT;
        struct stored_record *stored = mem_new(tmp, struct stored_record);
        char *text = mem_printf(tmp, "container c%u\nnetns /%u\nport tcp - 80 10.0.0.%u 8080\n", i, i, i + 1);
        assert_int_equal(record_parse(stored, text, &stored->record, &err), 0);
        omap_set(netd.records, stored->record->container, stored);
    }
    for (unsigned i = 0; i < 3 * COUNT; i++) {
        const struct port_map *map = store_next_target(&netd, &socket);
        assert_non_null(map);
        hits[strtoul(map->address + strlen("10.0.0."), NULL, 10) - 1]++;
    }
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(hits[i], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_shared_networks_are_known),
        cmocka_unit_test(links_are_names_of_the_asker_alone),
        cmocka_unit_test(a_name_with_its_network_means_that_network),
        cmocka_unit_test(a_known_name_is_never_denied),
        cmocka_unit_test(addresses_have_names),
        cmocka_unit_test(internal_containers_learn_nothing_from_outside),
        cmocka_unit_test(what_does_not_fit_is_truncated),
        cmocka_unit_test(replicas_come_in_changing_order),
        cmocka_unit_test(malformed_queries_are_told_so),
        cmocka_unit_test(containers_of_a_port_take_turns),
    };
    return cmocka_run_group_tests(tests, make_records, free_records);
}
