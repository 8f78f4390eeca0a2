#pragma once
/*
 * The Compose file as tables: one row for each property, in the order in which docker compose prints them.
 * Source: the Compose specification's schema, and docker compose 2.40 for merging, defaults and order.
 */
#include "schema/types.h"

extern const struct schema_object object_project, object_include;
extern const struct schema_object object_service, object_network, object_volume, object_config, object_secret,
    object_model;
extern const struct schema_object object_build, object_deploy, object_develop, object_hook, object_ulimit,
    object_device_request;
extern const struct schema_object object_port, object_mount, object_device, object_env_file,
    object_service_config, object_service_secret, object_build_secret;

/* extra_hosts: a list or map of hosts to the list "host=address", sorted. */
extern const struct schema_type type_hosts;
void hosts_sort(struct node *list);
/* build.ssh: a list or map to the list "id" or "id=path". */
extern const struct schema_type type_ssh;
/* gpus: "all", or a list of device requests. */
extern const struct schema_type type_gpus;
/* A build context: a path, unless it is a URL. */
extern const struct schema_type type_context, type_contexts;

/* Whether text begins like a place that is not on this machine: http://, git@, service: ... */
bool context_is_remote(const char *text);
