#include "cli/detachkeys.h"

#include "base/str.h"

#include <ctype.h>

/* One key of `n` characters; -1 when it is none. */
static int parse_key(const char *text, size_t n)
{
    static const char prefix[] = "ctrl-";
    if (n == 1)
        return (unsigned char)text[0];
    if (n == 3 && strncasecmp(text, "DEL", n) == 0)
        return 127;
    if (n != sizeof(prefix) || strncmp(text, prefix, n - 1) != 0)
        return -1;
    int c = toupper((unsigned char)text[n - 1]);
    return c >= '@' && c <= '_' ? c - '@' : -1;
}

int detach_keys_parse(const char *text, char keys[DETACH_KEYS_MAX], size_t *ret_count, struct error *err)
{
    size_t count = 0;
    for (const char *p = text; *p;) {
        /* A comma is a key where a key has to be. */
        size_t n = *p == ',' ? 1 : strcspn(p, ",");
        int key = parse_key(p, n);
        if (key < 0 || count == DETACH_KEYS_MAX || (p[n] == ',' && !p[n + 1])) {
            error_set(err, EINVAL, "invalid detach keys '%s'", text);
            return error_hint(err, "write keys as in 'ctrl-p,ctrl-q'");
        }
        keys[count++] = (char)key;
        p += n;
        p += *p == ',';
    }
    *ret_count = count;
    return 0;
}
