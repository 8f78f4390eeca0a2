#pragma once
/* Waiting for containers to end, beside other things that go on in the loop. */
#include "engine/internal.h"

struct exit_wait; /* a talloc object */

/* As engine_wait_exit, which says what `exited` is told. The views are kept up to date. */
int exit_wait_new(const void *owner, struct engine *engine, struct container_view *const *containers,
                  size_t count, exit_callback *exited, void *data, struct exit_wait **ret, struct error *err);
bool exit_wait_is_over(const struct exit_wait *wait);

/* While we restart containers, their end is not the end; afterwards it is looked how they are. */
void exit_wait_hold(struct exit_wait *wait);
void exit_wait_release(struct exit_wait *wait);

/* A process in a container, with its events. */
int exec_and_tell(struct engine *engine, const struct container_record *record,
                  const struct exec_options *options, int *ret_status, struct error *err);
