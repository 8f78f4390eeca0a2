#include "netd/answer.h"

#include "base/str.h"
#include "base/strv.h"

#include <sys/random.h>

enum { TTL = 0 };

/* Addresses found so far; more than these in one answer helps nobody. */
enum { FOUND_MAX = 256 };
struct found {
    struct prefix addresses[FOUND_MAX];
    size_t count;
    bool is_known; /* someone has the name, whatever its addresses */
};

static void add_address(struct found *found, const char *text)
{
    if (text && found->count < FOUND_MAX && prefix_parse(text, &found->addresses[found->count]))
        found->count++;
}

/* Everyone on `network` that is called `name`. */
static void find_on_network(const struct omap *records, const char *network, const char *name, unsigned type,
                            struct found *found)
{
    omap_foreach (entry, records) {
        const struct netd_record *record = ((struct stored_record *)entry->value)->record;
        for (size_t i = 0; i < record->network_count; i++) {
            const struct netd_network *joined = &record->networks[i];
            if (!str_eq(joined->network, network) || !strv_contains(joined->names, name))
                continue;
            found->is_known = true;
            if (type == DNS_A || type == DNS_ANY)
                add_address(found, joined->address);
            if (type == DNS_AAAA || type == DNS_ANY)
                add_address(found, joined->address6);
        }
    }
}

/* `name` without ".network" at its end, into `to`; false when it does not end so. Names of networks may have
 * upper case, queries have been made lower case. */
static bool strip_network(const char *name, const char *network, char to[DNS_NAME])
{
    size_t n = strlen(name), m = strlen(network);
    if (n <= m + 1 || name[n - m - 1] != '.' || strcasecmp(name + n - m, network) != 0)
        return false;
    memcpy(to, name, n - m - 1);
    to[n - m - 1] = '\0';
    return true;
}

/* What the asker calls `alias` by a link of its own, under the name that others have for it. */
static void find_linked(const struct omap *records, const struct netd_record *asker, const char *alias,
                        unsigned type, struct found *found)
{
    for (char **link = asker->links; link && *link; link++) {
        const char *target = str_after(*link, alias);
        if (!target || *target != ' ')
            continue;
        for (size_t i = 0; i < asker->network_count && !found->is_known; i++)
            find_on_network(records, asker->networks[i].network, target + 1, type, found);
    }
}

static void find_name(const struct omap *records, const struct netd_record *asker,
                      const struct dns_query *query, struct found *found)
{
    char shorter[DNS_NAME];
    find_linked(records, asker, query->name, query->type, found);
    for (size_t i = 0; i < asker->network_count && !found->is_known; i++)
        find_on_network(records, asker->networks[i].network, query->name, query->type, found);
    for (size_t i = 0; i < asker->network_count && !found->is_known; i++)
        if (strip_network(query->name, asker->networks[i].network, shorter))
            find_on_network(records, asker->networks[i].network, shorter, query->type, found);
}

/* Fisher-Yates; the bias of the remainder does not matter here. */
static void shuffle(struct found *found)
{
    uint32_t random[FOUND_MAX];
    if (found->count < 2 ||
        getrandom(random, found->count * sizeof(random[0]), GRND_NONBLOCK) < (ssize_t)sizeof(random[0]))
        return;
    for (size_t i = found->count - 1; i > 0; i--) {
        size_t k = random[i] % (i + 1);
        struct prefix moved = found->addresses[i];
        found->addresses[i] = found->addresses[k];
        found->addresses[k] = moved;
    }
}

static bool is_address(const char *text, const struct prefix *wanted)
{
    struct prefix prefix;
    return text && prefix_parse(text, &prefix) && prefix.family == wanted->family &&
           prefix_compare(&prefix, wanted) == 0;
}

/* The name of whoever has `address` on one of the asker's networks, in `to`; false when nobody has. */
static bool find_address(const struct omap *records, const struct netd_record *asker,
                         const struct prefix *address, char *to, size_t size)
{
    for (size_t n = 0; n < asker->network_count; n++) {
        omap_foreach (entry, records) {
            const struct netd_record *record = ((struct stored_record *)entry->value)->record;
            for (size_t i = 0; i < record->network_count; i++) {
                const struct netd_network *joined = &record->networks[i];
                if (!str_eq(joined->network, asker->networks[n].network) || !joined->names ||
                    (!is_address(joined->address, address) && !is_address(joined->address6, address)))
                    continue;
                snprintf(to, size, "%s.%s", joined->names[0], joined->network);
                return true;
            }
        }
    }
    return false;
}

static bool answer_locally(const struct omap *records, const struct netd_record *asker,
                           const struct dns_query *query, struct dns_reply *reply)
{
    struct prefix address;
    char name[DNS_NAME];
    if (query->class != DNS_IN || !query->is_host_name)
        return false;
    if (dns_reverse_parse(query->name, &address)) {
        if (!find_address(records, asker, &address, name, sizeof(name)))
            return false;
        if (query->type == DNS_PTR || query->type == DNS_ANY)
            dns_reply_add_name(reply, name, TTL);
        return true;
    }
    struct found found;
    found.count = 0;
    found.is_known = false;
    find_name(records, asker, query, &found);
    shuffle(&found);
    for (size_t i = 0; i < found.count && !reply->truncated; i++)
        dns_reply_add_address(reply, &found.addresses[i], TTL);
    return found.is_known;
}

int answer_query(const struct omap *records, const struct stored_record *asker, const uint8_t *query,
                 size_t size, bool is_udp, uint8_t *reply, size_t room, size_t *ret_size)
{
    struct dns_query parsed;
    int code = dns_query_parse(query, size, &parsed);
    if (code == DNS_IGNORE)
        return ANSWER_NONE;
    if (is_udp && room > parsed.udp_room)
        room = parsed.udp_room;
    if (code == DNS_NOERROR && asker) {
        struct dns_reply answer;
        dns_reply_begin(&answer, reply, room, query, &parsed);
        if (answer_locally(records, asker->record, &parsed, &answer)) {
            *ret_size = dns_reply_end(&answer, &parsed, DNS_NOERROR, true);
            return 0;
        }
        if (!asker->record->internal_only)
            return ANSWER_FORWARD;
        code = DNS_NXDOMAIN;
    }
    *ret_size = dns_refuse(reply, room, query, &parsed, asker ? (unsigned)code : DNS_REFUSED);
    return 0;
}
