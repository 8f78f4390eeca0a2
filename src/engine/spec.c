/* The runtime's view of a container. Where docker and the Compose specification leave a default, the comment
 * names it. */
#include "engine/spec.h"

#include "engine/events.h"

#include "base/path.h"
#include "base/units.h"
#include "data/node.h"
#include "engine/joined.h"
#include "sys/fs.h"

static char **choose_argv(const void *owner, const struct spec_request *request)
{
    const struct service *service = request->service;
    const struct run_options *oneoff = request->oneoff;
    char *const *entrypoint = service->entrypoint, *const *command = service->command;
    char **argv = NULL;
    if (oneoff && oneoff->entrypoint) {
        argv = oneoff->entrypoint[0] ? strv_new(owner, oneoff->entrypoint, NULL) : NULL;
        return strv_extend(owner, argv, oneoff->command);
    }
    if (oneoff && oneoff->command)
        command = oneoff->command;
    /* An entrypoint in the file also drops the image's command (Compose specification, "entrypoint"). */
    if (!command && !entrypoint)
        command = request->image->cmd;
    if (!entrypoint)
        entrypoint = request->image->entrypoint;
    argv = strv_extend(owner, argv, entrypoint);
    return strv_extend(owner, argv, command);
}

static char **make_env(const void *owner, const struct spec_request *request,
                       const struct container_spec *spec)
{
    char **env = strv_new(owner, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL);
    if (spec->hostname)
        env = strv_env_set(owner, env, "HOSTNAME", spec->hostname);
    if (spec->tty)
        env = strv_env_set(owner, env, "TERM", "xterm");
    for (char **e = request->image->env; e && *e; e++) {
        char *key = mem_strndup(owner, *e, strcspn(*e, "="));
        const char *value = strchr(*e, '=');
        env = strv_env_set(owner, env, key, value ? value + 1 : "");
    }
    omap_foreach (e, request->service->environment)
        env = strv_env_set(owner, env, e->key, e->value);
    for (char **e = request->oneoff ? request->oneoff->env : NULL; e && *e; e++) {
        char *key = mem_strndup(owner, *e, strcspn(*e, "="));
        const char *value = strchr(*e, '=');
        env = strv_env_set(owner, env, key,
                           value ? value + 1 : (const char *)omap_get(request->project->environment, key));
    }
    return env;
}

/* ---- files ---- */

static char *make_hosts(struct container_spec *spec, const struct spec_request *request,
                        const struct container_record *record, const char *gateway)
{
    char *text = mem_strdup(spec, "127.0.0.1\tlocalhost\n"
                                  "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                  "fe00::\tip6-localnet\n"
                                  "ff00::\tip6-mcastprefix\n"
                                  "ff02::1\tip6-allnodes\n"
                                  "ff02::2\tip6-allrouters\n");
    omap_foreach (e, request->service->extra_hosts) {
        for (char **address = e->value; address && *address; address++) {
            const char *a = strcmp(*address, "host-gateway") == 0 ? gateway : *address;
            if (a && *a)
                text = mem_append_printf(text, "%s\t%s\n", a, e->key);
        }
    }
    for (size_t i = 0; i < record->endpoint_count; i++) {
        const char *address = record->endpoints[i].address;
        if (!address)
            continue;
        text = mem_append_printf(text, "%.*s\t%s", (int)strcspn(address, "/"), address, spec->hostname);
        if (spec->domainname)
            text = mem_append_printf(text, ".%s %s", spec->domainname, spec->hostname);
        text = mem_append_str(text, "\n");
    }
    return text;
}

