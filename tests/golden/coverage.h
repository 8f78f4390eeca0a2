#pragma once
/* Which rows of the tables, in which forms and with which choices, the accepted golden cases use. */
#include "base/omap.h"

/* `used` collects what the text of a Compose file uses. */
void coverage_add(struct omap *used, const char *text);
/* Prints what no text used, and returns how many those are. */
int coverage_report(const struct omap *used);
