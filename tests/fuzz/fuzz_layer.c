#include "imaged/unpack.h"

#include "base/mem.h"
#include "sys/fd.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A tar through the reader and the tree writer, unconfined and without owners, beside a directory that must
 * stay as it is: empty. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct error err = ERROR_INIT;
    char top[] = "/tmp/compote-fuzz-layer-XXXXXX";
    cleanup_close int input = memfd_create("layer", MFD_CLOEXEC);
    cleanup_close int report = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (input < 0 || report < 0 || !mkdtemp(top) || fd_write_all(input, data, size, &err) < 0 ||
        lseek(input, 0, SEEK_SET) < 0)
        abort();
    char *layer = mem_printf(tmp, "%s/layer", top), **names;
    cleanup_close int root = -1;
    if (fs_mkdir_p(layer, 0700, &err) < 0 || fs_open_dir(layer, &root, &err) < 0)
        abort();
    const struct unpack_job job = {
        .input = input, .report = report, .options = {.lowest = size % 2, .rootless = true, .room = 1 << 20}
    };
    struct unpack *unpack;
    if (unpack_new(tmp, &job, &unpack, &err) < 0 ||
        (unpack_run(unpack, root, &err) < 0 && !error_is_set(&err)))
        abort();
    if (fs_list(tmp, top, &names, &err) < 0 || !names || !names[0] || names[1])
        abort(); /* something came out of the layer */
    return fs_remove_tree(top, &err) < 0 ? (abort(), 0) : 0;
}
