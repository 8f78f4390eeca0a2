#include "cli/runflags.h"

#include "base/str.h"
#include "sys/fd.h"

#include <jansson.h>
#include <sys/mman.h>

/* A string whose dollars are not for interpolation: the shell has done its part already. */
static json_t *literal(const char *word)
{
    char *text = mem_strdup(NULL, "");
    for (const char *p = word; *p; p++)
        text = mem_append_printf(text, *p == '$' ? "$%c" : "%c", *p);
    json_t *value = json_string(text);
    talloc_free(text);
    return value;
}

/* NULL when a word is not valid UTF-8. */
static json_t *list_of(char *const *words)
{
    json_t *list = json_array();
    for (; words && *words; words++)
        if (json_array_append_new(list, literal(*words)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* The overrides as a Compose file in memory; JSON is YAML, and quotes what has to be quoted. */
static int write_file(const struct run_overrides *overrides, int *ret_fd, struct error *err)
{
    json_t *service = json_pack("{s:s, s:o, s:o}", "image", "none", "volumes", list_of(overrides->volumes),
                                "ports", list_of(overrides->ports));
    bool valid = service && (!overrides->entrypoint ||
                             json_object_set_new(service, "entrypoint", literal(overrides->entrypoint)) == 0);
    json_t *file = valid ? json_pack("{s:s, s:{s:O}}", "name", "flags", "services", "run", service) : NULL;
    json_decref(service);
    cleanup_malloc char *text = file ? json_dumps(file, JSON_COMPACT) : NULL;
    json_decref(file);
    if (!text)
        return error_set(err, EINVAL, "a flag's value is not valid UTF-8");
    cleanup_close int fd = memfd_create("flags", MFD_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "memfd");
    int r = fd_write_all(fd, text, strlen(text), err);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

/* The loader's message without the place in a file that nobody has seen. */
static void reword(struct error *err)
{
    static const char place[] = "services.run.";
    const char *found = strstr(err->text, place);
    if (!found)
        return;
    char text[ERROR_TEXT_SIZE], hint[sizeof(err->hint)];
    str_copy(text, sizeof(text), found + strlen(place));
    str_copy(hint, sizeof(hint), err->hint);
    error_set(err, err->code, "%s", text);
    error_hint(err, "%s", hint);
}

static int load_service(struct session *session, const struct run_overrides *overrides, struct service **ret,
                        struct error *err)
{
    const struct app *app = session->app;
    cleanup_close int fd = -1;
    int r = write_file(overrides, &fd, err);
    if (r < 0)
        return r;
    char *path = mem_printf(session, "/proc/self/fd/%d", fd);
    char *files[] = {path, NULL};
    const struct load_options options = {.files = files,
                                         .project_directory = app->config.cwd,
                                         .environment = app->config.environment,
                                         .cwd = app->config.cwd,
                                         .no_consistency = true};
    struct project *project;
    struct diagnostics diagnostics = {0};
    r = project_load(session, &options, &project, &diagnostics, err);
    if (r < 0)
        reword(err);
    else
        *ret = project_service(project, "run");
    return r;
}

/* A volume that the files do not declare is one of that very name. */
static void declare_volume(struct session *session, char *name)
{
    if (omap_has(session->project->volumes, name))
        return;
    struct volume *volume = mem_new(session, struct volume);
    volume->key = volume->name = name;
    omap_set(session->project->volumes, name, volume);
}

static void add_volume(struct session *session, struct service *service, const struct volume_mount *mount)
{
    size_t at = 0;
    while (at < service->volume_count && !str_eq(service->volumes[at].target, mount->target))
        at++;
    struct volume_mount *all = mem_array(session, struct volume_mount, service->volume_count + 1);
    if (service->volume_count)
        memcpy(all, service->volumes, service->volume_count * sizeof(*all));
    all[at] = *mount;
    service->volumes = all;
    service->volume_count += at == service->volume_count;
    if (mount->type == MOUNT_VOLUME && mount->source)
        declare_volume(session, mount->source);
}

int run_overrides_apply(struct session *session, const char *name, const struct run_overrides *overrides,
                        struct error *err)
{
    struct service *service = project_service(session->project, name), *from;
    if (!service)
        return error_set(err, ENOENT, "no such service: %s", name);
    if (!overrides->volumes && !overrides->ports && !overrides->entrypoint)
        return 0;
    int r = load_service(session, overrides, &from, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < from->volume_count; i++)
        add_volume(session, service, &from->volumes[i]);
    if (overrides->ports) {
        service->ports = from->ports;
        service->port_count = from->port_count;
    }
    if (overrides->entrypoint) {
        static char *none[] = {NULL};
        service->entrypoint = from->entrypoint ? from->entrypoint : none;
        service->command = none;
    }
    return 0;
}
