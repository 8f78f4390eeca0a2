#include "network/holder.h"

#include "base/mem.h"
#include "base/str.h"
#include "sys/fs.h"

#include <sys/socket.h>

static bool has_ipv6(void)
{
    return access("/proc/net/if_inet6", F_OK) == 0;
}

size_t host_addresses(const char *host_ip, struct prefix ret[2])
{
    if (host_ip[0])
        return prefix_parse(host_ip, &ret[0]) ? 1 : 0;
    prefix_parse("0.0.0.0", &ret[0]);
    prefix_parse("::", &ret[1]);
    return has_ipv6() ? 2 : 1;
}

static int bind_to(int fd, const struct prefix *address, uint16_t port)
{
    if (address->family == AF_INET6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in6.sin6_addr, address->bytes, 16);
        int on = 1;
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        return bind(fd, (struct sockaddr *)&in6, sizeof(in6));
    }
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&in.sin_addr, address->bytes, 4);
    return bind(fd, (struct sockaddr *)&in, sizeof(in));
}

int host_socket(int protocol, const struct prefix *address, uint16_t port, int *ret_fd, struct error *err)
{
    char text[PREFIX_TEXT];
    prefix_print_address(address, text);
    int type = protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
    cleanup_close int fd = socket(address->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (fd < 0 && errno == EPROTONOSUPPORT && protocol == IPPROTO_SCTP) {
        error_set(err, EPROTONOSUPPORT, "port %u/sctp: this kernel has no SCTP", port);
        return error_hint(err, "load its module: modprobe sctp");
    }
    if (fd < 0)
        return error_errno(err, "socket for port %u", port);
    /* Not for UDP, where it would let two share a port. */
    int on = 1;
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind_to(fd, address, port) < 0) {
        if (errno == EADDRINUSE)
            return PORT_TAKEN;
        if (errno == EADDRNOTAVAIL)
            return error_set(err, EADDRNOTAVAIL, "this machine does not have the address %s", text);
        return error_errno(err, "listen on port %u of %s", port, text);
    }
    if (type == SOCK_STREAM && listen(fd, 512) < 0) {
        if (errno == EADDRINUSE)
            return PORT_TAKEN;
        return error_errno(err, "listen on port %u of %s", port, text);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Inode of a socket on `port` from one of /proc/net/{tcp,udp}[6]; 0 when there is none. */
static unsigned long find_inode(const char *path, bool is_tcp, uint16_t port)
{
    cleanup_file FILE *file = fopen(path, "re");
    char line[512];
    while (file && fgets(line, sizeof(line), file)) {
        unsigned local_port, state;
        unsigned long inode;
        if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*u %*u %lu", &local_port, &state,
                   &inode) != 3)
            continue;
        enum { TCP_LISTENING = 10 };
        if (local_port == port && inode != 0 && (!is_tcp || state == TCP_LISTENING))
            return inode;
    }
    return 0;
}

static bool process_has_socket(const void *tmp, const char *pid, const char *wanted)
{
    char **fds;
    char target[64];
    if (fs_list(tmp, mem_printf(tmp, "/proc/%s/fd", pid), &fds, NULL) < 0)
        return false;
    for (size_t i = 0; fds && fds[i]; i++) {
        ssize_t n = readlink(mem_printf(tmp, "/proc/%s/fd/%s", pid, fds[i]), target, sizeof(target) - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (str_eq(target, wanted))
            return true;
    }
    return false;
}

char *port_holder(const void *owner, int protocol, uint16_t port)
{
    bool is_tcp = protocol == IPPROTO_TCP;
    unsigned long inode = find_inode(is_tcp ? "/proc/net/tcp" : "/proc/net/udp", is_tcp, port);
    if (!inode)
        inode = find_inode(is_tcp ? "/proc/net/tcp6" : "/proc/net/udp6", is_tcp, port);
    if (!inode)
        return NULL;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *wanted = mem_printf(tmp, "socket:[%lu]", inode);
    char **pids;
    if (fs_list(tmp, "/proc", &pids, NULL) < 0)
        return NULL;
    for (size_t i = 0; pids && pids[i]; i++) {
        uint64_t pid;
        char *name;
        size_t size;
        if (!str_to_u64(pids[i], 1, INT32_MAX, &pid) || !process_has_socket(tmp, pids[i], wanted))
            continue;
        if (fs_read_file(tmp, mem_printf(tmp, "/proc/%s/comm", pids[i]), 4096, &name, &size, NULL) != 0)
            continue;
        return mem_printf(owner, "process %s (%.*s)", pids[i], (int)strcspn(name, "\n"), name);
    }
    return NULL;
}
