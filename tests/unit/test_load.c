/* The loader's structs, messages and hashes; what is printed is the golden cases' matter. */
#include "base/str.h"
#include "compose/load.h"
#include "sys/fs.h"

#include "lib/unit.h"

struct fixture {
    TALLOC_CTX *ctx;
    char dir[64];
    struct load_options options;
    struct diagnostics diagnostics;
    struct error err;
    struct project *project;
};

static char *no_environment[] = {NULL};

static int setup(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->ctx = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/compote-load-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->options.cwd = f->dir;
    f->options.environment = no_environment;
    f->options.with_dependencies = true;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fs_remove_tree(f->dir, NULL);
    talloc_free(f);
    return 0;
}

static void put(struct fixture *f, const char *name, const char *text)
{
    char *path = mem_printf(f, "%s/%s", f->dir, name);
    assert_int_equal(fs_write_file(path, text, strlen(text), 0644, false, &f->err), 0);
}

static int try_load(struct fixture *f, const char *text)
{
    put(f, "compose.yaml", text);
    f->err = (struct error)ERROR_INIT;
    f->diagnostics = (struct diagnostics){0};
    return project_load(f, &f->options, &f->project, &f->diagnostics, &f->err);
}

static struct service *load(struct fixture *f, const char *text)
{
    if (try_load(f, text) != 0)
        fail_msg("%s", f->err.text);
    return project_service(f->project, "a");
}

static void test_defaults(void **state)
{
    struct service *s = load(*state, "services: {a: {image: x}}");
    assert_string_equal(s->name, "a");
    assert_string_equal(s->image, "x");
    assert_null(s->command);
    assert_null(s->healthcheck);
    assert_null(s->logging);
    assert_true(s->attach);
    assert_false(s->init_set);
    assert_int_equal(s->scale, 1);
    assert_int_equal(s->restart, RESTART_NO);
    assert_int_equal(s->stop_grace_period, -1);
    assert_int_equal(s->mem_limit, -1);
    assert_int_equal(s->memswap_limit, -1);
    assert_true(s->cpus < 0);
    assert_true(s->oom_score_adj == INT64_MIN);
    assert_true(omap_has(s->networks, "default"));
    assert_int_equal(strlen(s->config_hash), 64);
}

static void test_service_fields(void **state)
{
    struct service *s =
        load(*state, "services:\n  a:\n    image: x\n    command: a 'b c'\n    entrypoint: []\n"
                     "    environment: [A=1, B]\n    labels: {l: 5}\n    mem_limit: 1g\n"
                     "    memswap_limit: -1\n    cpus: '0.5'\n    stop_grace_period: 1m30s\n"
                     "    restart: on-failure:3\n    init: false\n    cap_add: [NET_ADMIN]\n"
                     "    ulimits: {nofile: 5, nproc: {soft: 1, hard: -1}}\n"
                     "    extra_hosts: {h: [1.1.1.1, 2.2.2.2]}\n    expose: [80]\n"
                     "    devices: ['/dev/a:/dev/b:r']\n    logging: {driver: none}\n"
                     "    device_cgroup_rules: [c 1:3 mr]\n    oom_score_adj: -5\n"
                     "    post_start: [{command: x y, environment: {E: 1}}]\n");
    assert_string_equal(s->command[1], "b c");
    assert_non_null(s->entrypoint);
    assert_null(s->entrypoint[0]);
    assert_string_equal(omap_get(s->environment, "A"), "1");
    assert_true(omap_has(s->environment, "B"));
    assert_null(omap_get(s->environment, "B"));
    assert_string_equal(omap_get(s->labels, "l"), "5");
    assert_int_equal(s->mem_limit, 1 << 30);
    assert_int_equal(s->memswap_limit, -2);
    assert_true(s->cpus == 0.5);
    assert_int_equal(s->stop_grace_period, 90000000000);
    assert_int_equal(s->restart, RESTART_ON_FAILURE);
    assert_int_equal(s->restart_max, 3);
    assert_true(s->init_set && !s->init);
    assert_string_equal(s->cap_add[0], "NET_ADMIN");
    assert_int_equal(((struct ulimit *)omap_get(s->ulimits, "nofile"))->hard, 5);
    assert_int_equal(((struct ulimit *)omap_get(s->ulimits, "nproc"))->hard, -1);
    assert_string_equal(((char **)omap_get(s->extra_hosts, "h"))[1], "2.2.2.2");
    assert_string_equal(s->expose[0], "80");
    assert_int_equal(s->device_count, 1);
    assert_string_equal(s->devices[0].permissions, "r");
    assert_string_equal(s->logging->driver, "none");
    assert_string_equal(s->devices_cgroup_rules[0], "c 1:3 mr");
    assert_int_equal(s->oom_score_adj, -5);
    assert_int_equal(s->post_start_count, 1);
    assert_string_equal(s->post_start[0].command[1], "y");
    assert_string_equal(s->post_start[0].environment[0], "E=1");
}

