#include "netd/message.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>

enum {
    FLAG_QR = 0x8000,
    OPCODE = 0x7800,
    FLAG_AA = 0x0400,
    FLAG_TC = 0x0200,
    FLAG_RD = 0x0100,
    FLAG_RA = 0x0080,
    FLAG_CD = 0x0010
};
enum { LABEL_MAX = 63, WIRE_NAME_MAX = 255, OPT_SIZE = 11, UDP_ROOM_MAX = 4096 };

uint16_t dns_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

void dns_put16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static uint8_t to_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* The question's name, which is never compressed. Returns the position behind it, or 0. */
static size_t parse_name(const uint8_t *data, size_t size, size_t at, struct dns_query *query)
{
    size_t start = at, n = 0;
    query->is_host_name = true;
    for (;;) {
        if (at >= size)
            return 0;
        size_t length = data[at++];
        if (length == 0)
            break;
        if (length > LABEL_MAX || length > size - at || at + length - start > WIRE_NAME_MAX - 1)
            return 0;
        if (n)
            query->name[n++] = '.';
        for (size_t i = 0; i < length; i++) {
            uint8_t c = to_lower(data[at + i]);
            query->is_host_name = query->is_host_name && is_name_byte(c);
            query->name[n++] = (char)c;
        }
        at += length;
    }
    query->name[n] = '\0';
    if (!query->is_host_name)
        query->name[0] = '\0';
    return at;
}

/* Of the additional records only EDNS counts, and that comes first in queries (RFC 6891, 6.1.1: owner is the
 * root). */
static void parse_edns(const uint8_t *data, size_t size, struct dns_query *query)
{
    const uint8_t *p = data + query->question_end;
    if (size - query->question_end < OPT_SIZE || p[0] != 0 || dns_get16(p + 1) != DNS_OPT)
        return;
    query->has_edns = true;
    size_t room = dns_get16(p + 3);
    query->udp_room = room < DNS_UDP_MIN ? DNS_UDP_MIN : room > UDP_ROOM_MAX ? UDP_ROOM_MAX : room;
}

int dns_query_parse(const uint8_t *data, size_t size, struct dns_query *ret)
{
    if (size < DNS_HEADER || dns_get16(data + 2) & FLAG_QR)
        return DNS_IGNORE;
    *ret = (struct dns_query){.question_end = DNS_HEADER, .udp_room = DNS_UDP_MIN};
    if (dns_get16(data + 2) & OPCODE)
        return DNS_NOTIMP;
    if (dns_get16(data + 4) != 1)
        return DNS_FORMERR;
    size_t at = parse_name(data, size, DNS_HEADER, ret);
    if (!at || size - at < 4) {
        ret->name[0] = '\0';
        return DNS_FORMERR;
    }
    ret->type = dns_get16(data + at);
    ret->class = dns_get16(data + at + 2);
    ret->question_end = at + 4;
    if (dns_get16(data + 6) == 0 && dns_get16(data + 8) == 0 && dns_get16(data + 10) > 0)
        parse_edns(data, size, ret);
    return DNS_NOERROR;
}

void dns_reply_begin(struct dns_reply *reply, uint8_t *data, size_t room, const uint8_t *query,
                     const struct dns_query *parsed)
{
    *reply = (struct dns_reply){
        .data = data, .size = parsed->question_end, .room = room - (parsed->has_edns ? OPT_SIZE : 0)};
    memcpy(data, query, parsed->question_end);
}

/* Owner (a pointer to the question's name), type, class, TTL, length; returns where the data goes, or NULL.
 */
static uint8_t *add_record(struct dns_reply *reply, unsigned type, uint32_t ttl, size_t length)
{
    enum { FIXED = 12 };
    if (reply->room - reply->size < FIXED + length) {
        reply->truncated = true;
        return NULL;
    }
    uint8_t *p = reply->data + reply->size;
    dns_put16(p, 0xc000 | DNS_HEADER);
    dns_put16(p + 2, (uint16_t)type);
    dns_put16(p + 4, DNS_IN);
    dns_put16(p + 6, (uint16_t)(ttl >> 16));
    dns_put16(p + 8, (uint16_t)ttl);
    dns_put16(p + 10, (uint16_t)length);
    reply->size += FIXED + length;
    reply->answers++;
    return p + FIXED;
}

void dns_reply_add_address(struct dns_reply *reply, const struct prefix *address, uint32_t ttl)
{
    uint8_t *p = add_record(reply, address->family == AF_INET ? DNS_A : DNS_AAAA, ttl, prefix_size(address));
    if (p)
        memcpy(p, address->bytes, prefix_size(address));
}

