#include "sys/loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

int loop_init(struct loop *loop, struct error *err)
{
    *loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    return loop->epoll_fd < 0 ? error_errno(err, "epoll") : 0;
}

void loop_done(struct loop *loop)
{
    cleanup_close_fn(&loop->epoll_fd);
    loop->epoll_fd = -1;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events, loop_handler *handler,
             void *data, struct error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return error_errno(err, "watch descriptor %d", fd);
    *source = (struct loop_source){.fd = fd, .handler = handler, .data = data};
    return 0;
}

int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events, struct error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0)
        return error_errno(err, "watch descriptor %d", source->fd);
    return 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    if (source->is_owned)
        close(source->fd);
    source->fd = -1;
    source->is_timer = source->is_owned = false;
    for (int i = 0; i < loop->pending_count; i++)
        if (loop->pending[i] == source)
            loop->pending[i] = NULL;
}

int loop_timer(struct loop *loop, struct loop_source *source, int64_t ns, loop_handler *handler, void *data,
               struct error *err)
{
    if (source->fd < 0) {
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (fd < 0)
            return error_errno(err, "timer");
        int r = loop_add(loop, source, fd, EPOLLIN, handler, data, err);
        if (r < 0) {
            close(fd);
            return r;
        }
        source->is_timer = source->is_owned = true;
    }
    source->handler = handler;
    source->data = data;
    if (ns <= 0)
        ns = 1; /* zero would disarm */
    struct itimerspec spec = {
        .it_value = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}
    };
    if (timerfd_settime(source->fd, 0, &spec, NULL) < 0)
        return error_errno(err, "set timer");
    return 0;
}

int loop_signals(struct loop *loop, struct loop_source *source, const sigset_t *set, loop_handler *handler,
                 void *data, struct error *err)
{
    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return error_errno(err, "block signals");
    int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return error_errno(err, "signalfd");
    int r = loop_add(loop, source, fd, EPOLLIN, handler, data, err);
    if (r < 0)
        close(fd);
    else
        source->is_owned = true;
    return r;
}

int loop_once(struct loop *loop, int timeout_ms, struct error *err)
{
    struct epoll_event events[LOOP_BATCH];
    int n = epoll_wait(loop->epoll_fd, events, LOOP_BATCH, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : error_errno(err, "epoll_wait");
    for (int i = 0; i < n; i++)
        loop->pending[i] = events[i].data.ptr;
    loop->pending_count = n;
    int r = 0;
    for (int i = 0; i < n && r == 0; i++) {
        struct loop_source *source = loop->pending[i];
        if (!source)
            continue;
        if (source->is_timer) {
            uint64_t expirations;
            if (read(source->fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN)
                continue;
        }
        r = source->handler(loop, source, events[i].events, source->data, err);
        if (r > 0)
            r = 0;
    }
    loop->pending_count = 0;
    return r;
}

int loop_run(struct loop *loop, struct error *err)
{
    loop->stopped = false;
    while (!loop->stopped) {
        int r = loop_once(loop, -1, err);
        if (r < 0)
            return r;
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

int64_t loop_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
