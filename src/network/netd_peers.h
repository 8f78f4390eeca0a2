#pragma once
/*
 * Projects that share a network (an external one) see each other's containers there, although each has a
 * compote-netd of its own: the record of a container is given to the others too, as a peer, which counts for
 * names and nothing else.
 *
 *   <run>/netd/<project>/net.<network>   marks that the project has had a container on that network
 *   <run>/netd/<project>/<id>.peer       a record of another project, for when compote-netd is started again
 *
 * A project that joins a network marks it first, gives its record to all who have the mark, and takes theirs.
 * Whichever of two comes second sees the other, so nothing is missed. Only one project's lock is held at a
 * time.
 */
#include "network/network.h"

/* Marks the record's networks; *ret_joined gets those that are new to the project (NULL-ended, on `owner`).
 */
int peers_mark(const void *owner, const char *directory, const struct netd_record *record, char ***ret_joined,
               struct error *err);

/* Gives the record (as `text`) to the projects that share its networks, and gives `project` theirs of
 * `joined`. */
int peers_publish(const struct network_context *context, const char *project,
                  const struct netd_record *record, const char *text, char *const *joined, struct error *err);

/* Takes a container away from every other project that has it. */
int peers_withdraw(const struct network_context *context, const char *project, const char *container,
                   struct error *err);
