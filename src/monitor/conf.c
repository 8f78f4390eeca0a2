#include "monitor/monitor.h"

#include "sys/fd.h"

#include <fcntl.h>

enum { CONF_LIMIT = 64 * 1024 };

static const struct row {
    const char *key;
    size_t offset, size; /* size 0: a number */
} rows[] = {
#define TEXT(name)                                                                                           \
    {                                                                                                        \
#name, offsetof(struct conf, name), sizeof(((struct conf *)0)->name)                                 \
    }
#define NUMBER(key, name)                                                                                    \
    {                                                                                                        \
        key, offsetof(struct conf, name), 0                                                                  \
    }
    TEXT(id),
    TEXT(command),
    TEXT(dir),
    TEXT(run),
    TEXT(cgroup),
    TEXT(runtime),
    TEXT(oom_score_adj),
    TEXT(journal),
    TEXT(event),
    NUMBER("tty", tty),
    NUMBER("stdin", stdin_open),
    NUMBER("auto_remove", auto_remove),
    NUMBER("private_pids", private_pids),
    NUMBER("restart", restart),
    NUMBER("restart_max", restart_max),
    NUMBER("restart_delay", restart_delay),
    NUMBER("restart_window", restart_window),
    NUMBER("stop_signal", stop_signal),
    NUMBER("stop_grace", stop_grace),
    NUMBER("log", log),
    NUMBER("log_max_size", log_max_size),
    NUMBER("log_max_file", log_max_file),
    TEXT(log_attributes),
    NUMBER("forward", forward),
    NUMBER("forward_network", forward_network),
    NUMBER("forward_family", forward_family),
    NUMBER("forward_port", forward_port),
    NUMBER("forward_facility", forward_facility),
    TEXT(forward_host),
    TEXT(forward_tag),
    TEXT(forward_from),
    NUMBER("health", health),
    NUMBER("health_interval", health_interval),
    NUMBER("health_timeout", health_timeout),
    NUMBER("health_start_period", health_start_period),
    NUMBER("health_start_interval", health_start_interval),
    NUMBER("health_retries", health_retries),
#undef TEXT
#undef NUMBER
};

static int set_row(const char *key, const char *value, struct conf *conf, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!str_eq(rows[i].key, key))
            continue;
        char *at = (char *)conf + rows[i].offset;
        bool ok = rows[i].size ? str_copy(at, rows[i].size, value)
                               : str_to_i64(value, INT64_MIN, INT64_MAX, (int64_t *)at);
        return ok ? 0 : error_set(err, EINVAL, "'%s' is no value for '%s'", value, key);
    }
    return error_set(err, EINVAL, "'%s' is not known", key);
}

int conf_read(const char *path, struct conf *ret, struct error *err)
{
    static char text[CONF_LIMIT];
    size_t got;
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "open '%s'", path);
    int r = fd_read_full(fd, text, sizeof(text) - 1, &got, err);
    text[r < 0 ? 0 : got] = '\0';
    char *rest = text;
    for (char *line; r == 0 && (line = strsep(&rest, "\n"));) {
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        r = set_row(line, value, ret, err);
    }
    return r < 0 ? error_wrap(err, "'%s'", path) : 0;
}
