#pragma once
/* Times and sizes in docker's words (docker/go-units). */
#include <stddef.h>
#include <stdint.h>

enum { HUMAN_TEXT = 48 };

/* "Less than a second", "5 seconds", "About a minute", "3 hours", "2 weeks". */
void human_duration(int64_t ns, char text[HUMAN_TEXT]);

/* Powers of 1000 with at most `digits` significant ones: "45.3MB", "7.8kB". */
void human_size(int64_t bytes, int digits, char text[HUMAN_TEXT]);

/* Powers of 1024 with four digits: "1.523MiB". */
void human_bytes(int64_t bytes, char text[HUMAN_TEXT]);

/* "2026-11-23 14:50:01 +0000 UTC", as ps --format json shows when a container was made. */
void human_time(int64_t ns_since_epoch, char text[HUMAN_TEXT]);
