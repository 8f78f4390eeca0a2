/* The plan of `up`, from projects and snapshots made by hand: no root, no machine. */
#include "base/strv.h"
#include "engine/change.h"
#include "engine/names.h"
#include "engine/up_plan.h"
#include "lib/unit.h"

struct fixture {
    struct engine engine;
    struct project project;
    struct actual actual;
    struct up_options options;
    struct omap *image_ids;
    struct error err;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    f->project.name = mem_strdup(f, "demo");
    f->project.separator = "-";
    f->project.services = omap_new(f);
    f->project.disabled = omap_new(f);
    f->project.networks = omap_new(f);
    f->project.volumes = omap_new(f);
    f->options.timeout = -1;
    f->image_ids = omap_new(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    talloc_free(*state);
    return 0;
}

static struct service *add_service(struct fixture *f, const char *name)
{
    struct service *s = mem_new(f, struct service);
    s->name = mem_strdup(s, name);
    s->image = mem_strdup(s, "img");
    s->scale = 1;
    s->config_hash = mem_strdup(s, "h1");
    omap_set(f->project.services, name, s);
    return s;
}

static void add_dependency(struct fixture *f, struct service *s, const char *on,
                           enum depend_condition condition, bool restart)
{
    struct dependency d = {
        .service = mem_strdup(f, on), .condition = condition, .required = true, .restart = restart};
    s->depends_on = mem_grow(f, s->depends_on, struct dependency, s->depends_on_count + 1);
    s->depends_on[s->depends_on_count++] = d;
}

static struct actual_container *add_container(struct fixture *f, const char *service, int number,
                                              enum container_state state)
{
    struct actual_container *c = mem_new(f, struct actual_container);
    struct container_record *r = mem_new(c, struct container_record);
    r->service = mem_strdup(r, service);
    r->project = f->project.name;
    r->name = mem_printf(r, "demo-%s-%d", service, number);
    r->id = mem_strdup(r, r->name);
    r->number = number;
    r->ready = true;
    r->config_hash = mem_strdup(r, "h1");
    r->image_id = mem_strdup(r, "sha256:aaaa");
    c->record = r;
    c->status.state = state;
    mem_append(f, f->actual.containers, f->actual.container_count, c);
    return c;
}

static struct plan *make(struct fixture *f)
{
    struct plan *plan;
    assert_int_equal(
        up_plan_make(f, &f->engine, &f->project, &f->actual, &f->options, f->image_ids, &plan, &f->err), 0);
    return plan;
}

/* "create:demo-web-1 start:demo-web-1 ..." in the order of the plan. */
static char *summary(struct plan *plan)
{
    static const char *const names[OP__COUNT] = {"pull",  "network", "volume", "create", "recreate",
                                                 "start", "wait",    "stop",   "kill",   "remove",
                                                 "rmnet", "rmvol",   "rmimage"};
    char **words = NULL;
    for (size_t i = 0; i < plan->count; i++) {
        const char *blank = strchr(plan->operations[i]->id, ' ');
        words = strv_addf(plan, words, "%s:%s", names[plan->operations[i]->kind],
                          blank ? blank + 1 : plan->operations[i]->id);
    }
    return strv_join(plan, words, " ");
}

static struct operation *find(struct plan *plan, enum op_kind kind, const char *name)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->operations[i]->kind == kind && strcmp(strchr(plan->operations[i]->id, ' ') + 1, name) == 0)
            return plan->operations[i];
    fail_msg("no such operation on %s", name);
    return NULL;
}

static bool needs(const struct operation *op, const struct operation *first)
{
    for (size_t i = 0; i < op->need_count; i++)
        if (op->needs[i] == first->index)
            return true;
    return false;
}

static void test_first_up_makes_everything(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web");
    struct network *network = mem_new(f, struct network);
    network->name = mem_strdup(f, "demo_default");
    omap_set(f->project.networks, "default", network);
    web->networks = omap_new(f);
    omap_set(web->networks, "default", NULL);
    struct plan *plan = make(f);
    assert_string_equal(summary(plan), "create:demo-web-1 network:demo_default start:demo-web-1");
    assert_true(
        needs(find(plan, OP_CONTAINER_CREATE, "demo-web-1"), find(plan, OP_NETWORK_CREATE, "demo_default")));
    assert_true(
        needs(find(plan, OP_CONTAINER_START, "demo-web-1"), find(plan, OP_CONTAINER_CREATE, "demo-web-1")));
}

