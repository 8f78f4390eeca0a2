#pragma once
/* An attached `up`: starts the project, shows its output until it ends or Ctrl-C comes, and stops it then. */
#include "cli/attach.h"

struct foreground_options {
    struct attach_options logs;
    char **attach, **no_attach; /* services */
    bool attach_dependencies;
    bool abort_on_exit, abort_on_failure;
    const char *exit_code_from; /* service, or NULL */
    int64_t timeout;            /* for stopping; -1: the containers' own */
    bool watch;                 /* files too, as develop.watch says */
};

/* 0, negative, or the exit status that the options ask for. `up` gets its attach callback here. */
int foreground_up(struct session *session, struct up_options *up, const struct foreground_options *options,
                  struct error *err);
