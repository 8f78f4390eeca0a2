#pragma once
/*
 * Copying trees of files: two processes of compote-copy, or one and a stream, with a pipe of tar in between
 * (src/imaged/copy.c).
 */
#include "engine/internal.h"

/* One end. Started, it is waited for with copy_wait. */
struct copy_end {
    char **argv;
    const char *container; /* id; NULL: the machine's files */
    bool mounts, as_user;  /* as in struct files_request */
    pid_t pid;
    int errors; /* where it says what went wrong */
};

/* "<libexec>/compote-copy VERB --path=PATH" and further options up to NULL. */
char **copy_command(const void *owner, const struct engine *engine, const char *verb, const char *path, ...)
    __attribute__((sentinel));

/* Starts `end` with these standard streams. */
int copy_start(const struct engine *engine, struct copy_end *end, int in, int out, struct error *err);

/* Its end, and its error: EPIPE when it is the other end that went away. */
int copy_wait(struct copy_end *end, struct error *err);

/* Files of a directory of the machine that go to places in a container, and what goes away there. */
struct copy_list {
    const char *directory; /* absolute */
    char **from, **to;     /* paths in `directory`; absolute ones in the container */
    size_t count;
    char **removed; /* absolute, in the container; these first */
    size_t removed_count;
};

/* What is copied belongs to the user of the container's process. */
int copy_files(const struct engine *engine, const char *container, const struct copy_list *list,
               struct error *err);