static void test_a_recorded_volume_is_checked_quietly(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web");
    struct volume *volume = mem_new(f, struct volume);
    struct volume_record *record = mem_new(f, struct volume_record);
    volume->name = record->name = mem_strdup(f, "demo_data");
    omap_set(f->project.volumes, "data", volume);
    web->volumes = mem_new(f, struct volume_mount);
    web->volumes[0] = (struct volume_mount){.type = MOUNT_VOLUME, .source = mem_strdup(f, "data")};
    web->volume_count = 1;
    assert_false(find(make(f), OP_VOLUME_CREATE, "demo_data")->quiet);
    mem_append(f, f->actual.volumes, f->actual.volume_count, record);
    assert_true(find(make(f), OP_VOLUME_CREATE, "demo_data")->quiet);
}

static void test_what_runs_unchanged_is_left_alone(void **state)
{
    struct fixture *f = *state;
    add_service(f, "web");
    add_container(f, "web", 1, STATE_RUNNING);
    omap_set_str(f->image_ids, "web", "sha256:aaaa");
    assert_string_equal(summary(make(f)), "");
}

static void test_changed_configuration_or_image_recreates(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web");
    add_container(f, "web", 1, STATE_RUNNING);
    web->config_hash = mem_strdup(f, "h2");
    struct plan *plan = make(f);
    assert_string_equal(summary(plan), "stop:demo-web-1 recreate:demo-web-1 start:demo-web-1");
    assert_string_equal(plan->operations[1]->reason, "its configuration changed");

    web->config_hash = mem_strdup(f, "h1");
    omap_set_str(f->image_ids, "web", "sha256:bbbb");
    plan = make(f);
    assert_string_equal(summary(plan), "stop:demo-web-1 recreate:demo-web-1 start:demo-web-1");
    assert_non_null(strstr(plan->operations[1]->reason, "image changed sha256:aaaa"));

    f->options.recreate = RECREATE_NEVER;
    assert_string_equal(summary(make(f)), "");
}

static void test_an_exited_container_is_started_again(void **state)
{
    struct fixture *f = *state;
    add_service(f, "web");
    add_container(f, "web", 1, STATE_EXITED);
    assert_string_equal(summary(make(f)), "start:demo-web-1");
    f->options.no_start = true;
    assert_string_equal(summary(make(f)), "");
}

static void test_half_made_containers_go_first(void **state)
{
    struct fixture *f = *state;
    add_service(f, "web");
    struct actual_container *c = add_container(f, "web", 1, STATE_CREATED);
    c->record->ready = false;
    struct plan *plan = make(f);
    assert_string_equal(summary(plan), "remove:demo-web-1 create:demo-web-1 start:demo-web-1");
    assert_true(plan->operations[0]->keep_volumes);
    assert_true(needs(plan->operations[1], plan->operations[0]));
}

static void test_scaling(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web");
    add_container(f, "web", 1, STATE_RUNNING);
    add_container(f, "web", 3, STATE_RUNNING);
    web->scale = 3;
    assert_string_equal(summary(make(f)), "create:demo-web-4 start:demo-web-4");
    web->scale = 1;
    assert_string_equal(summary(make(f)), "stop:demo-web-3 remove:demo-web-3");
    /* What is out of date goes before what is not. */
    f->actual.containers[0]->record->config_hash = mem_strdup(f, "old");
    assert_string_equal(summary(make(f)), "stop:demo-web-1 remove:demo-web-1");
    f->options.scale = omap_new(f);
    omap_set_str(f->options.scale, "web", "0");
    f->actual.containers[0]->record->config_hash = mem_strdup(f, "h1");
    assert_string_equal(summary(make(f)),
                        "stop:demo-web-1 remove:demo-web-1 stop:demo-web-3 remove:demo-web-3");
    omap_set_str(f->options.scale, "web", "many");
    struct plan *plan;
    assert_true(
        up_plan_make(f, &f->engine, &f->project, &f->actual, &f->options, f->image_ids, &plan, &f->err) < 0);
    web->container_name = mem_strdup(f, "one");
    omap_set_str(f->options.scale, "web", "2");
    assert_true(
        up_plan_make(f, &f->engine, &f->project, &f->actual, &f->options, f->image_ids, &plan, &f->err) < 0);
}

