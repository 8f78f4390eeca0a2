#include "network/prefix.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>

unsigned prefix_size(const struct prefix *prefix)
{
    return prefix->family == AF_INET ? 4 : 16;
}

bool prefix_parse(const char *text, struct prefix *ret)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = text ? strchr(text, '/') : NULL;
    size_t n = !text ? 0 : slash ? (size_t)(slash - text) : strlen(text);
    if (n == 0 || n >= sizeof(address))
        return false;
    memcpy(address, text, n);
    address[n] = '\0';

    struct prefix prefix = {.family = strchr(address, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(prefix.family, address, prefix.bytes) != 1)
        return false;
    uint64_t length = prefix_size(&prefix) * 8;
    if (slash && !str_to_u64(slash + 1, 0, length, &length))
        return false;
    prefix.length = (unsigned)length;
    *ret = prefix;
    return true;
}

void prefix_print_address(const struct prefix *prefix, char text[PREFIX_TEXT])
{
    if (!inet_ntop(prefix->family, prefix->bytes, text, INET6_ADDRSTRLEN))
        text[0] = '\0';
}

void prefix_print(const struct prefix *prefix, char text[PREFIX_TEXT])
{
    prefix_print_address(prefix, text);
    size_t n = strlen(text);
    snprintf(text + n, PREFIX_TEXT - n, "/%u", prefix->length);
}

/* The bits of byte `i` that belong to the prefix. */
static uint8_t byte_mask(const struct prefix *prefix, unsigned i)
{
    if (prefix->length >= (i + 1) * 8)
        return 0xff;
    if (prefix->length <= i * 8)
        return 0;
    return (uint8_t)(0xff << (8 - (prefix->length - i * 8)));
}

bool prefix_has_host_bits(const struct prefix *prefix)
{
    for (unsigned i = 0; i < prefix_size(prefix); i++)
        if (prefix->bytes[i] & ~byte_mask(prefix, i) & 0xff)
            return true;
    return false;
}

void prefix_clear_host_bits(struct prefix *prefix)
{
    for (unsigned i = 0; i < prefix_size(prefix); i++)
        prefix->bytes[i] &= byte_mask(prefix, i);
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
    if (outer->family != inner->family || inner->length < outer->length)
        return false;
    for (unsigned i = 0; i < prefix_size(outer); i++)
        if ((outer->bytes[i] ^ inner->bytes[i]) & byte_mask(outer, i))
            return false;
    return true;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
    return prefix_contains(a, b) || prefix_contains(b, a);
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool prefix_is_loopback(const struct prefix *prefix)
{
    if (prefix->family == AF_INET)
        return prefix->bytes[0] == 127;
    return memcmp(prefix->bytes, &in6addr_loopback, 16) == 0;
}

bool prefix_is_any(const struct prefix *prefix)
{
    static const uint8_t none[16];
    return memcmp(prefix->bytes, none, 16) == 0;
}

void prefix_last(const struct prefix *prefix, struct prefix *ret)
{
    *ret = *prefix;
    for (unsigned i = 0; i < prefix_size(prefix); i++)
        ret->bytes[i] |= (uint8_t)~byte_mask(prefix, i);
}

void prefix_increment(struct prefix *prefix)
{
    for (unsigned i = prefix_size(prefix); i-- > 0;)
        if (++prefix->bytes[i] != 0)
            return;
}
