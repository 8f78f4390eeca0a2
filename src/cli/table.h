#pragma once
/*
 * Aligned columns as Go's text/tabwriter makes them for docker: each column as wide as its widest cell plus
 * the padding, but at least `min_width`; the last one ends with its text.
 */
#include "base/mem.h"

struct table {
    int min_width, padding;
    char ***rows; /* NULL-ended cells */
    size_t count;
};

/* What docker uses: 10 for ps, 20 for compose's own lists, 4 with padding 2 for top. */
struct table *table_new(const void *owner, int min_width, int padding);

/* Cells are copied and cleaned of control characters. */
void table_add(struct table *table, char *const *cells);
#define table_row(table, ...) table_add(table, (char *const[]){__VA_ARGS__, NULL})

char *table_print(const void *owner, const struct table *table);
