#pragma once
/*
 * Where an image comes from: compote's registry configuration, docker's TLS files and credentials, put
 * together into a list of endpoints to try in order. All files are read and all credential helpers run here,
 * before the process that talks to the network gives up its rights.
 *
 * The configuration (JSON, all members optional):
 *
 *     {"registries": {"docker.io": {"mirrors": ["http://127.0.0.1:5000"]},
 *                     "registry.example:5000": {"plain_http": true},
 *                     "other.example": {"insecure": true, "ca": "/etc/ssl/other.pem"}},
 *      "connect_timeout": 15, "stall_timeout": 30, "retries": 5, "retry_delay": 1}
 *
 * Times are in seconds. A registry on a loopback address may use plain http without being listed.
 *
 * Credentials are bound to one endpoint's scheme, host and port. They come from docker's config.json
 * ($DOCKER_CONFIG, ~/.docker) and from containers' auth.json ($REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR).
 */
#include "base/error.h"
#include "oci/reference.h"

#include <stdbool.h>
#include <stddef.h>

struct credentials {
    char *user, *password;
    char *identity_token; /* used instead of a password at the token server */
};

struct endpoint {
    char *host;            /* "registry-1.docker.io", "127.0.0.1:5000" */
    bool is_http;          /* plain http */
    bool may_switch;       /* http was a guess: https when that is what answers */
    bool insecure;         /* certificates are not checked */
    char *ca, *cert, *key; /* PEM texts, or NULL */
    struct credentials credentials;
    /* What the fetch process learns. */
    char *authorization; /* header value, or NULL */
    char *realm;         /* of the token server, from the first challenge */
};

struct registry {
    struct endpoint *endpoints; /* mirrors first */
    size_t endpoint_count;
    char *repository;
    double connect_timeout, stall_timeout, retry_delay;
    int retries;
};

/* `config` is the path of the configuration, or NULL; a file that is not there is empty. */
int registry_open(const void *owner, const struct reference *reference, const char *config,
                  struct registry **ret, struct error *err);

/* In credentials.c. Fills what is known for a host; unknown hosts get nothing. */
int credentials_find(const void *owner, const char *host, struct credentials *ret, struct error *err);

/* In credentials.c. "user:password" in base64, as of the `auth` member; false when it is not that. */
bool credentials_decode(const void *owner, const char *text, struct credentials *ret);
