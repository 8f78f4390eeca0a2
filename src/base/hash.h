#pragma once
/*
 * Hash of a text for tables in memory: SipHash-1-3 with a key of the process, because keys come from files
 * whose author might choose them to collide. Not the same in another run: nothing kept may depend on it.
 */
#include <stdint.h>

uint32_t hash_text(const char *text);
