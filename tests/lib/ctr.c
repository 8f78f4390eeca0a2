/*
 * Drives runtime/container.h from test scripts, without the engine.
 *
 *   ctr create ID SPEC.json      SPEC.json has the form of the recorded spec; what it leaves out is unset
 *   ctr start ID | adopt ID | stop ID [GRACE_MS] | kill ID SIGNAL | pause ID | unpause ID | remove ID
 *   ctr status ID                the status as key=value lines
 *   ctr wait ID KEY=VALUE...     until the status has all of them
 *   ctr exec ID [-t] [-u USER] -- COMMAND...
 *   ctr attach ID                standard input and output to the container's, until it ends
 *   ctr pids ID
 *   ctr garbage ID N             N messages to the monitor that make no sense
 *   ctr bench ID N               N times start, wait for the exit; prints the median start in microseconds
 *
 * CTR_ROOT, CTR_RUN, CTR_LIBEXEC and CTR_CGROUP say where things are.
 */
#include "monitor/proto.h"
#include "runtime/private.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

static const struct runtime_dirs *dirs;

static int fail(const struct error *err)
{
    fprintf(stderr, "%s\n", err->text);
    if (err->hint[0])
        fprintf(stderr, "%s\n", err->hint);
    return 1;
}

/* Members that a short specification leaves out are unset, not zero. */
static void set_defaults(json_t *json)
{
    static const char *const numbers[] = {"shm_size",   "mem_limit",  "mem_reservation", "memswap_limit",
                                          "cpu_shares", "cpu_quota",  "cpu_period",      "mem_swappiness",
                                          "pids_limit", "stop_grace", "log_max_size",    "log_max_file"};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (!json_object_get(json, numbers[i]))
            json_object_set_new(json, numbers[i], json_integer(-1));
    if (!json_object_get(json, "oom_score_adj"))
        json_object_set_new(json, "oom_score_adj", json_integer(INT64_MIN));
    if (!json_object_get(json, "cpus"))
        json_object_set_new(json, "cpus", json_real(-1));
}

static int cmd_create(const char *id, char **args, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *text;
    json_error_t problem;
    struct container_spec *spec;
    int r = fs_read_file(tmp, args[0], 1 << 20, &text, NULL, err);
    if (r != 0)
        return error_set(err, ENOENT, "no '%s'", args[0]);
    cleanup_json json_t *json = json_loads(text, 0, &problem);
    if (!json)
        return error_set(err, EINVAL, "'%s' line %d: %s", args[0], problem.line, problem.text);
    json_object_set_new(json, "id", json_string(id));
    set_defaults(json);
    r = spec_from_json(tmp, json, &spec, err);
    return r < 0 ? r : container_create(dirs, spec, err);
}

struct waiting {
    struct loop loop;
    struct error err;
    int result;
    char **wanted;
    int64_t since;
};

static void started(void *data, int result, const struct error *err)
{
    struct waiting *w = data;
    w->result = result;
    if (err)
        w->err = *err;
    loop_stop(&w->loop);
}

static int start(const char *id, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct waiting w = {.result = 0};
    struct container_start *watch;
    int r = loop_init(&w.loop, err);
    if (r == 0)
        r = container_start(tmp, dirs, id, &w.loop, NULL, started, &w, &watch, err);
    if (r == 0)
        r = loop_run(&w.loop, err);
    if (r == 0 && w.result < 0) {
        *err = w.err;
        r = w.result;
    }
    loop_done(&w.loop);
    return r;
}

static void changed(void *data, const struct container_status *status)
{
    struct waiting *w = data;
    char text[STATUS_TEXT_SIZE + 1], line[256];
    text[0] = '\n';
    status_print(status, text + 1, sizeof(text) - 1);
    for (char **want = w->wanted; *want; want++) {
        snprintf(line, sizeof(line), "\n%s\n", *want);
        if (!strstr(text, line))
            return;
    }
    loop_stop(&w->loop);
}

