#pragma once
/* Namespaces of other containers: `service:NAME` and `container:NAME` in network_mode, pid, ipc and uts. */
#include "engine/internal.h"

enum { JOINED_MAX = 4 };

/* Names of the services whose namespaces a service joins; returns how many. */
size_t joined_services(const struct service *service, const char *names[JOINED_MAX]);

enum { JOINED_NONE = 1 }; /* the mode does not join anybody */

/* The container that `mode` means. `key` is for messages. */
int joined_find(const void *owner, struct engine *engine, const char *project, const char *key,
                const char *mode, struct container_record **ret, struct error *err);
