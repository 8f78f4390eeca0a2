#pragma once
/*
 * The process that talks to registries. It takes requests, each with a descriptor to write into, over one
 * SOCK_SEQPACKET socket and answers with reports (report.h) that carry the request's id:
 * REPORT_PROGRESS (value: bytes in the file by now), REPORT_RETRY (text: why), REPORT_DONE (value: bytes;
 * text: the content type) and REPORT_ERROR. It ends when the socket closes.
 *
 * Rules of the registry protocol (distribution-spec; docker's token authentication):
 * - Endpoints are tried in order; the one that had the manifest is asked first from then on.
 * - A 401 is answered once for each request: by a token from the challenge's realm, or by basic
 * authentication. The realm must be https unless the registry itself is not, and stays what it was in the
 * first challenge.
 * - Redirects are followed here and not by curl; Authorization goes to the endpoint's own origin and nowhere
 * else (CVE-2020-15257's class), and https never becomes http.
 * - A broken download goes on where it was with a Range request; an answer of 200 to that is read over what
 * is there.
 * - 429 and 5xx wait for Retry-After, or double the delay.
 */
#include "base/error.h"
#include "imaged/registry.h"
#include "oci/digest.h"

#include <stdint.h>

enum fetch_kind { FETCH_MANIFEST, FETCH_BLOB };

enum { FETCH_NAME = 140 /* the longest tag, or a digest */ };

struct fetch_request {
    uint32_t id, kind;
    int64_t offset; /* bytes of the blob that the file has already */
    int64_t size;   /* of the blob; for a manifest the most that is taken */
    char name[FETCH_NAME];
};

/* Runs until the socket closes; to be called confined. */
int fetch_run(struct registry *registry, int socket, struct error *err);

/* In auth.c: WWW-Authenticate headers (RFC 9110 section 11.6.1). */
struct challenge {
    char *scheme; /* lower case: "bearer", "basic" */
    char *realm, *service, *scope;
};

/* All challenges of one header value; *ret_count may be 0. Never fails: what is not understood is left out.
 */
struct challenge *challenge_parse(const void *owner, const char *header, size_t *ret_count);

/* In auth.c: sets endpoint->authorization from the challenges of a 401. */
int endpoint_authenticate(struct registry *registry, struct endpoint *endpoint,
                          const struct challenge *challenges, size_t count, struct error *err);
