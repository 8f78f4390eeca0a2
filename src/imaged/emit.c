#include "imaged/emit.h"

#include "oci/json.h"
#include "sys/fd.h"

/* Who does not read is gone, or about to be: nothing to report it to. */
static void emit_line(struct emit *emit, json_t *line)
{
    cleanup_json json_t *doc = line;
    cleanup_malloc char *text = mem_check(json_dumps(doc, JSON_COMPACT));
    size_t n = strlen(text);
    text[n] = '\n';
    fd_write_all(emit->fd, text, n + 1, NULL);
}

void emit_progress(struct emit *emit, const char *digest, enum transfer_status status, int64_t current,
                   int64_t total)
{
    char layer[DIGEST_SHORT] = "";
    if (digest)
        digest_short(digest, layer);
    emit_line(emit, json_pack("{s:s?, s:s, s:I, s:I}", "layer", digest ? layer : NULL, "status",
                              transfer_status_name(status), "current", (json_int_t)current, "total",
                              (json_int_t)total));
}

void emit_done(struct emit *emit, const char *manifest)
{
    emit_line(emit, json_pack("{s:s}", "done", manifest));
}

/* Names from archives and registries are not always UTF-8, which JSON must be; controls are not for
 * terminals. */
static json_t *text_json(const char *text)
{
    char copy[ERROR_TEXT_SIZE];
    snprintf(copy, sizeof(copy), "%s", text);
    for (unsigned char *p = (unsigned char *)copy; *p; p++)
        if ((*p < ' ' && *p != '\n') || *p == 127)
            *p = '?';
    json_t *value = json_string(copy);
    if (value)
        return value;
    for (unsigned char *p = (unsigned char *)copy; *p; p++)
        if (*p > 127)
            *p = '?';
    return json_string(copy);
}

void emit_error(struct emit *emit, const struct error *err)
{
    emit_line(emit, json_pack("{s:o, s:o, s:i}", "error", text_json(err->text), "hint", text_json(err->hint),
                              "code", err->code));
}
