#pragma once
/*
 * The layers of one image on their way into the store (layers.c). Used by pull, which downloads them, and by
 * load, which has them in files.
 *
 * A layer goes through these states; each arrow is an event of the loop:
 *
 *     LOCKING --lock held--> QUEUED --slot free--> RUNNING --pipeline done--> UNPACKED --synced--> DONE
 *        \__ there already ______________________________________________________________________^
 *
 * LOCKING: another process unpacks the same layer; a child waits for its lock. RUNNING: the download, if
 * there is one, and the pipeline that reads what it has brought so far; a download may run before its
 * pipeline has a slot. UNPACKED: the tree is whole but not yet on the disk; one child at a time does
 * syncfs(2) for all that wait, and then they are renamed.
 */
#include "imaged/fetcher.h"
#include "imaged/job.h"
#include "oci/imgconfig.h"
#include "oci/manifest.h"

struct layers;

/* Where a layer's bytes are. */
struct layer_source {
    const char *digest; /* of the blob; NULL: nothing is known but the diff id */
    int64_t size;
    int fd; /* the whole blob, taken over; -1: to be downloaded */
};

struct layers_request {
    struct job *job;
    char *const *diff_ids;
    const struct layer_source *sources; /* as many as diff ids */
    size_t count;
    struct fetcher *fetcher; /* NULL when every source has a descriptor */
    struct registry *registry;
    void (*done)(void *data, int result, struct error *err);
    void *data;
};

int layers_start(const void *owner, const struct layers_request *request, struct layers **ret,
                 struct error *err);

/* Reports of the fetcher whose id is below `count` belong here. */
void layers_report(struct layers *layers, const struct report *report);

/* Once done: chain ids, lowest first (owned by `layers`), and the bytes of each (-1: it was there already).
 */
char **layers_chain(const struct layers *layers);
int64_t *layers_sizes(const struct layers *layers, const void *owner);
