#pragma once
/* A container as commands show it, made from its record and status. */
#include "engine/internal.h"

struct container_view *view_make(const void *owner, const struct engine *engine,
                                 const struct container_record *record,
                                 const struct container_status *status);
