/* --format is the user's, what it shows comes from images and containers: the output is valid UTF-8 after
 * cleaning. */
#include "cli/template.h"
#include "cli/text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct template_field fields[] = {
    {"ID",   "CONTAINER ID"},
    {"Name", "NAME"        },
    {"List", "LIST"        },
    {NULL,   NULL          }
};

static void check_text(const char *text)
{
    char *clean = text_clean(NULL, text);
    int width = 0;
    for (const char *p = clean; *p;) {
        uint32_t c = 0;
        size_t n = utf8_decode(p, &c);
        assert(n > 0 && c >= 0x20);
        p += n;
        width += 2;
    }
    assert(text_width(clean) <= width);
    char *cut = text_cut(clean, clean, 10);
    assert(text_width(cut) <= 10);
    talloc_free(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *text = mem_strndup(tmp, (const char *)data, size);
    struct error err = ERROR_INIT;
    struct template *template;
    check_text(text);
    if (template_parse(tmp, text, fields, &template, &err) < 0) {
        assert(error_is_set(&err));
        return 0;
    }
    assert(!error_is_set(&err));
    json_t *row = json_pack("{s:s, s:s, s:[i, s]}", "ID", "0123", "Name", "web", "List", 1, "a");
    const struct template_row rows[] = {
        {row, NULL}
    };
    assert(template_print(tmp, template, rows, 1));
    json_decref(row);
    return 0;
}
