#include "cli/commands.h"

#include "cli/doctor.h"
#include "cli/text.h"

#include "base/str.h"

#include <jansson.h>

struct doctor_options {
    char *format;
};
#define OPTIONS struct doctor_options

static const char *const formats[] = {"table", "json", NULL};

static const struct flag flags[] = {
    FLAG("format", 0, STRING, format, "Format the output. Values: [table | json]", .choices = formats,
         .fallback = "table"),
    FLAG_END,
};

static const struct {
    const char *mark, *word, *color;
} states[] = {
    [DOCTOR_OK] = {"✔", "ok",      "32"},
    [DOCTOR_NOTE] = {"-",   "note",    "34"},
    [DOCTOR_WARNING] = {"!",   "warning", "33"},
    [DOCTOR_MISSING] = {"✘", "missing", "31"},
};
_Static_assert(ARRAY_SIZE(states) == DOCTOR__COUNT, "one row for each state");

static void print_line(const struct app *app, const char *name, const struct doctor_result *result)
{
    bool color = app_color(app, app->config.out_tty);
    if (color)
        printf(" \033[%sm%s\033[0m %-18s %s\n", states[result->state].color, states[result->state].mark, name,
               result->detail);
    else
        printf(" %s %-18s %s\n", states[result->state].mark, name, result->detail);
    if (result->advice)
        printf("   %-18s %s\n", "", result->advice);
}

static json_t *to_json(const void *owner, const char *name, const struct doctor_result *result)
{
    json_t *object = json_pack("{s:s, s:s, s:s}", "Check", name, "State", states[result->state].word,
                               "Detail", text_clean(owner, result->detail));
    if (result->advice)
        json_object_set_new(object, "Advice", json_string(text_clean(owner, result->advice)));
    return object;
}

/* 1 when something that is needed is missing. */
static int run(struct app *app, const void *data, char *const *args UNUSED, struct error *err UNUSED)
{
    const struct doctor_options *options = data;
    struct doctor doctor = {.app = app, .ctx = app->ctx};
    config_dirs(app->ctx, &app->config, app->globals.root, &doctor.data, &doctor.run);
    bool is_json = str_eq(options->format, "json"), complete = true;
    json_t *list = json_array();
    for (const struct doctor_check *check = doctor_checks; check->name; check++) {
        struct doctor_result result = {0};
        check->look(&doctor, &result);
        complete &= result.state != DOCTOR_MISSING;
        if (is_json)
            json_array_append_new(list, to_json(app->ctx, check->name, &result));
        else
            print_line(app, check->name, &result);
    }
    cleanup_malloc char *text = is_json ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    if (is_json)
        puts(text ? text : "[]");
    return complete ? 0 : 1;
}

const struct command command_doctor = {
    .name = "doctor",
    .args = "[OPTIONS]",
    .summary = "Check what this machine has and lacks for running containers",
    .flags = flags,
    .options_size = sizeof(struct doctor_options),
    .run = run,
};
