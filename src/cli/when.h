#pragma once
/* Points in time as --since and --until take them. */
#include <stdbool.h>
#include <stdint.h>

/*
 * A duration back from `now` ("10m", "1h30m"), seconds since the epoch ("1700000000.5"), RFC 3339, or a date
 * with or without time in the local zone ("2026-11-23", "2026-11-23T14:50"). All in ns since the epoch.
 */
bool when_parse(const char *text, int64_t now, int64_t *ret);
