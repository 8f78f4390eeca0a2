#include "cli/render.h"

#include "cli/text.h"

#include <ctype.h>
#include <jansson.h>

static void set_text(json_t *object, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    char *clean = text_clean(NULL, value);
    json_object_set_new(object, key, json_string(clean));
    talloc_free(clean);
}

static void set_number(json_t *object, const char *key, int64_t value)
{
    if (value)
        json_object_set_new(object, key, json_integer(value));
}

static void put_line(struct renderer *renderer, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    renderer->out = mem_append_printf(renderer->out, "%s\n", text ? text : "{}");
    free(text);
    json_decref(object);
    render_flush(renderer);
}

/* Keys and their order are docker compose's; what is empty is left out. */
void render_json_event(struct progress_sink *sink, const struct progress_event *event)
{
    static const char *const states[] = {[PROGRESS_WORKING] = "Working",
                                         [PROGRESS_DONE] = "Done",
                                         [PROGRESS_WARNING] = "Warning",
                                         [PROGRESS_ERROR] = "Error"};
    _Static_assert(ARRAY_SIZE(states) == PROGRESS__COUNT, "one word for each state");
    struct renderer *renderer = (struct renderer *)sink;
    json_t *object = json_object();
    if (sink->dry_run)
        json_object_set_new(object, "dry-run", json_true());
    set_text(object, "id", event->id);
    set_text(object, "parent_id", event->parent);
    set_text(object, "status", states[event->state]);
    set_text(object, "text", event->text);
    set_text(object, "details", event->details);
    set_number(object, "current", event->current);
    set_number(object, "total", event->total);
    if (event->total > 0 && event->current <= event->total)
        set_number(object, "percent", event->current * 100 / event->total);
    put_line(renderer, object);
}

/* The steps of a plan, and what would go wrong; "Container web-1" is a resource and its name. */
void render_plan_event(struct progress_sink *sink, const struct progress_event *event)
{
    struct renderer *renderer = (struct renderer *)sink;
    if (!event->action && event->id && event->state != PROGRESS_ERROR)
        return;
    json_t *object = json_object();
    if (event->action) {
        size_t word = strcspn(event->id, " ");
        char *resource = mem_strndup(NULL, event->id, word);
        *resource = (char)tolower(*resource);
        set_text(object, "action", event->action);
        set_text(object, "resource", resource);
        set_text(object, "name", event->id + word + (event->id[word] != '\0'));
        set_text(object, "reason", event->details);
        talloc_free(resource);
    } else {
        set_text(object, event->state == PROGRESS_ERROR ? "error" : "warning",
                 event->details ? event->details : event->text);
    }
    put_line(renderer, object);
}
