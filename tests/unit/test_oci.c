#include "base/str.h"
#include "base/strv.h"
#include "oci/imgconfig.h"
#include "oci/json.h"
#include "oci/manifest.h"
#include "oci/reference.h"

#include "lib/unit.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA "sha256:" HEX64

static void test_digests_are_strict(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "sha256:",
        HEX64,
        "sha256:" HEX64 "0",
        "sha512:" HEX64,
        "SHA256:" HEX64,
        "sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "sha256:../../../../../../../../../../../../../../../../../../../../etc/pas",
        " " SHA,
        SHA "\n",
    };
    char text[DIGEST_SHORT];
    assert_true(digest_is_valid(SHA));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(digest_is_valid(bad[i]));
    assert_false(digest_is_valid(NULL));
    digest_short(SHA, text);
    assert_string_equal(text, "0123456789ab");
}

static void test_references_get_their_normal_form(void **state UNUSED)
{
    static const struct {
        const char *text, *normal, *familiar;
    } cases[] = {
        {"nginx",                               "docker.io/library/nginx:latest",      "nginx:latest"         },
        {"nginx:1.25",                          "docker.io/library/nginx:1.25",        "nginx:1.25"           },
        {"docker.io/nginx",                     "docker.io/library/nginx:latest",      "nginx:latest"         },
        {"index.docker.io/library/nginx",       "docker.io/library/nginx:latest",      "nginx:latest"         },
        {"user/app",                            "docker.io/user/app:latest",           "user/app:latest"      },
        {"localhost/app",                       "localhost/app:latest",                "localhost/app:latest" },
        {"localhost:5000/app:v1",               "localhost:5000/app:v1",               "localhost:5000/app:v1"},
        {"host.example/a/b/c_d__e-f.g:T_1.2-3", "host.example/a/b/c_d__e-f.g:T_1.2-3",
         "host.example/a/b/c_d__e-f.g:T_1.2-3"                                                                },
        {"[::1]:5000/app",                      "[::1]:5000/app:latest",               "[::1]:5000/app:latest"},
        {"nginx@" SHA,                          "docker.io/library/nginx@" SHA,        "nginx@" SHA           },
        {"nginx:1.25@" SHA,                     "docker.io/library/nginx@" SHA,        "nginx@" SHA           },
        {"h:5000/a:1@" SHA,                     "h:5000/a@" SHA,                       "h:5000/a@" SHA        },
        {"a---b",                               "docker.io/library/a---b:latest",      "a---b:latest"         },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct error err = ERROR_INIT;
        struct reference *reference;
        assert_int_equal(reference_parse(tmp, cases[i].text, &reference, &err), 0);
        char *normal = reference_print(tmp, reference);
        assert_string_equal(normal, cases[i].normal);
        assert_string_equal(reference_familiar(tmp, normal), cases[i].familiar);
        /* The normal form is a fixed point. */
        assert_int_equal(reference_parse(tmp, normal, &reference, &err), 0);
        assert_string_equal(reference_print(tmp, reference), normal);
    }
}

static void test_bad_references_are_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "/",
        ":",
        "@",
        "a:",
        "a@",
        "a@sha256:abc",
        "Upper",
        "a//b",
        "/a",
        "a/",
        "a..b",
        "a___b",
        "a.-b",
        "-a",
        "a-",
        "a b",
        "a:b c",
        "a:-tag",
        "a:.tag",
        "host:/a",
        "host:0/a",
        "host:65536/a",
        "host:5000x/a",
        "[::1/a",
        "[::g]/a",
        "-host.x/a",
        "a.b",
        "../etc",
        "a/../b",
        "a/./b",
        "h.x/%2e%2e/b",
        "a?b",
        "a#b",
        "a\nb",
        "nginx:" HEX64 HEX64 "1",
        "user:pass@host.x/a",
    };
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = ERROR_INIT;
        struct reference *reference;
        bool is_fine = str_eq(bad[i], "a.b"); /* without a slash it is a repository */
        assert_int_equal(reference_parse(tmp, bad[i], &reference, &err) == 0, is_fine);
        assert_int_equal(error_is_set(&err), !is_fine);
    }
    struct error err = ERROR_INIT;
    struct reference *reference;
    reference_parse(tmp, "Nginx", &reference, &err);
    assert_string_equal(err.hint, "repository names are lower case");
}

