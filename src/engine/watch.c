/*
 * `watch`: the files of develop.watch are followed (sys/filetree.h), each rule by itself. Once nothing has
 * changed for half a second, what has changed is one batch: first files go to all containers of a service,
 * then services are restarted, then commands run, as docker compose does it. Copying and commands block, so a
 * child does them; meanwhile the loop goes on, and further changes wait for the next batch.
 *
 * Containers are looked up for each batch, so it does not matter that others make them anew. What goes wrong
 * with a batch is told, and the watch goes on.
 */
#include "engine/actual.h"
#include "engine/child.h"
#include "engine/copy.h"
#include "engine/exitwait.h"
#include "engine/watch_rule.h"

#include "base/path.h"
#include "base/units.h"
#include "sys/fs.h"

#include <signal.h>
#include <sys/prctl.h>

enum { TICK_MS = 100, MANY = 1000 };
static const int64_t quiet_ns = NS_PER_S / 2;

struct watch {
    struct engine *engine;
    const struct project *project;
    const struct watch_options *options;
    struct watch_rule_state **rules;
    size_t count;
    struct loop_source timer;
    pid_t pid;       /* of the command */
    bool due, ended; /* a batch is; the child is */
    int result;      /* of the child */
    struct error problem;
    struct actual *actual; /* of the batch */
    struct exit_wait *wait;
};

PRINTF_LIKE(2, 3) static void say(const struct watch *watch, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    char *line = mem_vprintf(NULL, fmt, list);
    va_end(list);
    watch->options->say(watch->options->data, line);
    talloc_free(line);
}

static void complain(const struct watch *watch, const struct error *err)
{
    char *text = mem_printf(NULL, "%s%s%s", err->text, *err->hint ? "; " : "", err->hint);
    watch->options->warn(watch->options->data, text);
    talloc_free(text);
}

/* ---- in the child ---- */

/* Which does not outlive a command that is killed. */
static void begin_work(const struct watch *watch)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != watch->pid)
        _exit(1);
}

/* Names of a batch as copy_files wants them. A tree that is a file is copied from the directory it is in. */
static struct copy_list list_of(const void *owner, const struct watch_rule_state *rule)
{
    bool is_file = rule->changed_count && !*rule->changed[0];
    struct copy_list list = {.directory = is_file ? path_parent(owner, rule->path) : rule->path,
                             .from = mem_array(owner, char *, rule->changed_count + 1),
                             .to = mem_array(owner, char *, rule->changed_count + 1),
                             .removed = mem_array(owner, char *, rule->removed_count + 1)};
    for (; list.count < rule->changed_count; list.count++) {
        const char *path = rule->changed[list.count];
        list.from[list.count] = mem_strdup(owner, *path ? path : path_name(rule->path));
        list.to[list.count] = watch_rule_target(owner, rule, path);
    }
    for (; list.removed_count < rule->removed_count; list.removed_count++)
        list.removed[list.removed_count] = watch_rule_target(owner, rule, rule->removed[list.removed_count]);
    return list;
}

static bool has_container(const struct actual_container *c, const struct watch_rule_state *rule)
{
    return c->record->ready && !c->record->oneoff && str_eq(c->record->service, rule->service->name);
}

static int sync_all(void *data, struct error *err)
{
    const struct watch *watch = data;
    const struct actual *actual = watch->actual;
    int r = 0;
    begin_work(watch);
    for (size_t i = 0; r == 0 && i < watch->count; i++) {
        const struct watch_rule_state *rule = watch->rules[i];
        if (!(rule->action & WATCH_SYNC))
            continue;
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        const struct copy_list list = list_of(tmp, rule);
        for (size_t c = 0; r == 0 && c < actual->container_count; c++) {
            const struct container_record *record = actual->containers[c]->record;
            if (has_container(actual->containers[c], rule) &&
                (r = copy_files(watch->engine, record->id, &list, err)) < 0)
                error_wrap(err, "copy to %s", record->name);
        }
    }
    return r;
}

static int exec_one(const struct watch *watch, const struct container_record *record, const struct hook *hook,
                    struct error *err)
{
    const int *std = watch->options->std;
    const struct exec_options exec = {
        .argv = hook->command,
        .env = hook->environment,
        .user = hook->user,
        .cwd = hook->working_dir,
        .privileged = hook->privileged,
        .std = {std[0], std[1], std[2]}
    };
    int status;
    int r = exec_and_tell(watch->engine, record, &exec, &status, err);
    if (r == 0 && status != 0)
        r = error_set(err, ECHILD, "'%s' exited with status %d", hook->command[0], status);
    return r < 0 ? error_wrap(err, "exec in %s", record->name) : 0;
}

static int exec_all(void *data, struct error *err)
{
    const struct watch *watch = data;
    const struct actual *actual = watch->actual;
    int r = 0;
    begin_work(watch);
    for (size_t i = 0; r == 0 && i < watch->count; i++) {
        const struct watch_rule_state *rule = watch->rules[i];
        bool is_due = rule->action & WATCH_EXEC && (rule->changed_count || rule->removed_count);
        for (size_t c = 0; r == 0 && is_due && c < actual->container_count; c++)
            if (has_container(actual->containers[c], rule) &&
                actual->containers[c]->status.state == STATE_RUNNING)
                r = exec_one(watch, actual->containers[c]->record, &rule->rule->exec, err);
    }
    return r;
}

