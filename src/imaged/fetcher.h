#pragma once
/* The coordinator's side of the fetch process (fetch.h): starts it, hands it requests, hears its reports. */
#include "imaged/fetch.h"
#include "imaged/job.h"
#include "imaged/report.h"

struct fetcher; /* freeing it kills the process */

/* Called for each report; an end of the process comes as REPORT_ERROR with id UINT32_MAX. */
typedef void fetcher_handler(void *data, const struct report *report);

int fetcher_start(const void *owner, struct job *job, struct registry *registry, fetcher_handler *handler,
                  void *data, struct fetcher **ret, struct error *err);

/* `fd` is what the answer is written to; it stays the caller's. */
int fetcher_request(struct fetcher *fetcher, const struct fetch_request *request, int fd, struct error *err);
