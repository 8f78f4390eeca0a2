#pragma once
/* The lists that `config` prints, one name a line. */
#include "model/project.h"

#include "base/error.h"

/* `argument` is --hash for the hashes and --format for the others, of which most have but one. */
typedef int configlist_print(const void *owner, const struct project *project, const char *argument,
                             struct error *err);

configlist_print configlist_services; /* dependencies first */
configlist_print configlist_volumes, configlist_networks, configlist_profiles, configlist_environment;
configlist_print configlist_models; /* what the models of the project are */
configlist_print configlist_images;

/* "NAME HASH" of the services that `argument` names: "*" or a list with commas. */
configlist_print configlist_hashes;

/* Variables with defaults, of a project loaded without interpolation: table, json or yaml. */
configlist_print configlist_variables;
