#include "netd/netd.h"

/* Without memory for a timer there is no way to bound the waits; then they last until their other end acts.
 */
static void arm(struct timeouts *timeouts, loop_handler *handler)
{
    struct wait *first = TAILQ_FIRST(&timeouts->list);
    if (!first || timeouts->armed)
        return;
    int64_t left = first->end - loop_now_ns();
    timeouts->armed = loop_timer(timeouts->loop, &timeouts->timer, left, handler, timeouts, NULL) == 0;
}

static int expire(struct loop *loop UNUSED, struct loop_source *source UNUSED, uint32_t events UNUSED,
                  void *data, struct error *err UNUSED)
{
    struct timeouts *timeouts = data;
    struct wait *first;
    int64_t now = loop_now_ns();
    timeouts->armed = false;
    while ((first = TAILQ_FIRST(&timeouts->list)) && first->end <= now) {
        wait_stop(timeouts, first);
        first->expired(first->data);
    }
    arm(timeouts, expire);
    return 0;
}

void timeouts_init(struct timeouts *timeouts, struct loop *loop, int64_t length)
{
    *timeouts = (struct timeouts){.loop = loop, .length = length, .timer = LOOP_SOURCE_INIT};
    TAILQ_INIT(&timeouts->list);
}

void wait_start(struct timeouts *timeouts, struct wait *wait)
{
    wait_stop(timeouts, wait);
    wait->end = loop_now_ns() + timeouts->length;
    TAILQ_INSERT_TAIL(&timeouts->list, wait, link);
    arm(timeouts, expire);
}

void wait_stop(struct timeouts *timeouts, struct wait *wait)
{
    if (!wait->end)
        return;
    TAILQ_REMOVE(&timeouts->list, wait, link);
    wait->end = 0;
}
