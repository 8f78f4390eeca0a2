#include "imaged/inflate.h"

#include "base/mem.h"
#include "base/str.h"
#include "imaged/hash.h"
#include "imaged/report.h"
#include "sys/fd.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

enum { BUFFER_SIZE = 256 << 10, START_SIZE = 6 /* enough to tell the format */, PROGRESS_STEP = 1 << 20 };

enum format { FORMAT_UNKNOWN, FORMAT_PLAIN, FORMAT_GZIP, FORMAT_ZSTD };

struct inflate {
    struct inflate_job job;
    struct hash *input_hash, *output_hash;
    unsigned char *in, *out;
    size_t in_size; /* bytes in `in` */
    int64_t available, consumed, produced, reported;
    enum format format;
    bool in_member; /* within a gzip member or zstd frame */
    bool padding;   /* zeros after the last gzip member */
    struct inflate_state gzip;
    ZSTD_DStream *zstd;
};

static int inflate_destroy(struct inflate *inflate)
{
    ZSTD_freeDStream(inflate->zstd);
    return 0;
}

struct inflate *inflate_new(const void *owner, const struct inflate_job *job)
{
    struct inflate *inflate = mem_new(owner, struct inflate);
    inflate->job = *job;
    inflate->input_hash = hash_new(inflate);
    inflate->output_hash = hash_new(inflate);
    inflate->in = mem_array(inflate, unsigned char, BUFFER_SIZE + START_SIZE);
    inflate->out = mem_array(inflate, unsigned char, BUFFER_SIZE);
    inflate->zstd = mem_check(ZSTD_createDStream());
    talloc_set_destructor(inflate, inflate_destroy);
    return inflate;
}

/* Waits until there is input that was not read yet; false at the end. */
static int wait_for_input(struct inflate *inflate, bool *ret_end, struct error *err)
{
    *ret_end = inflate->job.size >= 0 && inflate->consumed == inflate->job.size;
    while (!*ret_end && inflate->job.more >= 0 && inflate->available <= inflate->consumed) {
        uint64_t more;
        size_t got;
        int r = fd_read_full(inflate->job.more, &more, sizeof(more), &got, err);
        if (r < 0)
            return r;
        inflate->available += (int64_t)more;
    }
    return 0;
}

/* Fills the input buffer anew; a size of 0 is the end. */
static int read_input(struct inflate *inflate, struct error *err)
{
    bool end;
    int r = wait_for_input(inflate, &end, err);
    if (r < 0)
        return r;
    int64_t want = BUFFER_SIZE;
    if (inflate->job.size >= 0 && want > inflate->job.size - inflate->consumed)
        want = inflate->job.size - inflate->consumed;
    if (inflate->job.more >= 0 && want > inflate->available - inflate->consumed)
        want = inflate->available - inflate->consumed;
    ssize_t n = end ? 0 : RETRY_EINTR(read(inflate->job.input, inflate->in, (size_t)want));
    if (n < 0)
        return error_errno(err, "read");
    if (n == 0 && !end && inflate->job.size >= 0)
        return error_set(err, EBADMSG, "it ends after %lld bytes instead of %lld",
                         (long long)inflate->consumed, (long long)inflate->job.size);
    hash_add(inflate->input_hash, inflate->in, (size_t)n);
    inflate->in_size = (size_t)n;
    inflate->consumed += n;
    if (inflate->consumed - inflate->reported >= PROGRESS_STEP) {
        inflate->reported = inflate->consumed;
        return report_send(inflate->job.report, REPORT_PROGRESS, 0, (uint64_t)inflate->consumed, NULL, 0,
                           err);
    }
    return 0;
}

static int emit(struct inflate *inflate, const void *data, size_t size, struct error *err)
{
    inflate->produced += (int64_t)size;
    if (inflate->produced > inflate->job.room && inflate->produced / INFLATE_RATIO > inflate->consumed) {
        error_set(err, EFBIG, "it unpacks to more than %lld MiB and more than %d times its size",
                  (long long)(inflate->job.room >> 20), INFLATE_RATIO);
        return error_hint(err, "this is how a decompression bomb looks; the image is not used");
    }
    hash_add(inflate->output_hash, data, size);
    return fd_write_all(inflate->job.output, data, size, err);
}

