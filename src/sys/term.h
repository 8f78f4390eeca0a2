#pragma once
/* Terminals: size and raw mode. Needs libc only. */
#include "base/error.h"

#include <stdbool.h>
#include <termios.h>

/* Columns and rows; false when `fd` is not a terminal. */
bool term_size(int fd, int *ret_columns, int *ret_rows);

/* Raw mode as cfmakeraw(3) sets it; *ret_saved gives it back with term_restore. */
int term_raw(int fd, struct termios *ret_saved, struct error *err);
void term_restore(int fd, const struct termios *saved);
