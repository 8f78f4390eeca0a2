#include "network/link.h"

#include "base/str.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

static int refused(struct error *err, int code, const char *what, const char *name)
{
    return error_set(err, code, "%s '%s': %s", what, name, strerror(code));
}

static int refused_index(struct error *err, int code, const char *what, int index)
{
    return error_set(err, code, "%s (link %d): %s", what, index, strerror(code));
}

/* What there is to know of a link, from an RTM_NEWLINK message. */
static void parse_link(const struct nlmsghdr *message, struct link *link)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    *link = (struct link){.index = info->ifi_index, .flags = info->ifi_flags, .peer_namespace = -1};
    const struct nlattr *a, *inner;
    mnl_attr_for_each(a, message, sizeof(*info))
    {
        unsigned type = mnl_attr_get_type(a);
        if (type == IFLA_LINKINFO) {
            mnl_attr_for_each_nested(inner, a) if (mnl_attr_get_type(inner) == IFLA_INFO_KIND)
                str_copy(link->kind, sizeof(link->kind), mnl_attr_get_str(inner));
        } else if (type == IFLA_IFNAME) {
            str_copy(link->name, sizeof(link->name), mnl_attr_get_str(a));
        } else if (type == IFLA_MASTER) {
            link->master = (int)mnl_attr_get_u32(a);
        } else if (type == IFLA_LINK) {
            link->peer = (int)mnl_attr_get_u32(a);
        } else if (type == IFLA_LINK_NETNSID) {
            link->peer_namespace = (int)mnl_attr_get_u32(a);
        } else if (type == IFLA_MTU) {
            link->mtu = mnl_attr_get_u32(a);
        }
    }
}

static int take_link(const struct nlmsghdr *message, void *data)
{
    if (message->nlmsg_type == RTM_NEWLINK)
        parse_link(message, data);
    return MNL_CB_OK;
}

int link_find(struct rtnl *rtnl, const char *name, struct link *ret, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = rtnl_begin(&request, RTM_GETLINK, 0, sizeof(*info), &info);
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    struct link link = {0};
    int code = rtnl_talk(rtnl, message, take_link, &link);
    if (code == ENODEV)
        return LINK_ABSENT;
    if (code)
        return refused(err, code, "look up interface", name);
    *ret = link;
    return 0;
}

int link_get(struct rtnl *rtnl, int index, struct link *ret, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = rtnl_begin(&request, RTM_GETLINK, 0, sizeof(*info), &info);
    info->ifi_index = index;
    struct link link = {0};
    int code = rtnl_talk(rtnl, message, take_link, &link);
    if (code == ENODEV)
        return LINK_ABSENT;
    if (code)
        return refused_index(err, code, "look up interface", index);
    *ret = link;
    return 0;
}

struct link_walk {
    link_visitor *each;
    void *data;
    struct error *err;
    int result;
};

static int walk_link(const struct nlmsghdr *message, void *data)
{
    struct link_walk *walk = data;
    if (message->nlmsg_type == RTM_NEWLINK && walk->result == 0) {
        struct link link;
        parse_link(message, &link);
        walk->result = walk->each(&link, walk->data, walk->err);
    }
    return MNL_CB_OK;
}

int link_foreach(struct rtnl *rtnl, link_visitor *each, void *data, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = rtnl_begin(&request, RTM_GETLINK, NLM_F_DUMP, sizeof(*info), &info);
    struct link_walk walk = {.each = each, .data = data, .err = err};
    int code = rtnl_talk(rtnl, message, walk_link, &walk);
    if (code && walk.result == 0)
        return error_set(err, code, "list interfaces: %s", strerror(code));
    return walk.result;
}

int link_create_bridge(struct rtnl *rtnl, const char *name, const uint8_t mac[6], struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message =
        rtnl_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info), &info);
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    mnl_attr_put(message, IFLA_ADDRESS, 6, mac);
    struct nlattr *kind = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_str(message, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(message, kind);
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    return code && code != EEXIST ? refused(err, code, "make bridge", name) : 0;
}

int link_create_veth(struct rtnl *rtnl, const struct veth *veth, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message =
        rtnl_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info), &info);
    info->ifi_flags = info->ifi_change = IFF_UP;
    mnl_attr_put_strz(message, IFLA_IFNAME, veth->name);
    mnl_attr_put_u32(message, IFLA_MASTER, (uint32_t)veth->master);
    mnl_attr_put_u32(message, IFLA_GROUP, veth->group);
    mnl_attr_put_u32(message, IFLA_MTU, veth->mtu);
    struct nlattr *kind = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_str(message, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(message, IFLA_IFNAME, veth->peer_name);
    mnl_attr_put(message, IFLA_ADDRESS, 6, veth->peer_mac);
    mnl_attr_put_u32(message, IFLA_MTU, veth->mtu);
    mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)veth->netns_fd);
    mnl_attr_nest_end(message, peer);
    mnl_attr_nest_end(message, data);
    mnl_attr_nest_end(message, kind);
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    return code ? refused(err, code, "make interface", veth->name) : 0;
}

static struct nlmsghdr *begin_set(struct rtnl_request *request, int index, struct ifinfomsg **ret_info)
{
    struct nlmsghdr *message = rtnl_begin(request, RTM_NEWLINK, 0, sizeof(**ret_info), ret_info);
    (*ret_info)->ifi_index = index;
    return message;
}

int link_set_up(struct rtnl *rtnl, int index, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = begin_set(&request, index, &info);
    info->ifi_flags = info->ifi_change = IFF_UP;
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    return code ? refused_index(err, code, "bring interface up", index) : 0;
}

int link_set_mtu(struct rtnl *rtnl, int index, unsigned mtu, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = begin_set(&request, index, &info);
    mnl_attr_put_u32(message, IFLA_MTU, mtu);
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    return code ? error_set(err, code, "set MTU %u: %s", mtu, strerror(code)) : 0;
}

int link_set_master(struct rtnl *rtnl, int index, int master, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = begin_set(&request, index, &info);
    mnl_attr_put_u32(message, IFLA_MASTER, (uint32_t)master);
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    return code ? refused_index(err, code, "add interface to bridge", index) : 0;
}

int link_set_hairpin(struct rtnl *rtnl, int index, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = rtnl_begin(&request, RTM_SETLINK, 0, sizeof(*info), &info);
    info->ifi_family = AF_BRIDGE;
    info->ifi_index = index;
    struct nlattr *port = mnl_attr_nest_start(message, IFLA_PROTINFO);
    mnl_attr_put_u8(message, IFLA_BRPORT_MODE, 1);
    mnl_attr_nest_end(message, port);
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    return code ? refused_index(err, code, "set hairpin mode", index) : 0;
}

int link_delete(struct rtnl *rtnl, int index, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = rtnl_begin(&request, RTM_DELLINK, 0, sizeof(*info), &info);
    info->ifi_index = index;
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    return code && code != ENODEV ? refused_index(err, code, "remove interface", index) : 0;
}

int link_delete_group(struct rtnl *rtnl, uint32_t group, struct error *err)
{
    struct rtnl_request request;
    struct ifinfomsg *info;
    struct nlmsghdr *message = rtnl_begin(&request, RTM_DELLINK, 0, sizeof(*info), &info);
    mnl_attr_put_u32(message, IFLA_GROUP, group);
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    if (code && code != ENODEV)
        return error_set(err, code, "remove the interfaces of group %u: %s", group, strerror(code));
    return 0;
}
