#pragma once
/*
 * The state of one container as its monitor tells it to everybody else: a small text file, one "key=value"
 * in each line, replaced atomically at every change. Written by compote-monitor and by the start that
 * precedes it, read by src/runtime. Needs libc only.
 */
#include "base/enumtab.h"

#include <sys/types.h>

enum container_state {
    STATE_CREATED,
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_RESTARTING,
    STATE_EXITED,
    STATE_DEAD, /* its monitor is gone and so is the process; the exit code is unknown */
    STATE__COUNT
};
enum health_state { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY, HEALTH__COUNT };

/* What the monitor writes into <run>/containers/<id>/status, atomically, at every change. */
struct container_status {
    enum container_state state;
    enum health_state health;
    pid_t pid;          /* of the container's first process, in the host's view; 0 when not running */
    uint64_t pid_start; /* its start time in clock ticks, so that a reused pid is noticed */
    pid_t monitor_pid;
    uint64_t monitor_start;
    int exit_code; /* of the last run; -1: none or unknown */
    bool oom_killed;
    int restart_count;
    int64_t created, started, finished; /* ns since the epoch; 0 never */
    char error[512];                    /* why the start failed, or the last failed health check's output */
};

ENUM_NAMES_DECLARE(container_state)
ENUM_NAMES_DECLARE(health_state)

enum { STATUS_TEXT_SIZE = 2048 }; /* room for any status as text */

/* The text form, NUL-ended; returns its length. */
size_t status_print(const struct container_status *status, char *text, size_t size);

/* Reads it back. Lines with unknown keys are skipped; a value out of range makes the whole file bad. */
bool status_parse(char *text, struct container_status *ret);

/* True when a process with this pid and start time exists and is not a zombie. */
bool status_process_lives(pid_t pid, uint64_t start);

/*
 * The exit code for a runtime's message about a command that it could not run: 127 when the message says that
 * the command was not found, 126 that it cannot be executed, 0 when it is about something else.
 */
int status_exec_failure(const char *message);
