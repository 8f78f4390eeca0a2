#include "base/mem.h"
#include "oci/reference.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever parses has a normal form that parses to itself and stays inside a path. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct reference *reference, *again;
    if (reference_parse(tmp, mem_strndup(tmp, (const char *)data, size), &reference, &err) < 0)
        return error_is_set(&err) ? 0 : (abort(), 0);
    char *normal = reference_print(tmp, reference);
    if (strstr(reference->registry, "..") || strstr(reference->repository, "..") ||
        reference_parse(tmp, normal, &again, &err) < 0 || strcmp(reference_print(tmp, again), normal) != 0)
        abort();
    reference_familiar(tmp, normal);
    return 0;
}
