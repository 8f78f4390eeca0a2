#include "data/digest.h"
#include "engine/internal.h"
#include "sys/fs.h"

#include <sys/random.h>
#include <time.h>

char *engine_hash(const void *owner, const char *text)
{
    char *hex = mem_array(owner, char, DIGEST_TEXT);
    digest_sha256(text, strlen(text), hex);
    return hex;
}

static int engine_done(struct engine *engine)
{
    loop_done(&engine->loop);
    return 0;
}

static void choose_names(struct engine *engine, const char *root)
{
    char *hash = engine_hash(engine, root);
    str_copy(engine->id, sizeof(engine->id), hash);
    bool standard = strcmp(root, "/var/lib/compote") == 0;
    engine->dirs = (struct runtime_dirs){
        .root = engine->root,
        .run = engine->run,
        .libexec = engine->libexec,
        .cgroup = standard ? "/compote" : mem_printf(engine, "/compote_%s", engine->id),
    };
    engine->network = (struct network_context){
        .run = engine->run,
        .libexec = engine->libexec,
        .table = standard ? "compote" : mem_printf(engine, "compote_%s", engine->id),
    };
}

int engine_open(const void *owner, const struct engine_options *options, struct engine **ret,
                struct error *err)
{
    if (geteuid() != 0) {
        error_set(err, EPERM, "compote needs root to make namespaces, mounts and networks");
        return error_hint(err, "run it with sudo; a rootless mode is not there yet");
    }
    struct engine *engine = mem_new(owner, struct engine);
    engine->root = mem_strdup(engine, options->root);
    engine->run = mem_strdup(engine, options->run);
    engine->libexec = mem_strdup(engine, options->libexec);
    engine->environment = options->environment;
    engine->sink = options->sink;
    engine->dry_run = options->dry_run;
    engine->parallel = options->parallel;
    choose_names(engine, options->root);

    int r = loop_init(&engine->loop, err);
    if (r == 0) {
        talloc_set_destructor(engine, engine_done);
        r = fs_mkdir_p(engine->run, 0711, err);
    }
    if (r == 0)
        r = state_open(engine, engine->root, &engine->state, err);
    if (r == 0)
        r = image_store_open(engine, engine->root, engine->libexec, options->registries, &engine->images,
                             err);
    if (r < 0) {
        talloc_free(engine);
        return r;
    }
    *ret = engine;
    return 0;
}

struct loop *engine_loop(struct engine *engine)
{
    return &engine->loop;
}

void engine_cancel(struct engine *engine)
{
    engine->cancelled = true;
}

void engine_cancel_clear(struct engine *engine)
{
    engine->cancelled = false;
}

bool engine_is_cancelled(const struct engine *engine)
{
    return engine->cancelled;
}

struct image_store *engine_images(struct engine *engine)
{
    return engine->images;
}

void engine_report(struct engine *engine, const char *id, enum progress_state state, const char *text,
                   const char *details)
{
    if (!engine->sink)
        return;
    struct progress_event event = {.id = id, .state = state, .text = text, .details = details};
    engine->sink->event(engine->sink, &event);
}

enum { LOCK_POLL_MS = 50 };

int engine_lock(struct engine *engine, const char *project, int *ret_fd, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *dir = mem_printf(tmp, "%s/locks", engine->run),
               *path = mem_printf(tmp, "%s/%s.lock", dir, project);
    int r = fs_mkdir_p(dir, 0700, err);
    if (r == 0)
        r = fs_lock(path, false, false, ret_fd, err);
    if (r != LOCK_BUSY)
        return r;
    char *text = mem_printf(tmp, "Waiting for another command on project \"%s\"", project);
    engine_report(engine, NULL, PROGRESS_WARNING, text, NULL);
    /* The loop goes on meanwhile, so that Ctrl-C is heard. */
    while (r == LOCK_BUSY) {
        r = loop_once(&engine->loop, LOCK_POLL_MS, err);
        if (r == 0)
            r = engine->cancelled ? error_set(err, ECANCELED, "canceled")
                                  : fs_lock(path, false, false, ret_fd, err);
    }
    return r;
}

char *engine_interface_name(const void *owner, const struct engine *engine, const char *prefix,
                            const char *text)
{
    char *seed = mem_printf(NULL, "%s %s", engine->root, text);
    char *hash = engine_hash(seed, seed);
    char *name = mem_printf(owner, "%s%.10s", prefix, hash);
    talloc_free(seed);
    return name;
}

char *engine_volume_path(const void *owner, const struct engine *engine, const char *volume)
{
    return mem_printf(owner, "%s/volumes/%s/_data", engine->root, volume);
}

char *engine_netns_path(const void *owner, const struct engine *engine, const char *project,
                        const char *container)
{
    return mem_printf(owner, "%s/netns/%s/%.12s", engine->run, project, container);
}

char *engine_new_id(const void *owner)
{
    unsigned char bytes[32];
    /* 32 bytes never come short and never fail once the pool is seeded (getrandom(2)). */
    while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        ;
    char *hex = mem_array(owner, char, 2 * sizeof(bytes) + 1);
    str_hex(hex, bytes, sizeof(bytes));
    return hex;
}

int64_t engine_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
