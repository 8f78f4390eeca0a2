#include "network/conntrack.h"

#include "base/mem.h"
#include "network/rtnl.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

/* A flow to be forgotten: its original direction as the kernel wrote it. */
struct flow {
    uint8_t family;
    struct nlattr *tuple;
};

struct search {
    const uint16_t *ports;
    size_t port_count;
    struct flow *flows;
    size_t count;
};

static const struct nlattr *find_nested(const struct nlattr *nest, unsigned type)
{
    const struct nlattr *a;
    mnl_attr_for_each_nested(a, nest)
    {
        if (mnl_attr_get_type(a) == type)
            return a;
    }
    return NULL;
}

static bool is_wanted(const struct search *search, const struct nlattr *tuple, uint32_t status)
{
    if ((status & IPS_SEEN_REPLY) && !(status & IPS_DST_NAT))
        return false;
    const struct nlattr *protocol = find_nested(tuple, CTA_TUPLE_PROTO);
    const struct nlattr *number = protocol ? find_nested(protocol, CTA_PROTO_NUM) : NULL;
    const struct nlattr *port = protocol ? find_nested(protocol, CTA_PROTO_DST_PORT) : NULL;
    if (!number || !port || mnl_attr_get_u8(number) != IPPROTO_UDP)
        return false;
    for (size_t i = 0; i < search->port_count; i++)
        if (search->ports[i] == ntohs(mnl_attr_get_u16(port)))
            return true;
    return false;
}

static int note_flow(const struct nlmsghdr *message, void *data)
{
    struct search *search = data;
    const struct nfgenmsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *a, *tuple = NULL;
    uint32_t status = 0;
    mnl_attr_for_each(a, message, sizeof(*info))
    {
        if (mnl_attr_get_type(a) == CTA_TUPLE_ORIG)
            tuple = a;
        else if (mnl_attr_get_type(a) == CTA_STATUS)
            status = ntohl(mnl_attr_get_u32(a));
    }
    if (tuple && is_wanted(search, tuple, status)) {
        struct flow flow = {.family = info->nfgen_family, .tuple = mem_dup(search, tuple, tuple->nla_len)};
        mem_append(search, search->flows, search->count, flow);
    }
    return MNL_CB_OK;
}

static struct nlmsghdr *begin(struct rtnl_request *request, unsigned type, unsigned flags, uint8_t family)
{
    struct nfgenmsg *info;
    struct nlmsghdr *message =
        rtnl_begin(request, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, sizeof(*info), &info);
    info->nfgen_family = family;
    info->version = NFNETLINK_V0;
    return message;
}

void conntrack_forget_udp(const uint16_t *ports, size_t count)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_rtnl struct rtnl rtnl = RTNL_INIT;
    struct rtnl_request request;
    struct search *search = mem_new(tmp, struct search);
    search->ports = ports;
    search->port_count = count;
    if (count == 0 || rtnl_open_bus(&rtnl, NETLINK_NETFILTER, NULL) < 0 ||
        rtnl_talk(&rtnl, begin(&request, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC), note_flow, search) != 0)
        return;
    for (size_t i = 0; i < search->count; i++) {
        const struct nlattr *tuple = search->flows[i].tuple;
        struct nlmsghdr *message = begin(&request, IPCTNL_MSG_CT_DELETE, 0, search->flows[i].family);
        mnl_attr_put(message, tuple->nla_type, mnl_attr_get_payload_len(tuple), mnl_attr_get_payload(tuple));
        rtnl_talk(&rtnl, message, NULL, NULL);
    }
}
