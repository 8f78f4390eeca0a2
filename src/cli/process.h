#pragma once
/* One process as ps -ef shows it, read from /proc. */
#include "base/mem.h"

#include <stdbool.h>
#include <sys/types.h>

struct process_view {
    char *user, *pid, *parent, *cpu, *started, *tty, *time, *command;
};

/* False when the process is gone. Everything belongs to `owner`. */
bool process_view_read(const void *owner, pid_t pid, struct process_view *ret);
