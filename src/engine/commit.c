/* commit: what a container wrote becomes a layer on its image. */
#include "engine/actual.h"
#include "engine/changes.h"
#include "engine/copy.h"

#include "sys/fd.h"

#include <sys/epoll.h>

struct commit {
    struct engine *engine;
    struct copy_end pack;
    struct loop_source packed;
    int archive; /* kept open until all is in it: its end is what makes the image */
    bool is_packed, done;
    int result;
    struct error error;
    struct transfer *transfer;
    char *id;
};

/* ---- the configuration ---- */

static json_t *list_of(char *const *words)
{
    json_t *list = json_array();
    for (; words && *words; words++)
        json_array_append_new(list, json_string(*words));
    return list;
}

/* The command without the image's entrypoint, when it begins with that. */
static void set_command(json_t *config, const struct container_spec *spec, const struct image *image)
{
    size_t n = strv_len(image->entrypoint);
    bool begins = strv_len(spec->argv) >= n;
    for (size_t i = 0; begins && i < n; i++)
        begins = str_eq(spec->argv[i], image->entrypoint[i]);
    if (!begins)
        json_object_set_new(config, "Entrypoint", json_null());
    json_object_set_new(config, "Cmd", list_of(spec->argv + (begins ? n : 0)));
}

/* What the container was made with, as docker's commit takes it over. */
static json_t *container_config(const struct container_spec *spec, const struct container_record *record,
                                const struct image *image)
{
    json_t *config = json_object(), *labels = json_object(), *env = json_array();
    for (char **e = spec->env; e && *e; e++)
        if (!str_starts(*e, "HOSTNAME="))
            json_array_append_new(env, json_string(*e));
    omap_foreach (e, record->labels)
        json_object_set_new(labels, e->key, json_string(e->value));
    json_object_set_new(config, "Env", env);
    json_object_set_new(config, "Labels", labels);
    json_object_set_new(config, "User", json_string(spec->user ? spec->user : ""));
    json_object_set_new(config, "WorkingDir", json_string(spec->cwd ? spec->cwd : ""));
    if (!str_is_empty(spec->stop_signal))
        json_object_set_new(config, "StopSignal", json_string(spec->stop_signal));
    set_command(config, spec, image);
    return config;
}

static int make_changes(const void *owner, const struct container_spec *spec,
                        const struct container_record *record, const struct image *image,
                        const struct commit_options *options, char **ret, struct error *err)
{
    json_t *config = container_config(spec, record, image);
    int r = 0;
    for (char *const *c = options->changes; r == 0 && c && *c; c++)
        r = change_apply(config, *c, err);
    char *command = strv_join(owner, spec->argv, " ");
    json_t *changes =
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "parent", record->image_id, "author",
                  options->author ? options->author : "", "comment", options->message ? options->message : "",
                  "created_by", command, "config", config);
    cleanup_malloc char *text = changes ? json_dumps(changes, JSON_COMPACT) : NULL;
    json_decref(changes);
    if (r == 0 && !text)
        r = error_set(err, EINVAL, "the configuration is not valid UTF-8");
    if (r == 0)
        *ret = mem_strdup(owner, text);
    return r;
}

/* ---- the layer ---- */

static void finish(struct commit *commit, int result, const struct error *err)
{
    if (commit->result == 0 && result < 0) {
        commit->result = result;
        commit->error = *err;
    }
    commit->done = true;
}

/* Only what was packed to its end may end for the reader: a tar archive that was cut off can look whole. */
static int on_packed(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *loop_err UNUSED)
{
    struct commit *commit = data;
    struct error err = ERROR_INIT;
    loop_remove(loop, source);
    int r = copy_wait(&commit->pack, &err);
    commit->is_packed = true;
    if (r < 0 && err.code != EPIPE) /* then the transfer tells */
        finish(commit, r, &err);
    else if (r == 0)
        close(TAKE_FD(commit->archive));
    return 0;
}

static void on_committed(void *data, int result, struct image *image, const struct error *err)
{
    struct commit *commit = data;
    if (result == 0)
        commit->id = mem_strdup(commit, image->id);
    finish(commit, result, err);
}