/* docker: the embedded server, the host's search domains, ndots:0 unless the file says otherwise. */
static int make_resolv_conf(struct container_spec *spec, const struct spec_request *request,
                            struct error *err)
{
    const struct service *service = request->service;
    char *host = NULL;
    int r = fs_read_file(spec, "/etc/resolv.conf", 65536, &host, NULL, err);
    if (r < 0)
        return r;
    char *text = mem_strdup(spec, "nameserver 127.0.0.11\n");
    if (service->dns_search) {
        text = mem_append_printf(text, "search %s\n", strv_join(spec, service->dns_search, " "));
    } else if (host) {
        char **lines = strv_split(spec, host, '\n');
        for (char **l = lines; *l; l++)
            if (str_starts(*l, "search "))
                text = mem_append_printf(text, "%s\n", *l);
        talloc_free(lines);
    }
    char *options = service->dns_opt ? strv_join(spec, service->dns_opt, " ") : mem_strdup(spec, "ndots:0");
    spec->resolv_conf = mem_append_printf(text, "options %s\n", options);
    talloc_free(host);
    return 0;
}

static void add_file(struct container_spec *spec, const struct file_reference *use,
                     const struct file_object *object, const char *default_dir)
{
    struct file_spec file = {.uid = -1, .gid = -1, .mode = use->mode};
    const char *target = use->target ? use->target : use->source;
    file.target = path_join(spec, default_dir, target);
    if (object->file)
        file.source = mem_strdup(spec, object->file);
    else
        file.content = mem_strdup(spec, object->content ? object->content : "");
    uint64_t n;
    if (str_to_u64(use->uid, 0, UINT32_MAX - 1, &n))
        file.uid = (int64_t)n;
    if (str_to_u64(use->gid, 0, UINT32_MAX - 1, &n))
        file.gid = (int64_t)n;
    mem_append(spec, spec->files, spec->file_count, file);
}

static int make_files(struct container_spec *spec, const struct spec_request *request, struct error *err)
{
    const struct service *service = request->service;
    for (size_t i = 0; i < service->secret_count + service->config_count; i++) {
        bool secret = i < service->secret_count;
        const struct file_reference *use =
            secret ? &service->secrets[i] : &service->configs[i - service->secret_count];
        const char *kind = secret ? "secret" : "config";
        const struct file_object *object =
            omap_get(secret ? request->project->secrets : request->project->configs, use->source);
        if (!object)
            return error_set(err, EINVAL, "%s %s is not defined", kind, use->source);
        if (object->external)
            return error_set(err, ENOTSUP, "unsupported external %s %s", kind, use->source);
        if (object->file && access(object->file, R_OK) < 0)
            return error_errno(err, "%s %s: file '%s'", kind, use->source, object->file);
        if (!object->file && !object->content)
            return error_set(err, EINVAL, "environment variable \"%s\" required by %s \"%s\" is not set",
                             object->environment ? object->environment : "", kind, use->source);
        add_file(spec, use, object, secret ? "/run/secrets" : "/");
    }
    return 0;
}

/* ---- mounts ---- */

/* "path[:options]" of `tmpfs:`, as docker run --tmpfs takes it. */
static void add_tmpfs(struct container_spec *spec, const char *text)
{
    size_t n = strcspn(text, ":");
    struct mount_spec mount = {.type = MOUNT_TMPFS, .target = mem_strndup(spec, text, n)};
    if (text[n])
        mount.options = strv_split(spec, text + n + 1, ',');
    mem_append(spec, spec->mounts, spec->mount_count, mount);
}

/* The volume's directory and, when it is a file system of its own, what is mounted over it. */
static int set_volume(struct container_spec *spec, struct mount_spec *mount, struct engine *engine,
                      const char *name, struct error *err)
{
    struct volume_record *volume;
    int r = state_volume_get(spec, engine->state, name, &volume, err);
    if (r != 0)
        return r < 0 ? r : error_set(err, ENOENT, "volume %s is not there", name);
    mount->volume = mem_strdup(spec, name);
    mount->source = engine_volume_path(spec, engine, name);
    mount->fs_type = mem_strdup(spec, omap_get(volume->options, "type"));
    mount->fs_device = mem_strdup(spec, omap_get(volume->options, "device"));
    mount->fs_options = mem_strdup(spec, omap_get(volume->options, "o"));
    talloc_free(volume);
    return 0;
}

