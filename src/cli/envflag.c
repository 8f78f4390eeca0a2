#include "cli/envflag.h"

#include "base/strv.h"

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

bool wants_tty(const struct app *app, bool no_tty)
{
    return !no_tty && app->config.in_tty && app->config.out_tty;
}
