#include "engine/attach.h"

#include "engine/actual.h"
#include "engine/logreader.h"
#include "monitor/proto.h"
#include "sys/fd.h"
#include "sys/term.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

struct attachment {
    struct engine *engine;
    const struct container_record *record;
    const struct attach_options *options;
    int socket;
    struct loop_source messages, input, signals;
    bool ended, left;
    size_t matched; /* detach keys seen in a row, and held back */
    int exit_code;
};

static void write_out(const struct attachment *a, bool is_stderr, const void *data, size_t size)
{
    int fd = a->options->std[is_stderr ? 2 : 1];
    struct error ignored = ERROR_INIT;
    /* A reader that went away (`| head`) must not end the container: what it would have got is dropped. */
    if (fd >= 0)
        fd_write_all(fd, data, size, &ignored);
}

static int send_request(const struct attachment *a, enum proto_type type, int64_t value, const void *data,
                        size_t size, struct error *err)
{
    char message[sizeof(struct proto_head) + PROTO_DATA_MAX];
    struct proto_head head = {.type = type, .size = (uint32_t)size, .value = value};
    memcpy(message, &head, sizeof(head));
    if (size)
        memcpy(message + sizeof(head), data, size);
    return fd_send(a->socket, message, sizeof(head) + size, NULL, 0, err);
}

/* ---- output ---- */

static void replay_record(void *data, const struct log_record *record)
{
    write_out(data, record->is_stderr, record->text, record->size);
}

static int replay(struct attachment *a, uint64_t end, struct error *err)
{
    char *path = mem_printf(NULL, "%s/containers/%s/log/container.log", a->engine->root, a->record->id);
    struct log_options options = {.tail = -1, .end = end, .record = replay_record, .data = a};
    struct log_reader *reader;
    int r = log_reader_open(path, path, &options, &reader, err);
    if (r == 0)
        r = log_reader_read(reader, err);
    talloc_free(path);
    return r;
}

/* Reads one message; 0 when it was handled, 1 at the end of the connection. */
static int receive(struct attachment *a, struct proto_head *head, char *data, struct error *err)
{
    char message[sizeof(*head) + PROTO_DATA_MAX];
    size_t size;
    struct error cause = ERROR_INIT;
    int r = fd_receive(a->socket, message, sizeof(message), &size, NULL, 0, NULL, &cause);
    /* The monitor left without reading our last message; what it sent before is still to be had. */
    if (r == -ECONNRESET)
        r = fd_receive(a->socket, message, sizeof(message), &size, NULL, 0, NULL, &cause);
    if (r < 0)
        return error_set(err, -r, "%s", cause.text);
    if (size < sizeof(*head))
        return 1;
    memcpy(head, message, sizeof(*head));
    if (head->size != size - sizeof(*head))
        return error_set(err, EPROTO, "container %s: its monitor sent a damaged message", a->record->name);
    memcpy(data, message + sizeof(*head), head->size);
    return 0;
}

static int on_message(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                      void *data, struct error *err)
{
    struct attachment *a = data;
    struct proto_head head;
    char bytes[PROTO_DATA_MAX];
    int r = receive(a, &head, bytes, err);
    if (r < 0)
        return r;
    if (r > 0) {
        a->ended = true;
    } else if (head.type == PROTO_STDOUT || head.type == PROTO_STDERR) {
        write_out(a, head.type == PROTO_STDERR, bytes, head.size);
    } else if (head.type == PROTO_EXIT) {
        a->exit_code = (int)head.value;
        a->ended = true;
    }
    return 0;
}

/* ---- input ---- */

/*
 * Takes the detach keys out of the input: what could be their beginning is held back, and goes out when it
 * turns out to be none. `to` has room for the keys besides `size`.
 */
