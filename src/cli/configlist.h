#pragma once
/* The lists that `config` prints, one name a line. */
#include "model/project.h"

#include "base/error.h"

void configlist_services(const void *owner, const struct project *project); /* dependencies first */
void configlist_volumes(const void *owner, const struct project *project);
void configlist_networks(const void *owner, const struct project *project);
void configlist_profiles(const void *owner, const struct project *project);
void configlist_images(const void *owner, const struct project *project);
void configlist_environment(const void *owner, const struct project *project);

/* "NAME HASH" of the services that `which` names: "*" or a list with commas. */
int configlist_hashes(const void *owner, const struct project *project, const char *which, struct error *err);
