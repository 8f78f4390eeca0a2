#pragma once
/* Kernel settings below /proc/sys/net, which belong to the network namespace of the caller. */
#include "base/error.h"

/* Writes "value" to /proc/sys/net/<name> unless it is there already. SYSCTL_ABSENT: no such setting. */
enum { SYSCTL_ABSENT = 1 };
int sysctl_set(const char *name, const char *value, struct error *err);
