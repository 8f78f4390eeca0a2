#pragma once
/*
 * Diagnostics for developers, on standard error, when COMPOTE_DEBUG is set or -D was given. Not the
 * way to tell users anything: that is the error value, the progress sink and warn_sink.
 */
#include "base/macro.h"

#include <stdbool.h>

void log_enable(bool on);
bool log_enabled(void);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
