#pragma once
/*
 * Output of several containers on the terminal, for `logs` and an attached `up`: a log printer, a reader for
 * each container, and what is said when one ends.
 */
#include "cli/logprint.h"
#include "cli/session.h"

struct attachment;

struct attach_options {
    bool no_color, no_prefix, timestamps;
    bool follow;
    bool one_stream;            /* standard error's lines go to standard output too, as `logs` has it */
    int64_t tail, since, until; /* as in log_options */
};

int attachment_new(struct session *session, const struct attach_options *options, struct attachment **ret,
                   struct error *err);

/* Makes room for a name that will come. */
void attachment_reserve(struct attachment *attachment, const char *display_name);

/* Shows a container's log; a second call for the same one only notes that it runs again. */
int attachment_add(struct attachment *attachment, const struct container_view *view, struct error *err);
bool attachment_has(const struct attachment *attachment, const char *id);
size_t attachment_count(const struct attachment *attachment);

/* A line of our own between the containers' lines. */
void attachment_notice(struct attachment *attachment, const char *text);

/* Prints what a container left, then "NAME exited with code N": once, until it is added again. */
void attachment_exited(struct attachment *attachment, const struct container_view *view, int code,
                       bool restarting);
