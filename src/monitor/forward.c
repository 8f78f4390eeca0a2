/*
 * Sending the log away: to syslog (over a Unix socket, UDP or TCP) or to the journal, beside the file, which
 * `logs` reads. Whoever does not take a record at once does not get it: the container never waits. A
 * connection that broke is made again with the next record, at most once a second.
 */
#include "monitor/monitor.h"

#include "sys/fd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

enum { CONNECT_MS = 5000, AGAIN_NS = 1000 * 1000 * 1000 };
enum { SEVERITY_ERR = 3, SEVERITY_INFO = 6 };

static socklen_t make_address(const struct conf *conf, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){.ss_family = (sa_family_t)conf->forward_family};
    if (conf->forward_family == AF_UNIX) {
        struct sockaddr_un *un = (struct sockaddr_un *)ret;
        return str_copy(un->sun_path, sizeof(un->sun_path), conf->forward_host) ? sizeof(*un) : 0;
    }
    if (conf->forward_family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        in->sin_port = htons((uint16_t)conf->forward_port);
        return inet_pton(AF_INET, conf->forward_host, &in->sin_addr) == 1 ? sizeof(*in) : 0;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    in6->sin6_port = htons((uint16_t)conf->forward_port);
    return inet_pton(AF_INET6, conf->forward_host, &in6->sin6_addr) == 1 ? sizeof(*in6) : 0;
}

static int connect_as(struct forward *f, int type)
{
    struct sockaddr_storage address;
    socklen_t size = make_address(f->conf, &address);
    f->fd = size ? socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (f->fd < 0)
        return -1;
    if (connect(f->fd, (struct sockaddr *)&address, size) == 0 || errno == EINPROGRESS)
        return 0;
    int saved = errno;
    close(f->fd);
    f->fd = -1;
    errno = saved;
    return -1;
}

static int forward_connect(struct forward *f)
{
    f->tried_at = loop_now_ns();
    f->stream = f->conf->forward_network == FORWARD_TCP;
    int r = connect_as(f, f->stream ? SOCK_STREAM : SOCK_DGRAM);
    if (r < 0 && errno == EPROTOTYPE) {
        f->stream = true;
        r = connect_as(f, SOCK_STREAM);
    }
    return r;
}

static int read_fields(struct forward *f, struct error *err)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/journal.fields", f->conf->dir);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "open '%s'", path);
    return fd_read_full(fd, f->fields, sizeof(f->fields), &f->fields_size, err);
}

int forward_open(struct forward *f, const struct conf *conf, struct error *err)
{
    f->conf = conf;
    f->fd = -1;
    if (conf->forward == FORWARD_NOT)
        return 0;
    int r = conf->forward == FORWARD_JOURNAL ? read_fields(f, err) : 0;
    if (r < 0)
        return r;
    int problem = forward_connect(f) < 0 ? errno : 0;
    if (!problem && f->stream) {
        struct pollfd wait = {.fd = f->fd, .events = POLLOUT};
        socklen_t size = sizeof(problem);
        if (poll(&wait, 1, CONNECT_MS) <= 0)
            problem = ETIMEDOUT;
        else if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0)
            problem = errno;
    }
    return problem ? error_set(err, problem, "the log's receiver at '%s': %s", conf->forward_host,
                               strerror(problem))
                   : 0;
}

/* A stream that took a part of a record only is of no use any more. */
static bool send_parts(struct forward *f, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    size_t whole = 0;
    for (size_t i = 0; i < count; i++)
        whole += parts[i].iov_len;
    ssize_t n = RETRY_EINTR(sendmsg(f->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (n == (ssize_t)whole || (n < 0 && (errno == EAGAIN || errno == EMSGSIZE || errno == ENOBUFS)))
        return true;
    close(f->fd);
    f->fd = -1;
    return false;
}

static void send_record(struct forward *f, struct iovec *parts, size_t count)
{
    for (int try = 0; try < 2; try++) {
        if (f->fd < 0 && (loop_now_ns() - f->tried_at < AGAIN_NS || forward_connect(f) < 0))
            return;
        if (send_parts(f, parts, count))
            return;
    }
}

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Times are UTC: the monitor has no time zone. RFC 3164 cannot say so, RFC 5424 does. */
static int print_head(const struct conf *conf, int severity, char *to, size_t size)
{
    struct timespec now;
    int year, month, day;
    clock_gettime(CLOCK_REALTIME, &now);
    date_of_day(now.tv_sec / 86400, &year, &month, &day);
    int second = (int)(now.tv_sec % 86400), hour = second / 3600, minute = second / 60 % 60;
    second %= 60;
    int priority = (int)conf->forward_facility * 8 + severity, pid = (int)getpid();
    const char *tag = conf->forward_tag, *host = conf->forward_from;
    if (conf->forward == FORWARD_PLAIN || conf->forward == FORWARD_RFC3164) {
        bool plain = conf->forward == FORWARD_PLAIN;
        return snprintf(to, size, "<%d>%s %2d %02d:%02d:%02d %s%s%s[%d]: ", priority, months[month - 1], day,
                        hour, minute, second, plain ? "" : host, plain ? "" : " ", tag, pid);
    }
    char micro[16] = "";
    if (conf->forward == FORWARD_RFC5424_MICRO)
        snprintf(micro, sizeof(micro), ".%06u", (unsigned)(now.tv_nsec / 1000) % 1000000);
    return snprintf(to, size, "<%d>1 %04d-%02d-%02dT%02d:%02d:%02d%sZ %s %s %d %s - ", priority, year, month,
                    day, hour, minute, second, micro, host, tag, pid, tag);
}

/* The journal's own protocol: a value that may hold anything has its length in front. */
static void send_journal(struct forward *f, int severity, const char *text, size_t size, bool partial)
{
    char head[128];
    uint64_t length = size;
    int n = snprintf(head, sizeof(head), "PRIORITY=%d\n%sMESSAGE\n", severity,
                     partial ? "CONTAINER_PARTIAL_MESSAGE=true\n" : "");
    for (int i = 0; i < 8; i++)
        head[n++] = (char)(length >> 8 * i & 0xff);
    struct iovec parts[] = {
        {head,                     (size_t)n     },
        {(char *)(uintptr_t)text,  size          },
        {(char *)(uintptr_t) "\n", 1             },
        {f->fields,                f->fields_size}
    };
    send_record(f, parts, ARRAY_SIZE(parts));
}

void forward_record(struct forward *f, enum stream stream, const char *text, size_t size)
{
    char head[1024];
    if (!f->conf || f->conf->forward == FORWARD_NOT)
        return;
    bool partial = size == 0 || text[size - 1] != '\n';
    int severity = stream == STREAM_ERR ? SEVERITY_ERR : SEVERITY_INFO;
    size -= !partial;
    if (f->conf->forward == FORWARD_JOURNAL) {
        send_journal(f, severity, text, size, partial);
        return;
    }
    int n = print_head(f->conf, severity, head, sizeof(head));
    struct iovec parts[] = {
        {head,                     n < (int)sizeof(head) ? (size_t)n : sizeof(head) - 1},
        {(char *)(uintptr_t)text,  size                                                },
        {(char *)(uintptr_t) "\n", 1                                                   }
    };
    send_record(f, parts, ARRAY_SIZE(parts));
}
