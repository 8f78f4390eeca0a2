#pragma once
/* Descriptors: whole reads and writes, message sockets. Needs libc only. All are opened close-on-exec. */
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Writes all of `data`. */
int fd_write_all(int fd, const void *data, size_t size, struct error *err);

/* Reads until `size` bytes are there or the end; *ret_got is how many came. */
int fd_read_full(int fd, void *data, size_t size, size_t *ret_got, struct error *err);

int fd_set_nonblocking(int fd, struct error *err);

/* socketpair(AF_UNIX, SOCK_SEQPACKET) and pipe, both close-on-exec. */
int fd_seqpacket_pair(int ret[2], struct error *err);
int fd_pipe(int ret[2], struct error *err);

/*
 * A listening or connected SOCK_SEQPACKET socket at `name` in the directory `dir_fd`. The address goes
 * through /proc/self/fd, so that long paths fit into sun_path. Listening replaces a stale socket.
 */
int fd_unix_listen(int dir_fd, const char *name, int *ret_fd, struct error *err);
int fd_unix_connect(int dir_fd, const char *name, int *ret_fd, struct error *err);

/* One message, with up to 8 descriptors. Receiving returns the size (0 at the end) in *ret_size. */
int fd_send(int sock, const void *data, size_t size, const int *fds, size_t fd_count, struct error *err);
int fd_receive(int sock, void *data, size_t size, size_t *ret_size, int *fds, size_t fd_room, size_t *ret_fds,
               struct error *err);

/* pidfd_open, and the start time of a process in clock ticks since boot (/proc/PID/stat field 22). */
int pidfd_open_process(pid_t pid, int *ret_fd, struct error *err);
int process_start_time(pid_t pid, uint64_t *ret_ticks, struct error *err);
int pidfd_signal(int pidfd, int signal_number, struct error *err);
