#pragma once
/*
 * --format: the part of Go's templates that is used with docker. Text with actions in it:
 *
 *     {{.Name}}  {{json .}}  {{json .Name}}  {{upper .Name}}  {{lower .X}}  {{title .X}}  {{len .X}}
 *     {{truncate .ID 12}}  {{.Label "com.example.a"}}  {{.Name | upper}}  {{- .Name -}}
 *
 * \t and \n may be written as such. "table " in front adds a line of headings and aligns the columns.
 * Control structures (if, range) are refused with a message that says so.
 */
#include "base/error.h"
#include "base/omap.h"

#include <jansson.h>

struct template_field {
    const char *name, *heading;
};

struct template_row {
    json_t *fields;            /* an object: owned by the row */
    const struct omap *labels; /* for .Label; or NULL */
};

struct template;

/* `fields` (ends with a NULL name) are those that may be used. */
int template_parse(const void *owner, const char *text, const struct template_field *fields,
                   struct template **ret, struct error *err);

/* All rows, with the headings when it is a table. */
char *template_print(const void *owner, const struct template *template, const struct template_row *rows,
                     size_t count);

/*
 * What --format asks for: "table" (or "pretty") is the template `standard`, "json" one object on each line,
 * anything else a template.
 */
int template_format(const void *owner, const char *format, const char *standard,
                    const struct template_field *fields, const struct template_row *rows, size_t count,
                    char **ret, struct error *err);
