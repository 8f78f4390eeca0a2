#pragma once
/* The part of a container's record that no query asks for, as one JSON text. Private to state/. */
#include "state/state.h"

char *detail_print(const void *owner, const struct container_record *container);
int detail_parse(struct container_record *container, const char *text, struct error *err);
