/* A log file: lines come from containers. Reading it whole and reading its tail agree on the last record. */
#include "cli/logprint.h"
#include "engine/logreader.h"

#include "base/mem.h"
#include "sys/fd.h"

#include <assert.h>
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct log_source *source;
    size_t count;
    int64_t last;
};

static void on_record(void *data, const struct log_record *record)
{
    struct seen *seen = data;
    assert(record->text[record->size] == '\0' && record->time_text);
    seen->count++;
    seen->last = record->time;
    log_source_record(seen->source, record);
}

static struct seen read_log(const void *owner, const char *path, struct log_printer *printer, int64_t tail)
{
    struct seen seen = {.source = log_source_new(owner, printer, "web-1")};
    const struct log_options options = {.tail = tail, .record = on_record, .data = &seen};
    struct log_reader *reader;
    assert(log_reader_open(owner, path, &options, &reader, NULL) == 0);
    assert(log_reader_read(reader, NULL) == 0);
    log_source_finish(seen.source);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char path[] = "/tmp/fuzz_log.XXXXXX";
    cleanup_close int fd = mkostemp(path, O_CLOEXEC);
    cleanup_file FILE *out = fopen("/dev/null", "we");
    assert(fd >= 0 && out && fd_write_all(fd, data, size, NULL) == 0);
    const struct log_printer_options options = {.timestamps = true, .color = true, .out = out, .err = out};
    struct log_printer *printer = log_printer_new(tmp, &options);
    struct seen all = read_log(tmp, path, printer, -1), one = read_log(tmp, path, printer, 1),
                none = read_log(tmp, path, printer, 0);
    unlink(path);
    assert(none.count == 0 && one.count <= 1 && one.count <= all.count);
    assert(one.count == 0 || one.last == all.last);
    return 0;
}
