#include "cli/attach.h"

#include "base/log.h"
#include "base/omap.h"

struct attachment {
    struct session *session;
    struct attach_options options;
    struct log_printer *printer;
    struct log_watch *watch; /* when following */
    struct omap *shown;      /* container id -> struct shown * */
};

struct shown {
    struct log_source *source;
    struct log_reader *reader;
    bool ended; /* its end has been told */
};

/* A display at work, as while containers stop, is drawn over the lines above it. */
static void make_room(void *data)
{
    struct attachment *attachment = data;
    renderer_clear(attachment->session->renderer);
}

int attachment_new(struct session *session, const struct attach_options *options, struct attachment **ret,
                   struct error *err)
{
    struct attachment *attachment = mem_new(session, struct attachment);
    attachment->session = session;
    attachment->options = *options;
    attachment->shown = omap_new(attachment);
    const struct log_printer_options printer = {
        .no_prefix = options->no_prefix,
        .timestamps = options->timestamps,
        .color = !options->no_color && app_color(session->app, session->app->config.out_tty),
        .out = stdout,
        .err = options->one_stream ? stdout : stderr,
        .before = make_room,
        .data = attachment,
    };
    attachment->printer = log_printer_new(attachment, &printer);
    int r = options->follow ? log_watch_new(attachment, engine_loop(session->engine), &attachment->watch, err)
                            : 0;
    if (r == 0)
        *ret = attachment;
    return r;
}

void attachment_reserve(struct attachment *attachment, const char *display_name)
{
    log_printer_reserve(attachment->printer, display_name);
}

bool attachment_has(const struct attachment *attachment, const char *id)
{
    return omap_has(attachment->shown, id);
}

size_t attachment_count(const struct attachment *attachment)
{
    return attachment->shown->count;
}

int attachment_add(struct attachment *attachment, const struct container_view *view, struct error *err)
{
    struct shown *known = omap_get(attachment->shown, view->id);
    if (known) {
        known->ended = false;
        return 0;
    }
    struct shown *shown = mem_new(attachment, struct shown);
    shown->source = log_source_new(shown, attachment->printer, log_display_name(view->project, view->name));
    const struct log_options options = {
        .tail = attachment->options.tail,
        .since = attachment->options.since,
        .until = attachment->options.until,
        .record = log_source_record,
        .flushed = log_source_flushed,
        .data = shown->source,
    };
    int r = log_reader_open(shown, view->log_path, &options, &shown->reader, err);
    if (r == 0 && attachment->watch)
        r = log_watch_add(attachment->watch, shown->reader, err);
    if (r == 0)
        r = log_reader_read(shown->reader, err);
    if (r < 0)
        return error_wrap(err, "log of %s", view->name);
    if (attachment->watch)
        log_source_flushed(shown->source);
    else
        log_source_finish(shown->source);
    omap_set(attachment->shown, view->id, shown);
    return 0;
}

void attachment_notice(struct attachment *attachment, const char *text)
{
    log_printer_notice(attachment->printer, text);
}

void attachment_exited(struct attachment *attachment, const struct container_view *view, int code,
                       bool restarting)
{
    struct shown *shown = omap_get(attachment->shown, view->id);
    if (!shown || shown->ended)
        return;
    shown->ended = !restarting;
    struct error err = ERROR_INIT;
    if (log_reader_read(shown->reader, &err) < 0)
        log_debug("%s", err.text);
    log_source_finish(shown->source);
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *number = code < 0 ? mem_strdup(tmp, "an unknown code") : mem_printf(tmp, "code %d", code);
    log_source_status(shown->source,
                      mem_printf(tmp, "exited with %s%s", number, restarting ? " (restarting)" : ""));
}
