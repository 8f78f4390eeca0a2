#pragma once
/* What the rows of the operations' table point to. Each can be done again after it was cut off half-way. */
#include "engine/plan.h"

int op_pull(struct operation *op, struct error *err);
void op_pull_cancel(struct operation *op);
int op_image_remove(struct operation *op, struct error *err);

int op_network_create(struct operation *op, struct error *err);
int op_network_remove(struct operation *op, struct error *err);
int op_volume_create(struct operation *op, struct error *err);
int op_volume_remove(struct operation *op, struct error *err);

int op_container_create(struct operation *op, struct error *err);
int op_container_recreate(struct operation *op, struct error *err);
int op_container_start(struct operation *op, struct error *err);
int op_container_wait(struct operation *op, struct error *err);
void op_container_wait_cancel(struct operation *op);
int op_container_stop(struct operation *op, struct error *err);
int op_container_kill(struct operation *op, struct error *err);
int op_container_remove(struct operation *op, struct error *err);

int op_provider(struct operation *op, struct error *err); /* provider.c */
void op_provider_cancel(struct operation *op);

/* The kernel's side of a network record. */
struct network_spec network_spec_from(const struct network_record *record, const struct network *network);

/* Makes <root>/volumes/<name>/_data and its record, unless they are there. */
int volume_make(struct engine *engine, const struct volume_record *volume, struct error *err);
int volume_delete(struct engine *engine, const char *name, struct error *err);
/* Whether a container of any project has it, running or not, other than `except` (an id, or NULL). */
int volume_is_used(struct engine *engine, const char *volume, const char *except, bool *ret,
                   struct error *err);

/* Takes a container's names and published ports off the network. */
int container_unpublish(struct engine *engine, const struct container_record *record, struct error *err);
