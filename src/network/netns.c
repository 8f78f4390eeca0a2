/*
 * Network namespaces of containers.
 *
 * A namespace is a bind mount of /proc/self/ns/net, as ip-netns(8) keeps them, so it outlives every process
 * in it and a restarted container finds its addresses again. Making one takes no process: this one unshares,
 * mounts, and goes back.
 *
 * The directory must be a shared mount. Every container's monitor has a mount namespace of its own with
 * copies of all mounts that were there when it started, and a copy keeps a network namespace alive; an
 * unmount reaches the copies only through a shared mount. Where the file system is not shared already
 * (systemd makes the root so), the directory is mounted on itself.
 */
#include "base/path.h"
#include "base/str.h"
#include "network/link.h"
#include "network/network.h"
#include "network/sysctl.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Whether the mount that `fd` lies on is shared: "shared:N" among the optional fields of its line. */
static bool is_shared_mount(int fd)
{
    struct statx sx;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
        return false;
    cleanup_file FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[8192];
    while (file && fgets(line, sizeof(line), file)) {
        if (strtoull(line, NULL, 10) != sx.stx_mnt_id)
            continue;
        char *optional_end = strstr(line, " - "), *shared = strstr(line, " shared:");
        return shared && optional_end && shared < optional_end;
    }
    return false;
}

static int prepare_directory(const char *directory, struct error *err)
{
    cleanup_close int fd = -1;
    int r = fs_mkdir_p(directory, 0755, err);
    if (r == 0)
        r = fs_open_dir(directory, &fd, err);
    if (r < 0)
        return r;
    if (is_shared_mount(fd))
        return 0;
    if (mount(directory, directory, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, directory, NULL, MS_SHARED, NULL) < 0)
        return error_errno(err, "make '%s' a shared mount", directory);
    return 0;
}

/* The namespace at `path`, if there is one; *ret_fd stays as it was otherwise. */
static int open_namespace(const char *path, int *ret_fd, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(err, "open '%s'", path);
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return error_errno(err, "stat '%s'", path);
    if (fs.f_type == NSFS_MAGIC)
        *ret_fd = TAKE_FD(fd);
    return 0;
}