static void test_ports_and_mounts(void **state)
{
    struct fixture *f = *state;
    struct service *s =
        load(f, "services:\n  a:\n    image: x\n    ports: ['127.0.0.1:8080:80/udp', '9-10:9-10', 5]\n"
                "    volumes: ['./d:/d:ro,z', 'vol:/v:nocopy', /anon,\n"
                "      {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}]\n"
                "    tmpfs: /run\nvolumes: {vol: {name: real, driver_opts: {a: b}}}\n");
    assert_int_equal(s->port_count, 4);
    assert_string_equal(s->ports[0].host_ip, "127.0.0.1");
    assert_string_equal(s->ports[0].published, "8080");
    assert_string_equal(s->ports[0].protocol, "udp");
    assert_int_equal(s->ports[1].target, 10);
    assert_null(s->ports[3].published);
    assert_int_equal(s->volume_count, 4);
    assert_int_equal(s->volumes[0].type, MOUNT_BIND);
    assert_string_equal(s->volumes[0].source, mem_printf(f, "%s/d", f->dir));
    assert_true(s->volumes[0].read_only && s->volumes[0].create_host_path);
    assert_string_equal(s->volumes[0].selinux, "z");
    assert_int_equal(s->volumes[1].type, MOUNT_VOLUME);
    assert_true(s->volumes[1].nocopy);
    assert_null(s->volumes[2].source);
    assert_int_equal(s->volumes[3].tmpfs_size, 1 << 20);
    assert_int_equal(s->volumes[3].tmpfs_mode, 0700);
    assert_string_equal(((struct volume *)omap_get(f->project->volumes, "vol"))->name, "real");
}

static void test_healthcheck(void **state)
{
    struct service *s =
        load(*state, "services: {a: {image: x, healthcheck: {test: curl x, interval: 5s, retries: 2}}}");
    assert_string_equal(s->healthcheck->test[0], "CMD-SHELL");
    assert_string_equal(s->healthcheck->test[1], "curl x");
    assert_int_equal(s->healthcheck->interval, 5000000000);
    assert_int_equal(s->healthcheck->timeout, -1);
    assert_int_equal(s->healthcheck->retries, 2);
    s = load(*state, "services: {a: {image: x, healthcheck: {test: [NONE]}}}");
    assert_true(s->healthcheck->disable);
}

static void test_dependencies(void **state)
{
    struct service *s =
        load(*state, "services:\n  a:\n    image: x\n    depends_on:\n      b: {condition: service_healthy}\n"
                     "      c: {condition: service_completed_successfully, required: false, restart: true}\n"
                     "    links: ['d:alias']\n  b: {image: x}\n  c: {image: x}\n  d: {image: x}\n");
    assert_int_equal(s->depends_on_count, 3);
    assert_int_equal(s->depends_on[0].condition, DEPEND_HEALTHY);
    assert_true(s->depends_on[0].required);
    assert_int_equal(s->depends_on[1].condition, DEPEND_COMPLETED);
    assert_false(s->depends_on[1].required);
    assert_true(s->depends_on[1].restart);
    assert_string_equal(s->depends_on[2].service, "d");
    assert_int_equal(s->depends_on[2].condition, DEPEND_STARTED);
}

static void test_networks(void **state)
{
    struct fixture *f = *state;
    struct service *s = load(f, "name: p\nservices: {a: {image: x, networks: {n: {aliases: [q], "
                                "ipv4_address: 10.0.0.5, priority: 3}, m: }}}\n"
                                "networks: {n: {internal: true, enable_ipv6: true, ipam: {config: [{subnet: "
                                "10.0.0.0/24, gateway: 10.0.0.1}]}},\n"
                                "  m: {external: true, name: real}, unused: {}}\n");
    struct service_network *sn = omap_get(s->networks, "n");
    struct network *n = omap_get(f->project->networks, "n"), *m = omap_get(f->project->networks, "m");
    assert_string_equal(sn->aliases[0], "q");
    assert_string_equal(sn->ipv4_address, "10.0.0.5");
    assert_int_equal(sn->priority, 3);
    assert_non_null(omap_get(s->networks, "m"));
    assert_string_equal(n->name, "p_n");
    assert_true(n->internal && n->enable_ipv6 && n->enable_ipv4 && !n->external);
    assert_int_equal(n->pool_count, 1);
    assert_string_equal(n->pools[0].gateway, "10.0.0.1");
    assert_true(m->external);
    assert_string_equal(m->name, "real");
    assert_false(omap_has(f->project->networks, "unused"));
    s = load(f, "services: {a: {image: x, network_mode: host}}");
    assert_null(s->networks);
}

