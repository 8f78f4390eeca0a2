#pragma once
/*
 * Forgets UDP flows to published ports. The kernel decides where a flow goes by its first packet and keeps to
 * that as long as packets come, so a client that goes on sending would never reach a container that took over
 * a port.
 */
#include <stddef.h>
#include <stdint.h>

/* All redirected or unanswered UDP flows to one of `ports`. Does its best: what it cannot do is not told,
 * because nothing depends on it but how soon a client gets through. */
void conntrack_forget_udp(const uint16_t *ports, size_t count);
