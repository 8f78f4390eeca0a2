#pragma once
/* Signals by name ("SIGTERM", "term") or number. */
#include <stdbool.h>

bool signal_parse(const char *text, int *ret);
