#include "engine/copy.h"

#include "data/buffer.h"
#include "engine/actual.h"
#include "sys/fd.h"
#include "sys/spawn.h"

#include <stdarg.h>
#include <sys/mman.h>

/* ---- one end ---- */

char **copy_command(const void *owner, const struct engine *engine, const char *verb, const char *path, ...)
{
    char **argv = strv_addf(owner, NULL, "%s/compote-copy", engine->libexec);
    argv = strv_add(owner, argv, verb);
    argv = strv_addf(owner, argv, "--path=%s", path);
    va_list options;
    va_start(options, path);
    for (const char *o; (o = va_arg(options, const char *));)
        argv = strv_add(owner, argv, o);
    va_end(options);
    return argv;
}

int copy_start(const struct engine *engine, struct copy_end *end, int in, int out, struct error *err)
{
    int ends[2];
    int r = fd_pipe(ends, err);
    if (r < 0)
        return r;
    cleanup_close int read_end = ends[0];
    cleanup_close int write_end = ends[1];
    if (end->container) {
        const struct files_request request = {
            .argv = end->argv, .std = {in, out, write_end},
                 .mounts = end->mounts, .as_user = end->as_user
        };
        r = container_files_run(&engine->dirs, end->container, &request, &end->pid, err);
    } else {
        const struct spawn spawn = {
            .argv = end->argv, .std = {in, out, write_end},
                 .cwd = "/", .die_with_parent = true
        };
        r = spawn_start(&spawn, &end->pid, NULL, err);
    }
    if (r == 0)
        end->errors = TAKE_FD(read_end);
    return r;
}

int copy_wait(struct copy_end *end, struct error *err)
{
    char text[1024], rest[1024];
    size_t got = 0;
    int status = 0;
    fd_read_full(end->errors, text, sizeof(text) - 1, &got, NULL);
    while (RETRY_EINTR(read(end->errors, rest, sizeof(rest))) > 0)
        ;
    close(end->errors);
    text[got] = '\0';
    text[strcspn(text, "\n")] = '\0';
    int r = spawn_wait(end->pid, &status, err);
    if (r < 0 || status == 0)
        return r;
    /* Without a word it ends when nobody takes its archive. */
    return error_set(err, !*text && status == 1 ? EPIPE : EIO, "%s",
                     *text ? text : "compote-copy ended early");
}

/* ---- cp ---- */

/* What goes wrong first is the cause; a reader that finds the archive cut short is not. */
static int wait_both(struct copy_end *pack, struct copy_end *place, struct error *err)
{
    struct error pack_error = ERROR_INIT, place_error = ERROR_INIT;
    int place_result = copy_wait(place, &place_error), pack_result = copy_wait(pack, &pack_error);
    bool pack_spoke = pack_result < 0 && pack_error.code != EPIPE;
    if (pack_spoke || (pack_result < 0 && place_result == 0))
        *err = pack_error;
    else if (place_result < 0)
        *err = place_error;
    return pack_result < 0 || place_result < 0 ? -err->code : 0;
}

static int copy_stream(const struct engine *engine, struct copy_end *end, const struct copy_options *options,
                       struct error *err)
{
    int r = copy_start(engine, end, options->to_service ? options->std[0] : -1,
                       options->to_service ? -1 : options->std[1], err);
    return r < 0 ? r : copy_wait(end, err);
}

/* `pack` gets `in` as its standard input, or -1. */
static int copy_between(const struct engine *engine, struct copy_end *pack, int in, struct copy_end *place,
                        struct error *err)
{
    int ends[2];
    int r = fd_pipe(ends, err);
    if (r < 0)
        return r;
    cleanup_close int read_end = ends[0];
    cleanup_close int write_end = ends[1];
    r = copy_start(engine, place, read_end, -1, err);
    if (r < 0)
        return r;
    close(TAKE_FD(read_end));
    r = copy_start(engine, pack, in, write_end, err);
    close(TAKE_FD(write_end));
    if (r < 0) {
        copy_wait(place, NULL);
        return r;
    }
    return wait_both(pack, place, err);
}

static int copy_one(const struct engine *engine, const struct container_record *record,
                    const struct copy_options *options, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    bool to = options->to_service, is_stream = str_eq(options->local, "-");
    const char *from_path = to ? options->local : options->inside,
               *to_path = to ? options->inside : options->local;
    /* On the machine's side nobody else's links are followed, and what comes is the caller's. */
    struct copy_end pack = {
        .argv = copy_command(tmp, engine, "pack", from_path, options->follow ? "--follow" : NULL, NULL),
        .container = to ? NULL : record->id,
        .mounts = true};
    struct copy_end place = {
        .container = to ? record->id : NULL, .mounts = true, .as_user = options->as_user};
    if (to)
        place.argv =
            copy_command(tmp, engine, "place", to_path, "--links", is_stream ? "--stream" : NULL, NULL);
    else
        place.argv = copy_command(tmp, engine, "place", to_path,
                                  mem_printf(tmp, "--owner=%u:%u", geteuid(), getegid()), NULL);
    return is_stream ? copy_stream(engine, to ? &place : &pack, options, err)
                     : copy_between(engine, &pack, -1, &place, err);
}

