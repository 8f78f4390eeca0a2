#pragma once
/*
 * The terminal of a process that an OCI runtime starts for us: the runtime makes it and sends its master over
 * a socket
 * (--console-socket); the bytes in between, its size and its end are ours. So nothing that was said before
 * the end is lost, which a runtime's own terminal handling cannot promise.
 */
#include "base/error.h"

#include <sys/types.h>

/* A listening socket without a name that stays; *ret_path_fd refers to it for who connects by /proc/self/fd.
 */
int terminal_listen(const char *dir, int *ret_listener, int *ret_path_fd, struct error *err);

/*
 * Until the child `pid` (pidfd) ends: takes the master that comes on `listener`, and joins it with the
 * descriptors in and out (-1: none). When `in` is a terminal, it is in raw mode meanwhile and passes its size
 * on. SIGTERM, SIGINT and SIGHUP are errors: the terminal hangs up then, as if its window were closed. The
 * child is not reaped.
 */
int terminal_run(int listener, int pidfd, int in, int out, struct error *err);
