/*
 * Events: who did what to which container of a project, and why one ended.
 *
 * Each is a line in the project's journal, <run>/events/<project>, written by whoever makes it happen: the
 * container's monitor (start, die, oom, kill, stop, pause, unpause, health_status) or a command (create,
 * destroy, exec_*). So it costs one write whether or not anybody listens, and listeners need nobody to tell
 * them: they follow the file.
 *
 *     {"time": ns, "id": "...", "action": "die", "service": "web", "oneoff": false, "image": "...", "name":
 * "...", "labels": {...}, "attributes": {"exitCode": "1"}}
 */
#include "engine/events.h"

#include "sys/fs.h"
#include "sys/journal.h"

#include <jansson.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

enum { MEMBERS_MAX = 6000 };

static char *journal_path(const void *owner, const struct engine *engine, const char *project)
{
    return mem_printf(owner, "%s/events/%s", engine->run, project);
}

/* ---- writing ---- */

static char *print_members(const void *owner, const struct container_record *record, bool with_labels)
{
    json_t *labels = json_object();
    if (with_labels)
        omap_foreach (e, record->labels)
            if (!str_starts(e->key, "com.docker.compose."))
                json_object_set_new(labels, e->key, json_string(e->value));
    json_t *object =
        json_pack("{s:s, s:b, s:s, s:s, s:o}", "service", record->service, "oneoff", record->oneoff, "image",
                  record->image ? record->image : "", "name", record->name, "labels", labels);
    cleanup_malloc char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    size_t n = text ? strlen(text) : 0;
    return n > 2 ? mem_strndup(owner, text + 1, n - 2) : NULL;
}

char *events_members(const void *owner, const struct container_record *record)
{
    char *text = print_members(owner, record, true);
    return text && strlen(text) <= MEMBERS_MAX ? text : print_members(owner, record, false);
}

void events_tell(const struct engine *engine, const struct container_record *record, const char *action, ...)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *members = events_members(tmp, record);
    json_t *attributes = json_object();
    va_list list;
    va_start(list, action);
    for (const char *key; (key = va_arg(list, const char *));)
        json_object_set_new(attributes, key, json_string(va_arg(list, const char *)));
    va_end(list);
    cleanup_malloc char *text = json_dumps(attributes, JSON_COMPACT);
    json_decref(attributes);
    json_t *word = json_string(action);
    cleanup_malloc char *action_text = word ? json_dumps(word, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(word);
    if (!members || !text || !action_text)
        return;
    char *line = mem_printf(tmp, "{\"time\":%lld,\"id\":\"%s\",\"action\":%s,%s,\"attributes\":%s}\n",
                            (long long)engine_clock_ns(), record->id, action_text, members, text);
    if (strlen(line) < JOURNAL_LINE_MAX &&
        fs_mkdir_p(mem_printf(tmp, "%s/events", engine->run), 0700, NULL) == 0)
        journal_append(journal_path(tmp, engine, record->project), line, strlen(line), NULL);
}

/* ---- following ---- */

struct follower {
    const struct events_options *options;
    struct journal_reader reader;
    struct loop_source watch, until;
    int inotify_fd;
    bool over;
};

static void add_attributes(const void *owner, struct omap *to, const json_t *from)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)from, key, value)
        if (json_is_string(value))
            omap_set_str(to, mem_strdup(owner, key), json_string_value(value));
}

static void on_line(void *data, char *line)
{
    struct follower *f = data;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const struct events_options *o = f->options;
    struct event event = {.attributes = omap_new(tmp)};
    json_int_t time;
    int oneoff;
    const char *image, *name;
    json_t *labels, *attributes, *object = json_loads(line, 0, NULL);
    bool valid = object && json_unpack(object, "{s:I, s:s, s:s, s:s, s:b, s:s, s:s, s:o, s:o}", "time", &time,
                                       "id", &event.id, "action", &event.action, "service", &event.service,
                                       "oneoff", &oneoff, "image", &image, "name", &name, "labels", &labels,
                                       "attributes", &attributes) == 0;
    if (valid && o->until && time > o->until)
        f->over = true;
    if (valid && !oneoff && time >= o->since && !f->over &&
        (!o->services || strv_contains(o->services, event.service))) {
        event.time = time;
        add_attributes(tmp, event.attributes, labels);
        omap_set_str(event.attributes, "image", image);
        omap_set_str(event.attributes, "name", name);
        add_attributes(tmp, event.attributes, attributes);
        o->event(o->data, &event);
    }
    json_decref(object);
}

static int on_change(struct loop *loop UNUSED, struct loop_source *source, uint32_t events UNUSED, void *data,
                     struct error *err UNUSED)
{
    struct follower *f = data;
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (RETRY_EINTR(read(source->fd, buffer, sizeof(buffer))) > 0)
        ;
    journal_read(&f->reader);
    return 0;
}

static int on_until(struct loop *loop, struct loop_source *source, uint32_t events UNUSED, void *data,
                    struct error *err UNUSED)
{
    struct follower *f = data;
    loop_remove(loop, source);
    journal_read(&f->reader);
    f->over = true;
    return 0;
}

static int follow(struct engine *engine, struct follower *f, const char *dir, struct error *err)
{
    const struct events_options *o = f->options;
    int64_t left = o->until ? o->until - engine_clock_ns() : 0;
    f->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (f->inotify_fd < 0 ||
        inotify_add_watch(f->inotify_fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return error_errno(err, "watch '%s'", dir);
    int r = loop_add(&engine->loop, &f->watch, f->inotify_fd, EPOLLIN, on_change, f, err);
    if (r == 0 && o->until)
        r = loop_timer(&engine->loop, &f->until, left > 0 ? left : 0, on_until, f, err);
    if (r < 0)
        return r;
    /* The watch came first: what is written from here on wakes us. */
    journal_read(&f->reader);
    while (r == 0 && !f->over && !engine->cancelled)
        r = loop_once(&engine->loop, -1, err);
    return r;
}

int engine_events(struct engine *engine, const char *name, const struct events_options *options,
                  struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *dir = mem_printf(tmp, "%s/events", engine->run);
    struct follower *f = mem_new(tmp, struct follower);
    *f = (struct follower){
        .options = options,
        .watch = LOOP_SOURCE_INIT,
        .until = LOOP_SOURCE_INIT,
        .inotify_fd = -1,
        .reader = {.line = on_line, .data = f}
    };
    int r = fs_mkdir_p(dir, 0700, err);
    if (r < 0)
        return r;
    journal_open(&f->reader, journal_path(tmp, engine, name), !options->since);
    r = follow(engine, f, dir, err);
    loop_remove(&engine->loop, &f->watch);
    loop_remove(&engine->loop, &f->until);
    cleanup_close_fn(&f->inotify_fd);
    journal_close(&f->reader);
    return r;
}
