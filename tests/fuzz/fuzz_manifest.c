#include "base/mem.h"
#include "oci/imgconfig.h"
#include "oci/manifest.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_valid(const struct descriptor *descriptor)
{
    if (!digest_is_valid(descriptor->digest) || descriptor->size < 0)
        abort();
}

/* Manifests, indexes and image configurations: what is taken has valid digests and sizes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    struct manifest *manifest;
    struct image_config *config;
    const struct descriptor *chosen;
    struct platform host;
    platform_host(&host);
    if (manifest_parse(tmp, data, size, NULL, &manifest, &err) == 0) {
        for (size_t i = 0; i < manifest->entry_count; i++)
            must_be_valid(&manifest->entries[i]);
        if (manifest->kind == MANIFEST_INDEX)
            manifest_select(manifest, &host, &chosen, &err);
        else
            must_be_valid(&manifest->config);
    } else if (!error_is_set(&err)) {
        abort();
    }
    error_clear(&err);
    if (image_config_parse(tmp, data, size, &config, &err) == 0) {
        for (size_t i = 0; i < config->diff_id_count; i++)
            if (!digest_is_valid(config->diff_ids[i]))
                abort();
    } else if (!error_is_set(&err)) {
        abort();
    }
    return 0;
}