static void test_conditions_become_waits(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web"), *api = add_service(f, "api");
    struct service *db = add_service(f, "db");
    db->scale = 2;
    add_service(f, "job");
    add_dependency(f, web, "db", DEPEND_HEALTHY, false);
    add_dependency(f, web, "job", DEPEND_COMPLETED, false);
    add_dependency(f, api, "db", DEPEND_HEALTHY, false);
    add_dependency(f, api, "job", DEPEND_STARTED, false);
    struct plan *plan = make(f);
    struct operation *start = find(plan, OP_CONTAINER_START, "demo-web-1");
    struct operation *first = find(plan, OP_CONTAINER_WAIT, "demo-db-1"),
                     *second = find(plan, OP_CONTAINER_WAIT, "demo-db-2");
    assert_true(needs(start, first) && needs(start, second));
    assert_int_equal(first->wait_for, WAIT_HEALTHY);
    assert_true(needs(start, find(plan, OP_CONTAINER_WAIT, "demo-job-1")));
    assert_int_equal(find(plan, OP_CONTAINER_WAIT, "demo-job-1")->wait_for, WAIT_COMPLETED);
    struct operation *other = find(plan, OP_CONTAINER_START, "demo-api-1");
    assert_true(needs(other, first) && needs(other, second));
    assert_true(needs(other, find(plan, OP_CONTAINER_START, "demo-job-1")));
    size_t waits = 0;
    for (size_t i = 0; i < plan->count; i++)
        waits += plan->operations[i]->kind == OP_CONTAINER_WAIT;
    assert_int_equal(waits, 3);
}

static void test_dependents_restart_around_a_recreated_dependency(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web"), *db = add_service(f, "db");
    add_dependency(f, web, "db", DEPEND_STARTED, true);
    add_container(f, "web", 1, STATE_RUNNING);
    add_container(f, "db", 1, STATE_RUNNING);
    db->config_hash = mem_strdup(f, "h2");
    struct plan *plan = make(f);
    assert_true(
        needs(find(plan, OP_CONTAINER_RECREATE, "demo-db-1"), find(plan, OP_CONTAINER_STOP, "demo-web-1")));
    assert_true(
        needs(find(plan, OP_CONTAINER_START, "demo-web-1"), find(plan, OP_CONTAINER_START, "demo-db-1")));
}

static void ignore(void *data UNUSED, const struct container_view *container UNUSED)
{
}

static void test_attached_everything_is_made_before_something_starts(void **state)
{
    struct fixture *f = *state;
    add_service(f, "web");
    add_service(f, "db");
    assert_false(needs(find(make(f), OP_CONTAINER_START, "demo-web-1"),
                       find(make(f), OP_CONTAINER_CREATE, "demo-db-1")));
    f->options.attach = ignore;
    struct plan *plan = make(f);
    assert_true(
        needs(find(plan, OP_CONTAINER_START, "demo-web-1"), find(plan, OP_CONTAINER_CREATE, "demo-db-1")));
    assert_true(
        needs(find(plan, OP_CONTAINER_START, "demo-db-1"), find(plan, OP_CONTAINER_CREATE, "demo-web-1")));
}

static void test_another_replica_restarts_nobody(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web");
    add_service(f, "db")->scale = 2;
    add_dependency(f, web, "db", DEPEND_STARTED, true);
    add_container(f, "web", 1, STATE_RUNNING);
    add_container(f, "db", 1, STATE_RUNNING);
    assert_string_equal(summary(make(f)), "create:demo-db-2 start:demo-db-2");
}

