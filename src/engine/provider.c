#include "engine/provider.h"

#include "base/log.h"
#include "engine/ops.h"
#include "sys/fd.h"
#include "sys/spawn.h"

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>

enum { LINE_LIMIT = 64 * 1024, METADATA_LIMIT = 1 << 20 };

static void cleanup_json_fn(json_t **json)
{
    json_decref(*json);
}
#define cleanup_json CLEANUP(cleanup_json_fn)

/* ---- the project ---- */

bool providers_any(const struct project *project)
{
    omap_foreach (e, project->services)
        if (((const struct service *)e->value)->provider)
            return true;
    return false;
}

struct project *providers_without(const void *owner, const struct project *project)
{
    struct project *rest = mem_dup(owner, project, sizeof(*project));
    rest->services = omap_new(rest);
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        if (!service->provider)
            omap_set(rest->services, e->key, mem_dup(rest, service, sizeof(*service)));
    }
    return rest;
}

/* Variables are a part of what the containers are made from, so they change the hash. */
static void add_variables(struct service *service, char *const *variables)
{
    struct omap *environment = omap_new(service);
    char *seed = mem_printf(service, "%s\n", service->config_hash);
    omap_foreach (e, service->environment)
        omap_set_str(environment, e->key, e->value);
    for (; *variables; variables++) {
        const char *equals = strchr(*variables, '=');
        char *key = mem_strndup(service, *variables, (size_t)(equals - *variables));
        omap_set_str(environment, key, equals + 1);
        seed = mem_append_printf(seed, "%s\n", *variables);
    }
    service->environment = environment;
    service->config_hash = engine_hash(service, seed);
}

static void set_variables(struct project *rest, const char *provider, char *const *variables)
{
    omap_foreach (e, rest->services) {
        struct service *service = e->value;
        for (size_t i = 0; variables && i < service->depends_on_count; i++)
            if (strcmp(service->depends_on[i].service, provider) == 0)
                add_variables(service, variables);
    }
}

/* ---- the program ---- */

/* A plugin of docker's cli, or any program in PATH. */
static int find_program(const char *type, char path[PATH_MAX], struct error *err)
{
    static const char *const dirs[] = {"/usr/local/lib/docker/cli-plugins",
                                       "/usr/local/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins",
                                       "/usr/libexec/docker/cli-plugins"};
    const char *home = getenv("HOME");
    if (strcmp(type, "compose") == 0 || strchr(type, '/'))
        return error_set(err, EINVAL, "'%s' is not a valid provider type", type);
    if (home && snprintf(path, PATH_MAX, "%s/.docker/cli-plugins/docker-%s", home, type) < PATH_MAX &&
        access(path, X_OK) == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        if (snprintf(path, PATH_MAX, "%s/docker-%s", dirs[i], type) < PATH_MAX && access(path, X_OK) == 0)
            return 0;
    if (spawn_find(type, path, PATH_MAX))
        return 0;
    error_set(err, ENOENT, "provider '%s': there is no program docker-%s or %s", type, type, type);
    return error_hint(err, "install it as a plugin of docker's command line, or into a folder of PATH");
}

static char **environment_of(const void *owner, const struct project *project)
{
    char **env = NULL;
    omap_foreach (e, project->environment)
        env = strv_addf(owner, env, "%s=%s", e->key, e->value ? (const char *)e->value : "");
    return env;
}

/* The parameters of a verb, if the program describes itself; NULL: it takes whatever comes. */
static json_t *read_metadata(const char *program, char *const *env)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *argv[] = {(char *)(uintptr_t)program, "compose", "metadata", NULL},
         *text = mem_array(tmp, char, METADATA_LIMIT);
    struct spawn spawn = {
        .argv = argv, .env = env, .std = {-1, -1, -1}
    };
    json_error_t where;
    int status;
    if (spawn_run(&spawn, text, METADATA_LIMIT, &status, NULL) < 0 || status != 0)
        return NULL;
    return json_loads(text, 0, &where);
}

/* NULL when the program does not say what it takes. */
static json_t *parameters_of(json_t *metadata, const char *verb)
{
    bool says = json_object_get(metadata, "description") ||
                json_object_get(json_object_get(metadata, "up"), "parameters");
    json_t *list = json_object_get(json_object_get(metadata, verb), "parameters");
    return says ? (list ? list : json_object_get(metadata, verb)) : NULL;
}

