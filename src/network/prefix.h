#pragma once
/* IP addresses and prefixes as numbers: strict text in, canonical text out. Needs libc only. */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct prefix {
    int family;        /* AF_INET, AF_INET6 */
    uint8_t bytes[16]; /* the address in network order; host bits are kept */
    unsigned length;   /* of the prefix, in bits */
};

enum { PREFIX_TEXT = INET6_ADDRSTRLEN + 4 };

/* "a.b.c.d/len", or a plain address, which is its own prefix of full length. */
bool prefix_parse(const char *text, struct prefix *ret);
void prefix_print(const struct prefix *prefix, char text[PREFIX_TEXT]);         /* with "/len" */
void prefix_print_address(const struct prefix *prefix, char text[PREFIX_TEXT]); /* without */

unsigned prefix_size(const struct prefix *prefix); /* bytes of an address: 4 or 16 */
bool prefix_has_host_bits(const struct prefix *prefix);
void prefix_clear_host_bits(struct prefix *prefix);
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
int prefix_compare(const struct prefix *a, const struct prefix *b); /* the addresses */
bool prefix_is_loopback(const struct prefix *prefix);
bool prefix_is_any(const struct prefix *prefix); /* 0.0.0.0, :: */
void prefix_last(const struct prefix *prefix, struct prefix *ret);
void prefix_increment(struct prefix *prefix); /* the address; wraps around */
