#pragma once
/* Containers in docker's words: state, status, ports, and the rows of `ps`. */
#include "cli/template.h"

#include "engine/engine.h"

/* "running", "exited" ... */
const char *ps_state(const struct container_view *view);

/* "Up 5 seconds (healthy)", "Exited (0) 3 minutes ago", "Restarting (1) 2 seconds ago", "Created". `now` is
 * ns since the epoch. */
char *ps_status(const void *owner, const struct container_status *status, int64_t now);

/* "0.0.0.0:80->80/tcp, [::]:80->80/tcp"; neighbouring ports become ranges. */
char *ps_ports(const void *owner, const struct published_port *ports, size_t count);

/* A Go string literal of at most 20 columns, the last one "…". */
char *ps_command(const void *owner, const char *command, bool whole);

extern const struct template_field ps_fields[];

/* All fields; the row's json_t belongs to the caller. */
struct template_row ps_row(const struct container_view *view, bool no_trunc, int64_t now);

/* The psFormat of docker's config.json, which stands in for --format; NULL when there is none. */
char *ps_configured_format(const void *owner, const char *docker_config);

int64_t ps_now(void);
