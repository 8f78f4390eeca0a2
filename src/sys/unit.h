#pragma once
/*
 * Leaving a systemd unit. systemd ends whatever is left in a unit's cgroup when the unit ends: a oneshot
 * service that ran "up", or a login session under KillUserProcesses=yes. What goes on for as long as a
 * container does must not be in there. Needs libc only.
 */
#include <stdbool.h>
#include <sys/types.h>

/* True when a line of /proc/PID/cgroup for the v2 hierarchy ("0::/system.slice/x.service") names a service or
 * scope. */
bool unit_is_named(const char *cgroups);

/*
 * As fork(2), but the child of a process in a unit begins life in the top cgroup, where systemd leaves it
 * alone and no directory has to be cleared away. (Born there, not moved: a move waits for an RCU grace
 * period.) Where that cannot be, it is a plain fork. The caller has one thread.
 */
pid_t unit_fork_outside(void);
