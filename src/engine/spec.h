#pragma once
/*
 * From a service and its image to one container: the record that compote keeps (state) and the spec that the
 * runtime gets. Pure but for reading the host's resolver configuration; addresses and anonymous volumes are
 * filled in by the operation that creates the container (ops_create.c).
 */
#include "engine/internal.h"

struct spec_request {
    const struct project *project;
    const struct service *service;
    const struct image *image;
    int number;                       /* replica; 0: one-off */
    const struct run_options *oneoff; /* what `run` overrides, or NULL */
};

/* What can be told before anything is made: values that no container can be made from, files that are
 * missing. */
int spec_check(const struct project *project, const struct service *service, struct error *err);

/* The log of a container (spec_log.c); without a record the options are only checked. */
int spec_make_logging(struct container_spec *spec, const struct service *service,
                      const struct container_record *record, struct error *err);

/* "demo-web-1", or the service's container_name. */
char *spec_container_name(const void *owner, const struct project *project, const struct service *service,
                          int number);

/* Names, labels, endpoints without addresses, ports without the container's address. */
int spec_make_record(const void *owner, struct engine *engine, const struct spec_request *request,
                     struct container_record **ret, struct error *err);

/* Everything else, from a record whose addresses, ports and mounts are filled in. */
int spec_make(const void *owner, struct engine *engine, const struct spec_request *request,
              const struct container_record *record, struct container_spec **ret, struct error *err);
