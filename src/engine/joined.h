#pragma once
/*
 * What a container has of others: their namespaces (`service:NAME` and `container:NAME` in network_mode, pid,
 * ipc and uts), and their mounts (volumes_from).
 */
#include "engine/internal.h"

/* Names of the services whose containers a service needs to be made; NULL for none. */
char **joined_services(const void *owner, const struct service *service);

enum { JOINED_NONE = 1 }; /* the mode does not join anybody */

/* The container that `mode` means. `key` is for messages. */
int joined_find(const void *owner, struct engine *engine, const char *project, const char *key,
                const char *mode, struct container_record **ret, struct error *err);

struct joined_mounts {
    struct mount_spec *list; /* one for each target; what they point to belongs to the same owner */
    size_t count;
};

/* The volumes and binds of the containers that volumes_from names; of two at one target the later counts. */
int joined_mounts(const void *owner, struct engine *engine, const char *project,
                  const struct service *service, struct joined_mounts *ret, struct error *err);
