#pragma once
/*
 * DNS messages (RFC 1035, RFC 6891), as much as a server for a few names needs: one question in, addresses
 * and names out. Everything else is passed on or back as the bytes that it is. Own code and not a library
 * because a query that is forwarded is not to be parsed at all, and what is left is small enough to be fuzzed
 * whole.
 */
#include "network/prefix.h"

#include <stddef.h>

enum { DNS_HEADER = 12, DNS_NAME = 256, DNS_UDP_MIN = 512, DNS_MESSAGE_MAX = 65535 };
enum { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_OPT = 41, DNS_ANY = 255 };
enum { DNS_IN = 1 };
enum { DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };

struct dns_query {
    char name[DNS_NAME]; /* lower case, without the final dot; "" when it is no host name */
    bool is_host_name;   /* only letters, digits, '-', '_' in its labels */
    uint16_t type, class;
    size_t question_end; /* header and question are the first this many bytes */
    bool has_edns;
    size_t udp_room; /* what the client takes in a datagram */
};

/* DNS_NOERROR and *ret; or the code to refuse it with; or DNS_IGNORE for what is no query at all. */
enum { DNS_IGNORE = -1 };
int dns_query_parse(const uint8_t *data, size_t size, struct dns_query *ret);

/* A reply under construction, to the query whose first bytes it repeats. */
struct dns_reply {
    uint8_t *data;
    size_t size, room;
    unsigned answers;
    bool truncated;
};

/* `room` is at least DNS_UDP_MIN; the question (or, when there is none that could be repeated, the header
 * alone: question_end DNS_HEADER) comes first. Space for EDNS is kept back when the query had it. */
void dns_reply_begin(struct dns_reply *reply, uint8_t *data, size_t room, const uint8_t *query,
                     const struct dns_query *parsed);
void dns_reply_add_address(struct dns_reply *reply, const struct prefix *address, uint32_t ttl);
void dns_reply_add_name(struct dns_reply *reply, const char *name, uint32_t ttl); /* PTR */
size_t dns_reply_end(struct dns_reply *reply, const struct dns_query *parsed, unsigned rcode,
                     bool authoritative);

/* Header and question of `query` with a code: for what cannot be answered. */
size_t dns_refuse(uint8_t *reply, size_t room, const uint8_t *query, const struct dns_query *parsed,
                  unsigned rcode);

/* The address that a name below in-addr.arpa or ip6.arpa stands for. */
bool dns_reverse_parse(const char *name, struct prefix *ret);

uint16_t dns_get16(const uint8_t *p);
void dns_put16(uint8_t *p, uint16_t value);
