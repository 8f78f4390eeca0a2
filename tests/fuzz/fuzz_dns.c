/* A datagram from a container: whatever it holds, the answer is whole and fits. */
#include "netd/answer.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct omap *make_records(void)
{
    static const char *const texts[] = {
        "container a\nnetns /a\nnetwork net 10.0.0.2 fd00::2 web a.b x-1\n",
        "container b\nnetns /b\nnetwork net 10.0.0.3 - web db\nnetwork back 10.1.0.3 - db\n",
    };
    struct omap *records = omap_new(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct stored_record *stored = mem_new(records, struct stored_record);
        if (record_parse(stored, texts[i], &stored->record, NULL) == 0)
            omap_set(records, stored->record->container, stored);
    }
    return records;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct omap *records = make_records();
    omap_foreach (entry, records) {
        uint8_t reply[4096];
        for (int udp = 0; udp < 2; udp++) {
            size_t reply_size = 0;
            int r = answer_query(records, entry->value, data, size, udp, reply, sizeof(reply), &reply_size);
            assert(r == 0 || r == ANSWER_FORWARD || r == ANSWER_NONE);
            assert(r != 0 || (reply_size >= DNS_HEADER && reply_size <= sizeof(reply)));
            assert(r != 0 || (reply[2] & 0x80 && reply[0] == data[0] && reply[1] == data[1]));
        }
    }
    talloc_free(records);
    return 0;
}
