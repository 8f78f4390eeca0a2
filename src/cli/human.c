#include "cli/human.h"

#include "base/macro.h"
#include "base/units.h"

#include <inttypes.h>
#include <time.h>

void human_duration(int64_t ns, char text[HUMAN_TEXT])
{
    enum { MINUTE = 60, HOUR = 3600, DAY = 24 * HOUR };
    /* The row for what is shorter than `below` seconds: in units of `divisor`, a single one by its own words.
     */
    static const struct {
        int64_t below, divisor;
        const char *one, *many;
    } rows[] = {
        {MINUTE,    1,         "1 second",       "seconds"},
        {HOUR,      MINUTE,    "About a minute", "minutes"},
        {48 * HOUR, HOUR,      "About an hour",  "hours"  },
        {14 * DAY,  DAY,       NULL,             "days"   },
        {60 * DAY,  7 * DAY,   NULL,             "weeks"  },
        {730 * DAY, 30 * DAY,  NULL,             "months" },
        {INT64_MAX, 365 * DAY, NULL,             "years"  },
    };
    int64_t seconds = ns / NS_PER_S;
    if (seconds < 1) {
        snprintf(text, HUMAN_TEXT, "Less than a second");
        return;
    }
    if (seconds >= HOUR)
        seconds = (seconds + HOUR / 2) / HOUR * HOUR;
    size_t row = 0;
    while (seconds >= rows[row].below)
        row++;
    int64_t n = seconds / rows[row].divisor;
    if (n == 1 && rows[row].one)
        snprintf(text, HUMAN_TEXT, "%s", rows[row].one);
    else
        snprintf(text, HUMAN_TEXT, "%" PRId64 " %s", n, rows[row].many);
}

static void print_size(int64_t bytes, double step, int digits, const char *const *units, char *text)
{
    double value = (double)bytes;
    for (; value >= step && units[1]; units++)
        value /= step;
    snprintf(text, HUMAN_TEXT, "%.*g%s", digits, value, *units);
}

void human_size(int64_t bytes, int digits, char text[HUMAN_TEXT])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", NULL};
    print_size(bytes, 1000, digits, units, text);
}

void human_bytes(int64_t bytes, char text[HUMAN_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", NULL};
    print_size(bytes, 1024, 4, units, text);
}

void human_time(int64_t ns_since_epoch, char text[HUMAN_TEXT])
{
    time_t seconds = (time_t)(ns_since_epoch / NS_PER_S);
    struct tm tm;
    if (!localtime_r(&seconds, &tm) || strftime(text, HUMAN_TEXT, "%Y-%m-%d %H:%M:%S %z %Z", &tm) == 0)
        text[0] = '\0';
}
