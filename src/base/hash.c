#include "base/hash.h"

#include <string.h>
#include <sys/auxv.h>

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint32_t hash_text(const char *text)
{
    /* Sixteen random bytes that the kernel gives each program. */
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    uint64_t key[2] = {0}, word;
    if (random)
        memcpy(key, random, sizeof(key));
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                     key[1] ^ 0x7465646279746573};
    size_t size = strlen(text), left = size;
    for (;; text += sizeof(word), left -= sizeof(word)) {
        word = (uint64_t)size << 56;
        memcpy(&word, text, left < sizeof(word) ? left : sizeof(word));
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
        if (left < sizeof(word))
            break;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        mix(v);
    uint64_t h = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t)(h ^ h >> 32);
}