static int copy_and_tell(struct engine *engine, const struct container_record *record,
                         const struct copy_options *options, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *inside = mem_printf(tmp, "%s:%s", record->name, options->inside);
    const char *from = options->to_service ? options->local : inside,
               *to = options->to_service ? inside : options->local;
    char *what = mem_printf(tmp, "copy %s to %s", from, to);
    engine_report(engine, record->name, PROGRESS_WORKING, "Copying", what);
    int r = engine->dry_run ? 0 : copy_one(engine, record, options, err);
    if (r < 0) {
        engine_report(engine, record->name, PROGRESS_ERROR, "Error", what);
        return error_wrap(err, "%s", what);
    }
    engine_report(engine, record->name, PROGRESS_DONE, "Copied", what);
    return 0;
}

int engine_copy(struct engine *engine, const char *name, const struct copy_options *options,
                struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct actual *actual;
    struct actual_container *first;
    const struct pick_options pick = {
        .service = options->service, .index = options->index, .oneoffs = options->oneoffs};
    int r = actual_read(tmp, engine, name, &actual, err);
    if (r == 0)
        r = actual_pick(actual, &pick, &first, err);
    if (r < 0 || options->index || !options->to_service)
        return r < 0 ? r : copy_and_tell(engine, first->record, options, err);
    for (size_t i = 0; r == 0 && i < actual->container_count; i++) {
        const struct container_record *record = actual->containers[i]->record;
        if (record->ready && str_eq(record->service, options->service) &&
            (options->oneoffs || !record->oneoff))
            r = copy_and_tell(engine, record, options, err);
    }
    return r;
}

/* ---- lists of files ---- */

/* A file in memory with the texts, each ended by NUL. */
static int write_list(char *const *first, char *const *second, size_t count, int *ret_fd, struct error *err)
{
    cleanup_close int fd = memfd_create("list", MFD_CLOEXEC);
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct buffer text = BUFFER_INIT(tmp);
    for (size_t i = 0; i < count; i++) {
        buffer_add(&text, first[i], strlen(first[i]) + 1);
        if (second)
            buffer_add(&text, second[i], strlen(second[i]) + 1);
    }
    if (fd < 0)
        return error_errno(err, "memfd");
    int r = fd_write_all(fd, text.data, text.size, err);
    if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
        r = error_errno(err, "seek");
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

static int remove_files(const struct engine *engine, const char *container, const struct copy_list *list,
                        struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int names = -1;
    struct copy_end end = {
        .argv = copy_command(tmp, engine, "remove", "/", NULL), .container = container, .mounts = true};
    int r = write_list(list->removed, NULL, list->removed_count, &names, err);
    if (r == 0)
        r = copy_start(engine, &end, names, -1, err);
    return r < 0 ? r : copy_wait(&end, err);
}

int copy_files(const struct engine *engine, const char *container, const struct copy_list *list,
               struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int names = -1;
    int r = list->removed_count ? remove_files(engine, container, list, err) : 0;
    if (r < 0 || !list->count)
        return r;
    struct copy_end pack = {.argv = copy_command(tmp, engine, "pack", list->directory, "--list", NULL)};
    struct copy_end place = {.argv = copy_command(tmp, engine, "place", "/", "--links", "--spread", NULL),
                             .container = container,
                             .mounts = true,
                             .as_user = true};
    r = write_list(list->from, list->to, list->count, &names, err);
    return r < 0 ? r : copy_between(engine, &pack, names, &place, err);
}

/* ---- export ---- */

int engine_export(struct engine *engine, const char *name, const char *service, int index, int output,
                  const char *target, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct actual *actual;
    struct actual_container *c;
    const struct pick_options pick = {.service = service, .index = index, .oneoffs = true};
    int r = actual_read(tmp, engine, name, &actual, err);
    if (r == 0)
        r = actual_pick(actual, &pick, &c, err);
    if (r < 0)
        return r;
    char *what = mem_printf(tmp, "export %s to %s", c->record->name, target);
    struct copy_end pack = {.argv = copy_command(tmp, engine, "pack", "/", "--content", NULL),
                            .container = c->record->id};
    engine_report(engine, c->record->name, PROGRESS_WORKING, "Exporting", what);
    if (!engine->dry_run && (r = copy_start(engine, &pack, -1, output, err)) == 0)
        r = copy_wait(&pack, err);
    engine_report(engine, c->record->name, r < 0 ? PROGRESS_ERROR : PROGRESS_DONE,
                  r < 0 ? "Error" : "Exported", what);
    return r < 0 ? error_wrap(err, "%s", what) : 0;
}