/* ---- a batch ---- */

static void on_ended(void *data, int result, const struct error *err)
{
    struct watch *watch = data;
    watch->ended = true;
    watch->result = result;
    watch->problem = *err;
}

/* Lets a child do `work`, and the loop go on meanwhile. */
static int run_child(struct watch *watch, int (*work)(void *data, struct error *err), struct error *err)
{
    struct engine *engine = watch->engine;
    struct child *child;
    watch->ended = false;
    int r = child_start(watch, &engine->loop, work, on_ended, watch, &child, err);
    while (r == 0 && !watch->ended && !engine->cancelled)
        r = loop_once(&engine->loop, TICK_MS, err);
    if (!watch->ended && (r == 0 || engine->cancelled)) {
        child_stop(child);
        return r;
    }
    if (r == 0 && watch->result < 0)
        *err = watch->problem;
    return r == 0 ? watch->result : r;
}

static size_t rule_changes(const struct watch_rule_state *rule)
{
    return rule->changed_count + rule->removed_count;
}

/* Changes of a service's files that ask for the action. */
static size_t service_changes(const struct watch *watch, const struct service *service, unsigned action)
{
    size_t changes = 0;
    for (size_t i = 0; i < watch->count; i++)
        if (watch->rules[i]->service == service && watch->rules[i]->action & action)
            changes += rule_changes(watch->rules[i]);
    return changes;
}

static size_t all_changes(const struct watch *watch, unsigned action)
{
    size_t changes = 0;
    omap_foreach (e, watch->project->services)
        changes += service_changes(watch, e->value, action);
    return changes;
}

static void tell_rebuild(const struct watch *watch)
{
    omap_foreach (e, watch->project->services)
        if (service_changes(watch, e->value, WATCH_REBUILD))
            say(watch,
                "Service \"%s\" is not rebuilt after changes were detected: build is not available yet",
                e->key);
}

static int restart(struct watch *watch, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **services = NULL, *text = mem_strdup(tmp, "");
    omap_foreach (e, watch->project->services)
        if (service_changes(watch, e->value, WATCH_RESTART)) {
            services = strv_add(tmp, services, e->key);
            text = mem_append_printf(text, "%s\"%s\"", *text ? " " : "", e->key);
        }
    const struct select_options options = {.services = services, .timeout = -1};
    if (watch->wait)
        exit_wait_hold(watch->wait);
    int r = engine_restart(watch->engine, watch->project->name, watch->project, &options, err);
    if (watch->wait)
        exit_wait_release(watch->wait);
    if (r == 0)
        say(watch, "service(s) [%s] restarted", text);
    return r;
}

static int act(struct watch *watch, struct error *err)
{
    int r = 0;
    tell_rebuild(watch);
    omap_foreach (e, watch->project->services) {
        size_t changes = service_changes(watch, e->value, WATCH_SYNC);
        if (changes)
            say(watch, "Syncing service \"%s\" after %zu changes were detected", e->key, changes);
    }
    if (all_changes(watch, WATCH_SYNC))
        r = run_child(watch, sync_all, err);
    if (r == 0 && all_changes(watch, WATCH_RESTART))
        r = restart(watch, err);
    if (r == 0 && all_changes(watch, WATCH_EXEC)) {
        TALLOC_FREE(watch->actual); /* the restart may have changed it */
        r = actual_read(watch, watch->engine, watch->project->name, &watch->actual, err);
        if (r == 0)
            r = run_child(watch, exec_all, err);
    }
    return r;
}

static void batch_end(struct watch *watch)
{
    TALLOC_FREE(watch->actual);
    for (size_t i = 0; i < watch->count; i++)
        watch_rule_forget(watch->rules[i]);
}

/* What a rule could not find out does not keep the others from what they found. */
static void batch(struct watch *watch)
{
    struct error err = ERROR_INIT, cause = ERROR_INIT;
    watch->due = false;
    for (size_t i = 0; i < watch->count; i++)
        if (watch_rule_collect(watch->rules[i], &cause) < 0)
            complain(watch, &cause);
    size_t changes = all_changes(watch, WATCH_SYNC | WATCH_RESTART | WATCH_EXEC | WATCH_REBUILD);
    if (changes > MANY)
        say(watch, "Large batch of file changes detected. If you just switched branches, this is expected.");
    int r = changes ? actual_read(watch, watch->engine, watch->project->name, &watch->actual, &err) : 0;
    if (r == 0 && changes)
        r = act(watch, &err);
    if (r < 0 && !watch->engine->cancelled) {
        error_wrap(&err, "Error handling changed files");
        complain(watch, &err);
    }
    batch_end(watch);
}

/* ---- the whole ---- */

