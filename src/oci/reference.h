#pragma once
/*
 * Names of images: [host[:port]/]path[:tag][@digest] (distribution's reference grammar, docker's defaults).
 * The first component is a host when it has a '.' or a ':' or is "localhost"; otherwise the registry is
 * docker.io, and a path of one component gets "library/" in front.
 */
#include "base/error.h"
#include "base/mem.h"

struct reference {
    char *registry;   /* "docker.io", "host:5000" */
    char *repository; /* "library/nginx" */
    char *tag;        /* "latest" unless a tag or a digest was given; NULL with a digest alone */
    char *digest;     /* "sha256:<hex>" or NULL */
};

int reference_parse(const void *owner, const char *text, struct reference **ret, struct error *err);

/* The normal form, which is the key in the store: "docker.io/library/nginx:latest", or "...@sha256:..." (the
 * digest says everything, so that a tag beside it is left out). */
char *reference_print(const void *owner, const struct reference *reference);

/* The short form that people write: without docker.io and library. Takes the normal form. */
char *reference_familiar(const void *owner, const char *normal);
