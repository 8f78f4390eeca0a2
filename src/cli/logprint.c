#include "cli/logprint.h"

#include "cli/text.h"

#include "base/mem.h"
#include "base/str.h"

enum { PENDING_MAX = 64 * 1024 };

struct log_source {
    struct log_printer *printer;
    char *name;
    const char *color;
    struct pending {
        char *text; /* a line without its end so far */
        size_t size, room;
        char *time;
    } pending[2]; /* standard output, standard error */
};

/* docker compose's order: five colours, then their bright forms, and around again. */
static const char *const colors[] = {"36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1"};

struct log_printer *log_printer_new(const void *owner, const struct log_printer_options *options)
{
    struct log_printer *printer = mem_new(owner, struct log_printer);
    printer->options = *options;
    return printer;
}

void log_printer_reserve(struct log_printer *printer, const char *name)
{
    int width = text_width(name);
    printer->width = width > printer->width ? width : printer->width;
}

void log_printer_notice(struct log_printer *printer, const char *text)
{
    const struct log_printer_options *options = &printer->options;
    if (options->before)
        options->before(options->data);
    if (options->no_prefix)
        fprintf(options->out, "%s\n", text);
    else if (options->color)
        fprintf(options->out, "\033[92m%*s ⦿ \033[0m%s\n", printer->width + 1, "", text);
    else
        fprintf(options->out, "%*s ⦿ %s\n", printer->width + 1, "", text);
    fflush(options->out);
}

struct log_source *log_source_new(const void *owner, struct log_printer *printer, const char *name)
{
    struct log_source *source = mem_new(owner, struct log_source);
    source->printer = printer;
    source->name = mem_strdup(source, name);
    source->color = colors[printer->sources++ % ARRAY_SIZE(colors)];
    log_printer_reserve(printer, name);
    return source;
}

const char *log_display_name(const char *project, const char *container_name)
{
    const char *rest = project ? str_after(container_name, project) : NULL;
    return rest && rest[0] == '-' && rest[1] ? rest + 1 : container_name;
}

static void print_prefix(const struct log_source *source, FILE *f)
{
    const struct log_printer *printer = source->printer;
    if (printer->options.no_prefix)
        return;
    int pad = printer->width + 1 - text_width(source->name);
    if (printer->options.color)
        fprintf(f, "\033[%sm%s%*s | \033[0m", source->color, source->name, pad, "");
    else
        fprintf(f, "%s%*s | ", source->name, pad, "");
}

static void print_line(struct log_source *source, int stream)
{
    const struct log_printer *printer = source->printer;
    struct pending *line = &source->pending[stream];
    FILE *f = stream ? printer->options.err : printer->options.out;
    if (printer->options.before)
        printer->options.before(printer->options.data);
    print_prefix(source, f);
    if (printer->options.timestamps && line->time)
        fprintf(f, "%s ", line->time);
    fwrite(line->text, 1, line->size, f);
    fputc('\n', f);
    line->size = 0;
    TALLOC_FREE(line->time);
}

static void append(struct log_source *source, struct pending *line, const char *text, size_t size)
{
    if (size == 0)
        return;
    if (line->size + size > line->room) {
        line->room = 2 * (line->size + size);
        line->text = mem_grow(source, line->text, char, line->room);
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

void log_source_record(void *data, const struct log_record *record)
{
    struct log_source *source = data;
    struct pending *line = &source->pending[record->is_stderr];
    for (const char *p = record->text, *end = p + record->size; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        if (!line->time && source->printer->options.timestamps)
            line->time = mem_strdup(source, record->time_text);
        append(source, line, p, (size_t)((newline ? newline : end) - p));
        if (newline || line->size >= PENDING_MAX)
            print_line(source, record->is_stderr);
        p = newline ? newline + 1 : end;
    }
}

void log_source_flushed(void *data)
{
    struct log_source *source = data;
    fflush(source->printer->options.out);
    fflush(source->printer->options.err);
}

void log_source_finish(struct log_source *source)
{
    for (int stream = 0; stream < 2; stream++)
        if (source->pending[stream].size > 0)
            print_line(source, stream);
    log_source_flushed(source);
}

void log_source_status(struct log_source *source, const char *text)
{
    const struct log_printer_options *options = &source->printer->options;
    FILE *f = options->out;
    if (options->before)
        options->before(options->data);
    if (source->printer->options.color)
        fprintf(f, "\033[%sm%s %s\033[0m\n", source->color, source->name, text);
    else
        fprintf(f, "%s %s\n", source->name, text);
    fflush(f);
}
