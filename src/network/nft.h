#pragma once
/*
 * The nftables table of one root: made, changed and looked at through libnftables.
 *
 * Rules never change. What networks and ports there are is data: elements of sets keyed by interface name,
 * and of maps keyed by port. So a change is one element, whatever the number of networks, and every change is
 * one transaction. The rules themselves are in nft.c with their reasons.
 */
#include "network/network.h"

struct nft {
    struct nft_ctx *ctx;
    const char *table;
    int lock; /* one change of this root at a time, so that looking and changing belong together */
};

#define NFT_INIT                                                                                             \
    {                                                                                                        \
        .lock = -1                                                                                           \
    }

int nft_open(struct nft *nft, const struct network_context *context, struct error *err);
void nft_close(struct nft *nft);
#define cleanup_nft CLEANUP(nft_close)

/* Runs commands as one transaction. */
int nft_run(struct nft *nft, const char *commands, struct error *err);

/* The same in the network namespace that this process is in, whatever table they are about. */
int nft_run_here(const char *commands, struct error *err);

/* Commands that make the table and its rules, or make them right again; elements stay. On `owner`. */
char *nft_skeleton(const void *owner, const char *table);

/* The elements of a set or map as JSON (the value of "elem"; NULL when it is empty). NFT_ABSENT without
 * table or set. */
struct json_t;
enum { NFT_ABSENT = 1 };
int nft_elements(struct nft *nft, const char *set, struct json_t **ret, struct error *err);
void nft_elements_free(struct json_t *elements);