static int start_both(struct commit *commit, const struct container_record *record, const char *reference,
                      const char *changes, struct error *err)
{
    struct engine *engine = commit->engine;
    int ends[2];
    int r = fd_pipe(ends, err);
    if (r < 0)
        return r;
    cleanup_close int read_end = ends[0];
    commit->archive = ends[1];
    const struct transfer_request request = {.kind = TRANSFER_COMMIT,
                                             .reference = reference,
                                             .path = "-",
                                             .input = read_end,
                                             .changes = changes,
                                             .done = on_committed,
                                             .data = commit};
    r = transfer_start(commit, engine->images, &engine->loop, &request, &commit->transfer, err);
    commit->pack.argv =
        copy_command(commit, engine, "pack",
                     mem_printf(commit, "%s/containers/%s/upper", engine->root, record->id), "--layer", NULL);
    if (r == 0)
        r = copy_start(engine, &commit->pack, -1, commit->archive, err);
    return r < 0 ? r
                 : loop_add(&engine->loop, &commit->packed, commit->pack.errors, EPOLLIN, on_packed, commit,
                            err);
}

static int run_both(struct commit *commit, struct error *err)
{
    struct engine *engine = commit->engine;
    int r = 0;
    while (r == 0 && !commit->done)
        r = engine->cancelled ? error_set(err, ECANCELED, "canceled") : loop_once(&engine->loop, 100, err);
    if (r == 0 && commit->result < 0) {
        *err = commit->error;
        r = commit->result;
    }
    return r;
}

static int make_layer(struct engine *engine, const struct container_record *record, const char *reference,
                      const char *changes, const void *owner, char **ret_id, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct commit *commit = mem_new(tmp, struct commit);
    *commit = (struct commit){.engine = engine, .archive = -1, .packed = LOOP_SOURCE_INIT};
    int r = start_both(commit, record, reference, changes, err);
    if (r == 0)
        r = run_both(commit, err);
    talloc_free(commit->transfer); /* before the archive's end: what is not whole is not taken */
    cleanup_close_fn(&commit->archive);
    loop_remove(&engine->loop, &commit->packed);
    if (commit->pack.pid && !commit->is_packed)
        copy_wait(&commit->pack, NULL);
    if (r == 0)
        *ret_id = mem_strdup(owner, commit->id);
    return r;
}

/* ---- the command ---- */

static int commit_container(const void *owner, struct engine *engine, const struct actual_container *c,
                            const struct commit_options *options, char **ret_id, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct container_record *record = c->record;
    struct container_spec *spec;
    struct image *image;
    char *changes = NULL;
    int r = container_load(tmp, &engine->dirs, record->id, &spec, err);
    if (r == 0)
        r = image_find(tmp, engine->images, record->image_id, NULL, &image, err);
    if (r == IMAGE_ABSENT)
        r = error_set(err, ENOENT, "its image %s is not in the store any more", record->image);
    if (r == 0)
        r = make_changes(tmp, spec, record, image, options, &changes, err);
    if (r < 0 || engine->dry_run)
        return r;
    bool pause = options->pause && c->status.state == STATE_RUNNING;
    if (pause)
        r = container_pause(&engine->dirs, record->id, true, err);
    if (r == 0)
        r = make_layer(engine, record, options->reference, changes, owner, ret_id, err);
    if (pause)
        container_pause(&engine->dirs, record->id, false, NULL);
    return r;
}

int engine_commit(const void *owner, struct engine *engine, const char *name,
                  const struct commit_options *options, char **ret_id, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct actual *actual;
    struct actual_container *c;
    const struct pick_options pick = {.service = options->service, .index = options->index, .oneoffs = true};
    int r = actual_read(tmp, engine, name, &actual, err);
    if (r == 0)
        r = actual_pick(actual, &pick, &c, err);
    if (r < 0)
        return r;
    engine_report(engine, c->record->name, PROGRESS_WORKING, "Committing", NULL);
    r = commit_container(owner, engine, c, options, ret_id, err);
    if (r < 0) {
        engine_report(engine, c->record->name, PROGRESS_ERROR, "Error", NULL);
        return error_wrap(err, "commit %s", c->record->name);
    }
    engine_report(engine, c->record->name, PROGRESS_DONE, "Committed",
                  engine->dry_run ? NULL : mem_printf(tmp, "as %s", *ret_id));
    return 0;
}
