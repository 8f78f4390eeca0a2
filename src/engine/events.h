#pragma once
/* Writing the events that commands are the cause of; monitors write theirs themselves (monitor/record.c). */
#include "engine/internal.h"

/* The members of an event's line that say which container it is about; kept in its spec for the monitor. */
char *events_members(const void *owner, const struct container_record *record);

/* One event. Names and values of attributes follow, up to NULL. An event that cannot be written is dropped:
 * the command has its own duty. */
void events_tell(const struct engine *engine, const struct container_record *record, const char *action, ...)
    __attribute__((sentinel));
