#pragma once
/*
 * The flags of `run` that are written as in a Compose file: -v, -p and --entrypoint. They are read by the
 * loader, as a file of their own, so that they mean the same and are checked the same; then they change the
 * service.
 */
#include "cli/session.h"

struct run_overrides {
    char **volumes;   /* added; one at the same target is replaced */
    char **ports;     /* instead of the service's */
    char *entrypoint; /* instead of the service's, whose command goes too; "" clears the image's */
};

int run_overrides_apply(struct session *session, const char *service, const struct run_overrides *overrides,
                        struct error *err);
