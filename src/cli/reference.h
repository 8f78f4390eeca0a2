#pragma once
/* Image references as lists show them. */

/*
 * "docker.io/library/nginx:1.27" becomes "nginx" and "1.27", "host:5000/a@sha256:..." "host:5000/a" and
 * "<none>"; without tag "latest". Both belong to `owner`.
 */
void reference_split(const void *owner, const char *reference, char **ret_repository, char **ret_tag);
