#include "cli/render.h"

#include "cli/config.h"
#include "cli/text.h"

#include "base/omap.h"
#include "base/str.h"
#include "sys/fd.h"
#include "sys/loop.h"

#include <assert.h>

static const struct {
    const char *mode;
    void (*event)(struct progress_sink *sink, const struct progress_event *event);
    void (*tick)(struct progress_sink *sink);
    void (*finish)(struct progress_sink *sink);
    void (*message)(struct renderer *renderer, const struct progress_event *event); /* NULL: as an event */
} modes[] = {
    {"tty",   render_tty_event,   render_tty_tick, render_tty_finish, render_tty_message},
    {"plain", render_plain_event, NULL,            NULL,              render_message    },
    {"json",  render_json_event,  NULL,            NULL,              NULL              },
    {"quiet", render_quiet_event, NULL,            NULL,              render_message    },
    {"plan",  render_plan_event,  NULL,            NULL,              NULL              },
};

static void on_event(struct progress_sink *sink, const struct progress_event *event)
{
    struct renderer *renderer = (struct renderer *)sink;
    if (renderer->muted && event->id && event->state != PROGRESS_ERROR)
        return;
    if (!event->id && modes[renderer->mode].message)
        modes[renderer->mode].message(renderer, event);
    else
        modes[renderer->mode].event(sink, event);
}

struct renderer *renderer_new(const void *owner, const struct render_options *options)
{
    struct renderer *renderer = mem_new(owner, struct renderer);
    renderer->options = *options;
    if (!renderer->options.now)
        renderer->options.now = loop_now_ns;
    if (!renderer->options.size)
        renderer->options.size = terminal_size;
    renderer->out = mem_strdup(renderer, "");
    renderer->index = omap_new(renderer);
    renderer->sink.dry_run = options->dry_run;
    while (!str_eq(modes[renderer->mode].mode, options->mode)) {
        renderer->mode++;
        assert(renderer->mode < ARRAY_SIZE(modes));
    }
    renderer->sink.event = on_event;
    renderer->sink.tick = modes[renderer->mode].tick;
    renderer->sink.finish = modes[renderer->mode].finish;
    return renderer;
}

void renderer_set_title(struct renderer *renderer, const char *title)
{
    if (renderer->sink.finish)
        renderer->sink.finish(&renderer->sink);
    renderer->options.title = title;
}

void renderer_mute(struct renderer *renderer, bool mute)
{
    renderer->muted = mute && renderer->sink.tick;
}

void renderer_clear(struct renderer *renderer)
{
    if (renderer->sink.tick && render_tty_clear(renderer)) {
        renderer->dirty = true;
        render_flush(renderer);
    }
}

void render_message(struct renderer *renderer, const struct progress_event *event)
{
    bool warns = event->state == PROGRESS_WARNING && !str_starts(event->text, "Warning");
    char *text = text_clean(NULL, event->text);
    renderer->out = mem_append_printf(renderer->out, "%s%s\n", warns ? "Warning: " : "", text);
    talloc_free(text);
    render_flush(renderer);
}

int64_t render_now(const struct renderer *renderer)
{
    return renderer->options.now();
}

/* Sets a text unless it is there already; whether it changed. */
static bool update(struct renderer *renderer, char **member, const char *value)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *text = value ? text_clean(tmp, value) : "";
    if (*member && str_eq(*member, text))
        return false;
    talloc_free(*member);
    *member = mem_strdup(renderer, text);
    return true;
}

static struct render_entry *find_entry(struct renderer *renderer, const struct progress_event *event)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *key = event->parent ? mem_printf(tmp, "%s/%s", event->parent, event->id) : event->id;
    size_t number = (uintptr_t)omap_get(renderer->index, key);
    if (number)
        return &renderer->entries[number - 1];
    struct render_entry entry = {.started = render_now(renderer)};
    mem_append(renderer, renderer->entries, renderer->count, entry);
    omap_set(renderer->index, key,
             (void *)(uintptr_t)renderer->count); // NOLINT: a number kept in the pointer
    struct render_entry *made = &renderer->entries[renderer->count - 1];
    update(renderer, &made->id, event->id);
    if (event->parent)
        update(renderer, &made->parent, event->parent);
    return made;
}

bool render_keep(struct renderer *renderer, const struct progress_event *event, struct render_entry **ret)
{
    struct render_entry *entry = find_entry(renderer, event);
    bool is_new = !entry->text;
    bool changed = update(renderer, &entry->text, event->text);
    changed |= update(renderer, &entry->details, event->details);
    changed |= entry->state != event->state;
    bool was_working = is_new || entry->state == PROGRESS_WORKING;
    entry->state = event->state;
    entry->current = event->current;
    entry->total = event->total;
    if (event->state == PROGRESS_WORKING) {
        if (!was_working)
            entry->started = render_now(renderer);
        entry->ended = 0;
    } else if (was_working) {
        entry->ended = render_now(renderer);
    }
    if (ret)
        *ret = entry;
    return changed || is_new;
}

void render_forget(struct renderer *renderer)
{
    for (size_t i = 0; i < renderer->count; i++) {
        talloc_free(renderer->entries[i].id);
        talloc_free(renderer->entries[i].parent);
        talloc_free(renderer->entries[i].text);
        talloc_free(renderer->entries[i].details);
    }
    TALLOC_FREE(renderer->entries);
    renderer->count = 0;
    talloc_free(renderer->index);
    renderer->index = omap_new(renderer);
}

void render_flush(struct renderer *renderer)
{
    if (renderer->options.fd < 0 || !*renderer->out)
        return;
    /* Nobody to tell when standard error is closed. */
    (void)fd_write_all(renderer->options.fd, renderer->out, strlen(renderer->out), NULL);
    talloc_free(renderer->out);
    renderer->out = mem_strdup(renderer, "");
}
