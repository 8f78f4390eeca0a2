#pragma once
/*
 * Platforms: "os/architecture[/variant]" with Go's names, as image indexes and Compose files write them.
 */
#include "base/error.h"

enum { PLATFORM_PART = 24, PLATFORM_TEXT = 3 * PLATFORM_PART };

struct platform {
    char os[PLATFORM_PART], architecture[PLATFORM_PART];
    char variant[PLATFORM_PART]; /* "" unspecified; "v8" of arm64 is stored as "" */
};

/* "linux/arm64/v8", "linux/amd64", "arm64" (of this operating system), "linux"; usual synonyms too. */
int platform_parse(const char *text, struct platform *ret, struct error *err);
void platform_set(struct platform *platform, const char *os, const char *architecture, const char *variant);
void platform_host(struct platform *ret);
void platform_print(const struct platform *platform, char text[PLATFORM_TEXT]);

/* How well `have` runs where `want` was asked for: 0 is exact, larger is worse, -1 not at all. */
int platform_match(const struct platform *want, const struct platform *have);
