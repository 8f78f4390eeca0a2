#pragma once
/* Sockets on host ports, and who has a port that is taken. */
#include "base/error.h"
#include "network/network.h"
#include "network/prefix.h"

/* The addresses to listen on for a host_ip: both families' any address when it is empty (one where the
 * machine has no IPv6). 0 when the text is no address. */
size_t host_addresses(const char *host_ip, struct prefix ret[2]);

/* A bound socket, listening when the protocol has that; PORT_TAKEN when the port is in use. An IPv6 address
 * that the machine cannot have is an error. */
int host_socket(int protocol, const struct prefix *address, uint16_t port, int *ret_fd, struct error *err);

/* "process 1234 (nginx)", or NULL when it cannot be seen; on `owner`. */
char *port_holder(const void *owner, int protocol, uint16_t port);
