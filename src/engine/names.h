#pragma once
/*
 * Names in a Compose file that become something outside of it: a directory, an interface, a line in a file of
 * ours, a name in the kernel. They are checked before anything is made from them.
 *
 * Sources: docker's rules for names of containers and volumes; HOST_NAME_MAX of limits.h for host names;
 * dev_valid_name() in Linux' net/core/dev.c for interfaces.
 */
#include "base/error.h"
#include "model/project.h"

int container_name_check(const char *name, struct error *err);
int project_names_check(const struct project *project, struct error *err);
