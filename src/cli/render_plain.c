#include "cli/render.h"

/* The blanks are docker compose's: words joined by one, an empty one at each end. */
void render_plain_event(struct progress_sink *sink, const struct progress_event *event)
{
    struct renderer *renderer = (struct renderer *)sink;
    struct render_entry *entry;
    if (!render_keep(renderer, event, &entry))
        return;
    renderer->out = mem_append_printf(renderer->out, "%s %s %s %s\n", sink->dry_run ? " DRY-RUN MODE - " : "",
                                      entry->id, entry->text, entry->details);
    render_flush(renderer);
}
