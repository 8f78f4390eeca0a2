#pragma once
/* SHA-256 of a piece of memory, as 64 hexadecimal digits. */
#include "base/mem.h"

enum { DIGEST_TEXT = 65 };
void digest_sha256(const void *data, size_t size, char text[DIGEST_TEXT]);