static size_t scan_keys(struct attachment *a, const char *bytes, size_t size, char *to)
{
    const struct attach_options *o = a->options;
    size_t used = 0;
    for (size_t i = 0; i < size && !a->left; i++) {
        if (a->matched && bytes[i] != o->keys[a->matched]) {
            memcpy(to + used, o->keys, a->matched);
            used += a->matched;
            a->matched = 0;
        }
        if (o->key_count && bytes[i] == o->keys[a->matched])
            a->left = ++a->matched == o->key_count;
        else
            to[used++] = bytes[i];
    }
    return used;
}

static int on_input(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                    struct error *err UNUSED)
{
    struct attachment *a = data;
    char bytes[PROTO_DATA_MAX / 2], out[PROTO_DATA_MAX];
    struct error gone = ERROR_INIT; /* the process ended: its exit message is on the way */
    ssize_t n = RETRY_EINTR(read(source->fd, bytes, sizeof(bytes)));
    if (n > 0) {
        size_t size = scan_keys(a, bytes, (size_t)n, out);
        if (size)
            send_request(a, PROTO_STDIN, 0, out, size, &gone);
    } else {
        send_request(a, PROTO_STDIN_EOF, 0, NULL, 0, &gone);
        loop_remove(loop, source);
    }
    return 0;
}

/* Regular files and /dev/null cannot be watched by epoll: they are sent at once, in order. */
static void send_whole_input(struct attachment *a)
{
    char bytes[PROTO_DATA_MAX];
    struct error gone = ERROR_INIT;
    ssize_t n;
    while ((n = RETRY_EINTR(read(a->options->std[0], bytes, sizeof(bytes)))) > 0)
        if (send_request(a, PROTO_STDIN, 0, bytes, (size_t)n, &gone) < 0)
            return;
    send_request(a, PROTO_STDIN_EOF, 0, NULL, 0, &gone);
}

static void send_size(struct attachment *a)
{
    int columns, rows;
    struct error gone = ERROR_INIT;
    if (a->options->tty && term_size(a->options->std[0], &columns, &rows))
        send_request(a, PROTO_RESIZE, (int64_t)columns << 16 | rows, NULL, 0, &gone);
}

static int on_signal(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *err UNUSED)
{
    struct attachment *a = data;
    struct signalfd_siginfo info;
    struct error gone = ERROR_INIT;
    while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGWINCH)
            send_size(a);
        else
            send_request(a, PROTO_SIGNAL, info.ssi_signo, NULL, 0, &gone);
    }
    return 0;
}

/* ---- the whole ---- */

static int start_forwarding(struct attachment *a, struct error *err)
{
    struct loop *loop = &a->engine->loop;
    sigset_t set;
    sigemptyset(&set);
    const int forwarded[] = {SIGWINCH, SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < (a->options->no_signals ? 1 : ARRAY_SIZE(forwarded)); i++)
        sigaddset(&set, forwarded[i]);
    int r = loop_signals(loop, &a->signals, &set, on_signal, a, err);
    if (r == 0)
        r = loop_add(loop, &a->messages, a->socket, EPOLLIN, on_message, a, err);
    if (r < 0 || !a->options->interactive || a->options->std[0] < 0)
        return r;
    struct error cause = ERROR_INIT;
    r = loop_add(loop, &a->input, a->options->std[0], EPOLLIN, on_input, a, &cause);
    if (r == -EPERM)
        send_whole_input(a);
    else if (r < 0)
        *err = cause;
    return r == -EPERM ? 0 : r;
}

static void stop_forwarding(struct attachment *a)
{
    struct loop *loop = &a->engine->loop;
    loop_remove(loop, &a->messages);
    loop_remove(loop, &a->input);
    loop_remove(loop, &a->signals);
}

static int forward(struct attachment *a, struct error *err)
{
    int r = start_forwarding(a, err);
    send_size(a);
    while (r == 0 && !a->ended && !a->left)
        r = loop_once(&a->engine->loop, -1, err);
    stop_forwarding(a);
    return r;
}

