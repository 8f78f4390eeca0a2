#include "cli/app.h"

#include "cli/text.h"

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

/* Messages quote names from files, images and registries; those of some parsers have several lines. */
static void print_lines(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        char *line = mem_strndup(NULL, text, n), *clean = text_clean(line, line);
        fprintf(stderr, "%s\n", clean);
        talloc_free(line);
        text += n + (text[n] == '\n');
    }
}

void app_report(const struct app *app, const struct error *err)
{
    log_debug("error %d set at %s:%d", err->code, err->born_file, err->born_line);
    if (str_eq(app->globals.progress, "json")) {
        char *message = text_clean(NULL, err->text);
        json_t *object = json_pack("{s:b, s:s}", "error", 1, "message", message);
        talloc_free(message);
        if (object && *err->hint)
            json_object_set_new(object, "hint", json_string(err->hint));
        char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
        fprintf(stderr, "%s\n", text ? text : "{\"error\":true}");
        free(text);
        json_decref(object);
        return;
    }
    print_lines(err->text);
    print_lines(err->hint);
}
