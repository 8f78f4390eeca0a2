#include "cli/table.h"

#include "cli/text.h"

struct table *table_new(const void *owner, int min_width, int padding)
{
    struct table *table = mem_new(owner, struct table);
    table->min_width = min_width;
    table->padding = padding;
    return table;
}

void table_add(struct table *table, char *const *cells)
{
    char **row = NULL;
    size_t count = 0;
    for (; *cells; cells++)
        mem_append(table, row, count, text_clean(table, *cells));
    mem_append(table, row, count, NULL);
    mem_append(table, table->rows, table->count, row);
}

char *table_print(const void *owner, const struct table *table)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int *widths = NULL;
    size_t columns = 0;
    for (size_t r = 0; r < table->count; r++)
        for (size_t c = 0; table->rows[r][c]; c++) {
            if (c == columns)
                mem_append(tmp, widths, columns, table->min_width);
            int width = text_width(table->rows[r][c]) + table->padding;
            if (width > widths[c] && table->rows[r][c + 1])
                widths[c] = width;
        }
    char *out = mem_strdup(owner, "");
    for (size_t r = 0; r < table->count; r++) {
        for (char **cell = table->rows[r]; *cell; cell++) {
            int pad = cell[1] ? widths[cell - table->rows[r]] - text_width(*cell) : 0;
            out = mem_append_printf(out, "%s%*s", *cell, pad, "");
        }
        out = mem_append_str(out, "\n");
    }
    return out;
}
