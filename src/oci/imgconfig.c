#include "oci/imgconfig.h"

#include "base/str.h"
#include "base/strv.h"
#include "oci/digest.h"
#include "oci/json.h"
#include "oci/manifest.h"

#include <stddef.h>
#include <time.h>

static const struct {
    const char *key;
    size_t offset;
} vectors[] =
    {
        {"Env",        offsetof(struct image_config, env)       },
        {"Entrypoint", offsetof(struct image_config, entrypoint)},
        {"Cmd",        offsetof(struct image_config, cmd)       },
},
  sets[] =
      {
          {"Volumes", offsetof(struct image_config, volumes)},
          {"ExposedPorts", offsetof(struct image_config, exposed_ports)},
},
  texts[] =
      {
          {"User", offsetof(struct image_config, user)},
          {"WorkingDir", offsetof(struct image_config, working_dir)},
          {"StopSignal", offsetof(struct image_config, stop_signal)},
},
  times[] = {
      {"Interval", offsetof(struct image_config_health, interval)},
      {"Timeout", offsetof(struct image_config_health, timeout)},
      {"StartPeriod", offsetof(struct image_config_health, start_period)},
      {"StartInterval", offsetof(struct image_config_health, start_interval)},
      {"Retries", offsetof(struct image_config_health, retries)},
};

#define MEMBER(type, object, row) (*(type *)(void *)((char *)(object) + (row).offset))

int64_t image_time_parse(const char *text)
{
    struct tm tm = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!rest)
        return 0;
    int64_t seconds = timegm(&tm);
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    int hours, minutes;
    char sign, end;
    if (sscanf(rest, "%c%2d:%2d%c", &sign, &hours, &minutes, &end) == 3 && (sign == '+' || sign == '-'))
        seconds -= (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    else if (!str_eq(rest, "Z"))
        return 0;
    return seconds > 0 ? seconds : 0;
}

static int health_parse(struct image_config *config, const json_t *object, struct error *err)
{
    struct image_config_health *health = mem_new(config, struct image_config_health);
    int r = json_texts(health, object, "Test", &health->test, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(times); i++) {
        int64_t value;
        r = json_whole(object, times[i].key, 0, INT64_MAX, &value, err);
        if (r == 0)
            MEMBER(int64_t, health, times[i]) = value > 0 ? value : -1;
    }
    if (r < 0)
        return error_wrap(err, "Healthcheck");
    if (strv_len(health->test) > 0 && !str_eq(health->test[0], "NONE") && !str_eq(health->test[0], ""))
        config->health = health;
    return 0;
}

static int settings_parse(struct image_config *config, const json_t *object, struct error *err)
{
    json_t *child, *value;
    const char *text, *key;
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(vectors); i++)
        r = json_texts(config, object, vectors[i].key, &MEMBER(char **, config, vectors[i]), err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++) {
        r = json_text(object, texts[i].key, &text, err);
        if (r == 0 && !str_is_empty(text))
            MEMBER(char *, config, texts[i]) = mem_strdup(config, text);
    }
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sets); i++) {
        r = json_child(object, sets[i].key, JSON_OBJECT, &child, err);
        char **keys = NULL;
        if (r == 0)
            json_object_foreach (child, key, value)
                keys = strv_add(config, keys, key);
        strv_sort(keys);
        MEMBER(char **, config, sets[i]) = keys;
    }
    if (r == 0)
        r = json_child(object, "Labels", JSON_OBJECT, &child, err);
    if (r == 0)
        json_object_foreach (child, key, value) {
            if (!json_is_string(value))
                return error_set(err, EBADMSG, "label '%.100s' is not a string", key);
            omap_set_str(config->labels, key, json_string_value(value));
        }
    if (r == 0)
        r = json_child(object, "Healthcheck", JSON_OBJECT, &child, err);
    if (r == 0 && child)
        r = health_parse(config, child, err);
    return r;
}

static int rootfs_parse(struct image_config *config, const json_t *doc, struct error *err)
{
    json_t *rootfs;
    int r = json_child(doc, "rootfs", JSON_OBJECT, &rootfs, err);
    if (r < 0)
        return r;
    if (!rootfs)
        return error_set(err, EBADMSG, "'rootfs' is missing");
    r = json_texts(config, rootfs, "diff_ids", &config->diff_ids, err);
    if (r < 0)
        return error_wrap(err, "rootfs");
    config->diff_id_count = strv_len(config->diff_ids);
    if (config->diff_id_count > MANIFEST_LAYERS_MAX)
        return error_set(err, E2BIG, "%zu layers; the limit is %d", config->diff_id_count,
                         MANIFEST_LAYERS_MAX);
    for (size_t i = 0; i < config->diff_id_count; i++)
        if (!digest_is_valid(config->diff_ids[i]))
            return error_set(err, EBADMSG, "rootfs.diff_ids[%zu]: '%.100s' is not a digest", i,
                             config->diff_ids[i]);
    return 0;
}

static int document_parse(struct image_config *config, const json_t *doc, struct error *err)
{
    const char *os, *architecture, *variant, *created;
    json_t *settings;
    int r = 0;
    if ((r = json_text(doc, "os", &os, err)) < 0 ||
        (r = json_text(doc, "architecture", &architecture, err)) < 0 ||
        (r = json_text(doc, "variant", &variant, err)) < 0 ||
        (r = json_text(doc, "created", &created, err)) < 0 ||
        (r = json_child(doc, "config", JSON_OBJECT, &settings, err)) < 0)
        return r;
    platform_set(&config->platform, os, architecture, variant);
    config->created = image_time_parse(created);
    if (settings && (r = settings_parse(config, settings, err)) < 0)
        return r;
    return rootfs_parse(config, doc, err);
}

int image_config_parse(const void *owner, const void *data, size_t size, struct image_config **ret,
                       struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_json json_t *doc = NULL;
    struct image_config *config = mem_new(tmp, struct image_config);
    config->labels = omap_new(config);
    int r = json_document(data, size, &doc, err);
    if (r == 0)
        r = document_parse(config, doc, err);
    if (r < 0)
        return error_wrap(err, "image configuration");
    *ret = talloc_move(owner, &config);
    return 0;
}

char *image_config_print(const void *owner, const struct platform *platform, int64_t created,
                         char *const *diff_ids)
{
    struct tm tm;
    time_t seconds = (time_t)created;
    char time_text[40];
    strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
    json_t *ids = json_array();
    for (size_t i = 0; diff_ids && diff_ids[i]; i++)
        json_array_append_new(ids, json_string(diff_ids[i]));
    cleanup_json json_t *doc = json_pack("{s:s, s:s, s:s, s:{}, s:{s:s, s:o}}", "created", time_text,
                                         "architecture", platform->architecture, "os", platform->os, "config",
                                         "rootfs", "type", "layers", "diff_ids", ids);
    if (platform->variant[0])
        json_object_set_new(doc, "variant", json_string(platform->variant));
    cleanup_malloc char *text = json_dumps(doc, JSON_COMPACT);
    return mem_strdup(owner, mem_check(text));
}