static bool is_known(json_t *parameters, const char *name)
{
    size_t i;
    json_t *p;
    json_array_foreach (parameters, i, p)
        if (str_eq(json_string_value(json_object_get(p, "name")), name))
            return true;
    return false;
}

static int make_argv(struct operation *op, const char *program, char *const *env, char ***ret,
                     struct error *err)
{
    const struct service *service = op->service;
    const char *verb = op->kind == OP_PROVIDER_UP ? "up" : "down";
    cleanup_json json_t *metadata = read_metadata(program, env);
    json_t *parameters = parameters_of(metadata, verb), *p;
    size_t i;
    json_array_foreach (parameters, i, p) {
        const char *name = json_string_value(json_object_get(p, "name"));
        if (name && json_is_true(json_object_get(p, "required")) &&
            !omap_has(service->provider_options, name))
            return error_set(err, EINVAL,
                             "required parameter \"%s\" is missing from provider \"%s\" definition", name,
                             service->provider);
    }
    char **argv = strv_new(op, program, "compose", NULL);
    argv = strv_addf(op, argv, "--project-name=%s", op->plan->project_name);
    argv = strv_add(op, argv, verb);
    omap_foreach (e, service->provider_options)
        for (char **v = e->value; v && *v && (!parameters || is_known(parameters, e->key)); v++)
            argv = strv_addf(op, argv, "--%s=%s", e->key, *v);
    *ret = strv_add(op, argv, service->name);
    return 0;
}

/* ---- what it says ---- */

struct call {
    struct operation *op;
    struct loop_source source;
    int fd;
    pid_t pid;
    char line[LINE_LIMIT];
    size_t used;
    struct error problem; /* what the program said, or how it broke the protocol */
};

static int call_destroy(struct call *call)
{
    loop_remove(&call->op->plan->engine->loop, &call->source);
    cleanup_close_fn(&call->fd);
    if (call->pid > 0) {
        kill(call->pid, SIGKILL);
        spawn_wait(call->pid, &(int){0}, NULL);
    }
    return 0;
}