static void test_deploy_fills_in(void **state)
{
    struct service *s = load(*state, "services: {a: {image: x, restart: always, deploy: {replicas: 3, "
                                     "restart_policy: {condition: on-failure,\n"
                                     " max_attempts: 2}, resources: {limits: {cpus: '1.5', memory: 10m, "
                                     "pids: 7}, reservations: {memory: 5m}}}}}");
    assert_int_equal(s->scale, 3);
    assert_int_equal(s->restart, RESTART_ON_FAILURE);
    assert_int_equal(s->restart_max, 2);
    assert_true(s->cpus == 1.5);
    assert_int_equal(s->mem_limit, 10 << 20);
    assert_int_equal(s->mem_reservation, 5 << 20);
    assert_int_equal(s->pids_limit, 7);
}

static void test_configs_and_secrets(void **state)
{
    struct fixture *f = *state;
    f->options.environment = (char *[]){(char[]){"TOKEN=abc"}, NULL};
    struct service *s = load(
        f,
        "services: {a: {image: x, secrets: [{source: s, target: t, mode: 0400, uid: '5'}], configs: [c]}}\n"
        "secrets: {s: {environment: TOKEN}}\nconfigs: {c: {file: ./c}}\n");
    struct file_object *secret = omap_get(f->project->secrets, "s"),
                       *config = omap_get(f->project->configs, "c");
    assert_string_equal(secret->content, "abc");
    assert_string_equal(config->file, mem_printf(f, "%s/c", f->dir));
    assert_string_equal(s->secrets[0].target, "t");
    assert_int_equal(s->secrets[0].mode, 0400);
    assert_string_equal(s->secrets[0].uid, "5");
    assert_int_equal(s->configs[0].mode, -1);
    assert_null(s->configs[0].target);
    assert_null(strstr(project_print(f, f->project, CONFIG_JSON), "abc"));
}

static char *hash_of(struct fixture *f, const char *body)
{
    return mem_strdup(f, load(f, mem_printf(f, "services:\n  a: %s\n  b: {image: x}\n", body))->config_hash);
}

static void test_config_hash(void **state)
{
    static const char base[] = "{image: x, environment: {A: 1, B: 2}, command: [a, b]}";
    static const char *const same[] = {
        "{command: a b, environment: [B=2, A=1], image: 'x'}",
        "{image: x, environment: {A: 1, B: 2}, command: [a, b], depends_on: [b]}",
        "{image: x, environment: {A: 1, B: 2}, command: [a, b], scale: 3}",
        "{image: x, environment: {A: 1, B: 2}, command: [a, b], pull_policy: always}",
        "{image: x, environment: {A: 1, B: 2}, command: [a, b], build: .}",
        "{image: x, environment: {A: 1, B: 2}, command: [a, b], profiles: []}",
    };
    static const char *const other[] = {
        "{image: y, environment: {A: 1, B: 2}, command: [a, b]}",
        "{image: x, environment: {A: 1, B: 3}, command: [a, b]}",
        "{image: x, environment: {A: 1, B: 2}, command: [b, a]}",
        "{image: x, environment: {A: 1, B: 2}, command: [a, b], tty: true}",
        "{image: x, environment: {A: 1, B: 2}, command: [a, b], ports: ['80']}",
    };
    struct fixture *f = *state;
    char *hash = hash_of(f, base);
    for (size_t i = 0; i < ARRAY_SIZE(same); i++)
        assert_string_equal(hash_of(f, same[i]), hash);
    for (size_t i = 0; i < ARRAY_SIZE(other); i++)
        assert_string_not_equal(hash_of(f, other[i]), hash);
    assert_string_equal(hash_of(f, "{image: x, deploy: {replicas: 2}}"),
                        hash_of(f, "{image: x, deploy: {replicas: 3}}"));
}

static void test_disabled_services_are_kept_aside(void **state)
{
    struct fixture *f = *state;
    load(f, "services: {a: {image: x}, b: {image: x, profiles: [p]}}");
    assert_int_equal(f->project->services->count, 1);
    assert_true(omap_has(f->project->disabled, "b"));
    f->options.services = (char *[]){(char[]){"b"}, NULL};
    load(f, "services: {a: {image: x}, b: {image: x, profiles: [p]}}");
    assert_true(omap_has(f->project->services, "b"));
    assert_true(omap_has(f->project->disabled, "a"));
}

static void test_selection_without_dependencies(void **state)
{
    struct fixture *f = *state;
    f->options.services = (char *[]){(char[]){"a"}, NULL};
    load(f, "services: {a: {image: x, depends_on: [b]}, b: {image: x}, c: {image: x}}");
    assert_int_equal(f->project->services->count, 2);
    f->options.with_dependencies = false;
    load(f, "services: {a: {image: x, depends_on: [b]}, b: {image: x}, c: {image: x}}");
    assert_int_equal(f->project->services->count, 1);
}

