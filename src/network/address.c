/* Addresses and routes: the second half of link.h. */
#include "network/link.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

int link_add_address(struct rtnl *rtnl, int index, const struct prefix *address, struct error *err)
{
    struct rtnl_request request;
    struct ifaddrmsg *info;
    struct nlmsghdr *message =
        rtnl_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info), &info);
    unsigned size = prefix_size(address);
    info->ifa_family = (uint8_t)address->family;
    info->ifa_prefixlen = (uint8_t)address->length;
    info->ifa_index = (uint32_t)index;
    mnl_attr_put(message, IFA_LOCAL, size, address->bytes);
    mnl_attr_put(message, IFA_ADDRESS, size, address->bytes);
    if (address->family == AF_INET6) {
        mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NODAD);
    } else if (address->length < 31) {
        struct prefix broadcast;
        prefix_last(address, &broadcast);
        mnl_attr_put(message, IFA_BROADCAST, size, broadcast.bytes);
    }
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    if (code == 0 || code == EEXIST)
        return 0;
    char text[PREFIX_TEXT];
    prefix_print(address, text);
    return error_set(err, code, "add address %s: %s", text, strerror(code));
}

struct address_search {
    int index;
    const struct prefix *address;
    bool found;
};

static int match_address(const struct nlmsghdr *message, void *data)
{
    struct address_search *search = data;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != RTM_NEWADDR || (int)info->ifa_index != search->index ||
        info->ifa_prefixlen != search->address->length)
        return MNL_CB_OK;
    unsigned size = prefix_size(search->address);
    const struct nlattr *a;
    mnl_attr_for_each(a, message, sizeof(*info))
    {
        if (mnl_attr_get_type(a) == IFA_ADDRESS && mnl_attr_get_payload_len(a) == size &&
            memcmp(mnl_attr_get_payload(a), search->address->bytes, size) == 0)
            search->found = true;
    }
    return MNL_CB_OK;
}

bool link_has_address(struct rtnl *rtnl, int index, const struct prefix *address)
{
    struct rtnl_request request;
    struct ifaddrmsg *info;
    struct nlmsghdr *message = rtnl_begin(&request, RTM_GETADDR, NLM_F_DUMP, sizeof(*info), &info);
    info->ifa_family = (uint8_t)address->family;
    struct address_search search = {.index = index, .address = address};
    return rtnl_talk(rtnl, message, match_address, &search) == 0 && search.found;
}

int route_set_default(struct rtnl *rtnl, int index, const struct prefix *gateway, struct error *err)
{
    struct rtnl_request request;
    struct rtmsg *info;
    struct nlmsghdr *message =
        rtnl_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*info), &info);
    info->rtm_family = (uint8_t)gateway->family;
    info->rtm_table = RT_TABLE_MAIN;
    info->rtm_protocol = RTPROT_BOOT;
    info->rtm_type = RTN_UNICAST;
    mnl_attr_put(message, RTA_GATEWAY, prefix_size(gateway), gateway->bytes);
    mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
    int code = rtnl_talk(rtnl, message, NULL, NULL);
    if (code == 0)
        return 0;
    char text[PREFIX_TEXT];
    prefix_print_address(gateway, text);
    return error_set(err, code, "set default route through %s: %s", text, strerror(code));
}

struct route_walk {
    route_visitor *each;
    void *data;
    int default_index;
};

static int walk_route(const struct nlmsghdr *message, void *data)
{
    struct route_walk *walk = data;
    const struct rtmsg *info = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != RTM_NEWROUTE || (info->rtm_family != AF_INET && info->rtm_family != AF_INET6))
        return MNL_CB_OK;
    struct prefix destination = {.family = info->rtm_family, .length = info->rtm_dst_len};
    const struct nlattr *a;
    int index = 0;
    mnl_attr_for_each(a, message, sizeof(*info))
    {
        if (mnl_attr_get_type(a) == RTA_DST && mnl_attr_get_payload_len(a) == prefix_size(&destination))
            memcpy(destination.bytes, mnl_attr_get_payload(a), prefix_size(&destination));
        else if (mnl_attr_get_type(a) == RTA_OIF)
            index = (int)mnl_attr_get_u32(a);
    }
    if (destination.length > 0 && walk->each)
        return walk->each(&destination, walk->data) == 0 ? MNL_CB_OK : MNL_CB_ERROR;
    if (destination.length == 0 && info->rtm_type == RTN_UNICAST && index && !walk->default_index)
        walk->default_index = index;
    return MNL_CB_OK;
}

static int walk_routes(struct rtnl *rtnl, int family, struct route_walk *walk, struct error *err)
{
    struct rtnl_request request;
    struct rtmsg *info;
    struct nlmsghdr *message = rtnl_begin(&request, RTM_GETROUTE, NLM_F_DUMP, sizeof(*info), &info);
    info->rtm_family = (uint8_t)family;
    int code = rtnl_talk(rtnl, message, walk_route, walk);
    return code ? error_set(err, code, "list routes: %s", strerror(code)) : 0;
}

int route_foreach(struct rtnl *rtnl, route_visitor *each, void *data, struct error *err)
{
    struct route_walk walk = {.each = each, .data = data};
    return walk_routes(rtnl, AF_UNSPEC, &walk, err);
}

int route_default_link(struct rtnl *rtnl, struct link *ret, struct error *err)
{
    struct route_walk walk = {0};
    int r = walk_routes(rtnl, AF_INET, &walk, err);
    if (r == 0 && !walk.default_index)
        r = walk_routes(rtnl, AF_INET6, &walk, err);
    if (r < 0)
        return r;
    return walk.default_index ? link_get(rtnl, walk.default_index, ret, err) : LINK_ABSENT;
}
