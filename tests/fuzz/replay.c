/* Feeds each file of the directories given as arguments to the fuzz target once. */
#include "base/mem.h"
#include "base/strv.h"
#include "sys/fs.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
        struct error err = ERROR_INIT;
        char **names;
        if (fs_list(tmp, argv[i], &names, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        for (size_t n = 0; names && names[n]; n++) {
            char *data;
            size_t size;
            int r =
                fs_read_file(tmp, mem_printf(tmp, "%s/%s", argv[i], names[n]), 1 << 24, &data, &size, &err);
            if (r != 0) {
                fprintf(stderr, "%s\n", err.text);
                return 1;
            }
            LLVMFuzzerTestOneInput((const uint8_t *)data, size);
            talloc_free(data);
            count++;
        }
    }
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
