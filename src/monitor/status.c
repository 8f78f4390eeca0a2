#include "monitor/status.h"

#include "base/macro.h"
#include "sys/fd.h"

#include <fcntl.h>

static const char *const state_names[] = {
    [STATE_CREATED] = "created",       [STATE_RUNNING] = "running", [STATE_PAUSED] = "paused",
    [STATE_RESTARTING] = "restarting", [STATE_EXITED] = "exited",   [STATE_DEAD] = "dead",
};
ENUM_NAMES(container_state, state_names, STATE__COUNT)

static const char *const health_names[] = {
    [HEALTH_NONE] = "none",
    [HEALTH_STARTING] = "starting",
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_UNHEALTHY] = "unhealthy",
};
ENUM_NAMES(health_state, health_names, HEALTH__COUNT)

enum field_kind {
    FIELD_STATE,
    FIELD_HEALTH,
    FIELD_PID,
    FIELD_U64,
    FIELD_I64,
    FIELD_INT,
    FIELD_BOOL,
    FIELD_TEXT
};

/* One row drives writing and reading of one line. */
static const struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;
} fields[] = {
#define ROW(kind, name)                                                                                      \
    {                                                                                                        \
#name, kind, offsetof(struct container_status, name)                                                 \
    }
    ROW(FIELD_STATE, state),   ROW(FIELD_HEALTH, health),   ROW(FIELD_PID, pid),
    ROW(FIELD_U64, pid_start), ROW(FIELD_PID, monitor_pid), ROW(FIELD_U64, monitor_start),
    ROW(FIELD_INT, exit_code), ROW(FIELD_BOOL, oom_killed), ROW(FIELD_INT, restart_count),
    ROW(FIELD_I64, created),   ROW(FIELD_I64, started),     ROW(FIELD_I64, finished),
    ROW(FIELD_TEXT, error),
#undef ROW
};

/* Line breaks and backslashes are escaped, other control characters become blanks. */
static void print_text(const char *value, char *to, size_t size)
{
    size_t n = 0;
    for (const char *p = value; *p && n + 3 < size; p++) {
        if (*p == '\n' || *p == '\\') {
            to[n++] = '\\';
            to[n++] = *p == '\n' ? 'n' : '\\';
        } else {
            to[n++] = (unsigned char)*p < ' ' ? ' ' : *p;
        }
    }
    to[n] = '\0';
}

static void parse_text(const char *value, char *to, size_t size)
{
    size_t n = 0;
    for (const char *p = value; *p && n + 1 < size; p++) {
        if (*p == '\\' && p[1]) {
            p++;
            to[n++] = *p == 'n' ? '\n' : *p;
        } else {
            to[n++] = *p;
        }
    }
    to[n] = '\0';
}

static int print_field(const struct field *field, const struct container_status *status, char *to,
                       size_t size)
{
    const char *at = (const char *)status + field->offset;
    char text[1024 + 4];
    switch (field->kind) {
    case FIELD_STATE:
        return snprintf(to, size, "%s=%s\n", field->key, container_state_name(status->state));
    case FIELD_HEALTH:
        return snprintf(to, size, "%s=%s\n", field->key, health_state_name(status->health));
    case FIELD_U64:
        return snprintf(to, size, "%s=%llu\n", field->key, (unsigned long long)*(const uint64_t *)at);
    case FIELD_I64:
        return snprintf(to, size, "%s=%lld\n", field->key, (long long)*(const int64_t *)at);
    case FIELD_PID:
        return snprintf(to, size, "%s=%d\n", field->key, (int)*(const pid_t *)at);
    case FIELD_INT:
        return snprintf(to, size, "%s=%d\n", field->key, *(const int *)at);
    case FIELD_BOOL:
        return snprintf(to, size, "%s=%d\n", field->key, *(const bool *)at);
    case FIELD_TEXT:
        print_text(at, text, sizeof(text));
        return snprintf(to, size, "%s=%s\n", field->key, text);
    }
    return 0;
}

size_t status_print(const struct container_status *status, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(fields) && used < size; i++) {
        int n = print_field(&fields[i], status, text + used, size - used);
        if (n < 0 || (size_t)n >= size - used) {
            text[used] = '\0';
            break;
        }
        used += (size_t)n;
    }
    return used;
}

static bool parse_field(const struct field *field, const char *value, struct container_status *status)
{
    char *at = (char *)status + field->offset;
    int64_t number = 0;
    uint64_t size = 0;
    switch (field->kind) {
    case FIELD_STATE:
        return container_state_parse(value, &status->state);
    case FIELD_HEALTH:
        return health_state_parse(value, &status->health);
    case FIELD_U64:
        if (!str_to_u64(value, 0, UINT64_MAX, &size))
            return false;
        *(uint64_t *)at = size;
        return true;
    case FIELD_I64:
        return str_to_i64(value, INT64_MIN, INT64_MAX, (int64_t *)at);
    case FIELD_PID:
    case FIELD_INT:
        if (!str_to_i64(value, -1, INT32_MAX, &number))
            return false;
        *(int *)at = (int)number;
        return true;
    case FIELD_BOOL:
        if (!str_to_i64(value, 0, 1, &number))
            return false;
        *(bool *)at = number == 1;
        return true;
    case FIELD_TEXT:
        parse_text(value, at, sizeof(status->error));
        return true;
    }
    return false;
}

bool status_parse(char *text, struct container_status *ret)
{
    struct container_status status = {.exit_code = -1};
    bool has_state = false;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
            if (!str_eq(fields[i].key, line))
                continue;
            if (!parse_field(&fields[i], value, &status))
                return false;
            has_state |= fields[i].kind == FIELD_STATE;
        }
    }
    if (!has_state)
        return false;
    *ret = status;
    return true;
}

bool status_process_lives(pid_t pid, uint64_t start)
{
    char path[64], text[1024];
    uint64_t ticks;
    if (pid <= 0 || process_start_time(pid, &ticks, NULL) < 0 || ticks != start)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t got = 0;
    if (fd < 0 || fd_read_full(fd, text, sizeof(text) - 1, &got, NULL) < 0)
        return false;
    text[got] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] != 'Z' && end[2] != 'X';
}

int status_exec_failure(const char *message)
{
    if (!strstr(message, "exec"))
        return 0;
    if (strstr(message, "not found in $PATH") || strstr(message, "o such file or directory"))
        return 127;
    if (strstr(message, "ermission denied") || strstr(message, "not permitted") ||
        strstr(message, "Exec format") || strstr(message, "exec format") || strstr(message, "s a directory"))
        return 126;
    return 0;
}
