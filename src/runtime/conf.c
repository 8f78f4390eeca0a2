/*
 * The monitor's instructions: monitor.conf, lines of key=value (monitor/conf.c reads them), and health.json,
 * the process that a health check runs.
 */
#include "runtime/private.h"

#include "sys/fs.h"
#include "sys/spawn.h"

#include <limits.h>
#include <signal.h>

static const int64_t second_ns = 1000000000;

int stop_signal_parse(const char *text, int *ret, struct error *err)
{
    static const struct {
        const char *name;
        int number;
    } extra[] = {
        {"CLD",   SIGCHLD},
        {"IOT",   SIGABRT},
        {"POLL",  SIGIO  },
        {"RTMIN", 0      },
        {"RTMAX", 0      },
    };
    int64_t number;
    if (str_to_i64(text, 1, 64, &number)) {
        *ret = (int)number;
        return 0;
    }
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int i = 1; i < 32; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcasecmp(known, name) == 0) {
            *ret = i;
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(extra); i++)
        if (extra[i].number && strcasecmp(extra[i].name, name) == 0) {
            *ret = extra[i].number;
            return 0;
        }
    /* Real-time signals, as Linux numbers them for programs: RTMIN is 34, RTMAX 64. */
    if (strncasecmp(name, "RTMIN", 5) == 0 || strncasecmp(name, "RTMAX", 5) == 0) {
        int base = strncasecmp(name, "RTMIN", 5) == 0 ? 34 : 64;
        number = 0;
        if (name[5] == '\0' || ((name[5] == '+' || name[5] == '-') && str_to_i64(name + 6, 0, 30, &number))) {
            int value = name[5] == '-' ? base - (int)number : base + (int)number;
            if (value >= 34 && value <= 64) {
                *ret = value;
                return 0;
            }
        }
    }
    return error_set(err, EINVAL, "'%s' is not a signal", text);
}

static char **health_argv(const void *owner, const struct healthcheck *check)
{
    if (!check || check->disable || !check->test || !check->test[0])
        return NULL;
    char **test = check->test;
    if (str_eq(test[0], "NONE"))
        return NULL;
    if (str_eq(test[0], "CMD-SHELL"))
        return test[1] ? strv_new(owner, "/bin/sh", "-c", test[1], NULL) : NULL;
    if (str_eq(test[0], "CMD"))
        test++;
    return test[0] ? strv_dup(owner, test) : NULL;
}

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

static int write_health(const struct bundle *bundle, char **conf, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct healthcheck *check = bundle->spec->healthcheck;
    char **argv = health_argv(tmp, check);
    if (!argv)
        return 0;
    cleanup_json json_t *process = bundle_process(bundle, argv, NULL, bundle->spec->cwd, false);
    int r = bundle_json_write(process, mem_printf(tmp, "%s/health.json", bundle->paths->bundle), err);
    if (r < 0)
        return r;
    *conf = mem_append_printf(
        *conf,
        "health=1\nhealth_interval=%lld\nhealth_timeout=%lld\nhealth_start_period=%lld\n"
        "health_start_interval=%lld\nhealth_retries=%lld\n",
        (long long)or_default(check->interval, 30 * second_ns),
        (long long)or_default(check->timeout, 30 * second_ns), (long long)or_default(check->start_period, 0),
        (long long)or_default(check->start_interval, 5 * second_ns),
        (long long)or_default(check->retries, 3));
    return 0;
}

int conf_write(const struct bundle *bundle, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct container_spec *spec = bundle->spec;
    const struct container_paths *paths = bundle->paths;
    char runtime[PATH_MAX];
    int stop_signal = SIGTERM;
    if (!str_is_empty(spec->stop_signal)) {
        int r = stop_signal_parse(spec->stop_signal, &stop_signal, err);
        if (r < 0)
            return error_wrap(err, "stop_signal");
    }
    if (!spawn_find(ociruntime_name(spec), runtime, sizeof(runtime)))
        return error_hint(
            (error_set(err, ENOENT, "the OCI runtime '%s' is not installed", ociruntime_name(spec)), err),
            "install the package crun, or name another runtime");
    if (strchr(paths->dir, '\n') || strchr(paths->run, '\n') || strchr(runtime, '\n'))
        return error_set(err, EINVAL, "'%s': a line break in a path", paths->dir);
    char *command = mem_strndup(tmp, spec->argv[0], 100);
    for (char *p = command; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = '?';
    char *conf = mem_printf(
        tmp,
        "id=%s\ncommand=%s\ndir=%s\nrun=%s\ncgroup=%s\nruntime=%s\noom_score_adj=%d\n"
        "tty=%d\nstdin=%d\nrestart=%d\nrestart_max=%lld\nrestart_delay=%lld\nrestart_window=%lld\n"
        "auto_remove=%d\nprivate_pids=%d\nstop_signal=%d\nstop_grace=%lld\n",
        spec->id, command, paths->dir, paths->run, paths->cgroup, runtime, bundle_oom_score(spec), spec->tty,
        spec->stdin_open, (int)spec->restart, (long long)spec->restart_max, (long long)spec->restart_delay,
        (long long)spec->restart_window, spec->auto_remove, spec->pid_mode == NULL, stop_signal,
        (long long)(spec->stop_grace >= 0 ? spec->stop_grace : 10 * second_ns));
    char *events = mem_printf(tmp, "%s/events", bundle->dirs->run);
    int r = fs_mkdir_p(events, 0700, err);
    if (spec->event && spec->project)
        conf = mem_append_printf(conf, "journal=%s/%s\nevent=%s\n", events, spec->project, spec->event);
    if (r == 0)
        r = write_health(bundle, &conf, err);
    if (r == 0)
        r = conf_add_log(bundle, &conf, err);
    if (r < 0)
        return r;
    return file_renew(mem_printf(tmp, "%s/monitor.conf", paths->dir), conf, 0600, err);
}