static void add_variable(struct call *call, const char *prefix, const char *text)
{
    if (!strchr(text, '=') || *text == '=') {
        error_set(&call->problem, EPROTO, "provider '%s': '%s' sets no variable", call->op->service->provider,
                  text);
        return;
    }
    char *name = mem_strdup(NULL, prefix);
    for (char *p = name; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p -= 'a' - 'A';
    call->op->variables = strv_addf(call->op, call->op->variables, "%s%s%s", name, *name ? "_" : "", text);
    talloc_free(name);
}

static void take_message(struct call *call, const char *line)
{
    json_error_t where;
    cleanup_json json_t *json = json_loads(line, 0, &where);
    const char *type = json_string_value(json_object_get(json, "type")),
               *text = json_string_value(json_object_get(json, "message"));
    text = text ? text : "";
    if (str_eq(type, "info"))
        operation_report(call->op, PROGRESS_WORKING, text, NULL);
    else if (str_eq(type, "debug"))
        log_debug("%s: %s", call->op->service->name, text);
    else if (str_eq(type, "error"))
        error_set(&call->problem, EIO, "%s", text);
    else if (str_eq(type, "setenv"))
        add_variable(call, call->op->service->name, text);
    else if (str_eq(type, "rawsetenv"))
        add_variable(call, "", text);
    else
        error_set(&call->problem, EPROTO, "provider '%s': '%.100s' is not a message of the protocol",
                  call->op->service->provider, line);
}

static void finish(struct call *call)
{
    struct operation *op = call->op;
    struct error err = call->problem;
    int status, r = spawn_wait(call->pid, &status, &err);
    call->pid = 0;
    if (r == 0 && call->problem.code)
        r = -call->problem.code;
    else if (r == 0 && status != 0)
        r = error_set(&err, ECHILD, "failed to %s service provider: exit status %d",
                      op->kind == OP_PROVIDER_UP ? "create" : "remove", status);
    op->work = NULL;
    talloc_free(call);
    if (r < 0)
        error_wrap(&err, "service %s", op->service->name);
    operation_finish(op, r, &err);
}

static int on_output(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                     void *data, struct error *ignored UNUSED)
{
    struct call *call = data;
    ssize_t n = RETRY_EINTR(read(call->fd, call->line + call->used, sizeof(call->line) - 1 - call->used));
    call->used += n > 0 ? (size_t)n : 0;
    call->line[call->used] = '\0';
    char *start = call->line, *end;
    while (!call->problem.code && (end = strchr(start, '\n'))) {
        *end = '\0';
        if (start[strspn(start, " \t\r")])
            take_message(call, start);
        start = end + 1;
    }
    call->used = strlen(start);
    memmove(call->line, start, call->used + 1);
    if (!call->problem.code && call->used == sizeof(call->line) - 1)
        error_set(&call->problem, EPROTO, "provider '%s': a line is too long", call->op->service->provider);
    if (n <= 0 && !call->problem.code && call->used)
        take_message(call, call->line);
    if (call->problem.code)
        kill(call->pid, SIGTERM);
    if (n <= 0 || call->problem.code)
        finish(call);
    return 0;
}

int op_provider(struct operation *op, struct error *err)
{
    struct engine *engine = op->plan->engine;
    char program[PATH_MAX], **env = environment_of(op, op->plan->project), **argv;
    int ends[2];
    int r = find_program(op->service->provider, program, err);
    if (r == 0)
        r = make_argv(op, program, env, &argv, err);
    if (r == 0)
        r = fd_pipe(ends, err);
    if (r < 0)
        return error_wrap(err, "service %s", op->service->name);
    cleanup_close int write_end = ends[1];
    struct call *call = mem_new(op, struct call);
    call->op = op;
    call->fd = ends[0];
    call->source = (struct loop_source)LOOP_SOURCE_INIT;
    talloc_set_destructor(call, call_destroy);
    struct spawn spawn = {
        .argv = argv, .env = env, .std = {-1, write_end, SPAWN_INHERIT}
    };
    r = spawn_start(&spawn, &call->pid, NULL, err);
    if (r == 0)
        r = loop_add(&engine->loop, &call->source, call->fd, EPOLLIN, on_output, call, err);
    if (r < 0) {
        talloc_free(call);
        return error_wrap(err, "service %s", op->service->name);
    }
    op->work = call;
    return OP_PENDING;
}

void op_provider_cancel(struct operation *op)
{
    talloc_free(op->work);
    op->work = NULL;
}

/* ---- plans ---- */

static struct operation *plan_call(struct plan *plan, enum op_kind kind, const struct service *service)
{
    struct operation *op = plan_add(plan, kind, service->name, "it has a provider");
    op->service = service;
    return op;
}

static struct operation *find_call(const struct plan *plan, const char *service)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->operations[i]->service->name, service) == 0)
            return plan->operations[i];
    return NULL;
}

int providers_up(struct engine *engine, const struct project *project, const struct up_options *options,
                 struct project *rest, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct plan *plan = plan_new(tmp, engine, project->name, project, NULL);
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        bool chosen = !options->no_deps || !options->services || strv_contains(options->services, e->key);
        if (service->provider && chosen)
            plan_call(plan, OP_PROVIDER_UP, service);
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct service *service = plan->operations[i]->service;
        for (size_t d = 0; d < service->depends_on_count; d++)
            plan_need(plan->operations[i], find_call(plan, service->depends_on[d].service));
    }
    int r = plan_run(plan, err);
    for (size_t i = 0; r == 0 && i < plan->count; i++)
        set_variables(rest, plan->operations[i]->service->name, plan->operations[i]->variables);
    return r;
}

void providers_plan_down(struct plan *plan, char *const *services)
{
    size_t before = plan->count;
    omap_foreach (e, plan->project ? plan->project->services : NULL) {
        const struct service *service = e->value;
        if (!service->provider || (services && !strv_contains(services, e->key)))
            continue;
        struct operation *op = plan_call(plan, OP_PROVIDER_DOWN, service);
        for (size_t i = 0; i < before; i++)
            plan_need(op, plan->operations[i]);
    }
}
