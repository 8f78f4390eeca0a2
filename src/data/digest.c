#include "data/digest.h"

#include "base/str.h"

#include <openssl/evp.h>

void digest_sha256(const void *data, size_t size, char text[DIGEST_TEXT])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!EVP_Digest(data, size, bytes, &length, EVP_sha256(), NULL))
        mem_check(NULL); /* fails for want of memory only */
    str_hex(text, bytes, 32);
}
