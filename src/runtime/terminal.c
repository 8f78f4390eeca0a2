#include "runtime/terminal.h"

#include "base/str.h"
#include "sys/fd.h"
#include "sys/term.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

struct terminal {
    int listener, pidfd, in, out, signals, master; /* master -1: not there yet, or gone */
    char input[4096];
    size_t pending, sent;
    bool over;
    int signal; /* that ends us */
};

int terminal_listen(const char *dir, int *ret_listener, int *ret_path_fd, struct error *err)
{
    cleanup_close int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (dir_fd < 0)
        return error_errno(err, "open '%s'", dir);
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/terminal.%d", dir_fd, getpid());
    const char *name = strrchr(address.sun_path, '/') + 1;
    unlinkat(dir_fd, name, 0);
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
        return error_errno(err, "console socket");
    int path_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (path_fd < 0)
        return error_errno(err, "open the console socket");
    unlinkat(dir_fd, name, 0);
    *ret_listener = TAKE_FD(fd);
    *ret_path_fd = path_fd;
    return 0;
}

static void pass_size(const struct terminal *t)
{
    struct winsize size;
    if (t->in >= 0 && t->master >= 0 && ioctl(t->in, TIOCGWINSZ, &size) == 0)
        ioctl(t->master, TIOCSWINSZ, &size);
}

static int take_master(struct terminal *t, struct error *err)
{
    cleanup_close int connection = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
    char name[256];
    size_t got, count = 0;
    int fd;
    if (connection < 0)
        return error_errno(err, "terminal of the process");
    int r = fd_receive(connection, name, sizeof(name), &got, &fd, 1, &count, err);
    if (r == 0 && count != 1)
        r = error_set(err, EPROTO, "the runtime sent no terminal");
    if (r < 0)
        return r;
    t->master = fd;
    pass_size(t);
    return fd_set_nonblocking(fd, err);
}

/* False when nothing is left. A reader that went away does not stop the process. */
static bool pass_output(struct terminal *t)
{
    char bytes[16 * 1024];
    ssize_t n = RETRY_EINTR(read(t->master, bytes, sizeof(bytes)));
    if (n > 0 && t->out >= 0)
        fd_write_all(t->out, bytes, (size_t)n, NULL);
    return n > 0;
}

static void hang_up(struct terminal *t)
{
    cleanup_close_fn(&t->master);
    t->master = -1;
}

static void take_input(struct terminal *t)
{
    ssize_t n = RETRY_EINTR(read(t->in, t->input, sizeof(t->input)));
    if (n <= 0) { /* what the process sees is the terminal's own end of file */
        t->input[0] = '\004';
        n = 1;
        t->in = -1;
    }
    t->pending = (size_t)n;
    t->sent = 0;
}

static void pass_input(struct terminal *t)
{
    ssize_t n = RETRY_EINTR(write(t->master, t->input + t->sent, t->pending - t->sent));
    if (n > 0)
        t->sent += (size_t)n;
    if (t->sent == t->pending || (n < 0 && errno != EAGAIN))
        t->pending = t->sent = 0;
}

static void take_signals(struct terminal *t)
{
    struct signalfd_siginfo info;
    while (read(t->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGWINCH)
            pass_size(t);
        else
            t->signal = (int)info.ssi_signo;
    }
}

static int round_of(struct terminal *t, struct error *err)
{
    bool connected = t->master >= 0;
    struct pollfd fds[] = {
        {.fd = t->pidfd,                              .events = POLLIN                                      },
        {.fd = t->signals,                            .events = POLLIN                                      },
        {.fd = t->listener,                           .events = POLLIN                                      },
        {.fd = t->master,                             .events = (short)(POLLIN | (t->pending ? POLLOUT : 0))},
        {.fd = connected && !t->pending ? t->in : -1, .events = POLLIN                                      },
    };
    if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
        return errno == EINTR ? 0 : error_errno(err, "wait for the terminal");
    if (fds[2].revents) {
        int r = take_master(t, err);
        cleanup_close_fn(&t->listener);
        t->listener = -1;
        if (r < 0)
            return r;
    }
    if (fds[4].revents)
        take_input(t);
    if (connected && fds[3].revents & POLLOUT)
        pass_input(t);
    if (connected && fds[3].revents & (POLLIN | POLLHUP | POLLERR) && !pass_output(t) &&
        fds[3].revents & POLLHUP)
        hang_up(t);
    if (fds[1].revents)
        take_signals(t);
    t->over = fds[0].revents != 0;
    return 0;
}

static int run_loop(struct terminal *t, struct error *err)
{
    int r = 0;
    while (r == 0 && !t->over && !t->signal)
        r = round_of(t, err);
    if (r == 0 && t->signal)
        return error_set(err, EINTR, "ended by SIG%s", sigabbrev_np(t->signal));
    /* A process that ended at once may not have been connected before its end was seen. */
    struct pollfd late = {.fd = t->listener, .events = POLLIN};
    if (r == 0 && t->listener >= 0 && t->master < 0 && poll(&late, 1, 0) == 1)
        r = take_master(t, err);
    while (r == 0 && t->master >= 0 && pass_output(t))
        ;
    return r;
}

int terminal_run(int listener, int pidfd, int in, int out, struct error *err)
{
    struct terminal t = {.listener = listener, .pidfd = pidfd, .in = in, .out = out, .master = -1};
    struct termios saved;
    sigset_t set, before;
    sigemptyset(&set);
    const int numbers[] = {SIGWINCH, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, &before);
    t.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    bool raw = in >= 0 && isatty(in);
    int r = t.signals < 0 ? error_errno(err, "signalfd") : raw ? term_raw(in, &saved, err) : 0;
    if (r == 0) {
        r = run_loop(&t, err);
        if (raw)
            term_restore(in, &saved);
    }
    cleanup_close_fn(&t.signals);
    cleanup_close_fn(&t.master);
    cleanup_close_fn(&t.listener);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}
