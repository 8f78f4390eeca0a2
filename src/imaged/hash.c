#include "imaged/hash.h"

#include "base/mem.h"
#include "base/str.h"

#include <openssl/evp.h>

struct hash {
    EVP_MD_CTX *ctx;
};

static int hash_destroy(struct hash *hash)
{
    EVP_MD_CTX_free(hash->ctx);
    return 0;
}

/* OpenSSL fails here only without memory. */
static void check(int ok)
{
    mem_check(ok == 1 ? "" : NULL);
}

struct hash *hash_new(const void *owner)
{
    struct hash *hash = mem_new(owner, struct hash);
    hash->ctx = mem_check(EVP_MD_CTX_new());
    talloc_set_destructor(hash, hash_destroy);
    check(EVP_DigestInit_ex(hash->ctx, EVP_sha256(), NULL));
    return hash;
}

void hash_add(struct hash *hash, const void *data, size_t size)
{
    check(EVP_DigestUpdate(hash->ctx, data, size));
}

void hash_end(struct hash *hash, unsigned char ret[HASH_SIZE])
{
    check(EVP_DigestFinal_ex(hash->ctx, ret, NULL));
    check(EVP_DigestInit_ex(hash->ctx, NULL, NULL));
}

void hash_print(const unsigned char bytes[HASH_SIZE], char text[DIGEST_TEXT])
{
    static const char prefix[] = "sha256:";
    memcpy(text, prefix, sizeof(prefix));
    str_hex(text + sizeof(prefix) - 1, bytes, HASH_SIZE);
}

void hash_of(const void *data, size_t size, char text[DIGEST_TEXT])
{
    unsigned char bytes[HASH_SIZE];
    check(EVP_Digest(data, size, bytes, NULL, EVP_sha256(), NULL));
    hash_print(bytes, text);
}

void hash_chain(const char *below, const char *diff_id, char ret_hex[DIGEST_HEX + 1])
{
    char text[2 * DIGEST_TEXT + 8], digest[DIGEST_TEXT];
    if (below) {
        snprintf(text, sizeof(text), "sha256:%s %s", below, diff_id);
        hash_of(text, strlen(text), digest);
        diff_id = digest;
    }
    str_copy(ret_hex, DIGEST_HEX + 1, digest_hex(diff_id));
}
