#pragma once
/* One transfer into the image store, with its progress on the session's display, from start to end. */
#include "cli/session.h"

/* *ret is the image; it belongs to the session. */
int transfer_run(struct session *session, enum transfer_kind kind, const char *reference,
                 const char *platform, const char *path, struct image **ret, struct error *err);
