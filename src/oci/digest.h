#pragma once
/*
 * Content digests as text (OCI image-spec, descriptor.md#digests). Only SHA-256 is taken: every registry in
 * use names content by it. Whatever becomes part of a path or of a URL has passed digest_is_valid first.
 */
#include <stdbool.h>

enum {
    DIGEST_HEX = 64,  /* digits */
    DIGEST_TEXT = 72, /* room for "sha256:<hex>" with its NUL */
    DIGEST_SHORT = 13 /* room for the 12 digits that people are shown */
};

/* "sha256:" and 64 lower-case digits. */
bool digest_is_valid(const char *digest);
bool digest_is_hex(const char *hex); /* the 64 digits alone */

/* The digits of a valid digest; points into it. */
const char *digest_hex(const char *digest);
void digest_short(const char *digest, char text[DIGEST_SHORT]);
