#pragma once
/* SHA-256, incrementally. */
#include "oci/digest.h"

#include <stddef.h>

enum { HASH_SIZE = 32 };

struct hash; /* a talloc object */

struct hash *hash_new(const void *owner);
void hash_add(struct hash *hash, const void *data, size_t size);
void hash_end(struct hash *hash, unsigned char ret[HASH_SIZE]); /* and starts anew */

void hash_print(const unsigned char bytes[HASH_SIZE], char text[DIGEST_TEXT]);
void hash_of(const void *data, size_t size, char text[DIGEST_TEXT]);

/* The next chain id (hex in both): of the lowest layer when `below` is NULL (OCI image-spec, config.md). */
void hash_chain(const char *below, const char *diff_id, char ret_hex[DIGEST_HEX + 1]);
