#pragma once
/*
 * rtnetlink(7) through libmnl: one socket, one request at a time. A socket stays in the network namespace
 * that it was opened in, so that a caller can hold one for the host and one for a container.
 */
#include "base/error.h"

#include <libmnl/libmnl.h>

struct rtnl {
    struct mnl_socket *socket;
    unsigned sequence;
};

#define RTNL_INIT                                                                                            \
    {                                                                                                        \
        .socket = NULL                                                                                       \
    }

/* Room for a request; attributes of one never come near it. */
struct rtnl_request {
    _Alignas(struct nlmsghdr) char room[2048];
};

int rtnl_open(struct rtnl *rtnl, struct error *err);
int rtnl_open_bus(struct rtnl *rtnl, int bus, struct error *err); /* another than NETLINK_ROUTE */
void rtnl_close(struct rtnl *rtnl);
#define cleanup_rtnl CLEANUP(rtnl_close)

/* Starts a request with a cleared header of `extra` bytes, e.g. struct ifinfomsg; returns the message and
 * its header in *ret_extra. */
struct nlmsghdr *rtnl_begin(struct rtnl_request *request, unsigned type, unsigned flags, size_t extra,
                            void *ret_extra);

/*
 * Sends a request and reads until its end; `each` sees every message that comes. Returns 0, or the errno
 * value with which the kernel refused it (positive: which of them are failures is the caller's to say).
 */
int rtnl_talk(struct rtnl *rtnl, struct nlmsghdr *message, mnl_cb_t each, void *data);
