#include "cli/commands.h"

#include "cli/psview.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/when.h"

#include "base/units.h"

#include <jansson.h>
#include <time.h>

struct events_flags {
    bool json;
    char *since, *until;
};
#define OPTIONS struct events_flags

static const struct flag flags[] = {
    FLAG("json", 0, BOOL, json, "Output events as a stream of json objects"),
    FLAG("since", 0, STRING, since, "Show all events created since timestamp"),
    FLAG("until", 0, STRING, until, "Stream events until this timestamp"),
    FLAG_END,
};

/* "2026-11-23 14:50:01.123456", or with nanoseconds and the zone as RFC 3339 has it. */
static void time_text(int64_t ns, bool rfc3339, char *to, size_t size)
{
    char day[32], zone[8];
    struct tm tm;
    time_t seconds = (time_t)(ns / NS_PER_S);
    localtime_r(&seconds, &tm);
    strftime(day, sizeof(day), rfc3339 ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
    strftime(zone, sizeof(zone), "%z", &tm);
    if (!rfc3339)
        snprintf(to, size, "%s.%06lld", day, (long long)(ns % NS_PER_S / 1000));
    else if (tm.tm_gmtoff == 0)
        snprintf(to, size, "%s.%09lldZ", day, (long long)(ns % NS_PER_S));
    else
        snprintf(to, size, "%s.%09lld%.3s:%s", day, (long long)(ns % NS_PER_S), zone, zone + 3);
}

static void print_json(const struct event *event)
{
    char time[64];
    json_t *attributes = json_object();
    omap_foreach (e, event->attributes)
        json_object_set_new(attributes, e->key, json_string(e->value));
    time_text(event->time, true, time, sizeof(time));
    json_t *object =
        json_pack("{s:s, s:o, s:s, s:s, s:s, s:s}", "action", event->action, "attributes", attributes, "id",
                  event->id, "service", event->service, "time", time, "type", "container");
    cleanup_malloc char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text)
        puts(text);
}

static void print_text(const struct event *event)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char time[64];
    char *attributes = mem_strdup(tmp, "");
    time_text(event->time, false, time, sizeof(time));
    omap_foreach (e, event->attributes)
        attributes =
            mem_append_printf(attributes, "%s%s=%s", *attributes ? ", " : "", e->key, (char *)e->value);
    puts(text_clean(tmp,
                    mem_printf(tmp, "%s container %s %s (%s)", time, event->action, event->id, attributes)));
}

static void on_event(void *data, const struct event *event)
{
    const struct events_flags *options = data;
    if (options->json)
        print_json(event);
    else
        print_text(event);
    fflush(stdout);
}

static int run(struct app *app, const void *data, char *const *args, struct error *err)
{
    const struct events_flags *f = data;
    struct events_flags copy = *f;
    struct events_options options = {.services = args[0] ? args : NULL, .event = on_event, .data = &copy};
    struct session *session;
    if (f->since && !when_parse(f->since, ps_now(), &options.since))
        return error_set(err, EINVAL, "invalid value for --since: '%s' is no time", f->since);
    if (f->until && !when_parse(f->until, ps_now(), &options.until))
        return error_set(err, EINVAL, "invalid value for --until: '%s' is no time", f->until);
    int r = session_open(app, &(struct session_options){.need = SESSION_NAME, .keep_signals = true}, &session,
                         err);
    return r < 0 ? r : engine_events(session->engine, session->name, &options, err);
}

const struct command command_events = {
    .name = "events",
    .args = "[OPTIONS] [SERVICE...]",
    .summary = "Receive real time events from containers",
    .flags = flags,
    .options_size = sizeof(struct events_flags),
    ANY_ARGS,
    .complete = "service",
    .run = run,
};