static int add_mount(struct container_spec *spec, struct engine *engine, const struct volume_mount *m,
                     const struct container_record *record, struct error *err)
{
    struct mount_spec mount = {.type = m->type,
                               .target = path_clean(spec, m->target),
                               .read_only = m->read_only,
                               .subpath = mem_strdup(spec, m->subpath),
                               .propagation = mem_strdup(spec, m->propagation),
                               .create_host_path = m->create_host_path,
                               .recursive = mem_strdup(spec, m->recursive)};
    int r = 0;
    if (m->type == MOUNT_TMPFS) {
        if (m->tmpfs_size >= 0)
            mount.options = strv_addf(spec, mount.options, "size=%lld", (long long)m->tmpfs_size);
        if (m->tmpfs_mode >= 0)
            mount.options = strv_addf(spec, mount.options, "mode=%llo", (unsigned long long)m->tmpfs_mode);
    } else if (m->type == MOUNT_BIND) {
        mount.source = mem_strdup(spec, m->source);
    } else if (m->type == MOUNT_IMAGE) {
        struct image *image;
        r = image_find(spec, engine->images, m->source, NULL, &image, err);
        if (r == IMAGE_ABSENT)
            r = error_set(err, ENOENT, "image %s is not here", m->source);
        if (r == 0)
            mount.layers = image->layers;
        mount.source = mem_strdup(spec, m->source);
        mount.read_only = true;
    } else {
        for (size_t i = 0; r == 0 && i < record->mount_count; i++)
            if (record->mounts[i].volume && strcmp(record->mounts[i].target, mount.target) == 0)
                r = set_volume(spec, &mount, engine, record->mounts[i].volume, err);
        mount.copy_up = !m->nocopy;
    }
    mem_append(spec, spec->mounts, spec->mount_count, mount);
    return r;
}

static bool has_mount(const struct container_spec *spec, const char *target)
{
    for (size_t i = 0; i < spec->mount_count; i++)
        if (strcmp(spec->mounts[i].target, target) == 0)
            return true;
    return false;
}

static int make_mounts(struct container_spec *spec, struct engine *engine, const struct spec_request *request,
                       const struct container_record *record, struct error *err)
{
    const struct service *service = request->service;
    int r = 0;
    for (size_t i = 0; r == 0 && i < service->volume_count; i++)
        r = add_mount(spec, engine, &service->volumes[i], record, err);
    for (char **t = service->tmpfs; t && *t; t++)
        add_tmpfs(spec, *t);
    struct joined_mounts joined;
    if (r == 0)
        r = joined_mounts(spec, engine, spec->project, service, &joined, err);
    for (size_t i = 0; r == 0 && i < joined.count; i++)
        if (!has_mount(spec, joined.list[i].target))
            mem_append(spec, spec->mounts, spec->mount_count, joined.list[i]);
    /* What is left in the record are the image's own volumes, made anonymous. */
    for (size_t i = 0; r == 0 && i < record->mount_count; i++) {
        const struct mount_record *m = &record->mounts[i];
        if (m->volume && !has_mount(spec, m->target)) {
            struct mount_spec mount = {
                .type = MOUNT_VOLUME, .target = mem_strdup(spec, m->target), .copy_up = true};
            r = set_volume(spec, &mount, engine, m->volume, err);
            mem_append(spec, spec->mounts, spec->mount_count, mount);
        }
    }
    return r;
}

/* ---- behaviour ---- */

/* The service's check over the image's: what it leaves out is inherited; then docker's defaults. */
static struct healthcheck *make_healthcheck(const void *owner, const struct spec_request *request)
{
    const struct healthcheck *own = request->service->healthcheck, *image = request->image->healthcheck;
    if (request->oneoff || (own && own->disable))
        return NULL;
    char *const *test = own && own->test ? own->test : image ? image->test : NULL;
    if (!test || !test[0] || strcmp(test[0], "NONE") == 0)
        return NULL;
    struct healthcheck *h = mem_new(owner, struct healthcheck);
    h->test = strv_dup(h, test);
    const struct healthcheck none = {
        .interval = -1, .timeout = -1, .start_period = -1, .start_interval = -1, .retries = -1};
    const struct healthcheck *first = own ? own : &none, *second = image ? image : &none;
#define INHERIT(field, standard)                                                                             \
    h->field = first->field >= 0 ? first->field : second->field >= 0 ? second->field : (standard)
    INHERIT(interval, 30 * NS_PER_S);
    INHERIT(timeout, 30 * NS_PER_S);
    INHERIT(start_period, 0);
    INHERIT(start_interval, 5 * NS_PER_S);
    INHERIT(retries, 3);
#undef INHERIT
    return h;
}

