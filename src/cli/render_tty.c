/*
 * The display in place: docker compose's.
 *
 *     [+] Running 2/3
 *      ✔ Network demo_default   Created                                   0.1s
 *      ✔ Container demo-db-1    Started                                   0.4s
 *      ⠹ Image nginx [⣿⣶⠀]  12.1MB / 45.3MB   Pulling                     1.2s
 *        ✔ 4f4fb700ef54 Pull complete                                     0.6s
 *
 * A frame is composed as a whole, one string, at most ten times a second and only when an event came or
 * something is working (spinners and timers turn). Before it, the cursor goes up by as many rows as the last
 * frame takes on the terminal of now: after a resize a line that was as wide as the old terminal covers
 * several rows. No line is ever wider than the terminal less one column, so nothing wraps by itself. A frame
 * never takes more rows than the screen has: layers go first, then finished resources, and a last line says
 * how many are not shown.
 */
#include "cli/render.h"

#include "cli/text.h"

#include "base/omap.h"
#include "base/str.h"
#include "base/units.h"

#define FRAME_NS (100 * NS_PER_MS)

#define COLOR_GREEN "\033[32m"
#define COLOR_YELLOW "\033[33m"
#define COLOR_RED "\033[31m"
#define COLOR_BLUE "\033[34m"
#define COLOR_CYAN "\033[36m"
#define COLOR_OFF "\033[0m"

/* A line under construction: text with colours, and its width without them. */
struct line {
    char *text;
    int width, limit;
    bool color;
};

static void line_add(struct line *line, const char *color, const char *text)
{
    size_t n = text_fit(text, line->limit - line->width);
    if (n == 0)
        return;
    bool paint = line->color && color;
    line->text =
        mem_append_printf(line->text, "%s%.*s%s", paint ? color : "", (int)n, text, paint ? COLOR_OFF : "");
    char *part = mem_strndup(NULL, text, n);
    line->width += text_width(part);
    talloc_free(part);
}

static void line_pad(struct line *line, int column)
{
    if (column > line->limit)
        column = line->limit;
    if (column > line->width) {
        line->text = mem_append_printf(line->text, "%*s", column - line->width, "");
        line->width = column;
    }
}

static const char *state_color(enum progress_state state)
{
    static const char *const colors[] = {[PROGRESS_WORKING] = NULL,
                                         [PROGRESS_DONE] = COLOR_GREEN,
                                         [PROGRESS_WARNING] = COLOR_YELLOW,
                                         [PROGRESS_ERROR] = COLOR_RED};
    _Static_assert(ARRAY_SIZE(colors) == PROGRESS__COUNT, "one colour for each state");
    return colors[state];
}