/* What was said before, then what is said from now on. */
static int show(struct attachment *a, bool live, uint64_t end, struct error *err)
{
    struct termios saved;
    bool raw = a->options->tty && a->options->std[0] >= 0 && isatty(a->options->std[0]);
    int r = raw ? term_raw(a->options->std[0], &saved, err) : 0;
    if (r < 0)
        return r;
    if (!a->options->from_now && (!live || end))
        r = replay(a, end, err);
    if (r == 0 && live)
        r = forward(a, err);
    if (raw)
        term_restore(a->options->std[0], &saved);
    return r;
}

/* Asks to be attached; *ret_end is how much of the log belongs to the time before. */
static int ask(struct attachment *a, uint64_t *ret_end, struct error *err)
{
    struct proto_head head;
    struct proto_attached attached;
    char bytes[PROTO_DATA_MAX];
    int r = send_request(a, PROTO_ATTACH, 0, NULL, 0, err);
    if (r == 0)
        r = receive(a, &head, bytes, err);
    if (r < 0)
        return r;
    if (r > 0 || head.type != PROTO_REPLY || head.value != 0 || head.size < sizeof(attached))
        return error_set(err, EPROTO, "container %s: its monitor does not attach", a->record->name);
    memcpy(&attached, bytes, sizeof(attached));
    *ret_end = attached.log_offset;
    return 0;
}

int attach_run(struct engine *engine, const struct container_record *record,
               const struct attach_options *options, int *ret_status, struct error *err)
{
    cleanup_close int socket = -1;
    struct attachment a = {.engine = engine,
                           .record = record,
                           .options = options,
                           .messages = LOOP_SOURCE_INIT,
                           .input = LOOP_SOURCE_INIT,
                           .signals = LOOP_SOURCE_INIT,
                           .exit_code = -1};
    struct error gone = ERROR_INIT;
    uint64_t end = 0;
    int r = container_attach(&engine->dirs, record->id, &socket, &gone);
    a.socket = socket;
    bool live = r == 0 && ask(&a, &end, &gone) == 0;
    r = show(&a, live, end, err);
    if (r < 0 || a.left)
        return r < 0 ? r : ATTACH_LEFT;
    struct container_status status;
    if (a.exit_code < 0) {
        r = container_status_read(&engine->dirs, record->id, &status, err);
        if (r < 0)
            return r;
        a.exit_code = r == 0 ? status.exit_code : -1;
    }
    if (a.exit_code < 0)
        return error_set(err, ECHILD, "container %s: its exit code is unknown", record->name);
    *ret_status = a.exit_code;
    return 0;
}

static int check_state(const struct actual_container *c, const struct join_options *options,
                       struct error *err)
{
    if (c->status.state == STATE_RESTARTING)
        return error_set(err, EBUSY, "container %s waits for its restart: there is nothing to attach to",
                         c->record->name);
    if (c->record->tty && options->std[0] >= 0 && !options->has_terminal) {
        error_set(err, ENOTTY, "the input device is not a TTY");
        return error_hint(err, "the container has a terminal; --no-stdin shows its output only");
    }
    return 0;
}

int engine_attach(struct engine *engine, const char *name, const struct join_options *options,
                  int *ret_status, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct actual *actual;
    struct actual_container *c;
    const struct pick_options pick = {
        .service = options->service, .index = options->index, .running = true, .oneoffs = true};
    int r = actual_read(tmp, engine, name, &actual, err);
    if (r == 0)
        r = actual_pick(actual, &pick, &c, err);
    if (r == 0)
        r = check_state(c, options, err);
    if (r < 0 || engine->dry_run)
        return r;
    struct attach_options attach = {.interactive = options->std[0] >= 0,
                                    .tty = c->record->tty,
                                    .no_signals = options->no_signals,
                                    .from_now = true,
                                    .keys = options->keys,
                                    .key_count = c->record->tty ? options->key_count : 0};
    memcpy(attach.std, options->std, sizeof(attach.std));
    r = attach_run(engine, c->record, &attach, ret_status, err);
    return r < 0 ? r : 0;
}
