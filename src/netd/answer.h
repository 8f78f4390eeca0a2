#pragma once
/*
 * What a container gets for a query: from the records of its project, as far as it shares networks with them.
 * Pure: no sockets.
 *
 * - A name is looked for on the asker's networks in their order; the first network that knows it answers,
 * with all containers that bear it there, in random order. NAME.NETWORK means that network alone.
 * - A known name without an address of the wanted family, or asked for another type: no error and no answer.
 *   NXDOMAIN would make some resolvers give up on the name altogether.
 * - TTL 0: a container that is recreated may have another address the next moment, and asking again costs
 * some ten microseconds.
 * - A container's address gives NAME.NETWORK with the first name in its record.
 * - What nobody knows is for the host's resolvers, except from containers that are on internal networks only:
 *   they must not be able to send anything out (CVE-2024-29018), and get NXDOMAIN, so that they do not try
 * again.
 */
#include "base/omap.h"
#include "netd/message.h"
#include "netd/netd.h"

enum { ANSWER_FORWARD = 1, ANSWER_NONE = 2 };

/*
 * 0 with the reply in *ret_size; ANSWER_FORWARD: ask the host's resolvers; ANSWER_NONE: say nothing. `room`
 * is at least DNS_UDP_MIN and is also limited by what the query says when `is_udp`. `asker` may be NULL:
 * knows nothing, and may not forward.
 */
int answer_query(const struct omap *records, const struct stored_record *asker, const uint8_t *query,
                 size_t size, bool is_udp, uint8_t *reply, size_t room, size_t *ret_size);