static const char *state_mark(const struct render_entry *entry, int64_t now)
{
    static const char *const spinner[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    static const char *const marks[] = {
        [PROGRESS_DONE] = "✔", [PROGRESS_WARNING] = "!", [PROGRESS_ERROR] = "✘"};
    if (entry->state != PROGRESS_WORKING)
        return marks[entry->state];
    int64_t frames = (now - entry->started) / FRAME_NS;
    return spinner[frames < 0 ? 0 : (size_t)frames % ARRAY_SIZE(spinner)];
}

static bool is_child_of(const struct render_entry *entry, const struct render_entry *parent)
{
    return entry->parent && str_eq(entry->parent, parent->id);
}

/* An entry whose parent has not been heard of stands on its own. */
static bool is_top(const struct renderer *renderer, const struct render_entry *entry)
{
    return !entry->parent || !omap_has(renderer->index, entry->parent);
}

/* " [⣿⣶⠀] 12.1MB / 45.3MB" from the children of something that is working; "" when there is nothing to say.
 */
static char *aggregate(const void *owner, const struct renderer *renderer, const struct render_entry *parent)
{
    static const char *const levels[] = {"⠀", "⡀", "⣀", "⣄", "⣤", "⣦", "⣶", "⣷", "⣿"};
    char *bars = mem_strdup(owner, "");
    int64_t current = 0, total = 0;
    bool unknown = false;
    for (size_t i = 0; i < renderer->count && parent->state == PROGRESS_WORKING; i++) {
        const struct render_entry *e = &renderer->entries[i];
        if (!is_child_of(e, parent))
            continue;
        bool working = e->state == PROGRESS_WORKING;
        unknown |= working && e->total == 0;
        total += e->total;
        current += working ? e->current : e->total;
        double part = !working ? 1 : e->total > 0 ? (double)e->current / (double)e->total : 0;
        size_t level = part >= 1  ? ARRAY_SIZE(levels) - 1
                       : part > 0 ? (size_t)(part * (ARRAY_SIZE(levels) - 1))
                                  : 0;
        bars = mem_append_str(bars, levels[level]);
    }
    if (!*bars)
        return bars;
    char have[UNITS_TEXT], all[UNITS_TEXT];
    bytes_print(current, have);
    bytes_print(total, all);
    return unknown || total == 0 ? mem_printf(owner, " [%s]", bars)
                                 : mem_printf(owner, " [%s] %7s / %-7s", bars, have, all);
}

/* " [=====>     ] 1.2MB/3.4MB" for one layer. */
static char *byte_bar(const void *owner, const struct render_entry *entry, int room)
{
    if (entry->state != PROGRESS_WORKING || entry->total <= 0)
        return mem_strdup(owner, "");
    char have[UNITS_TEXT], all[UNITS_TEXT];
    bytes_print(entry->current, have);
    bytes_print(entry->total, all);
    int width = room - 20 > 50 ? 50 : room - 20;
    if (width < 5)
        return mem_printf(owner, " %s/%s", have, all);
    int filled = (int)((double)entry->current / (double)entry->total * width);
    filled = filled < 0 ? 0 : filled > width ? width : filled;
    char *bar = mem_strdup(owner, " [");
    for (int i = 0; i < width; i++)
        bar = mem_append_str(bar, i < filled ? "=" : i == filled ? ">" : " ");
    return mem_append_printf(bar, "] %s/%s", have, all);
}

static struct line draw_entry(const void *owner, const struct renderer *renderer,
                              const struct render_entry *entry, int column, int columns)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int64_t now = render_now(renderer), end = entry->ended ? entry->ended : now;
    char timer[32];
    snprintf(timer, sizeof(timer), " %.1fs ", (double)(end - entry->started) / NS_PER_S);
    int timer_width = columns >= 40 ? (int)strlen(timer) : 0;
    struct line line = {mem_strdup(owner, ""), 0, columns - 1 - timer_width, renderer->options.color};
    const char *color = state_color(entry->state);
    bool top = is_top(renderer, entry);
    line_add(&line, NULL, top ? " " : "   ");
    line_add(&line, color ? color : COLOR_BLUE, state_mark(entry, now));
    if (renderer->sink.dry_run)
        line_add(&line, COLOR_CYAN, " DRY-RUN MODE - ");
    line_add(&line, NULL, " ");
    line_add(&line, NULL, entry->id);
    if (top)
        line_add(&line, NULL, aggregate(tmp, renderer, entry));
    if (line.width >= column)
        line_add(&line, NULL, " ");
    line_pad(&line, column);
    line_add(&line, color, entry->text);
    if (!top)
        line_add(&line, NULL, byte_bar(tmp, entry, line.limit - line.width));
    if (*entry->details)
        line_add(&line, NULL, mem_printf(tmp, " %s", entry->details));
    line.limit = columns - 1;
    if (timer_width) {
        line_pad(&line, line.limit - timer_width);
        line_add(&line, COLOR_BLUE, timer);
    }
    return line;
}

/* Marks in `show` what fits into `rows` lines; how many resources are left out comes back. */
static size_t choose(const struct renderer *renderer, bool *show, size_t rows)
{
    size_t tops = 0;
    for (size_t i = 0; i < renderer->count; i++)
        tops += is_top(renderer, &renderer->entries[i]);
    bool children = renderer->count <= rows;
    size_t hide = tops <= rows ? 0 : tops - (rows > 0 ? rows - 1 : 0), hidden = 0;
    for (size_t i = 0; i < renderer->count; i++)
        show[i] = children || is_top(renderer, &renderer->entries[i]);
    for (int only_done = 1; only_done >= 0; only_done--)
        for (size_t i = 0; i < renderer->count && hidden < hide; i++)
            if (show[i] && (!only_done || renderer->entries[i].state == PROGRESS_DONE)) {
                show[i] = false;
                hidden++;
            }
    return hidden;
}

static int text_column(const struct renderer *renderer, const bool *show)
{
    int widest = 0;
    for (size_t i = 0; i < renderer->count; i++) {
        int width = text_width(renderer->entries[i].id);
        if (show[i] && is_top(renderer, &renderer->entries[i]) && width > widest)
            widest = width;
    }
    return widest + 3 + 2 + (renderer->sink.dry_run ? 16 : 0);
}

static void emit(struct renderer *renderer, size_t *count, struct line line)
{
    renderer->out = mem_append_printf(renderer->out, "%s\033[K\n", line.text);
    mem_append(renderer, renderer->drawn, *count, line.width);
}