static int wait_for(const char *id, char **wanted, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct waiting w = {.wanted = wanted};
    struct container_watch *watch;
    int r = loop_init(&w.loop, err);
    if (r == 0)
        r = container_watch(tmp, dirs, id, &w.loop, changed, &w, &watch, err);
    if (r == 0)
        r = loop_run(&w.loop, err);
    talloc_free(TAKE_PTR(tmp));
    loop_done(&w.loop);
    return r;
}

static int cmd_status(const char *id, struct error *err)
{
    struct container_status status;
    char text[STATUS_TEXT_SIZE];
    int r = container_status_read(dirs, id, &status, err);
    if (r == 0) {
        status_print(&status, text, sizeof(text));
        fputs(text, stdout);
    }
    return r == CONTAINER_ABSENT ? error_set(err, ENOENT, "absent") : r;
}

static int cmd_exec(const char *id, char **args, int *ret_status, struct error *err)
{
    struct exec_options options = {
        .std = {0, 1, 2}
    };
    for (; *args && !str_eq(*args, "--"); args++) {
        if (str_eq(*args, "-t"))
            options.tty = true;
        else if (str_eq(*args, "-u"))
            options.user = *++args;
    }
    options.argv = args + 1;
    return container_exec(dirs, id, &options, ret_status, err);
}

static int send_head(int fd, enum proto_type type, const char *data, size_t size, struct error *err)
{
    char message[sizeof(struct proto_head) + 4096];
    struct proto_head head = {.type = type, .size = (uint32_t)size};
    memcpy(message, &head, sizeof(head));
    if (size)
        memcpy(message + sizeof(head), data, size);
    return fd_send(fd, message, sizeof(head) + size, NULL, 0, err);
}

static int cmd_attach(const char *id, int *ret_status, struct error *err)
{
    int fd;
    int r = container_attach(dirs, id, &fd, err);
    if (r == 0)
        r = send_head(fd, PROTO_ATTACH, NULL, 0, err);
    struct pollfd fds[2] = {
        {.fd = fd, .events = POLLIN},
        {.fd = 0,  .events = POLLIN}
    };
    while (r == 0) {
        char data[PROTO_DATA_MAX + sizeof(struct proto_head)];
        struct proto_head *head = (struct proto_head *)data;
        poll(fds, 2, -1);
        if (fds[0].revents) {
            ssize_t n = recv(fd, data, sizeof(data), 0);
            if (n < (ssize_t)sizeof(*head))
                return error_set(err, EPIPE, "the connection ended");
            if (head->type == PROTO_STDOUT || head->type == PROTO_STDERR)
                r = fd_write_all(head->type == PROTO_STDOUT ? 1 : 2, data + sizeof(*head), head->size, err);
            if (head->type == PROTO_EXIT) {
                *ret_status = (int)head->value;
                close(fd);
                return 0;
            }
        }
        if (fds[1].revents) {
            char input[4096];
            ssize_t n = read(0, input, sizeof(input));
            if (n <= 0)
                fds[1].fd = -1;
            r = send_head(fd, n > 0 ? PROTO_STDIN : PROTO_STDIN_EOF, input, n > 0 ? (size_t)n : 0, err);
        }
    }
    return r;
}

