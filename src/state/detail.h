#pragma once
/* The parts of a record that no query asks for, as one JSON text. Private to state/. */
#include "state/state.h"

char *detail_print(const void *owner, const struct container_record *container);
int detail_parse(struct container_record *container, const char *text, struct error *err);

/* A map of strings as a JSON object; NULL for one that is empty. */
char *map_print(const void *owner, const struct omap *map);
int map_parse(const void *owner, const char *text, struct omap **ret, struct error *err);
