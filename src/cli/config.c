#include "cli/config.h"

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "sys/fs.h"
#include "sys/term.h"

#include <limits.h>

const char *config_get(const struct config *config, const char *name)
{
    const char *value = strv_env_get(config->environment, name);
    return str_is_empty(value) ? NULL : value;
}

bool config_is_true(const char *value)
{
    static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True", "yes", "y", "on"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (str_eq(value, words[i]))
            return true;
    return false;
}

/* A program that runs from a build or from an unpacked archive has its helpers beside it. */
static char *find_libexec(const void *owner, const struct config *config)
{
    const char *given = config_get(config, "COMPOTE_LIBEXEC");
    if (given)
        return path_join(owner, config->cwd, given);
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0) {
        self[n] = '\0';
        char *directory = path_parent(owner, self);
        char *beside = path_join(owner, directory, "../libexec/compote");
        talloc_free(directory);
        if (fs_exists(beside))
            return beside;
        talloc_free(beside);
    }
    return mem_strdup(owner, COMPOTE_LIBEXEC);
}

static char *find_registry_config(const void *owner, const struct config *config)
{
    const char *given = config_get(config, "COMPOTE_REGISTRIES");
    if (given)
        return path_join(owner, config->cwd, given);
    const char *xdg = config_get(config, "XDG_CONFIG_HOME"), *home = config_get(config, "HOME");
    char *own = xdg    ? mem_printf(owner, "%s/compote/registries.json", xdg)
                : home ? mem_printf(owner, "%s/.config/compote/registries.json", home)
                       : NULL;
    if (own && fs_exists(own))
        return own;
    static const char system_wide[] = "/etc/compote/registries.json";
    return fs_exists(system_wide) ? mem_strdup(owner, system_wide) : NULL;
}

void config_read(const void *owner, const char *argv0, char *const *environment, struct config *ret)
{
    const char *name = path_name(argv0 ? argv0 : "compote");
    char cwd[PATH_MAX];
    *ret = (struct config){
        .environment = strv_dup(owner, environment),
        .is_docker = str_eq(name, "docker-compose"),
        .cwd = mem_strdup(owner, getcwd(cwd, sizeof(cwd)) ? cwd : "/"),
        .in_tty = isatty(STDIN_FILENO) == 1,
        .out_tty = isatty(STDOUT_FILENO) == 1,
        .err_tty = isatty(STDERR_FILENO) == 1,
    };
    ret->program = ret->is_docker ? "docker-compose" : "compote";
    ret->no_color = config_get(ret, "NO_COLOR") != NULL;
    ret->libexec = find_libexec(owner, ret);
    const char *docker = config_get(ret, "DOCKER_CONFIG"), *home = config_get(ret, "HOME");
    ret->docker_config = docker ? path_join(owner, ret->cwd, docker)
                         : home ? mem_printf(owner, "%s/.docker", home)
                                : NULL;
    ret->registry_config = find_registry_config(owner, ret);
}

void config_dirs(const void *owner, const struct config *config, const char *root, char **ret_data,
                 char **ret_run)
{
    if (!root)
        root = config_get(config, "COMPOTE_ROOT");
    if (root) {
        *ret_data = path_join(owner, config->cwd, root);
        *ret_run = path_join(owner, *ret_data, "run");
    } else if (geteuid() == 0) {
        *ret_data = mem_strdup(owner, "/var/lib/compote");
        *ret_run = mem_strdup(owner, "/run/compote");
    } else {
        const char *data = config_get(config, "XDG_DATA_HOME"), *run = config_get(config, "XDG_RUNTIME_DIR");
        const char *home = config_get(config, "HOME");
        *ret_data = data ? mem_printf(owner, "%s/compote", data)
                         : mem_printf(owner, "%s/.local/share/compote", home ? home : "");
        *ret_run =
            run ? mem_printf(owner, "%s/compote", run) : mem_printf(owner, "/tmp/compote-%u", geteuid());
    }
}

void terminal_size(int fd, int *ret_columns, int *ret_rows)
{
    *ret_columns = 80;
    *ret_rows = 24;
    (void)term_size(fd, ret_columns, ret_rows);
    if (*ret_columns <= 0)
        *ret_columns = 80;
    if (*ret_rows <= 0)
        *ret_rows = 24;
}
