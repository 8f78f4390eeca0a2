#pragma once
/*
 * What compote-netd is told about a container, as text: one line per fact, blanks between fields, "-" for
 * what is not there. Both sides use it, and the file that keeps a record across a killed compote-netd holds
 * the same.
 *
 *     container 4f1c...            the id
 *     netns /run/compote/...       the rest of the line
 *     internal                     only when all its networks are
 *     network shop_default 10.89.3.2 - web shop-web-1 4f1c2d3e4f50
 *     dns 192.0.2.53               asked in place of the host's resolvers
 *     link database db             for this container, "database" is "db"
 *     port tcp - 8080 10.89.3.2 80
 */
#include "network/network.h"

enum { RECORD_MAX = 160 * 1024 }; /* fits into one message */

/* EINVAL for names that cannot be written: with blanks or control characters. */
int record_print(const void *owner, const struct netd_record *record, char **ret, struct error *err);
int record_parse(const void *owner, const char *text, struct netd_record **ret, struct error *err);

/* Whether the socket for published ports at `address` and `host_port` serves `map`. */
bool record_port_matches(const struct port_map *map, int protocol, const char *address, uint16_t host_port);

const char *record_protocol_name(int protocol);
bool record_protocol_parse(const char *name, int *ret);
