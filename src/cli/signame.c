#include "cli/signame.h"

#include "base/str.h"

#include <signal.h>
#include <stdio.h>
#include <strings.h>

/* Real-time signals as RTMIN, RTMIN+3, RTMAX-1, as docker names them. */
static bool parse_realtime(const char *name, int *ret)
{
    static const char *const ends[] = {"RTMIN", "RTMAX"};
    for (int i = 0; i < 2; i++) {
        int base = i ? SIGRTMAX : SIGRTMIN;
        uint64_t n = 0;
        if (strncasecmp(name, ends[i], 5) != 0)
            continue;
        if (name[5] &&
            (name[5] != (i ? '-' : '+') || !str_to_u64(name + 6, 0, (uint64_t)(SIGRTMAX - SIGRTMIN), &n)))
            return false;
        *ret = i ? base - (int)n : base + (int)n;
        return true;
    }
    return false;
}

bool signal_parse(const char *text, int *ret)
{
    uint64_t number;
    if (str_to_u64(text, 1, (uint64_t)SIGRTMAX, &number)) {
        *ret = (int)number;
        return true;
    }
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int i = 1; i < SIGRTMIN; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcasecmp(known, name) == 0) {
            *ret = i;
            return true;
        }
    }
    return parse_realtime(name, ret);
}
