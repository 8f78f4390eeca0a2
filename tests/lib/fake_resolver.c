/*
 * A name server for tests: `fake_resolver ADDRESS MODE` on port 53, UDP and TCP. MODE: "answer" (192.0.2.1
 * for every A), "long" (TC over UDP, 100 addresses over TCP), "silent", "forged" (first an answer with a
 * wrong id, then the right one), or the number of a response code. Prints each question's size on its
 * standard output.
 */
#include "base/macro.h"
#include "base/str.h"
#include "network/prefix.h"

#include <poll.h>
#include <sys/socket.h>

enum { HEADER = 12, LONG_ANSWERS = 100, ROOM = 8192 };

static size_t add_address(uint8_t *to, uint8_t last)
{
    const uint8_t record[16] = {0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last};
    memcpy(to, record, sizeof(record));
    return sizeof(record);
}

/* Header and question repeated, then what the mode says. */
static size_t make_reply(const char *mode, bool is_tcp, const uint8_t *query, size_t size, uint8_t *reply)
{
    size_t end = HEADER;
    while (end < size && query[end])
        end += query[end] + 1u;
    end += 5;
    if (end > size)
        return 0;
    memcpy(reply, query, end);
    memset(reply + 6, 0, 6);
    reply[2] = 0x81;
    reply[3] = 0x80;
    uint64_t code;
    if (str_to_u64(mode, 0, 15, &code)) {
        reply[3] |= (uint8_t)code;
        return end;
    }
    bool is_long = str_eq(mode, "long");
    if (is_long && !is_tcp) {
        reply[2] |= 2;
        return end;
    }
    uint8_t count = is_long ? LONG_ANSWERS : 1;
    reply[7] = count;
    for (uint8_t i = 0; i < count; i++)
        end += add_address(reply + end, (uint8_t)(i + 1));
    return end;
}

static void serve_udp(int fd, const char *mode)
{
    uint8_t query[ROOM], reply[ROOM];
    struct sockaddr_storage client;
    socklen_t client_size = sizeof(client);
    ssize_t n = recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&client, &client_size);
    if (n <= 0)
        return;
    printf("udp %zd\n", n);
    size_t size = str_eq(mode, "silent") ? 0 : make_reply(mode, false, query, (size_t)n, reply);
    if (size && str_eq(mode, "forged")) {
        reply[0] ^= 0xff;
        reply[size - 1] = 66;
        sendto(fd, reply, size, 0, (struct sockaddr *)&client, client_size);
        reply[0] ^= 0xff;
        reply[size - 1] = 1;
    }
    if (size)
        sendto(fd, reply, size, 0, (struct sockaddr *)&client, client_size);
}

static void serve_tcp(int listener, const char *mode)
{
    uint8_t query[ROOM], reply[ROOM];
    cleanup_close int fd = accept(listener, NULL, NULL);
    ssize_t n = fd < 0 ? -1 : recv(fd, query, sizeof(query), 0);
    if (n <= 2)
        return;
    printf("tcp %zd\n", n - 2);
    size_t size = str_eq(mode, "silent") ? 0 : make_reply(mode, true, query + 2, (size_t)n - 2, reply + 2);
    reply[0] = (uint8_t)(size >> 8);
    reply[1] = (uint8_t)size;
    if (size && send(fd, reply, size + 2, MSG_NOSIGNAL) < 0)
        perror("send");
}

static int open_socket(const char *address, int type)
{
    struct prefix prefix;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
    int on = 1, fd = socket(AF_INET, type, 0);
    if (!prefix_parse(address, &prefix))
        return -1;
    memcpy(&in.sin_addr, prefix.bytes, 4);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? -1 : fd;
}

int main(int argc, char **argv)
{
    int udp = argc == 3 ? open_socket(argv[1], SOCK_DGRAM) : -1;
    int tcp = argc == 3 ? open_socket(argv[1], SOCK_STREAM) : -1;
    if (udp < 0 || tcp < 0 || listen(tcp, 8) < 0) {
        perror("usage: fake_resolver ADDRESS MODE");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    struct pollfd fds[2] = {
        {.fd = udp, .events = POLLIN},
        {.fd = tcp, .events = POLLIN}
    };
    while (poll(fds, 2, -1) >= 0) {
        if (fds[0].revents)
            serve_udp(udp, argv[2]);
        if (fds[1].revents)
            serve_tcp(tcp, argv[2]);
    }
    return 1;
}
