#pragma once
/* Questions on the terminal. */
#include "cli/app.h"

/* "question [yN] " on standard error; true for y or yes on standard input, whose end is no. */
bool ask(const struct app *app, const char *question);
