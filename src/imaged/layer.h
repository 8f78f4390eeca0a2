#pragma once
/* A layer's directory from its first entry to the moment when it is there for everyone. */
#include "imaged/job.h"
#include "imaged/pipeline.h"

struct layer_dir {
    char *path; /* layers/.tmp-... */
    int fd;
    bool published;
};

/* An empty directory; freeing it removes what was not published. */
int layer_dir_make(const void *owner, struct job *job, const char *tag, struct layer_dir **ret,
                   struct error *err);

/*
 * What the unpacking process had no privilege or no knowledge for: marks opaque directories, and gives
 * implied ones the owner and mode that they have in the layers below (`lower`: chain ids, lowest first).
 */
int layer_dir_dress(struct job *job, struct layer_dir *dir, const struct pipeline_result *result,
                    char *const *lower, size_t lower_count, struct error *err);

/* Renames it to its chain id; what is in it was synced before. */
int layer_dir_publish(struct job *job, struct layer_dir *dir, const char *chain, struct error *err);

/* Makes the renames durable. */
int layer_dirs_sync(struct job *job, struct error *err);

bool layer_exists(struct job *job, const char *chain);
