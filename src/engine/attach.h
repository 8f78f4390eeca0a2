#pragma once
/*
 * The caller's standard streams joined to a container's main process, until that ends.
 *
 * Output that came before the monitor took us in is read from the log, up to the place that the monitor
 * names; from there on the monitor sends it. A process that has ended already leaves all of it in the log.
 * Signals that the caller gets go to the process; a terminal is put into raw mode, so that its control keys
 * go there as bytes.
 */
#include "engine/internal.h"

struct attach_options {
    int std[3];       /* -1: nothing */
    bool interactive; /* pass standard input on */
    bool tty;         /* raw mode, size changes */
    bool no_signals;  /* they are not passed on */
    bool from_now;    /* nothing of what was said before */
    const char *keys; /* with tty: input that ends the attachment and not the process */
    size_t key_count;
};

enum { ATTACH_LEFT = 1 }; /* by the keys */

/* *ret_status: the exit code. */
int attach_run(struct engine *engine, const struct container_record *record,
               const struct attach_options *options, int *ret_status, struct error *err);
