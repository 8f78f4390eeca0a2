#include "sys/term.h"

#include <sys/ioctl.h>

bool term_size(int fd, int *ret_columns, int *ret_rows)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return false;
    *ret_columns = size.ws_col;
    *ret_rows = size.ws_row;
    return true;
}

int term_raw(int fd, struct termios *ret_saved, struct error *err)
{
    struct termios raw;
    if (tcgetattr(fd, ret_saved) < 0)
        return error_errno(err, "read the terminal's settings");
    raw = *ret_saved;
    cfmakeraw(&raw);
    if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
        return error_errno(err, "put the terminal into raw mode");
    return 0;
}

void term_restore(int fd, const struct termios *saved)
{
    tcsetattr(fd, TCSADRAIN, saved);
}
