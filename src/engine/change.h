#pragma once
/* What changed between two configurations of a service, in words: the reason to make a container anew. */

/*
 * Both are canonical JSON (service_config). The text names keys by their path and gives both values, cut
 * where they are long: `environment.LOG_LEVEL "info" → "debug"; ports[0].published added "8080"`. At most a
 * few differences are told. NULL when there is none, or when one of the two is no JSON.
 */
char *config_change(const void *owner, const char *before, const char *after);
