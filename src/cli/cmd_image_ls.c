#include "cli/commands.h"

#include "cli/human.h"
#include "cli/psview.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "cli/template.h"

#include "base/str.h"
#include "base/units.h"

struct image_ls_options {
    bool no_trunc, quiet;
    char *format;
};
#define OPTIONS struct image_ls_options

static const struct flag flags[] = {
    FLAG("format", 0, STRING, format,
         "Format output: 'table' (columns), 'json', or a Go template: 'table TEMPLATE' or 'TEMPLATE'",
         .fallback = "table"),
    FLAG("no-trunc", 0, BOOL, no_trunc, "Don't truncate output"),
    FLAG("quiet", 'q', BOOL, quiet, "Only show image IDs"),
    FLAG_END,
};

static const struct template_field fields[] = {
    {"CreatedAt",    "CREATED AT"},
    {"CreatedSince", "CREATED"   },
    {"Digest",       "DIGEST"    },
    {"ID",           "IMAGE ID"  },
    {"Repository",   "REPOSITORY"},
    {"Size",         "SIZE"      },
    {"Tag",          "TAG"       },
    {NULL,           NULL        },
};

static const char *shown_id(const void *owner, const struct image *image, bool no_trunc)
{
    const char *digits = str_after(image->id, "sha256:");
    return no_trunc || !digits ? image->id : mem_strndup(owner, digits, 12);
}

static json_t *make_row(const struct image *image, const char *reference, bool no_trunc)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char size[HUMAN_TEXT], age[HUMAN_TEXT], made[HUMAN_TEXT];
    char *repository = mem_strdup(tmp, "<none>"), *tag = repository;
    if (reference)
        reference_split(tmp, reference, &repository, &tag);
    human_size(image->size, 3, size);
    human_time(image->created * NS_PER_S, made);
    human_duration(ps_now() - image->created * NS_PER_S, age);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "CreatedAt", image->created ? made : "N/A",
                     "CreatedSince", image->created ? mem_printf(tmp, "%s ago", age) : "N/A", "Digest",
                     image->manifest_digest, "ID", shown_id(tmp, image, no_trunc), "Repository", repository,
                     "Size", size, "Tag", tag);
}

#define DEFAULT_TABLE "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"

static int run(struct app *app, const void *data, char *const *args UNUSED, struct error *err)
{
    const struct image_ls_options *options = data;
    struct session *session;
    struct image **images;
    size_t image_count;
    int r = session_open(app, &(struct session_options){.need = SESSION_MACHINE, .keep_signals = true},
                         &session, err);
    if (r == 0)
        r = image_list(session, engine_images(session->engine), &images, &image_count, err);
    if (r < 0)
        return r;
    if (options->quiet) {
        for (size_t i = 0; i < image_count; i++)
            puts(shown_id(session, images[i], options->no_trunc));
        return 0;
    }
    struct template_row *rows = NULL;
    size_t count = 0;
    for (size_t i = 0; i < image_count; i++) {
        char **reference = images[i]->references;
        do {
            struct template_row row = {make_row(images[i], reference ? *reference : NULL, options->no_trunc),
                                       NULL};
            mem_append(session, rows, count, row);
        } while (reference && *reference && *++reference);
    }
    char *text;
    r = template_format(session, options->format, DEFAULT_TABLE, fields, rows, count, &text, err);
    if (r == 0)
        fputs(text, stdout);
    for (size_t i = 0; i < count; i++)
        json_decref(rows[i].fields);
    return r;
}

static const char *const aliases[] = {"list", NULL};

const struct command command_image_ls = {
    .name = "ls",
    .aliases = aliases,
    .args = "[OPTIONS]",
    .summary = "List images",
    .flags = flags,
    .options_size = sizeof(struct image_ls_options),
    .run = run,
};