static void make_resources(struct container_spec *spec, const struct service *service)
{
    spec->mem_limit = service->mem_limit;
    spec->mem_reservation = service->mem_reservation;
    spec->memswap_limit = service->memswap_limit;
    spec->mem_swappiness = service->mem_swappiness;
    spec->cpus = service->cpus;
    spec->cpu_shares = service->cpu_shares;
    spec->cpu_quota = service->cpu_quota;
    spec->cpu_period = service->cpu_period;
    spec->cpu_rt_runtime = service->cpu_rt_runtime;
    spec->cpu_rt_period = service->cpu_rt_period;
    spec->blkio = service->blkio;
    spec->blkio_count = service->blkio_count;
    spec->cpuset = mem_strdup(spec, service->cpuset);
    spec->pids_limit = service->pids_limit;
    spec->oom_score_adj = service->oom_score_adj;
    spec->oom_kill_disable = service->oom_kill_disable;
    spec->cgroup_parent = mem_strdup(spec, service->cgroup_parent);
    spec->shm_size = service->shm_size;
}

/* A seccomp profile is a file beside the Compose file. */
static const char *security_option(struct container_spec *spec, const struct spec_request *request,
                                   const char *option)
{
    static const char *const words[] = {"unconfined", "builtin", "default", NULL};
    const char *profile = str_after(option, "seccomp=");
    profile = profile ? profile : str_after(option, "seccomp:");
    if (!profile || *profile == '/' || strv_contains((char *const *)(uintptr_t)words, profile))
        return option;
    return mem_printf(spec, "seccomp=%s", path_join(spec, request->project->working_dir, profile));
}

static int check_seccomp(const struct container_spec *spec, struct error *err)
{
    for (char **o = spec->security_opt; o && *o; o++) {
        const char *path = str_after(*o, "seccomp=");
        if (path && *path == '/' && access(path, R_OK) < 0)
            return error_errno(err, "security_opt: seccomp profile '%s'", path);
    }
    return 0;
}

/* What is for other platforms, or needs what compote does not have. */
static int check_platform(const struct service *service, struct error *err)
{
    const char *isolation = node_get_text(service->node, "isolation");
    if (!str_is_empty(service->userns_mode) && strcmp(service->userns_mode, "host") != 0)
        return error_set(err, ENOTSUP, "userns_mode '%s' is not available (host is)", service->userns_mode);
    if (!str_is_empty(isolation) && strcmp(isolation, "default") != 0)
        return error_set(err, ENOTSUP, "isolation '%s' is for Windows (here there is default)", isolation);
    if (node_get(service->node, "credential_spec"))
        return error_set(err, ENOTSUP, "credential_spec is for Windows");
    if (node_get(service->node, "models"))
        return error_set(err, ENOTSUP, "models need Docker's model runner, which is not here");
    if (node_get(service->node, "storage_opt"))
        return error_set(err, ENOTSUP,
                         "storage_opt: a limit for what a container writes needs project quotas, which are "
                         "not available");
    return 0;
}

static void make_security(struct container_spec *spec, const struct spec_request *request)
{
    const struct service *service = request->service;
    const struct run_options *oneoff = request->oneoff;
    spec->privileged = service->privileged;
    spec->read_only = service->read_only;
    spec->cap_add = strv_dup(spec, service->cap_add);
    spec->cap_drop = strv_dup(spec, service->cap_drop);
    if (oneoff) {
        spec->cap_add = strv_extend(spec, spec->cap_add, oneoff->cap_add);
        spec->cap_drop = strv_extend(spec, spec->cap_drop, oneoff->cap_drop);
    }
    for (char **o = service->security_opt; o && *o; o++)
        spec->security_opt = strv_add(spec, spec->security_opt, security_option(spec, request, *o));
    for (char **o = spec->security_opt; o && *o; o++)
        spec->no_new_privileges |= strcmp(*o, "no-new-privileges") == 0 ||
                                   strcmp(*o, "no-new-privileges:true") == 0 ||
                                   strcmp(*o, "no-new-privileges=true") == 0;
    spec->device_cgroup_rules = strv_dup(spec, service->devices_cgroup_rules);
    spec->devices = service->devices;
    spec->device_count = service->device_count;
    spec->requests = service->requests;
    spec->request_count = service->request_count;
    spec->sysctls = service->sysctls;
    spec->ulimits = service->ulimits;
}

