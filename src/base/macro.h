#pragma once
/*
 * Language helpers that every file may use: attributes, scope-bound cleanup and ownership transfer.
 *
 * A variable marked cleanup_* is released when its scope ends, whatever the way out. It must be
 * initialised where it is declared, and leaves its scope only through TAKE_PTR or TAKE_FD.
 * Needs libc only, so that the monitor and the init program can use it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Moves a pointer out of its variable, which becomes NULL. */
#define TAKE_PTR(p)                                                                                          \
    ({                                                                                                       \
        __typeof__(p) taken_ = (p);                                                                          \
        (p) = NULL;                                                                                          \
        taken_;                                                                                              \
    })

/* Moves a descriptor out of its variable, which becomes -1. */
#define TAKE_FD(fd)                                                                                          \
    ({                                                                                                       \
        int taken_ = (fd);                                                                                   \
        (fd) = -1;                                                                                           \
        taken_;                                                                                              \
    })

/* Repeats a call that a signal interrupted. */
#define RETRY_EINTR(call)                                                                                    \
    ({                                                                                                       \
        long result_;                                                                                        \
        do {                                                                                                 \
            result_ = (long)(call);                                                                          \
        } while (result_ == -1 && errno == EINTR);                                                           \
        result_;                                                                                             \
    })

static inline void cleanup_close_fn(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}

static inline void cleanup_file_fn(FILE **f)
{
    if (*f)
        fclose(*f);
}

static inline void cleanup_dir_fn(DIR **d)
{
    if (*d)
        closedir(*d);
}

static inline void cleanup_malloc_fn(void *p)
{
    free(*(void **)p);
}

#define cleanup_close CLEANUP(cleanup_close_fn)
#define cleanup_file CLEANUP(cleanup_file_fn)
#define cleanup_dir CLEANUP(cleanup_dir_fn)
#define cleanup_malloc CLEANUP(cleanup_malloc_fn)
