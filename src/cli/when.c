#include "cli/when.h"

#include "base/macro.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/logreader.h"

#include <time.h>

static bool parse_epoch(const char *text, int64_t *ret)
{
    double seconds;
    if (strspn(text, "0123456789.") != strlen(text) || !str_to_double(text, &seconds) || seconds >= 9e9)
        return false;
    *ret = (int64_t)(seconds * NS_PER_S);
    return true;
}

static bool parse_local(const char *text, int64_t *ret)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d"};
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, formats[i], &tm);
        if (end && !*end) {
            *ret = (int64_t)mktime(&tm) * NS_PER_S;
            return true;
        }
    }
    return false;
}

bool when_parse(const char *text, int64_t now, int64_t *ret)
{
    int64_t ns;
    if (parse_epoch(text, ret))
        return true;
    if (duration_parse(text, &ns)) {
        *ret = now - ns;
        return true;
    }
    return rfc3339_parse(text, ret) || parse_local(text, ret);
}
