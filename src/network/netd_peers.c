#include "network/netd_peers.h"

#include "base/str.h"
#include "base/strv.h"
#include "network/netd_session.h"
#include "network/record.h"
#include "sys/fs.h"

static char *mark_path(const void *owner, const char *directory, const char *network)
{
    /* Names of networks may have no slash anywhere else either. */
    return strchr(network, '/') ? NULL : mem_printf(owner, "%s/net.%s", directory, network);
}

int peers_mark(const void *owner, const char *directory, const struct netd_record *record, char ***ret_joined,
               struct error *err)
{
    char **joined = NULL;
    for (size_t i = 0; i < record->network_count; i++) {
        const char *network = record->networks[i].network;
        char *path = mark_path(owner, directory, network);
        if (!path || fs_exists(path))
            continue;
        int r = fs_write_file(path, "", 0, 0600, false, err);
        if (r < 0)
            return r;
        joined = strv_add(owner, joined, network);
    }
    *ret_joined = joined;
    return 0;
}

/* One record for one project: written down, and told to its compote-netd if that runs. */
static int give(const struct network_context *context, const char *project, const char *container,
                const char *text, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct netd_session session = SESSION_INIT;
    int r = netd_session_open(&session, tmp, context, project, false, err);
    if (r != 0)
        return r < 0 ? r : 0;
    char *path = netd_session_path(tmp, &session, container, "peer");
    r = fs_write_file(path, text, strlen(text), 0600, false, err);
    if (r == 0)
        r = netd_session_connect(&session, err);
    if (r == 0)
        r = netd_session_request(&session, mem_printf(tmp, "peer\n%s", text), err);
    return r < 0 ? r : 0;
}

static int take_away(const struct network_context *context, const char *project, const char *container,
                     struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_session struct netd_session session = SESSION_INIT;
    int r = netd_session_open(&session, tmp, context, project, false, err);
    if (r != 0)
        return r < 0 ? r : 0;
    if (unlink(netd_session_path(tmp, &session, container, "peer")) < 0 && errno != ENOENT)
        return error_errno(err, "forget container '%s' in project '%s'", container, project);
    r = netd_session_connect(&session, err);
    if (r == 0)
        r = netd_session_request(&session, mem_printf(tmp, "drop %s\n", container), err);
    return r < 0 ? r : 0;
}

/* The records of `other` that are on one of `networks`, for `project`. */
static int take_records(const struct network_context *context, const char *project, const char *other,
                        char *const *networks, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *directory = mem_printf(tmp, "%s/netd/%s", context->run, other), **names, *text;
    int r = fs_list(tmp, directory, &names, err);
    for (size_t i = 0; r >= 0 && names && names[i]; i++) {
        struct netd_record *record;
        if (!str_ends(names[i], ".record"))
            continue;
        /* One that just went, or that nobody can read, is not there for us. */
        if (fs_read_file(tmp, mem_printf(tmp, "%s/%s", directory, names[i]), RECORD_MAX, &text, NULL, NULL) !=
                0 ||
            record_parse(tmp, text, &record, NULL) < 0)
            continue;
        bool is_shared = false;
        for (size_t n = 0; n < record->network_count; n++)
            is_shared = is_shared || strv_contains(networks, record->networks[n].network);
        if (is_shared)
            r = give(context, project, record->container, text, err);
    }
    return r < 0 ? r : 0;
}

static bool shares_any(const void *tmp, const char *directory, const struct netd_record *record)
{
    for (size_t i = 0; i < record->network_count; i++) {
        char *path = mark_path(tmp, directory, record->networks[i].network);
        if (path && fs_exists(path))
            return true;
    }
    return false;
}

int peers_publish(const struct network_context *context, const char *project,
                  const struct netd_record *record, const char *text, char *const *joined, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *top = mem_printf(tmp, "%s/netd", context->run), **projects;
    int r = fs_list(tmp, top, &projects, err);
    for (size_t i = 0; r >= 0 && projects && projects[i]; i++) {
        if (str_eq(projects[i], project) ||
            !shares_any(tmp, mem_printf(tmp, "%s/%s", top, projects[i]), record))
            continue;
        r = give(context, projects[i], record->container, text, err);
        if (r >= 0 && joined)
            r = take_records(context, project, projects[i], joined, err);
    }
    return r < 0 ? r : 0;
}

int peers_withdraw(const struct network_context *context, const char *project, const char *container,
                   struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *top = mem_printf(tmp, "%s/netd", context->run), **projects;
    int r = fs_list(tmp, top, &projects, err);
    for (size_t i = 0; r >= 0 && projects && projects[i]; i++)
        if (!str_eq(projects[i], project) &&
            fs_exists(mem_printf(tmp, "%s/%s/%s.peer", top, projects[i], container)))
            r = take_away(context, projects[i], container, err);
    return r < 0 ? r : 0;
}
