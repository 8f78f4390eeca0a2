#include "cli/app.h"

#include "base/log.h"
#include "base/str.h"

#include <jansson.h>

bool app_color(const struct app *app, bool is_tty)
{
    if (app->globals.no_ansi || str_eq(app->globals.ansi, "never"))
        return false;
    if (str_eq(app->globals.ansi, "always"))
        return true;
    return is_tty && !app->config.no_color;
}

void app_report(const struct app *app, const struct error *err)
{
    log_debug("error %d set at %s:%d", err->code, err->born_file, err->born_line);
    if (str_eq(app->globals.progress, "json")) {
        json_t *object = json_pack("{s:b, s:s}", "error", 1, "message", err->text);
        if (object && *err->hint)
            json_object_set_new(object, "hint", json_string(err->hint));
        char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
        fprintf(stderr, "%s\n", text ? text : "{\"error\":true}");
        free(text);
        json_decref(object);
        return;
    }
    fprintf(stderr, "%s\n", err->text);
    if (*err->hint)
        fprintf(stderr, "%s\n", err->hint);
}
