#pragma once
/*
 * `doctor`: what this machine has and lacks for running containers, and how to get it. A table of checks;
 * each looks and changes nothing.
 */
#include "cli/app.h"

enum doctor_state { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_MISSING, DOCTOR__COUNT };

struct doctor_result {
    enum doctor_state state;
    char *detail; /* what was found */
    char *advice; /* what to do, or NULL */
};

struct doctor {
    const struct app *app;
    TALLOC_CTX *ctx; /* owns what results say */
    char *data, *run;
};

struct doctor_check {
    const char *name;
    void (*look)(const struct doctor *doctor, struct doctor_result *ret);
};

extern const struct doctor_check doctor_checks[]; /* ends with an empty row */

/* How each mode of cgroups is called, by what is mounted where: "v2", "v1 with v2 beside it", "v1". NULL:
 * none. */
const char *doctor_cgroup_mode(const char *mount_point);

/* Whether a kernel part is there: loaded, built in, or as a module of the running kernel. */
bool doctor_kernel_has(const char *module);
