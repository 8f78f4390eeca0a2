#include "cli/envflag.h"

#include "base/path.h"
#include "base/strv.h"
#include "data/dotenv.h"
#include "sys/fs.h"

char **env_resolve(const void *owner, const struct app *app, char *const *words)
{
    char **env = NULL;
    for (; words && *words; words++) {
        const char *value = strchr(*words, '=') ? NULL : strv_env_get(app->config.environment, *words);
        if (strchr(*words, '='))
            env = strv_add(owner, env, *words);
        else if (value)
            env = strv_addf(owner, env, "%s=%s", *words, value);
    }
    return env;
}

static const char *look_up(const struct template_scope *scope, const char *name)
{
    return strv_env_get(scope->data, name);
}

static int add_file(const void *owner, const struct app *app, const char *name, char ***env,
                    struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct template_scope scope = {.lookup = look_up, .data = *env};
    struct omap *values = omap_new(tmp);
    char *text;
    size_t size;
    int r = fs_read_file(tmp, path_join(tmp, app->config.cwd, name), DOTENV_MAX_SIZE, &text, &size, err);
    if (r == FS_ABSENT)
        return error_set(err, ENOENT, "couldn't find env file: %s", name);
    if (r == 0 && strlen(text) != size)
        r = error_set(err, EINVAL, "it has NUL characters");
    if (r == 0)
        r = dotenv_parse(text, &scope, values, NULL, err);
    if (r < 0)
        return error_wrap(err, "env file %s", name);
    omap_foreach (e, values)
        if (e->value && !strv_env_get(*env, e->key))
            *env = strv_addf(owner, *env, "%s=%s", e->key, (char *)e->value);
    return 0;
}

int env_add_files(const void *owner, const struct app *app, char *const *files, char ***env,
                  struct error *err)
{
    int r = 0;
    for (; r == 0 && files && *files; files++)
        r = add_file(owner, app, *files, env, err);
    return r;
}

bool wants_tty(const struct app *app, bool no_tty)
{
    return !no_tty && app->config.in_tty && app->config.out_tty;
}