/* web does without job, api does not: the shared wait counts for api. */
static void test_a_wait_that_somebody_requires_is_required(void **state)
{
    struct fixture *f = *state;
    add_service(f, "job");
    add_dependency(f, add_service(f, "web"), "job", DEPEND_COMPLETED, false);
    struct service *api = add_service(f, "api");
    add_dependency(f, api, "job", DEPEND_COMPLETED, false);
    project_service(&f->project, "web")->depends_on[0].required = false;
    assert_false(find(make(f), OP_CONTAINER_WAIT, "demo-job-1")->optional);
    api->depends_on[0].required = false;
    assert_true(find(make(f), OP_CONTAINER_WAIT, "demo-job-1")->optional);
}

static void test_orphans(void **state)
{
    struct fixture *f = *state;
    add_service(f, "web");
    add_container(f, "web", 1, STATE_RUNNING);
    add_container(f, "old", 1, STATE_RUNNING);
    omap_set(f->project.disabled, "later", f);
    add_container(f, "later", 1, STATE_RUNNING);
    assert_string_equal(summary(make(f)), "");
    f->options.remove_orphans = true;
    assert_string_equal(summary(make(f)), "stop:demo-old-1 remove:demo-old-1");
}

static void test_no_deps(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web");
    add_service(f, "db");
    add_dependency(f, web, "db", DEPEND_HEALTHY, false);
    f->options.no_deps = true;
    f->options.services = strv_new(f, "web", NULL);
    assert_string_equal(summary(make(f)), "create:demo-web-1 start:demo-web-1");
}

static void test_waiting_for_all(void **state)
{
    struct fixture *f = *state;
    struct service *web = add_service(f, "web");
    add_service(f, "job");
    add_dependency(f, web, "job", DEPEND_COMPLETED, false);
    f->options.wait = true;
    f->options.wait_timeout = 9;
    struct plan *plan = make(f);
    struct operation *last = plan->operations[plan->count - 1];
    assert_int_equal(last->kind, OP_CONTAINER_WAIT);
    assert_int_equal(last->timeout, 9);
    size_t ready = 0, completed = 0;
    for (size_t i = 0; i < plan->count; i++) {
        ready +=
            plan->operations[i]->kind == OP_CONTAINER_WAIT && plan->operations[i]->wait_for == WAIT_READY;
        completed +=
            plan->operations[i]->kind == OP_CONTAINER_WAIT && plan->operations[i]->wait_for == WAIT_COMPLETED;
    }
    assert_int_equal(ready, 1);
    assert_int_equal(completed, 2);
}

/* What becomes a directory, an interface or a name in the kernel. */
static void test_names_are_checked(void **data)
{
    struct fixture *f = *data;
    struct service *s = add_service(f, "web");
    struct network *network = mem_new(f, struct network);
    struct volume *volume = mem_new(f, struct volume);
    struct service_network *use = mem_new(f, struct service_network);
    omap_set(f->project.networks, "n", network);
    omap_set(f->project.volumes, "v", volume);
    s->networks = omap_new(s);
    omap_set(s->networks, "n", use);
    use->aliases = mem_array(f, char *, 2);
    s->dns_search = mem_array(f, char *, 2);
    s->dns_opt = mem_array(f, char *, 2);
    s->extra_hosts = omap_new(s);
    char **addresses = mem_array(s, char *, 2);
    omap_set(s->extra_hosts, "db", addresses);
    struct {
        char **place;
        const char *good[3], *bad[8];
    } cases[] = {
        {&s->container_name,   {"a", "A.b-c_9"},     {"../x", "a/b", "a b", "-a", ".a", "\033[31m", "\xc3\xa4"}},
        {&volume->name,        {"demo_data", "1"},   {"..", "../../etc", "a/b", ".removed-1", "a b", ""}       },
        {&network->name,       {"demo_default"},     {"..", "a/b", "a b", "a\nb", "\t", ""}                    },
        {&s->hostname,         {"web", "a.b"},       {"a b", "a\nb", "a/b"}                                    },
        {&s->domainname,       {"example.org"},      {"a b\n"}                                                 },
        {&s->cgroup_parent,    {"/a/b", "a..b"},     {"a\nruntime=/x", "../x", "a/../b", "/.."}                },
        {&use->interface_name, {"eth7"},             {"a/b", "a:b", "..", "abcdefghijklmnop", "a b", ""}       },
        {&use->aliases[0],     {"db"},               {"a b", "a\nb", ""}                                       },
        {&s->dns_search[0],    {"example.org", "."}, {"a\nnameserver 10.0.0.1", ""}                            },
        {&s->dns_opt[0],       {"ndots:1"},          {"ndots:1\nnameserver 10.0.0.1", ""}                      },
        {&addresses[0],
         {"10.0.0.1", "::1", "host-gateway"},
         {"10.0.0.1\n10.0.0.2\tx", "10.0.0.1/8", "db", "10.0.0.1 x", ""}                                       },
    };
    volume->name = mem_strdup(f, "v");
    network->name = mem_strdup(f, "n");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *before = *cases[i].place;
        for (size_t k = 0; k < ARRAY_SIZE(cases[i].good) && cases[i].good[k]; k++) {
            *cases[i].place = mem_strdup(f, cases[i].good[k]);
            assert_int_equal(project_names_check(&f->project, &f->err), 0);
        }
        for (size_t k = 0; k < ARRAY_SIZE(cases[i].bad) && cases[i].bad[k]; k++) {
            *cases[i].place = mem_strdup(f, cases[i].bad[k]);
            if (project_names_check(&f->project, &f->err) == 0)
                fail_msg("case %zu: '%s' was taken", i, cases[i].bad[k]);
            assert_true(error_is_set(&f->err));
            error_clear(&f->err);
        }
        *cases[i].place = before;
    }
    omap_set(s->extra_hosts, "a\tb", addresses);
    addresses[0] = mem_strdup(s, "10.0.0.1");
    assert_true(project_names_check(&f->project, &f->err) < 0);
    error_clear(&f->err);
    omap_remove(s->extra_hosts, "a\tb");
    s->hostname = mem_array(f, char, 66);
    memset(s->hostname, 'a', 65);
    assert_true(project_names_check(&f->project, &f->err) < 0);
}

