#include "oci/digest.h"

#include "base/str.h"

bool digest_is_hex(const char *hex)
{
    return hex && strspn(hex, "0123456789abcdef") == DIGEST_HEX && hex[DIGEST_HEX] == '\0';
}

bool digest_is_valid(const char *digest)
{
    const char *hex = digest ? str_after(digest, "sha256:") : NULL;
    return digest_is_hex(hex);
}

const char *digest_hex(const char *digest)
{
    return digest + strlen("sha256:");
}

void digest_short(const char *digest, char text[DIGEST_SHORT])
{
    str_copy(text, DIGEST_SHORT, digest_hex(digest));
}