/* A name in wire form; 0 when it has none. */
static size_t encode_name(const char *name, uint8_t wire[WIRE_NAME_MAX])
{
    size_t n = 0;
    while (*name) {
        size_t length = strcspn(name, ".");
        if (length == 0 || length > LABEL_MAX || n + 1 + length + 1 > WIRE_NAME_MAX)
            return 0;
        wire[n++] = (uint8_t)length;
        memcpy(wire + n, name, length);
        n += length;
        name += length + (name[length] == '.');
    }
    wire[n++] = 0;
    return n;
}

void dns_reply_add_name(struct dns_reply *reply, const char *name, uint32_t ttl)
{
    uint8_t wire[WIRE_NAME_MAX];
    size_t length = encode_name(name, wire);
    uint8_t *p = length ? add_record(reply, DNS_PTR, ttl, length) : NULL;
    if (p)
        memcpy(p, wire, length);
}

size_t dns_reply_end(struct dns_reply *reply, const struct dns_query *parsed, unsigned rcode,
                     bool authoritative)
{
    uint16_t asked = dns_get16(reply->data + 2);
    unsigned flags = FLAG_QR | FLAG_RA | (asked & (FLAG_RD | FLAG_CD | OPCODE)) | rcode;
    flags |= (authoritative ? FLAG_AA : 0) | (reply->truncated ? FLAG_TC : 0);
    dns_put16(reply->data + 2, (uint16_t)flags);
    dns_put16(reply->data + 4, parsed->question_end > DNS_HEADER);
    dns_put16(reply->data + 6, (uint16_t)reply->answers);
    dns_put16(reply->data + 8, 0);
    dns_put16(reply->data + 10, parsed->has_edns);
    if (parsed->has_edns) {
        uint8_t *p = reply->data + reply->size;
        memset(p, 0, OPT_SIZE);
        dns_put16(p + 1, DNS_OPT);
        dns_put16(p + 3, UDP_ROOM_MAX);
        reply->size += OPT_SIZE;
    }
    return reply->size;
}

size_t dns_refuse(uint8_t *data, size_t room, const uint8_t *query, const struct dns_query *parsed,
                  unsigned rcode)
{
    struct dns_reply reply;
    dns_reply_begin(&reply, data, room, query, parsed);
    return dns_reply_end(&reply, parsed, rcode, false);
}

/* "4.3.2.1" before ".in-addr.arpa": four numbers, the last byte first. */
static bool parse_reverse4(const char *name, size_t length, struct prefix *prefix)
{
    char text[16], address[24];
    unsigned parts[4];
    int used = 0;
    if (length >= sizeof(text))
        return false;
    memcpy(text, name, length);
    text[length] = '\0';
    if (sscanf(text, "%3u.%3u.%3u.%3u%n", &parts[3], &parts[2], &parts[1], &parts[0], &used) != 4 ||
        (size_t)used != length)
        return false;
    snprintf(address, sizeof(address), "%u.%u.%u.%u", parts[0] & 0xfff, parts[1] & 0xfff, parts[2] & 0xfff,
             parts[3] & 0xfff);
    return prefix_parse(address, prefix);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 digits with dots, the last first, before ".ip6.arpa". */
static bool parse_reverse6(const char *name, size_t length, struct prefix *prefix)
{
    enum { DIGITS = 32 };
    if (length != 2 * DIGITS - 1)
        return false;
    *prefix = (struct prefix){.family = AF_INET6, .length = 128};
    for (unsigned i = 0; i < DIGITS; i++) {
        int digit = hex_digit(name[2 * i]);
        if (digit < 0 || (i + 1 < DIGITS && name[2 * i + 1] != '.'))
            return false;
        prefix->bytes[15 - i / 2] |= (uint8_t)(digit << (i % 2 * 4));
    }
    return true;
}

bool dns_reverse_parse(const char *name, struct prefix *ret)
{
    static const char suffix4[] = ".in-addr.arpa", suffix6[] = ".ip6.arpa";
    struct prefix prefix = {0};
    size_t n = strlen(name);
    bool found = false;
    if (str_ends(name, suffix4))
        found = parse_reverse4(name, n - strlen(suffix4), &prefix);
    else if (str_ends(name, suffix6))
        found = parse_reverse6(name, n - strlen(suffix6), &prefix);
    if (found)
        *ret = prefix;
    return found;
}
