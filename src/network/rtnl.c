#include "network/rtnl.h"

#include <linux/rtnetlink.h>
#include <string.h>

int rtnl_open(struct rtnl *rtnl, struct error *err)
{
    return rtnl_open_bus(rtnl, NETLINK_ROUTE, err);
}

int rtnl_open_bus(struct rtnl *rtnl, int bus, struct error *err)
{
    struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
    if (!socket)
        return error_errno(err, "netlink socket");
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int r = error_errno(err, "bind netlink socket");
        mnl_socket_close(socket);
        return r;
    }
    *rtnl = (struct rtnl){.socket = socket};
    return 0;
}

void rtnl_close(struct rtnl *rtnl)
{
    if (rtnl->socket)
        mnl_socket_close(rtnl->socket);
    rtnl->socket = NULL;
}

struct nlmsghdr *rtnl_begin(struct rtnl_request *request, unsigned type, unsigned flags, size_t extra,
                            void *ret_extra)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(request->room);
    message->nlmsg_type = (uint16_t)type;
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    *(void **)ret_extra = mnl_nlmsg_put_extra_header(message, extra);
    return message;
}

static int ignore_message(const struct nlmsghdr *message UNUSED, void *data UNUSED)
{
    return MNL_CB_OK;
}

int rtnl_talk(struct rtnl *rtnl, struct nlmsghdr *message, mnl_cb_t each, void *data)
{
    _Alignas(struct nlmsghdr) char reply[32768];
    message->nlmsg_seq = ++rtnl->sequence;
    unsigned port = mnl_socket_get_portid(rtnl->socket);
    if (RETRY_EINTR(mnl_socket_sendto(rtnl->socket, message, message->nlmsg_len)) < 0)
        return errno;
    for (;;) {
        ssize_t n = RETRY_EINTR(mnl_socket_recvfrom(rtnl->socket, reply, sizeof(reply)));
        if (n < 0)
            return errno;
        int r = mnl_cb_run(reply, (size_t)n, rtnl->sequence, port, each ? each : ignore_message, data);
        if (r < 0)
            return errno ? errno : EIO;
        if (r == MNL_CB_STOP)
            return 0;
    }
}