static void make_process(struct container_spec *spec, const struct spec_request *request)
{
    const struct service *service = request->service;
    const struct image *image = request->image;
    const struct run_options *oneoff = request->oneoff;
    const char *cwd = oneoff && oneoff->workdir ? oneoff->workdir
                      : service->working_dir    ? service->working_dir
                                                : image->working_dir;
    const char *user = oneoff && oneoff->user ? oneoff->user : service->user ? service->user : image->user;
    const char *signal = service->stop_signal ? service->stop_signal : image->stop_signal;
    spec->cwd = mem_strdup(spec, str_is_empty(cwd) ? "/" : cwd);
    spec->user = mem_strdup(spec, str_is_empty(user) ? NULL : user);
    spec->stop_signal = mem_strdup(spec, str_is_empty(signal) ? NULL : signal);
    spec->group_add = strv_dup(spec, service->group_add);
    spec->init = service->init;
    spec->stdin_open = oneoff ? oneoff->interactive : service->stdin_open;
    if (!oneoff) {
        spec->restart = service->restart;
        spec->restart_max = service->restart_max;
        spec->restart_delay = service->restart_delay;
        spec->restart_window = service->restart_window;
    }
}

/* "host", or "container:<id>"; what is private stays NULL. */
static int make_modes(struct container_spec *spec, struct engine *engine, const struct spec_request *request,
                      struct error *err)
{
    const struct service *service = request->service;
    const struct {
        const char *key, *mode;
        char **to;
    } rows[] = {
        {"pid",    service->pid,    &spec->pid_mode   },
        {"ipc",    service->ipc,    &spec->ipc_mode   },
        {"uts",    service->uts,    &spec->uts_mode   },
        {"cgroup", service->cgroup, &spec->cgroup_mode}
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct container_record *found;
        const char *mode = rows[i].mode;
        int r = joined_find(spec, engine, spec->project, rows[i].key, mode, &found, err);
        if (r < 0)
            return r;
        if (r == 0)
            *rows[i].to = mem_printf(spec, "container:%s", found->id);
        else if (str_eq(mode, "host") || (str_eq(mode, "none") && rows[i].to == &spec->ipc_mode))
            *rows[i].to = mem_strdup(spec, mode);
        else if (mode && *mode && !str_eq(mode, "private") && !str_eq(mode, "shareable"))
            return error_set(err, EINVAL, "%s: '%s' is not host, private, service:NAME or container:NAME",
                             rows[i].key, mode);
    }
    return 0;
}

/* Who joins another's network namespace has its name and its files too, as with docker. */
static int make_names(struct container_spec *spec, struct engine *engine, const struct spec_request *request,
                      const struct container_record *record, struct error *err)
{
    struct container_spec *other;
    struct network_record *network = NULL;
    if (record->netns_owner) {
        int r = container_load(spec, &engine->dirs, record->netns_owner, &other, err);
        if (r != 0)
            return r < 0 ? r : error_set(err, ENOENT, "the container whose network is joined is gone");
        spec->hostname = other->hostname;
        spec->domainname = other->domainname;
        spec->hosts = other->hosts;
        spec->resolv_conf = other->resolv_conf;
        return 0;
    }
    if (!record->netns)
        return 0;
    int r = record->endpoint_count
                ? state_network_get(spec, engine->state, record->endpoints[0].network, &network, err)
                : 0;
    if (r < 0)
        return r;
    spec->hosts = make_hosts(spec, request, record, network ? network->gateway : NULL);
    return make_resolv_conf(spec, request, err);
}

