/*
 * The container's standard streams.
 *
 * Without a terminal they are FIFOs in the run directory. The container gets output descriptors that are open
 * for reading as well, so that it never sees a broken pipe: when the monitor is killed, output waits in the
 * FIFO (64 KiB) for the next monitor. Standard input is the other way round: the monitor alone has the
 * writing end, so that closing it is an end of file.
 *
 * With a terminal the runtime makes it and sends its master through the console socket. When the monitor is
 * killed this terminal hangs up, as one does whose window is closed. The monitor also keeps the slave open,
 * or the master would report a hangup, in a loop, whenever no process has it open.
 */
#include "monitor/monitor.h"

#include "sys/fd.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

static const char *const fifo_names[] = {"stdout", "stderr"};

static int make_fifo(struct monitor *m, const char *name, int flags, int *ret_fd, struct error *err)
{
    if (mkfifoat(m->run_dir_fd, name, 0600) < 0 && errno != EEXIST)
        return error_errno(err, "make '%s'", name);
    int fd = openat(m->run_dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return error_errno(err, "open '%s'", name);
    /* A process that runs as another user may open /dev/stdout again; the directory keeps others out. */
    if (fchmod(fd, 0666) < 0) {
        close(fd);
        return error_errno(err, "chmod '%s'", name);
    }
    *ret_fd = fd;
    return 0;
}

/* The container's end must block. */
static int reopen_blocking(struct monitor *m, const char *name, int flags, int *ret_fd, struct error *err)
{
    int fd = openat(m->run_dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_errno(err, "open '%s'", name);
    *ret_fd = fd;
    return 0;
}

static int open_stdin(struct monitor *m, int *ret, struct error *err)
{
    cleanup_close int both = -1;
    int r = make_fifo(m, "stdin", O_RDWR, &both, err);
    if (r == 0)
        r = reopen_blocking(m, "stdin", O_RDONLY, ret, err);
    if (r < 0)
        return r;
    m->stdin_fd = openat(m->run_dir_fd, "stdin", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    return m->stdin_fd < 0 ? error_errno(err, "open 'stdin'") : 0;
}

int stdio_open(struct monitor *m, int ret_std[3], int *ret_console, struct error *err)
{
    int r = 0;
    if (m->conf.tty) {
        unlinkat(m->run_dir_fd, "console", 0);
        struct sockaddr_un {
            sa_family_t family;
            char path[108];
        } address = {.family = AF_UNIX};
        snprintf(address.path, sizeof(address.path), "/proc/self/fd/%d/console", m->run_dir_fd);
        cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
            return error_errno(err, "console socket");
        *ret_console = TAKE_FD(fd);
        return 0;
    }
    for (int s = 0; r == 0 && s < STREAM__COUNT; s++) {
        if (m->out_fd[s] < 0)
            r = make_fifo(m, fifo_names[s], O_RDWR, &m->out_fd[s], err);
        if (r == 0)
            r = reopen_blocking(m, fifo_names[s], O_RDWR, &ret_std[1 + s], err);
    }
    if (r == 0 && m->conf.stdin_open)
        r = open_stdin(m, &ret_std[0], err);
    return r;
}

int stdio_reopen(struct monitor *m, struct error *err)
{
    int r = 0;
    if (m->conf.tty)
        return 0; /* the master went with the monitor that had it */
    for (int s = 0; r == 0 && s < STREAM__COUNT; s++)
        r = make_fifo(m, fifo_names[s], O_RDWR, &m->out_fd[s], err);
    if (m->conf.stdin_open) /* without a reader this fails, and the container has no input any more */
        m->stdin_fd = openat(m->run_dir_fd, "stdin", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    return r;
}

int stdio_terminal(struct monitor *m, int console_fd, struct error *err)
{
    cleanup_close int connection = accept4(console_fd, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        return error_errno(err, "terminal of the container");
    char name[256];
    int master = -1;
    size_t got, count = 0;
    int r = fd_receive(connection, name, sizeof(name), &got, &master, 1, &count, err);
    if (r < 0 || count != 1)
        return r < 0 ? r : error_set(err, EPROTO, "the runtime sent no terminal");
    m->out_fd[0] = master;
    m->stdin_fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
    m->slave_fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd_set_nonblocking(master, err);
}

/* The last step of a start, exec, happens when the runtime has reported success already. */
static void note_exec_failure(struct monitor *m, const char *data, size_t size)
{
    static const char prefix[] = "exec container process";
    char text[256];
    m->has_output = true;
    if (size < sizeof(prefix) || memcmp(data, prefix, sizeof(prefix) - 1) != 0)
        return;
    snprintf(text, sizeof(text), "%.*s", (int)(size < 200 ? size : 200), data);
    m->exec_failure = status_exec_failure(text);
}

static int read_output(struct monitor *m, int s)
{
    ssize_t n = read(m->out_fd[s], m->chunk, PROTO_DATA_MAX);
    if (n <= 0)
        return n < 0 && errno == EINTR ? 1 : 0;
    if (!m->has_output)
        note_exec_failure(m, m->chunk, (size_t)n);
    logfile_write(&m->log, (enum stream)s, m->chunk, (size_t)n);
    clients_output(m, (enum stream)s, m->chunk, (size_t)n);
    return 1;
}

static int on_output(struct loop *loop, struct loop_source *source, uint32_t events, void *data,
                     struct error *err UNUSED)
{
    struct monitor *m = data;
    int s = (int)(source - m->out);
    if (!read_output(m, s) && events & (EPOLLHUP | EPOLLERR))
        loop_remove(loop, source);
    logfile_flush(&m->log, false);
    return 0;
}

int stdio_watch(struct monitor *m, struct error *err)
{
    for (int s = 0; s < STREAM__COUNT; s++) {
        if (m->out_fd[s] < 0 || m->out[s].fd >= 0)
            continue;
        int r = loop_add(&m->loop, &m->out[s], m->out_fd[s], EPOLLIN, on_output, m, err);
        if (r < 0)
            return r;
    }
    return 0;
}

void stdio_pause(struct monitor *m, bool pause)
{
    for (int s = 0; s < STREAM__COUNT; s++)
        if (m->out[s].fd >= 0)
            loop_modify(&m->loop, &m->out[s], pause ? 0 : EPOLLIN, NULL);
}

void stdio_drain(struct monitor *m)
{
    for (int s = 0; s < STREAM__COUNT; s++)
        while (m->out_fd[s] >= 0 && read_output(m, s))
            ;
    logfile_flush(&m->log, true);
}

static void close_stdin(struct monitor *m)
{
    loop_remove(&m->loop, &m->stdin_source);
    cleanup_close_fn(&m->stdin_fd);
    m->stdin_fd = -1;
    m->stdin_size = m->stdin_sent = 0;
    m->stdin_closing = false;
}

void stdio_close(struct monitor *m)
{
    close_stdin(m);
    for (int s = 0; s < STREAM__COUNT; s++) {
        loop_remove(&m->loop, &m->out[s]);
        cleanup_close_fn(&m->out_fd[s]);
        m->out_fd[s] = -1;
    }
    cleanup_close_fn(&m->slave_fd);
    m->slave_fd = -1;
}

static int on_stdin_room(struct loop *loop, struct loop_source *source, uint32_t events, void *data,
                         struct error *err);

/* Writes what is pending. While some is left, attached clients are not read. */
static void stdin_push(struct monitor *m)
{
    while (m->stdin_sent < m->stdin_size) {
        ssize_t n = write(m->stdin_fd, m->stdin_pending + m->stdin_sent, m->stdin_size - m->stdin_sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            if (m->stdin_source.fd < 0)
                loop_add(&m->loop, &m->stdin_source, m->stdin_fd, EPOLLOUT, on_stdin_room, m, NULL);
            clients_accept_input(m);
            return;
        }
        if (n < 0) { /* nobody reads any more */
            m->stdin_closing = true;
            break;
        }
        m->stdin_sent += (size_t)n;
    }
    m->stdin_size = m->stdin_sent = 0;
    loop_remove(&m->loop, &m->stdin_source);
    if (m->stdin_closing)
        close_stdin(m);
    clients_accept_input(m);
}

static int on_stdin_room(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                         void *data, struct error *err UNUSED)
{
    stdin_push(data);
    return 0;
}

void stdin_write(struct monitor *m, const char *data, size_t size)
{
    if (m->stdin_fd < 0 || !m->conf.stdin_open || m->stdin_closing ||
        size > sizeof(m->stdin_pending) - m->stdin_size)
        return;
    memcpy(m->stdin_pending + m->stdin_size, data, size);
    m->stdin_size += size;
    stdin_push(m);
}

void stdin_end(struct monitor *m)
{
    if (m->stdin_fd < 0 || !m->conf.stdin_open)
        return;
    if (m->conf.tty) {
        stdin_write(m, "\004", 1);
        return;
    }
    m->stdin_closing = true;
    if (m->stdin_size == 0)
        close_stdin(m);
}

void stdio_resize(struct monitor *m, unsigned columns, unsigned rows)
{
    struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
    if (m->conf.tty && m->out_fd[0] >= 0)
        ioctl(m->out_fd[0], TIOCSWINSZ, &size);
}