static void test_changes_are_told_by_key(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *before, *after, *told;
    } cases[] = {
        {"{\"a\": 1}",                           "{\"a\": 1}",                                                              NULL                                        },
        {"{\"a\": 1}",                           "no JSON",                                                                 NULL                                        },
        {"{\"environment\": {\"L\": \"info\"}}", "{\"environment\": {\"L\": \"debug\"}}",
         "environment.L \"info\" \u2192 \"debug\""                                                                                                                      },
        {"{\"a\": 1, \"b\": null}",              "{\"b\": 2, \"c\": true}",                                                 "a removed 1; b null \u2192 2; c added true"},
        {"{\"command\": [\"a\", \"b\"]}",        "{\"command\": [\"a\", \"c\"]}",                                           "command[1] \"b\" \u2192 \"c\""             },
        {"{\"l\": [1, 2, 2]}",                   "{\"l\": [2, 3, 4, 5]}",
         "l removed 1; l removed 2; l added 3; l added 4; and 1 more"                                                                                                   },
        {"{\"a\": {\"b\": 1}}",                  "{\"a\": [1]}",                                                            "a {\"b\":1} \u2192 [1]"                    },
        {"{\"a\": \"1\"}",                       "{\"a\": \"1234567890123456789012345678901234567890123456\u00e4567890\"}",
         "a \"1\" \u2192 \"1234567890123456789012345678901234567890123456\u2026"                                                                                        },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *told = config_change(f, cases[i].before, cases[i].after);
        if (!str_eq(told, cases[i].told))
            fail_msg("case %zu: '%s', not '%s'", i, told ? told : "(nothing)", cases[i].told);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_first_up_makes_everything),
        TEST(test_a_recorded_volume_is_checked_quietly),
        TEST(test_what_runs_unchanged_is_left_alone),
        TEST(test_changed_configuration_or_image_recreates),
        TEST(test_an_exited_container_is_started_again),
        TEST(test_half_made_containers_go_first),
        TEST(test_scaling),
        TEST(test_conditions_become_waits),
        TEST(test_dependents_restart_around_a_recreated_dependency),
        TEST(test_attached_everything_is_made_before_something_starts),
        TEST(test_another_replica_restarts_nobody),
        TEST(test_a_wait_that_somebody_requires_is_required),
        TEST(test_orphans),
        TEST(test_no_deps),
        TEST(test_waiting_for_all),
        TEST(test_names_are_checked),
        TEST(test_changes_are_told_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