int spec_make(const void *owner, struct engine *engine, const struct spec_request *request,
              const struct container_record *record, struct container_spec **ret, struct error *err)
{
    const struct service *service = request->service;
    struct container_spec *spec = mem_new(owner, struct container_spec);
    spec->id = mem_strdup(spec, record->id);
    spec->name = mem_strdup(spec, record->name);
    spec->project = mem_strdup(spec, record->project);
    spec->layers = strv_dup(spec, request->image->layers);
    spec->tty = record->tty;
    spec->auto_remove = record->auto_remove;
    spec->hostname =
        service->hostname ? mem_strdup(spec, service->hostname) : mem_printf(spec, "%.12s", record->id);
    spec->domainname = mem_strdup(spec, service->domainname);
    spec->labels = record->labels;
    spec->event = events_members(spec, record);
    spec->annotations = service->annotations;
    spec->netns = mem_strdup(spec, record->netns);
    spec->runtime = mem_strdup(spec, service->runtime);
    spec->stop_grace = record->stop_grace;

    make_process(spec, request);
    spec->argv = choose_argv(spec, request);
    if (!spec->argv) {
        talloc_free(spec);
        error_set(err, EINVAL, "service %s: no command: neither the file nor image %s has one", service->name,
                  service->image);
        return error_hint(err, "give the service a `command:`");
    }
    make_security(spec, request);
    make_resources(spec, service);
    spec->healthcheck = make_healthcheck(spec, request);
    int r = make_mounts(spec, engine, request, record, err);
    if (r == 0)
        r = make_modes(spec, engine, request, err);
    if (r == 0)
        r = make_names(spec, engine, request, record, err);
    spec->env = make_env(spec, request, spec);
    if (r >= 0)
        r = make_files(spec, request, err);
    if (r >= 0)
        r = spec_make_logging(spec, service, record, err);
    if (r < 0) {
        talloc_free(spec);
        return r;
    }
    *ret = spec;
    return 0;
}

/* ---- before anything is made ---- */

static int check_mount(const struct volume_mount *m, struct error *err)
{
    const char *target = m->target;
    if (m->type == MOUNT_NPIPE || m->type == MOUNT_CLUSTER)
        return error_set(err, ENOTSUP, "mounts of type '%s' need %s, which is not here",
                         m->type == MOUNT_NPIPE ? "npipe" : "cluster",
                         m->type == MOUNT_NPIPE ? "Windows" : "a Swarm");
    if (m->type == MOUNT_IMAGE && str_is_empty(m->source))
        return error_set(err, EINVAL, "the mount at '%s' names no image in `source:`", target);
    if (target[0] == '/')
        return 0;
    error_set(err, EINVAL, "mount target '%s' is not an absolute path", target);
    return target[0] && target[1] == ':'
               ? error_hint(err, "a name of one letter before a colon is read as a drive of Windows: "
                                 "take a longer name, or the long form of volumes")
               : -EINVAL;
}

static int check_service(const struct project *project, const struct service *service, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct container_spec *spec = mem_new(tmp, struct container_spec);
    const struct spec_request request = {.project = project, .service = service};
    if (!str_is_empty(service->working_dir) && service->working_dir[0] != '/')
        return error_set(err, EINVAL, "working_dir '%s' is not an absolute path", service->working_dir);
    omap_foreach (e, service->ulimits)
        if (!ulimit_is_known(e->key))
            return error_set(err, EINVAL, "'%s' is not an ulimit", e->key);
    make_security(spec, &request);
    int r = check_platform(service, err);
    if (r == 0)
        r = check_seccomp(spec, err);
    if (r == 0)
        r = spec_make_logging(spec, service, NULL, err);
    if (r == 0)
        r = container_devices_check(spec, err);
    for (size_t i = 0; r == 0 && i < service->volume_count; i++)
        r = check_mount(&service->volumes[i], err);
    return r == 0 ? make_files(spec, &request, err) : r;
}

int spec_check(const struct project *project, const struct service *service, struct error *err)
{
    int r = check_service(project, service, err);
    return r < 0 ? error_wrap(err, "service %s", service->name) : 0;
}
