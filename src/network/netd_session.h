#pragma once
/*
 * A conversation with the compote-netd of one project, under the project's lock; see netd_client.c for what
 * is said.
 */
#include "network/network.h"

struct netd_session {
    const struct network_context *context;
    const char *project;
    const char *directory;
    int dir_fd; /* its flock is the lock */
    int socket; /* -1: not connected */
};

#define SESSION_INIT                                                                                         \
    {                                                                                                        \
        .dir_fd = -1, .socket = -1                                                                           \
    }

void netd_session_close(struct netd_session *session);
#define cleanup_session CLEANUP(netd_session_close)

enum { SESSION_ABSENT = 1 };

/* Opens and locks the project's directory, which is made when `create`; otherwise it may be SESSION_ABSENT.
 */
int netd_session_open(struct netd_session *session, const void *owner, const struct network_context *context,
                      const char *project, bool create, struct error *err);

/* SESSION_ABSENT when compote-netd does not run. */
int netd_session_connect(struct netd_session *session, struct error *err);
int netd_session_start(struct netd_session *session, const void *tmp, struct error *err); /* and connects */

int netd_session_read(struct netd_session *session, char *text, size_t size, struct error *err);
int netd_session_request(struct netd_session *session, const char *request,
                         struct error *err); /* waits for "ok" */

/* Waits until netd has closed the connection, which it does by ending. */
void netd_session_wait_for_end(struct netd_session *session);

/* <directory>/<container>.<kind>; kinds are "record" and "peer". */
char *netd_session_path(const void *owner, const struct netd_session *session, const char *container,
                        const char *kind);
