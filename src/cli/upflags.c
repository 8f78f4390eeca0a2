#include "cli/upflags.h"

#include "cli/ask.h"
#include "cli/scale.h"

#include "base/str.h"

/* "policy" is the default: what each service says. */
const char *const pull_choices[] = {"always", "missing", "never", "build", "policy", NULL};

int conflicts_check(const struct conflict *conflicts, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (conflicts[i].holds)
            return error_set(err, EINVAL, "%s", conflicts[i].text);
    return 0;
}

int create_flags_check(const struct create_flags *flags, struct error *err)
{
    const struct conflict conflicts[] = {
        {flags->build && flags->no_build,             "--build and --no-build are incompatible"            },
        {flags->force_recreate && flags->no_recreate, "--force-recreate and --no-recreate are incompatible"},
    };
    return conflicts_check(conflicts, ARRAY_SIZE(conflicts), err);
}

static bool yes(void *data UNUSED, const char *question UNUSED)
{
    return true;
}

static bool ask_user(void *data, const char *question)
{
    return ask(data, question);
}

int create_flags_apply(const struct create_flags *flags, struct session *session, struct up_options *ret,
                       struct error *err)
{
    bool ignore = config_is_true(session_variable(session, "COMPOSE_IGNORE_ORPHANS"));
    bool remove =
        flags->remove_orphans || config_is_true(session_variable(session, "COMPOSE_REMOVE_ORPHANS"));
    if (ignore && remove)
        return error_set(err, EINVAL, "cannot combine COMPOSE_IGNORE_ORPHANS and --remove-orphans");
    if (session->project->services->count == 0)
        return error_set(err, EINVAL, "no service selected");
    ret->services = session->services;
    ret->recreate = flags->force_recreate ? RECREATE_ALWAYS
                    : flags->no_recreate  ? RECREATE_NEVER
                                          : RECREATE_CHANGED;
    ret->remove_orphans = remove;
    ret->quiet_pull = flags->quiet_pull;
    ret->confirm = flags->yes ? yes : ask_user;
    ret->confirm_data = session->app;
    ret->pull = str_eq(flags->pull, "policy") || str_eq(flags->pull, "build") ? NULL : flags->pull;
    return scale_parse(session, session->project, flags->scale, &ret->scale, err);
}