static int add_gzip(struct inflate *inflate, struct error *err)
{
    struct inflate_state *gzip = &inflate->gzip;
    gzip->next_in = inflate->in;
    gzip->avail_in = (uint32_t)inflate->in_size;
    do {
        if (!inflate->in_member) {
            /* Another member, or the zeros that some writers pad with. */
            while (gzip->avail_in && *gzip->next_in == 0) {
                inflate->padding = true;
                gzip->next_in++;
                gzip->avail_in--;
            }
            if (!gzip->avail_in)
                return 0;
            if (inflate->padding || *gzip->next_in != 0x1f)
                return error_set(err, EBADMSG, "there is something after the end of the gzip stream");
            uint8_t *next = gzip->next_in;
            uint32_t left = gzip->avail_in;
            isal_inflate_init(gzip);
            gzip->crc_flag = ISAL_GZIP;
            gzip->next_in = next;
            gzip->avail_in = left;
            inflate->in_member = true;
        }
        gzip->next_out = inflate->out;
        gzip->avail_out = BUFFER_SIZE;
        int status = isal_inflate(gzip);
        if (status != ISAL_DECOMP_OK && status != ISAL_END_INPUT)
            return error_set(err, EBADMSG, "its gzip data is damaged%s",
                             status == ISAL_INCORRECT_CHECKSUM ? " (wrong check sum)" : "");
        int r = emit(inflate, inflate->out, BUFFER_SIZE - gzip->avail_out, err);
        if (r < 0)
            return r;
        if (gzip->block_state == ISAL_BLOCK_FINISH)
            inflate->in_member = false;
    } while (gzip->avail_in || (inflate->in_member && gzip->avail_out == 0));
    return 0;
}

static int add_zstd(struct inflate *inflate, struct error *err)
{
    ZSTD_inBuffer in = {.src = inflate->in, .size = inflate->in_size};
    ZSTD_outBuffer out;
    do {
        out = (ZSTD_outBuffer){.dst = inflate->out, .size = BUFFER_SIZE};
        size_t left = ZSTD_decompressStream(inflate->zstd, &out, &in);
        if (ZSTD_isError(left))
            return error_set(err, EBADMSG, "its zstd data is damaged: %s", ZSTD_getErrorName(left));
        int r = emit(inflate, inflate->out, out.pos, err);
        if (r < 0)
            return r;
        inflate->in_member = left != 0;
    } while (in.pos < in.size || out.pos == out.size);
    return 0;
}

/* Told by the first bytes: media types and file names are often wrong. */
static int decide_format(struct inflate *inflate, struct error *err)
{
    static const struct {
        const char *magic;
        size_t size;
        enum format format;
        const char *refused;
    } formats[] = {
        {"\x1f\x8b",                 2, FORMAT_GZIP,    NULL   },
        {"\x28\xb5\x2f\xfd",         4, FORMAT_ZSTD,    NULL   },
        {"\xfd\x37\x7a\x58\x5a\x00", 6, FORMAT_UNKNOWN, "xz"   },
        {"BZh",                      3, FORMAT_UNKNOWN, "bzip2"},
    };
    inflate->format = FORMAT_PLAIN;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (inflate->in_size >= formats[i].size &&
            memcmp(inflate->in, formats[i].magic, formats[i].size) == 0) {
            if (formats[i].refused) {
                error_set(err, ENOTSUP, "it is compressed with %s", formats[i].refused);
                return error_hint(err, "compress it with gzip or zstd, or not at all");
            }
            inflate->format = formats[i].format;
        }
    /* A skippable frame may stand in front of zstd data. */
    if (inflate->in_size >= 4 && (inflate->in[0] & 0xf0) == 0x50 &&
        memcmp(inflate->in + 1, "\x2a\x4d\x18", 3) == 0)
        inflate->format = FORMAT_ZSTD;
    return 0;
}

/* The first read may be short (a pipe, a slow registry), too short to tell the format. */
static int read_start(struct inflate *inflate, struct error *err)
{
    int r = read_input(inflate, err);
    while (r == 0 && inflate->in_size > 0 && inflate->in_size < START_SIZE) {
        size_t had = inflate->in_size;
        unsigned char start[START_SIZE];
        memcpy(start, inflate->in, had);
        r = read_input(inflate, err);
        if (r < 0)
            return r;
        bool end = inflate->in_size == 0;
        memmove(inflate->in + had, inflate->in, inflate->in_size);
        memcpy(inflate->in, start, had);
        inflate->in_size += had;
        if (end)
            break;
    }
    return r < 0 ? r : decide_format(inflate, err);
}

static int run(struct inflate *inflate, struct error *err)
{
    int r = read_start(inflate, err);
    while (r == 0 && inflate->in_size > 0) {
        if (inflate->format == FORMAT_GZIP)
            r = add_gzip(inflate, err);
        else if (inflate->format == FORMAT_ZSTD)
            r = add_zstd(inflate, err);
        else
            r = emit(inflate, inflate->in, inflate->in_size, err);
        if (r == 0)
            r = read_input(inflate, err);
    }
    if (r == 0 && inflate->in_member)
        r = error_set(err, EBADMSG, "its compressed data ends early, after %lld bytes",
                      (long long)inflate->consumed);
    return r;
}

int inflate_run(struct inflate *inflate, struct error *err)
{
    unsigned char digests[2 * HASH_SIZE];
    int r = run(inflate, err);
    if (r < 0) {
        report_send_error(inflate->job.report, 0, err);
        return r;
    }
    hash_end(inflate->input_hash, digests);
    hash_end(inflate->output_hash, digests + HASH_SIZE);
    return report_send(inflate->job.report, REPORT_DIGESTS, 0, (uint64_t)inflate->produced, digests,
                       sizeof(digests), err);
}