/* Back to the first row of the frame that is on the screen. */
static void rewind_frame(struct renderer *renderer, int columns)
{
    int rows = 0;
    for (size_t i = 0; i < renderer->drawn_count; i++)
        rows += renderer->drawn[i] > columns ? (renderer->drawn[i] + columns - 1) / columns : 1;
    if (rows > 0)
        renderer->out = mem_append_printf(renderer->out, "\033[%dA\r", rows);
    TALLOC_FREE(renderer->drawn);
    renderer->drawn_count = 0;
}

static void draw_lines(struct renderer *renderer, int columns, int screen_rows, size_t *lines)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    bool *show = mem_array(tmp, bool, renderer->count);
    size_t hidden = choose(renderer, show, screen_rows > 3 ? (size_t)screen_rows - 2 : 1);
    int column = text_column(renderer, show);
    for (size_t i = 0; i < renderer->count; i++) {
        const struct render_entry *top = &renderer->entries[i];
        if (!show[i] || !is_top(renderer, top))
            continue;
        emit(renderer, lines, draw_entry(tmp, renderer, top, column, columns));
        for (size_t k = 0; k < renderer->count; k++)
            if (show[k] && is_child_of(&renderer->entries[k], top))
                emit(renderer, lines, draw_entry(tmp, renderer, &renderer->entries[k], 0, columns));
    }
    if (hidden > 0) {
        struct line line = {mem_strdup(tmp, ""), 0, columns - 1, renderer->options.color};
        line_add(&line, NULL, mem_printf(tmp, "   and %zu more", hidden));
        emit(renderer, lines, line);
    }
}

static void draw(struct renderer *renderer)
{
    if (renderer->count == 0)
        return;
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int columns, rows;
    renderer->options.size(renderer->options.fd, &columns, &rows);
    columns = columns < 10 ? 10 : columns;
    size_t done = 0, lines = 0;
    for (size_t i = 0; i < renderer->count; i++)
        done += renderer->entries[i].state != PROGRESS_WORKING;
    renderer->out = mem_append_str(renderer->out, "\033[?25l");
    rewind_frame(renderer, columns);
    struct line header = {mem_strdup(tmp, ""), 0, columns - 1, renderer->options.color};
    line_add(&header, done == renderer->count ? COLOR_BLUE : NULL,
             mem_printf(tmp, "[+] %s %zu/%zu", renderer->options.title ? renderer->options.title : "Running",
                        done, renderer->count));
    emit(renderer, &lines, header);
    draw_lines(renderer, columns, rows, &lines);
    renderer->drawn_count = lines;
    renderer->out = mem_append_str(renderer->out, "\033[J\033[?25h");
    renderer->drawn_at = render_now(renderer);
    renderer->dirty = false;
    render_flush(renderer);
}

bool render_tty_clear(struct renderer *renderer)
{
    int columns, rows;
    if (renderer->drawn_count == 0)
        return false;
    renderer->options.size(renderer->options.fd, &columns, &rows);
    rewind_frame(renderer, columns < 10 ? 10 : columns);
    renderer->out = mem_append_str(renderer->out, "\033[J");
    return true;
}

/* Above the frame, which is drawn anew below it. */
void render_tty_message(struct renderer *renderer, const struct progress_event *event)
{
    bool frame = render_tty_clear(renderer);
    render_message(renderer, event);
    if (frame)
        draw(renderer);
}

static bool is_working(const struct renderer *renderer)
{
    for (size_t i = 0; i < renderer->count; i++)
        if (renderer->entries[i].state == PROGRESS_WORKING)
            return true;
    return false;
}

void render_tty_tick(struct progress_sink *sink)
{
    struct renderer *renderer = (struct renderer *)sink;
    bool due = renderer->drawn_count == 0 || render_now(renderer) - renderer->drawn_at >= FRAME_NS;
    if (due && (renderer->dirty || is_working(renderer)))
        draw(renderer);
}

void render_tty_event(struct progress_sink *sink, const struct progress_event *event)
{
    struct renderer *renderer = (struct renderer *)sink;
    render_keep(renderer, event, NULL);
    renderer->dirty = true;
    render_tty_tick(sink);
}

void render_tty_finish(struct progress_sink *sink)
{
    struct renderer *renderer = (struct renderer *)sink;
    if (renderer->dirty)
        draw(renderer);
    render_forget(renderer);
    TALLOC_FREE(renderer->drawn);
    renderer->drawn_count = 0;
}