static int cmd_pids(const char *id, struct error *err)
{
    pid_t *pids;
    size_t count;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = container_pids(tmp, dirs, id, &pids, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        printf("%d\n", (int)pids[i]);
    return r;
}

/* Heads that do not fit what follows, types that do not exist, messages that are cut or too long. */
static int cmd_garbage(const char *id, int count, struct error *err)
{
    static char data[2 * PROTO_DATA_MAX];
    unsigned seed = 1;
    for (int i = 0; i < count; i++) {
        int fd;
        int r = container_attach(dirs, id, &fd, err);
        if (r < 0)
            return r;
        for (size_t k = 0; k < sizeof(data); k++)
            data[k] = (char)rand_r(&seed);
        size_t size = (size_t)rand_r(&seed) % (i % 4 ? 64 : sizeof(data));
        struct proto_head head = {.type = (uint32_t)(i % 2 ? PROTO_ATTACH : rand_r(&seed) % 70 + 9),
                                  .size = (uint32_t)(i % 3 ? size : size + 1),
                                  .value = rand_r(&seed)};
        if (i % 5)
            memcpy(data, &head, sizeof(head));
        send(fd, data, size, MSG_NOSIGNAL);
        if (i % 7)
            send(fd, data, size / 2, MSG_NOSIGNAL);
        close(fd);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int cmd_bench(const char *id, int count, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int64_t *times = mem_array(tmp, int64_t, (size_t)count);
    char *wanted[] = {(char[]){"state=exited"}, NULL};
    struct container_paths paths;
    int ready = paths_make(tmp, dirs, id, &paths, err);
    if (ready < 0)
        return ready;
    for (int i = 0; i < count; i++) {
        while (monitor_lives(&paths)) /* clears up after the last run, which is not what is measured */
            sched_yield();
        int64_t before = loop_now_ns();
        int r = start(id, err);
        times[i] = loop_now_ns() - before;
        if (r == 0)
            r = wait_for(id, wanted, err);
        if (r < 0)
            return r;
    }
    qsort(times, (size_t)count, sizeof(*times), compare);
    printf("%lld\n", (long long)times[count / 2] / 1000);
    return 0;
}

static int dispatch(const char *verb, const char *id, char **args, int *ret_status, struct error *err)
{
    if (str_eq(verb, "create") && args[0])
        return cmd_create(id, args, err);
    if (str_eq(verb, "start"))
        return start(id, err);
    if (str_eq(verb, "adopt"))
        return container_adopt(dirs, id, err);
    if (str_eq(verb, "stop"))
        return container_stop(dirs, id, args[0] ? atoll(args[0]) * 1000000 : -1, err);
    if (str_eq(verb, "kill") && args[0])
        return container_kill(dirs, id, atoi(args[0]), err);
    if (str_eq(verb, "pause") || str_eq(verb, "unpause"))
        return container_pause(dirs, id, str_eq(verb, "pause"), err);
    if (str_eq(verb, "remove"))
        return container_remove(dirs, id, err);
    if (str_eq(verb, "status"))
        return cmd_status(id, err);
    if (str_eq(verb, "wait"))
        return wait_for(id, args, err);
    if (str_eq(verb, "exec"))
        return cmd_exec(id, args, ret_status, err);
    if (str_eq(verb, "attach"))
        return cmd_attach(id, ret_status, err);
    if (str_eq(verb, "pids"))
        return cmd_pids(id, err);
    if (str_eq(verb, "garbage") && args[0])
        return cmd_garbage(id, atoi(args[0]), err);
    if (str_eq(verb, "bench") && args[0])
        return cmd_bench(id, atoi(args[0]), err);
    return error_set(err, EINVAL, "unknown command '%s'", verb);
}

int main(int argc, char **argv)
{
    struct runtime_dirs places = {getenv("CTR_ROOT"), getenv("CTR_RUN"), getenv("CTR_LIBEXEC"),
                                  getenv("CTR_CGROUP")};
    struct error err = ERROR_INIT;
    int status = 0;
    dirs = &places;
    if (argc < 3 || !places.root || !places.run || !places.libexec || !places.cgroup) {
        fputs("usage: ctr VERB ID [ARGUMENT...], with CTR_ROOT, CTR_RUN, CTR_LIBEXEC, CTR_CGROUP\n", stderr);
        return 2;
    }
    int r = dispatch(argv[1], argv[2], argv + 3, &status, &err);
    return r < 0 ? fail(&err) : status;
}