static int on_quiet(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                    struct error *err UNUSED)
{
    struct watch *watch = data;
    loop_remove(loop, source);
    watch->due = true;
    return 0;
}

static void on_stirred(void *data)
{
    struct watch *watch = data;
    struct error err = ERROR_INIT;
    if (loop_timer(&watch->engine->loop, &watch->timer, quiet_ns, on_quiet, watch, &err) < 0)
        watch->due = true;
}

static int nothing_to_watch(struct error *err)
{
    return error_set(
        err, EINVAL,
        "none of the selected services is configured for watch, consider setting a 'develop' section");
}

static int read_rules(const void *owner, const struct project *project, struct watch_rule_state ***ret,
                      size_t *ret_count, struct error *err)
{
    struct watch_rule_state **rules = NULL;
    size_t count = 0;
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        for (size_t i = 0; i < service->watch_count; i++) {
            struct watch_rule_state *rule;
            int r = watch_rule_new(owner, service, &service->watch[i], &rule, err);
            if (r < 0)
                return r;
            mem_append(owner, rules, count, rule);
        }
    }
    *ret = rules;
    *ret_count = count;
    return count ? 0 : nothing_to_watch(err);
}

int engine_watch_check(const struct project *project, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct watch_rule_state **rules;
    size_t count;
    return read_rules(tmp, project, &rules, &count, err);
}

/* Rules that have nothing to do are taken out, and said. */
static int choose_rules(struct watch *watch, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    size_t count;
    int r = read_rules(watch, watch->project, &watch->rules, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct watch_rule_state *rule = watch->rules[i];
        const char *path = rule->rule->path, *text = NULL;
        if (rule->action & WATCH_SYNC && watch_rule_is_mounted(rule))
            text = mem_printf(
                tmp, "path '%s' also declared by a bind mount volume, this path won't be monitored!", path);
        else if (rule->action & WATCH_REBUILD)
            text = mem_printf(
                tmp,
                "service '%s': build is not available yet: changes of '%s' are told, and nothing is rebuilt",
                rule->service->name, path);
        if (text)
            watch->options->warn(watch->options->data, text);
        if (!text || rule->action & WATCH_REBUILD)
            watch->rules[watch->count++] = rule;
    }
    return r == 0 && !watch->count ? nothing_to_watch(err) : r;
}

static int start_rules(struct watch *watch, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < watch->count; i++) {
        struct watch_rule_state *rule = watch->rules[i];
        r = watch_rule_start(rule, &watch->engine->loop, on_stirred, watch, err);
        if (r == 0 && rule->action & WATCH_SYNC && rule->rule->initial_sync)
            r = watch_rule_collect_all(rule, err);
    }
    if (r == 0 && all_changes(watch, WATCH_SYNC)) {
        r = actual_read(watch, watch->engine, watch->project->name, &watch->actual, err);
        if (r == 0)
            r = run_child(watch, sync_all, err);
        if (r < 0)
            error_wrap(err, "initial sync");
    }
    batch_end(watch);
    return r;
}

static int lock_watch(struct watch *watch, int *ret_fd, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *name = watch->project->name;
    char *directory = mem_printf(tmp, "%s/locks", watch->engine->run);
    int r = fs_mkdir_p(directory, 0700, err);
    if (r == 0)
        r = fs_lock(mem_printf(tmp, "%s/%s.watch", directory, name), false, false, ret_fd, err);
    return r == LOCK_BUSY ? error_set(err, EBUSY, "project '%s' is watched by another command", name) : r;
}

static int follow(struct watch *watch, struct error *err)
{
    const struct watch_options *o = watch->options;
    struct engine *engine = watch->engine;
    int r = start_rules(watch, err);
    if (r == 0 && o->container_count)
        r = exit_wait_new(watch, engine, o->containers, o->container_count, o->exited, o->data, &watch->wait,
                          err);
    if (r < 0 || engine->cancelled)
        return r;
    say(watch, "Watch enabled");
    while (r == 0 && !engine->cancelled && !(watch->wait && exit_wait_is_over(watch->wait))) {
        if (watch->due)
            batch(watch);
        else
            r = loop_once(&engine->loop, watch->wait ? TICK_MS : -1, err);
    }
    say(watch, "Watch disabled");
    return r;
}

static int watch_destroy(struct watch *watch)
{
    loop_remove(&watch->engine->loop, &watch->timer);
    return 0;
}

int engine_watch(struct engine *engine, const struct project *project, const struct watch_options *options,
                 struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    struct watch *watch = mem_new(tmp, struct watch);
    *watch = (struct watch){.engine = engine,
                            .project = project,
                            .options = options,
                            .pid = getpid(),
                            .timer = LOOP_SOURCE_INIT,
                            .problem = ERROR_INIT};
    talloc_set_destructor(watch, watch_destroy);
    int r = lock_watch(watch, &lock, err);
    if (r == 0)
        r = choose_rules(watch, err);
    if (r == 0 && !engine->dry_run)
        r = follow(watch, err);
    return r == 0 && engine->cancelled ? error_set(err, ECANCELED, "canceled") : r;
}