static void test_platforms(void **state UNUSED)
{
    static const struct {
        const char *want, *have;
        int score;
    } cases[] = {
        {"linux/amd64",          "linux/amd64",    0 },
        {"linux/x86_64",         "linux/amd64",    0 },
        {"linux/arm64",          "linux/arm64/v8", 0 },
        {"linux/arm64/v8",       "linux/aarch64",  0 },
        {"linux/arm/v7",         "linux/arm/v7",   0 },
        {"linux/arm/v7",         "linux/arm/v6",   1 },
        {"linux/arm/v6",         "linux/arm/v7",   -1},
        {"linux/arm",            "linux/arm/v5",   2 },
        {"linux/arm64/v9",       "linux/arm64",    1 },
        {"linux/amd64",          "linux/amd64/v3", -1},
        {"linux/amd64/v3",       "linux/amd64/v2", 1 },
        {"linux/amd64/v3",       "linux/amd64",    2 },
        {"linux/amd64",          "windows/amd64",  -1},
        {"linux/amd64",          "linux/386",      -1},
        {"linux/arm64",          "linux/arm/v7",   -1},
        {"linux/mips/softfloat", "linux/mips",     -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct platform want, have;
        assert_int_equal(platform_parse(cases[i].want, &want, NULL), 0);
        assert_int_equal(platform_parse(cases[i].have, &have, NULL), 0);
        assert_int_equal(platform_match(&want, &have), cases[i].score);
    }
    struct platform p;
    char text[PLATFORM_TEXT];
    assert_int_equal(platform_parse("arm64", &p, NULL), 0);
    platform_print(&p, text);
    assert_string_equal(text, "linux/arm64");
    assert_int_equal(platform_parse("linux/armhf", &p, NULL), 0);
    platform_print(&p, text);
    assert_string_equal(text, "linux/arm/v7");
    static const char *const bad[] = {
        "",        "/",           "linux/",       "linux//v7",
        "a/b/c/d", "linux/AMD64", "linux/amd64/", "linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(platform_parse(bad[i], &p, NULL) < 0);
}

static int parse(const void *owner, const char *text, const char *type, struct manifest **ret,
                 struct error *err)
{
    return manifest_parse(owner, text, strlen(text), type, ret, err);
}

#define CONFIG "\"config\":{\"digest\":\"" SHA "\",\"size\":7}"
#define LAYER                                                                                                \
    "{\"digest\":\"" SHA "\",\"size\":3,\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\"}"

static void test_manifests(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct manifest *m;
    assert_int_equal(
        parse(tmp, "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "," LAYER "]}", NULL, &m, &err), 0);
    assert_int_equal(m->kind, MANIFEST_IMAGE);
    assert_int_equal(m->entry_count, 2);
    assert_int_equal(m->entries[1].size, 3);
    assert_string_equal(m->config.digest, SHA);

    static const struct {
        const char *text, *type, *words;
    } bad[] = {
        {"[]",                                                                                        NULL,               "not a JSON object"           },
        {"{",                                                                                         NULL,               "line 1"                      },
        {"{}",                                                                                        NULL,               "neither layers nor manifests"},
        {"{\"layers\":[],\"manifests\":[]}",                                                          NULL,               "both"                        },
        {"{\"layers\":[]}",                                                                           NULL,               "no config"                   },
        {"{\"layers\":{}," CONFIG "}",                                                                NULL,               "'layers' is not a list"      },
        {"{\"layers\":[5]," CONFIG "}",                                                               NULL,               "layers[0]: not an object"    },
        {"{\"layers\":[{\"digest\":\"sha256:x\",\"size\":1}]," CONFIG "}",                            NULL,               "not a digest"                },
        {"{\"layers\":[{\"digest\":\"" SHA "\"}]," CONFIG "}",                                        NULL,               "no size"                     },
        {"{\"layers\":[{\"digest\":\"" SHA "\",\"size\":-1}]," CONFIG "}",                            NULL,               "out of range"                },
        {"{\"layers\":[{\"digest\":\"" SHA "\",\"size\":1.5}]," CONFIG "}",                           NULL,               "not a number"                },
        {"{\"layers\":[{\"digest\":\"" SHA "\",\"size\":1,\"mediaType\":\"text/html\"}]," CONFIG "}", NULL,
         "not a layer"                                                                                                                                  },
        {"{\"layers\":[]," CONFIG "}",                                                                MEDIA_OCI_INDEX,    "which it is not"             },
        {"{\"layers\":[]," CONFIG ",\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\"}",                    MEDIA_OCI_MANIFEST,
         "which it is not"                                                                                                                              },
        {"{\"schemaVersion\":1,\"layers\":[]}",                                                       NULL,               "schema 1"                    },
        {"{\"layers\":[],\"layers\":[]," CONFIG "}",                                                  NULL,               "duplicate"                   },
        {"{\"layers\":[],\"config\":{\"digest\":\"" SHA "\",\"size\":99999999}}",                     NULL,               "limit"                       },
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        error_clear(&err);
        assert_true(parse(tmp, bad[i].text, bad[i].type, &m, &err) < 0);
        if (!strstr(err.text, bad[i].words))
            fail_msg("'%s' is not in '%s'", bad[i].words, err.text);
    }
}

#define ENTRY(os, arch, more)                                                                                \
    "{\"digest\":\"" SHA "\",\"size\":1,\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}" more \
    "}"

static void test_indexes_select(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct manifest *m;
    const struct descriptor *entry;
    struct platform want;
    const char *text = "{\"manifests\":[" ENTRY("unknown", "unknown", "") "," ENTRY(
        "linux", "amd64",
        ",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}") "," ENTRY("linux",
                                                                                               "arm64",
                                                                                               "") "]}";
    assert_int_equal(parse(tmp, text, MEDIA_DOCKER_LIST, &m, &err), 0);
    platform_parse("linux/arm64/v8", &want, NULL);
    assert_int_equal(manifest_select(m, &want, &entry, &err), 0);
    assert_ptr_equal(entry, &m->entries[2]);
    platform_parse("linux/amd64", &want, NULL);
    assert_true(manifest_select(m, &want, &entry, &err) < 0);
    assert_string_equal(err.text, "the image is not made for linux/amd64; it is there for: linux/arm64");
}

static void test_manifests_print_what_they_read(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct descriptor layer = {.media_type = mem_strdup(tmp, MEDIA_OCI_LAYER), .digest = SHA, .size = 5};
    struct manifest made =
                        {
                            .config = {.media_type = mem_strdup(tmp, MEDIA_OCI_CONFIG),
                                       .digest = SHA,
                                       .size = 6},
                            .entries = &layer,
                            .entry_count = 1
    },
                    *read;
    assert_int_equal(parse(tmp, manifest_print(tmp, &made), MEDIA_OCI_MANIFEST, &read, &err), 0);
    assert_int_equal(read->entries[0].size, 5);
    assert_int_equal(read->config.size, 6);
}

static void test_configurations(void **state UNUSED)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct image_config *c;
    static const char text[] =
        "{\"architecture\":\"arm\",\"os\":\"linux\",\"created\":\"2024-05-01T12:00:00.123+02:00\",\"config\":"
        "{"
        "\"User\":\"app\",\"Env\":[\"A=1\",\"B=\"],\"Cmd\":null,\"Entrypoint\":[\"/e\"],\"WorkingDir\":\"\","
        "\"ExposedPorts\":{\"80/tcp\":{},\"443/tcp\":{}},\"Volumes\":{\"/data\":{}},\"Labels\":{\"k\":\"v\"},"
        "\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":5000000000,\"Retries\":3}},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\"]}}";
    assert_int_equal(image_config_parse(tmp, text, sizeof(text) - 1, &c, &err), 0);
    assert_string_equal(c->platform.variant, "v7");
    assert_int_equal(c->created, 1714557600);
    assert_string_equal(c->user, "app");
    assert_null(c->working_dir);
    assert_null(c->cmd);
    assert_string_equal(c->env[1], "B=");
    assert_string_equal(c->exposed_ports[0], "443/tcp");
    assert_string_equal(c->volumes[0], "/data");
    assert_string_equal(omap_get(c->labels, "k"), "v");
    assert_int_equal(c->health->interval, 5000000000);
    assert_int_equal(c->health->timeout, -1);
    assert_int_equal(c->health->retries, 3);
    assert_int_equal(c->diff_id_count, 1);

    static const struct {
        const char *text, *words;
    } bad[] = {
        {"{\"os\":5}",                                                     "'os' is not a string"         },
        {"{}",                                                             "'rootfs' is missing"          },
        {"{\"rootfs\":{\"diff_ids\":[\"x\"]}}",                            "not a digest"                 },
        {"{\"rootfs\":{\"diff_ids\":[1]}}",                                "'diff_ids[0]' is not a string"},
        {"{\"config\":{\"Env\":\"A=1\"},\"rootfs\":{}}",                   "'Env' is not a list"          },
        {"{\"config\":{\"Labels\":{\"a\":1}},\"rootfs\":{}}",              "label 'a'"                    },
        {"{\"config\":{\"Healthcheck\":{\"Interval\":-5}},\"rootfs\":{}}", "'Interval' is out of range"   },
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        error_clear(&err);
        assert_true(image_config_parse(tmp, bad[i].text, strlen(bad[i].text), &c, &err) < 0);
        if (!strstr(err.text, bad[i].words))
            fail_msg("'%s' is not in '%s'", bad[i].words, err.text);
    }
    assert_int_equal(image_time_parse("2024-05-01T10:00:00Z"), 1714557600);
    assert_int_equal(image_time_parse("0001-01-01T00:00:00Z"), 0);
    assert_int_equal(image_time_parse("yesterday"), 0);
    assert_int_equal(image_time_parse(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests_are_strict),
        cmocka_unit_test(test_references_get_their_normal_form),
        cmocka_unit_test(test_bad_references_are_refused),
        cmocka_unit_test(test_platforms),
        cmocka_unit_test(test_manifests),
        cmocka_unit_test(test_indexes_select),
        cmocka_unit_test(test_manifests_print_what_they_read),
        cmocka_unit_test(test_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
