/* The bytes as a .env file, and again as a text with variables that sees its values. */
#include "data/dotenv.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(const struct template_scope *scope, const char *name)
{
    return omap_get(scope->data, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct omap *values = omap_new(tmp), *outer = omap_new(tmp);
    struct template_scope scope = {.lookup = lookup, .data = outer};
    char *text = mem_strndup(tmp, (const char *)data, size), *out;
    omap_set_str(outer, "HOME", "/home/user");
    dotenv_parse(text, &scope, values, NULL, &err);
    dotenv_parse_raw(text, &scope, values, NULL, &err);
    scope.data = values;
    template_expand(tmp, text, &scope, &out, &err);
    return 0;
}
