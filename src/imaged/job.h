#pragma once
/*
 * compote-image: one transfer into the image store.
 *
 *     compote-image pull|import|load|digest --root=DIR [--config=FILE] [--reference=NAME] [--platform=P]
 * [--path=FILE]
 *
 * Theory of operation. The program that was started is the coordinator. It keeps its privileges, and it is
 * the only one that touches the store, but it never sees a byte of a layer and never talks to the network: it
 * moves small documents (manifests and configurations, 4 MiB at most, whose digests it checks) and
 * descriptors around.
 *
 *                      requests with a descriptor each         +--------------+  curl, TLS, authentication;
 *     +-------------+ ---------------------------------------> |    fetch     |  user nobody, no files, no
 * exec | coordinator | <--- bytes so far, done, failed -------- +--------------+ |             | | writes
 * blobs/partial/<hex> |  store,     |  eventfd: that much is there             +--------------+  for each
 * layer; user nobody, |  locks,     | ---------------------------------------> |   inflate    |  only read(2)
 * and write(2) |  digests    | <--- two SHA-256, or an error ---------- +--------------+ |             | |
 * pipe: plain tar |             |                                          +--------------+  for each layer;
 * sees the layer's |             | <--- opaque and implied directories ---- |    unpack    |  directory and
 * nothing else
 *     +-------------+                                          +--------------+
 *
 * Layers download and unpack at the same time, and several at once. Each goes into layers/.tmp-<chain id>;
 * when both digests are right it is synced and renamed to layers/<chain id>. Last comes the index. Killed at
 * any point, this leaves names that start with a dot, which the next transfer removes, and partial downloads,
 * which it resumes.
 */
#include "base/error.h"
#include "image/index.h"
#include "imaged/emit.h"
#include "imaged/sandbox.h"
#include "sys/loop.h"

struct job {
    struct image_store *store;
    struct loop loop;
    struct sandbox *sandbox;
    struct emit emit;
    const char *reference; /* as given, or NULL */
    const char *path;
    const char *changes; /* commit: see struct transfer_request */
    struct platform platform;
    bool platform_given;
    int transfer_lock; /* held shared */
};

/* Directories of the store, its lock, and the removal of what killed transfers left. */
int job_prepare(struct job *job, struct error *err);

/* The commands: run the loop to their end and say "done". */
int job_pull(struct job *job, struct error *err);
int job_digest(struct job *job, struct error *err); /* "done" tells what the reference points to */
int job_import(struct job *job, struct error *err);
int job_load(struct job *job, struct error *err);
int job_commit(struct job *job, struct error *err);

/* Writes a small blob that was verified, or was made here, durably. */
int job_store_blob(struct job *job, const char *digest, const void *data, size_t size, struct error *err);
