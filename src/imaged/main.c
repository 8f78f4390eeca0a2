#include "base/mem.h"
#include "base/str.h"
#include "imaged/job.h"

#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    int (*run)(struct job *job, struct error *err);
    bool stores;
} commands[] = {
    {"pull",   job_pull,   true },
    {"import", job_import, true },
    {"load",   job_load,   true },
    {"commit", job_commit, true },
    {"digest", job_digest, false},
};

enum {
    OPTION_ROOT,
    OPTION_CONFIG,
    OPTION_REFERENCE,
    OPTION_PLATFORM,
    OPTION_PATH,
    OPTION_CHANGES,
    OPTION__COUNT
};

static int read_options(int argc, char **argv, const char *values[OPTION__COUNT], struct error *err)
{
    static const struct option options[] = {
        {"root",      required_argument, NULL, OPTION_ROOT     },
        {"config",    required_argument, NULL, OPTION_CONFIG   },
        {"reference", required_argument, NULL, OPTION_REFERENCE},
        {"platform",  required_argument, NULL, OPTION_PLATFORM },
        {"path",      required_argument, NULL, OPTION_PATH     },
        {"changes",   required_argument, NULL, OPTION_CHANGES  },
        {NULL,        0,                 NULL, 0               },
    };
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o < 0 || o >= OPTION__COUNT)
            return error_set(err, EINVAL, "unknown option '%s'", argv[optind - 1]);
        values[o] = optarg;
    }
    if (argc - optind != 1 || !values[OPTION_ROOT])
        return error_set(err, EINVAL,
                         "usage: compote-image pull|import|load|commit|digest --root=DIR [--config=FILE] "
                         "[--reference=NAME] "
                         "[--platform=P] [--path=FILE] [--changes=JSON]");
    return 0;
}

static int run(int argc, char **argv, struct job *job, const void *owner, struct error *err)
{
    const char *values[OPTION__COUNT] = {0};
    int r = read_options(argc, argv, values, err);
    if (r == 0)
        r = image_store_open(owner, values[OPTION_ROOT], "", values[OPTION_CONFIG], &job->store, err);
    if (r < 0)
        return r;
    job->reference = values[OPTION_REFERENCE];
    job->path = values[OPTION_PATH];
    job->changes = values[OPTION_CHANGES];
    job->platform_given = values[OPTION_PLATFORM] != NULL;
    platform_host(&job->platform);
    if (job->platform_given && (r = platform_parse(values[OPTION_PLATFORM], &job->platform, err)) < 0)
        return r;
    r = loop_init(&job->loop, err);
    if (r == 0)
        r = sandbox_new(owner, SANDBOX_FETCH, SANDBOX_UNPACK, &job->sandbox, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (str_eq(commands[i].name, argv[optind])) {
            r = commands[i].stores ? job_prepare(job, err) : 0;
            return r < 0 ? r : commands[i].run(job, err);
        }
    return error_set(err, EINVAL, "unknown command '%s'", argv[optind]);
}

int main(int argc, char **argv)
{
    cleanup_ctx TALLOC_CTX *owner = mem_ctx();
    struct error err = ERROR_INIT;
    struct job job = {.emit = {.fd = STDOUT_FILENO}, .transfer_lock = -1};
    job.loop.epoll_fd = -1;
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    /* Names in PAX headers are UTF-8, and libarchive hands them out in the locale's encoding. */
    setlocale(LC_CTYPE, "C.UTF-8");
    int r = run(argc, argv, &job, owner, &err);
    if (r < 0)
        emit_error(&job.emit, &err);
    loop_done(&job.loop);
    return r < 0 ? 1 : 0;
}
