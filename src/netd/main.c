/*
 * compote-netd PROJECT: started by network/netd_client.c with the listening control socket as descriptor 3.
 * Not for people.
 */
#include "netd/netd.h"
#include "sys/fd.h"
#include "sys/unit.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { CONTROL_FD = 3, NOBODY = 65534, DESCRIPTORS_SPARE = 256, STREAMS_MAX = 16384 };

static const int64_t query_time = 4 * 1000000000LL;
static const int64_t client_time = 5 * 1000000000LL;
static const int64_t peer_time = 90 * 1000000000LL;

/*
 * From here on only what everyone may do. Where there is no such user (a user namespace) the rest must do.
 */
static int drop_privileges(struct error *err)
{
    for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
        ;
    if (geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
        setresuid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL)
        return error_errno(err, "become nobody");
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    if (syscall(SYS_capset, &header, none) < 0)
        return error_errno(err, "drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, "set no_new_privs");
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? error_errno(err, "forbid dumps") : 0;
}

/* As many descriptors as we may; a forwarded connection has two, and up to four more while bytes are moving.
 */
static unsigned raise_limits(void)
{
    struct rlimit limit = {.rlim_cur = 1024};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    rlim_t streams = limit.rlim_cur > 2 * DESCRIPTORS_SPARE ? (limit.rlim_cur - DESCRIPTORS_SPARE) / 6 : 32;
    return streams > STREAMS_MAX ? STREAMS_MAX : (unsigned)streams;
}

static int netd_run(struct netd *netd, struct error *err)
{
    int r = loop_init(&netd->loop, err);
    if (r < 0)
        return r;
    netd->records = omap_new(netd);
    netd->sockets = omap_new(netd);
    timeouts_init(&netd->query_waits, &netd->loop, query_time);
    timeouts_init(&netd->client_waits, &netd->loop, client_time);
    timeouts_init(&netd->peer_waits, &netd->loop, peer_time);
    netd->stream_limit = raise_limits();
    netd->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    r = drop_privileges(err);
    if (r == 0)
        r = control_init(netd, CONTROL_FD, err);
    return r < 0 ? r : loop_run(&netd->loop, err);
}

int main(int argc, char **argv)
{
    struct stat st;
    if (argc != 2 || fstat(CONTROL_FD, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        fprintf(stderr, "compote-netd is started by compote\n");
        return 2;
    }
    fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
    pid_t child = unit_fork_outside();
    if (child != 0)
        return child < 0;
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    struct error err = ERROR_INIT;
    struct netd *netd = mem_new(NULL, struct netd);
    netd->project = argv[1];
    int r = netd_run(netd, &err);
    if (r < 0)
        fprintf(stderr, "compote-netd: %s\n", err.text);
    talloc_free(netd);
    return r < 0;
}
