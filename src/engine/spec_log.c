/* The log of a container: drivers and their options, as docker knows them. */
#include "engine/spec.h"

#include "base/units.h"

#include <ctype.h>
#include <regex.h>

static const char *const attribute_options[] = {"env", "env-regex", "labels", "labels-regex", "tag", NULL};
static const char *const file_options[] = {"compress", "max-file", "max-size", NULL};
static const char *const syslog_options[] = {"syslog-address", "syslog-facility", "syslog-format", NULL};
static const char *const delivery_options[] = {"max-buffer-size", "mode",
                                               NULL}; /* docker's, of all drivers */

static const struct driver {
    const char *name;
    const char *const *options[3];
    int64_t max_size, max_file; /* docker keeps what a driver sends away in five files of 20 MB, too */
} drivers[] = {
    {"json-file", {file_options, attribute_options, delivery_options},   -1,       1},
    {"local",     {file_options, delivery_options},                      20000000, 5},
    {"none",      {NULL},                                                -1,       1},
    {"journald",  {attribute_options, delivery_options},                 20000000, 5},
    {"syslog",    {syslog_options, attribute_options, delivery_options}, 20000000, 5},
};

static const struct driver *find_driver(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (strcmp(drivers[i].name, name) == 0)
            return &drivers[i];
    return NULL;
}

static int check_options(const struct driver *driver, const struct logging *logging, struct error *err)
{
    omap_foreach (e, logging->options) {
        bool known = strcmp(driver->name, "none") == 0;
        for (size_t i = 0; i < ARRAY_SIZE(driver->options) && !known; i++)
            known = driver->options[i] && strv_contains((char *const *)(uintptr_t)driver->options[i], e->key);
        if (!known)
            return error_set(err, EINVAL, "unknown log opt '%s' for %s log driver", e->key, driver->name);
    }
    return 0;
}

/* ---- attributes ---- */

/* The words of docker's templates that a tag can have. */
static int expand_tag(struct container_spec *spec, const struct container_record *record, const char *text,
                      struct error *err)
{
    const struct {
        const char *word, *value;
        int size; /* that much of it */
    } words[] = {
        {"{{.ID}}",          record->id,       12       },
        {"{{.FullID}}",      record->id,       INT32_MAX},
        {"{{.Name}}",        record->name,     INT32_MAX},
        {"{{.ImageName}}",   record->image,    INT32_MAX},
        {"{{.ImageFullID}}", record->image_id, INT32_MAX},
        {"{{.ImageID}}",     record->image_id, 12       },
        {"{{.DaemonName}}",  "compote",        INT32_MAX},
    };
    char *tag = mem_strdup(spec, "");
    while (*text) {
        size_t i = 0;
        while (i < ARRAY_SIZE(words) && !str_starts(text, words[i].word))
            i++;
        if (i < ARRAY_SIZE(words)) {
            const char *value = words[i].value ? words[i].value : "";
            value = words[i].size == 12 && str_after(value, "sha256:") ? str_after(value, "sha256:") : value;
            tag = mem_append_printf(tag, "%.*s", words[i].size, value);
            text += strlen(words[i].word);
        } else if (str_starts(text, "{{")) {
            return error_set(err, EINVAL, "logging option tag: '%.*s' is not known", (int)strcspn(text, "}"),
                             text);
        } else {
            tag = mem_append_printf(tag, "%c", *text++);
        }
    }
    spec->log_tag = tag;
    return 0;
}

static int take_matching(struct container_spec *spec, const char *pattern, const struct omap *values,
                         struct error *err)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return error_set(err, EINVAL, "logging options: '%s' is not a regular expression", pattern);
    omap_foreach (e, values)
        if (e->value && regexec(&regex, e->key, 0, NULL, 0) == 0)
            omap_set_str(spec->log_attributes, e->key, e->value);
    regfree(&regex);
    return 0;
}

static int take(struct container_spec *spec, const struct logging *logging, const char *option,
                const struct omap *values, struct error *err)
{
    const char *names = omap_get(logging->options, option);
    char **list = names ? strv_split(spec, names, ',') : NULL;
    for (char **n = list; n && *n; n++)
        if (omap_get(values, *n))
            omap_set_str(spec->log_attributes, *n, omap_get(values, *n));
    char *regex_option = mem_printf(spec, "%s-regex", option);
    const char *pattern = omap_get(logging->options, regex_option);
    return pattern ? take_matching(spec, pattern, values, err) : 0;
}

static int make_attributes(struct container_spec *spec, const struct logging *logging,
                           const struct container_record *record, struct error *err)
{
    const char *tag = omap_get(logging->options, "tag");
    bool sent = strcmp(spec->log_driver, "syslog") == 0 || strcmp(spec->log_driver, "journald") == 0;
    struct omap *env = omap_new(spec);
    for (char **e = spec->env; e && *e; e++) {
        const char *equals = strchr(*e, '=');
        if (equals)
            omap_set_str(env, mem_strndup(spec, *e, (size_t)(equals - *e)), equals + 1);
    }
    spec->log_attributes = omap_new(spec);
    int r = tag || sent ? expand_tag(spec, record, tag ? tag : "{{.ID}}", err) : 0;
    if (r == 0)
        r = take(spec, logging, "labels", record->labels, err);
    if (r == 0)
        r = take(spec, logging, "env", env, err);
    return r;
}

/* ---- the whole ---- */

static const struct logging standard = {.driver = NULL};

static int make_sizes(struct container_spec *spec, const struct driver *driver, const struct logging *logging,
                      struct error *err)
{
    const char *size = omap_get(logging->options, "max-size"),
               *files = omap_get(logging->options, "max-file");
    spec->log_max_size = driver->max_size;
    spec->log_max_file = driver->max_file;
    if (size && !bytes_parse(size, &spec->log_max_size))
        return error_set(err, EINVAL, "logging option max-size: '%s' is not a size", size);
    if (files && !str_to_i64(files, 1, 10000, &spec->log_max_file))
        return error_set(err, EINVAL, "logging option max-file: '%s' is not a number from 1", files);
    return 0;
}

int spec_make_logging(struct container_spec *spec, const struct service *service,
                      const struct container_record *record, struct error *err)
{
    const struct logging *logging = service->logging ? service->logging : &standard;
    const char *name = logging->driver ? logging->driver : "json-file";
    const struct driver *driver = find_driver(name);
    if (!driver)
        return error_set(
            err, ENOTSUP,
            "logging driver '%s' is not available (json-file, local, journald, syslog and none are)", name);
    spec->log_driver = mem_strdup(spec, name);
    spec->log_address = mem_strdup(spec, omap_get(logging->options, "syslog-address"));
    spec->log_facility = mem_strdup(spec, omap_get(logging->options, "syslog-facility"));
    spec->log_format = mem_strdup(spec, omap_get(logging->options, "syslog-format"));
    int r = check_options(driver, logging, err);
    if (r == 0)
        r = make_sizes(spec, driver, logging, err);
    if (r == 0)
        r = container_log_check(spec, err);
    return r == 0 && record ? make_attributes(spec, logging, record, err) : r;
}
