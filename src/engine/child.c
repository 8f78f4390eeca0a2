#include "engine/child.h"

#include "sys/fd.h"

#include <sys/epoll.h>
#include <sys/wait.h>

struct report {
    int code; /* 0: it went well */
    char text[ERROR_TEXT_SIZE], hint[512];
};

struct child {
    struct loop *loop;
    struct loop_source source;
    int fd;
    pid_t pid;
    void (*done)(void *data, int result, const struct error *err);
    void *data;
};

/* ---- in the child ---- */

NORETURN static void child_main(int (*work)(void *data, struct error *err), void *data, int fd)
{
    struct error err = ERROR_INIT;
    struct report report = {.code = 0};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none,
                NULL); /* the parent gets signals from a descriptor, this one dies of them */
    int r = setsid() < 0 ? error_errno(&err, "leave the session") : work(data, &err);
    if (r < 0) {
        report.code = err.code > 0 ? err.code : EINVAL;
        str_copy(report.text, sizeof(report.text), err.text);
        str_copy(report.hint, sizeof(report.hint), err.hint);
    }
    fd_write_all(fd, &report, sizeof(report), NULL);
    _exit(0);
}

/* ---- in the command ---- */

static int child_destroy(struct child *child)
{
    loop_remove(child->loop, &child->source);
    cleanup_close_fn(&child->fd);
    return 0;
}

static int on_report(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                     void *data, struct error *ignored UNUSED)
{
    struct child *child = data;
    struct error err = ERROR_INIT;
    struct report report;
    size_t got;
    int r = fd_read_full(child->fd, &report, sizeof(report), &got, &err);
    if (r == 0 && got != sizeof(report))
        r = error_set(&err, ECHILD, "the process that does the work was killed");
    else if (r == 0 && report.code)
        r = error_set(&err, report.code, "%s", report.text);
    if (r < 0 && got == sizeof(report) && report.hint[0])
        error_hint(&err, "%s", report.hint);
    RETRY_EINTR(waitpid(child->pid, NULL, 0));
    void (*done)(void *, int, const struct error *) = child->done;
    void *done_data = child->data;
    talloc_free(child);
    done(done_data, r, &err);
    return 0;
}

int child_start(const void *owner, struct loop *loop, int (*work)(void *data, struct error *err),
                void (*done)(void *data, int result, const struct error *err), void *data, struct child **ret,
                struct error *err)
{
    int ends[2];
    int r = fd_pipe(ends, err);
    if (r < 0)
        return r;
    cleanup_close int read_end = ends[0];
    cleanup_close int write_end = ends[1];
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(err, "fork");
    if (pid == 0)
        child_main(work, data, write_end);
    struct child *child = mem_new(owner, struct child);
    *child = (struct child){.loop = loop,
                            .source = LOOP_SOURCE_INIT,
                            .fd = TAKE_FD(read_end),
                            .pid = pid,
                            .done = done,
                            .data = data};
    talloc_set_destructor(child, child_destroy);
    r = loop_add(loop, &child->source, child->fd, EPOLLIN, on_report, child, err);
    if (r == 0)
        *ret = child;
    return r;
}

void child_stop(struct child *child)
{
    /* Its session is its group; before it has made one, it has started nothing. */
    if (kill(-child->pid, SIGTERM) < 0)
        kill(child->pid, SIGTERM);
    RETRY_EINTR(waitpid(child->pid, NULL, 0));
    talloc_free(child);
}
