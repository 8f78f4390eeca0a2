#pragma once
/*
 * .env files and the env_file of services. The grammar is that of docker compose: KEY=VALUE or KEY: VALUE, an
 * optional `export`, # comments, single quotes for literal text, double quotes for escapes and variables,
 * both over several lines; a bare KEY takes its value from the environment, if there is one.
 */
#include "base/error.h"
#include "base/omap.h"
#include "data/template.h"

enum {
    DOTENV_MAX_SIZE = 32 << 20,   /* bytes in a file */
    DOTENV_MAX_VALUES = 64 << 20, /* bytes that its values may become */
};

/*
 * Adds what `text` says to `values` (strings). Variables in values are looked up in `scope` first, then among
 * `values`, so that later lines and files see earlier ones. `lines`, which may be NULL, gets the number of
 * the line where each of the text's names has its last value. Errors say "line N".
 */
int dotenv_parse(const char *text, const struct template_scope *scope, struct omap *values,
                 struct omap *lines, struct error *err);
static inline unsigned dotenv_line(const struct omap *lines, const char *name)
{
    return (unsigned)(uintptr_t)omap_get(lines, name);
}

/* The raw form: no quotes, no variables; KEY=VALUE to the end of the line. */
int dotenv_parse_raw(const char *text, const struct template_scope *scope, struct omap *values,
                     struct omap *lines, struct error *err);