static void test_all_errors_are_told(void **state)
{
    struct fixture *f = *state;
    assert_true(
        try_load(
            f, "services:\n  a:\n    image: x\n    prots: []\n    ports: ['80:x']\n  b:\n    imag: y\n") < 0);
    assert_string_equal(f->err.text, "compose.yaml:4:5: services.a: unknown key 'prots'");
    assert_string_equal(f->err.hint, "did you mean 'ports'?");
    assert_int_equal(f->diagnostics.error_count, 3);
    assert_int_equal(f->diagnostics.count, 2);
    assert_non_null(strstr(f->diagnostics.items[0].text,
                           "compose.yaml:5:13: services.a.ports[0]: 'x' is not a container port"));
    assert_non_null(strstr(f->diagnostics.items[1].text,
                           "compose.yaml:7:5: services.b: unknown key 'imag'\ndid you mean 'image'?"));
}

static void test_warnings_are_told_once(void **state)
{
    struct fixture *f = *state;
    load(f, "services: {a: {image: x, use_api_socket: true, labels: [$Q, $Q]}, b: {image: x, use_api_socket: "
            "true}}");
    assert_int_equal(f->diagnostics.count, 2);
    assert_int_equal(f->diagnostics.error_count, 0);
    assert_non_null(
        strstr(f->diagnostics.items[0].text, "The \"Q\" variable is not set. Defaulting to a blank string."));
    assert_string_equal(f->diagnostics.items[1].text,
                        "compose.yaml:1:42: services.a.use_api_socket: is not acted on yet");
}

static void test_no_file(void **state)
{
    struct fixture *f = *state;
    char *name = NULL;
    assert_int_equal(project_load(f, &f->options, &f->project, &f->diagnostics, &f->err), LOAD_NO_FILE);
    assert_int_equal(project_name_find(f, &f->options, &name, &f->err), LOAD_NO_FILE);
    f->options.project_name = (char[]){"given"};
    assert_int_equal(project_name_find(f, &f->options, &name, &f->err), 0);
    assert_string_equal(name, "given");
}

static void test_name(void **state)
{
    struct fixture *f = *state;
    char *name = NULL;
    put(f, "compose.yaml", "name: My.App\nservices: {}\n");
    assert_int_equal(project_name_find(f, &f->options, &name, &f->err), 0);
    assert_string_equal(name, "myapp");
    f->options.environment = (char *[]){(char[]){"COMPOSE_PROJECT_NAME=env"}, NULL};
    assert_int_equal(project_name_find(f, &f->options, &name, &f->err), 0);
    assert_string_equal(name, "env");
    f->options.project_name = (char[]){"Bad"};
    assert_true(project_name_find(f, &f->options, &name, &f->err) < 0);
}

static void test_found_in_a_parent(void **state)
{
    struct fixture *f = *state;
    put(f, "compose.yaml", "services: {a: {image: x, volumes: ['./d:/d']}}");
    char *below = mem_printf(f, "%s/x/y", f->dir);
    assert_int_equal(fs_mkdir_p(below, 0755, &f->err), 0);
    f->options.cwd = below;
    assert_int_equal(project_load(f, &f->options, &f->project, &f->diagnostics, &f->err), 0);
    assert_string_equal(f->project->working_dir, f->dir);
    assert_string_equal(project_service(f->project, "a")->volumes[0].source, mem_printf(f, "%s/d", f->dir));
}

static void test_many_services(void **state)
{
    struct fixture *f = *state;
    char *text = mem_strdup(f, "services:\n");
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *chunk = mem_array(tmp, char, 3000 * 64);
    size_t n = 0;
    for (int i = 0; i < 3000; i++)
        n += (size_t)sprintf(chunk + n, "  s%d: {image: x, depends_on: [s%d]}\n", i, i + 1);
    text = mem_printf(f, "%s%s  s3000: {image: x}\n  a: {image: x}\n", text, chunk);
    load(f, text);
    assert_int_equal(f->project->services->count, 3002);
    assert_true(try_load(f, mem_printf(f, "services:\n%s  s3000: {image: x, depends_on: [s0]}\n", chunk)) <
                0);
    assert_non_null(strstr(f->err.text, "dependency cycle detected: s0 -> s1 -> "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_service_fields),
        TEST(test_ports_and_mounts),
        TEST(test_healthcheck),
        TEST(test_dependencies),
        TEST(test_networks),
        TEST(test_deploy_fills_in),
        TEST(test_configs_and_secrets),
        TEST(test_config_hash),
        TEST(test_disabled_services_are_kept_aside),
        TEST(test_selection_without_dependencies),
        TEST(test_all_errors_are_told),
        TEST(test_warnings_are_told_once),
        TEST(test_no_file),
        TEST(test_name),
        TEST(test_found_in_a_parent),
        TEST(test_many_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