/* A new namespace, mounted at `path`; this process is in it afterwards. */
static int enter_new_namespace(const char *path, int *ret_fd, struct error *err)
{
    cleanup_close int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (file < 0)
        return error_errno(err, "make '%s'", path);
    if (unshare(CLONE_NEWNET) < 0)
        return error_errno(err, "make a network namespace");
    if (mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
        return error_errno(err, "mount the network namespace at '%s'", path);
    return open_namespace(path, ret_fd, err);
}

/* Settings for interfaces that are still to come, and the loopback interface. Runs inside. */
static int prepare_namespace(bool ipv6, struct rtnl *inner, struct error *err)
{
    static const char *const off[] = {"ipv6/conf/all/accept_ra", "ipv6/conf/default/accept_ra",
                                      "ipv6/conf/all/accept_redirects", "ipv6/conf/default/accept_dad",
                                      "ipv6/conf/default/accept_redirects"};
    int r = rtnl_open(inner, err);
    for (size_t i = 0; i < ARRAY_SIZE(off) && r >= 0; i++)
        r = sysctl_set(off[i], "0", err);
    if (r >= 0)
        r = sysctl_set("ipv6/conf/default/disable_ipv6", ipv6 ? "0" : "1", err);
    return r < 0 ? r : link_set_up(inner, 1, err);
}

static bool is_ipv6_wanted(const struct endpoint *endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (endpoints[i].address6)
            return true;
    return false;
}

/*
 * Makes or opens the namespace, prepares it, and returns to the host's. The socket `inner` stays inside. A
 * process that cannot go back must not go on: its caller would change the wrong namespace.
 */
static int set_up_namespace(const char *path, bool ipv6, int *ret_fd, struct rtnl *inner, struct error *err)
{
    cleanup_close int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0)
        return error_errno(err, "open the network namespace");
    cleanup_close int fd = -1;
    int r = open_namespace(path, &fd, err);
    if (r < 0)
        return r;
    if (fd < 0)
        r = enter_new_namespace(path, &fd, err);
    else if (setns(fd, CLONE_NEWNET) < 0)
        r = error_errno(err, "enter the network namespace '%s'", path);
    if (r == 0)
        r = prepare_namespace(ipv6, inner, err);
    if (setns(home, CLONE_NEWNET) < 0)
        abort();
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

struct endpoint_addresses {
    struct prefix address, address6, gateway, gateway6;
    uint8_t mac[6];
};

static int parse_optional(const char *text, const char *what, struct prefix *ret, struct error *err)
{
    *ret = (struct prefix){0};
    if (text && !prefix_parse(text, ret))
        return error_set(err, EINVAL, "'%s' is not %s", text, what);
    return 0;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    int used = 0;
    return sscanf(text, "%2hhx%*1[:-]%2hhx%*1[:-]%2hhx%*1[:-]%2hhx%*1[:-]%2hhx%*1[:-]%2hhx%n", &mac[0],
                  &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &used) == 6 &&
           text[used] == '\0';
}

static int parse_endpoint(const struct endpoint *endpoint, struct endpoint_addresses *ret, struct error *err)
{
    int r = parse_optional(endpoint->address, "an address", &ret->address, err);
    if (r == 0)
        r = parse_optional(endpoint->address6, "an address", &ret->address6, err);
    if (r == 0)
        r = parse_optional(endpoint->gateway, "a gateway", &ret->gateway, err);
    if (r == 0)
        r = parse_optional(endpoint->gateway6, "a gateway", &ret->gateway6, err);
    if (r < 0)
        return r;
    if (!endpoint->address && !endpoint->address6)
        return error_set(err, EINVAL, "it has no address");
    if (endpoint->mac)
        return parse_mac(endpoint->mac, ret->mac)
                   ? 0
                   : error_set(err, EINVAL, "'%s' is not a MAC address", endpoint->mac);
    const struct prefix *source = endpoint->address ? &ret->address : &ret->address6;
    ret->mac[0] = 0x02;
    ret->mac[1] = 0x42;
    memcpy(ret->mac + 2, source->bytes + prefix_size(source) - 4, 4);
    return 0;
}

/* What there is of an endpoint when it is whole: both ends, joined, on the right bridge, addressed, and up,
 * which is the last thing that is done to the inner one. */
static bool is_endpoint_whole(struct rtnl *inner, const struct link *inside, const struct link *outside,
                              const struct endpoint_addresses *addresses, const struct link *bridge)
{
    return inside->index && outside->index && inside->peer == outside->index &&
           outside->peer == inside->index && outside->peer_namespace >= 0 && (outside->flags & IFF_UP) &&
           (inside->flags & IFF_UP) && outside->master == bridge->index &&
           (!addresses->address.family || link_has_address(inner, inside->index, &addresses->address)) &&
           (!addresses->address6.family || link_has_address(inner, inside->index, &addresses->address6));
}

static int find_or_none(struct rtnl *rtnl, const char *name, struct link *ret, struct error *err)
{
    *ret = (struct link){0};
    int r = link_find(rtnl, name, ret, err);
    return r < 0 ? r : 0;
}

static int create_endpoint(struct rtnl *host, struct rtnl *inner, int netns_fd,
                           const struct endpoint *endpoint, const struct endpoint_addresses *addresses,
                           const struct link *bridge, struct error *err)
{
    struct link inside, outside;
    struct veth veth = {.name = endpoint->host_interface,
                        .master = bridge->index,
                        .group = link_group_of(bridge->index),
                        .mtu = bridge->mtu,
                        .netns_fd = netns_fd,
                        .peer_name = endpoint->interface};
    memcpy(veth.peer_mac, addresses->mac, 6);
    int r = link_create_veth(host, &veth, err);
    if (r == 0)
        r = find_or_none(host, endpoint->host_interface, &outside, err);
    if (r == 0)
        r = link_set_hairpin(host, outside.index, err);
    if (r == 0)
        r = find_or_none(inner, endpoint->interface, &inside, err);
    if (r == 0 && addresses->address.family)
        r = link_add_address(inner, inside.index, &addresses->address, err);
    if (r == 0 && addresses->address6.family)
        r = link_add_address(inner, inside.index, &addresses->address6, err);
    return r == 0 ? link_set_up(inner, inside.index, err) : r;
}

static int set_up_endpoint(struct rtnl *host, struct rtnl *inner, int netns_fd,
                           const struct endpoint *endpoint, struct error *err)
{
    struct endpoint_addresses addresses = {0};
    struct link bridge, inside, outside;
    int r = parse_endpoint(endpoint, &addresses, err);
    if (r == 0)
        r = find_or_none(host, endpoint->bridge, &bridge, err);
    if (r == 0 && !bridge.index)
        r = error_set(err, ENODEV, "there is no bridge '%s'", endpoint->bridge);
    if (r == 0)
        r = find_or_none(inner, endpoint->interface, &inside, err);
    if (r == 0)
        r = find_or_none(host, endpoint->host_interface, &outside, err);
    if (r < 0)
        return r;
    if (!is_endpoint_whole(inner, &inside, &outside, &addresses, &bridge)) {
        if (inside.index)
            r = link_delete(inner, inside.index, err);
        if (r == 0 && outside.index)
            r = link_delete(host, outside.index, err);
        if (r == 0)
            r = create_endpoint(host, inner, netns_fd, endpoint, &addresses, &bridge, err);
        if (r == 0)
            r = find_or_none(inner, endpoint->interface, &inside, err);
    }
    if (r == 0 && addresses.gateway.family)
        r = route_set_default(inner, inside.index, &addresses.gateway, err);
    if (r == 0 && addresses.gateway6.family)
        r = route_set_default(inner, inside.index, &addresses.gateway6, err);
    return r;
}

int netns_create(const char *path, const struct endpoint *endpoints, size_t count, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_rtnl struct rtnl host = RTNL_INIT;
    cleanup_rtnl struct rtnl inner = RTNL_INIT;
    cleanup_close int fd = -1;
    int r = prepare_directory(path_parent(tmp, path), err);
    if (r == 0)
        r = rtnl_open(&host, err);
    if (r == 0)
        r = set_up_namespace(path, is_ipv6_wanted(endpoints, count), &fd, &inner, err);
    for (size_t i = 0; i < count && r == 0; i++) {
        r = set_up_endpoint(&host, &inner, fd, &endpoints[i], err);
        if (r < 0)
            r = error_wrap(err, "interface '%s'", endpoints[i].interface);
    }
    return r;
}

int netns_remove(const char *path, struct error *err)
{
    /* More than once when something was mounted over it. */
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    if (errno != EINVAL && errno != ENOENT)
        return error_errno(err, "unmount '%s'", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, "remove '%s'", path);

    /* The last one takes the directory along; each step fails when another is left, which is fine. */
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *directory = path_parent(tmp, path);
    char **names = NULL;
    if (fs_list(tmp, directory, &names, NULL) == 0 && (!names || !names[0])) {
        /* Likewise: one that was killed before it made its mount shared is followed by another. */
        while (umount2(directory, UMOUNT_NOFOLLOW) == 0)
            ;
        rmdir(directory);
    }
    return 0;
}
