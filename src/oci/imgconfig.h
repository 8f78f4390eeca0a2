#pragma once
/*
 * The configuration of an image: OCI image-spec config.md, with docker's Healthcheck. Values are read, not
 * obeyed: who uses `user`, `working_dir` or `volumes` resolves them inside the container's root.
 */
#include "base/error.h"
#include "base/mem.h"
#include "base/omap.h"
#include "oci/platform.h"

#include <stdint.h>

struct image_config_health {
    char **test;
    int64_t interval, timeout, start_period, start_interval; /* ns, -1 unset */
    int64_t retries;                                         /* -1 unset */
};

struct image_config {
    struct platform platform;
    int64_t created; /* seconds since the epoch, 0 unknown */
    char **env, **entrypoint, **cmd, **volumes, **exposed_ports;
    char *user, *working_dir, *stop_signal; /* NULL when not set */
    struct omap *labels;                    /* char * */
    struct image_config_health *health;     /* NULL: none */
    char **diff_ids;                        /* valid digests, lowest layer first */
    size_t diff_id_count;
};

int image_config_parse(const void *owner, const void *data, size_t size, struct image_config **ret,
                       struct error *err);

/* RFC 3339 time ("2024-05-01T10:00:00.5Z") in seconds; 0 when it is not one. */
int64_t image_time_parse(const char *text);

/* The JSON text of a configuration that has a platform, a time and layers and nothing else. */
char *image_config_print(const void *owner, const struct platform *platform, int64_t created,
                         char *const *diff_ids);
