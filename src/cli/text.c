#include "cli/text.h"

size_t utf8_decode(const char *s, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : 4;
    if (n == 1) {
        *ret = p[0];
        return 1;
    }
    if (n == 4 && (p[0] < 0xf0 || p[0] > 0xf4))
        return 0;
    uint32_t c = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *ret = c;
    return n;
}

char *text_clean(const void *owner, const char *s)
{
    size_t size = strlen(s);
    char *out = mem_check(talloc_size(owner, 3 * size + 1)), *to = out;
    while (*s) {
        uint32_t c;
        size_t n = utf8_decode(s, &c);
        if (n == 0) {
            memcpy(to, "\xef\xbf\xbd", 3);
            to += 3;
            s++;
            continue;
        }
        if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
            *to++ = ' ';
        } else {
            memcpy(to, s, n);
            to += n;
        }
        s += n;
    }
    *to = '\0';
    talloc_set_name_const(out, "char");
    return out;
}

/* Code points that take two columns or none, as East Asian Width and the combining classes have them,
 * coarsely. */
static int code_width(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        int width;
    } ranges[] = {
        {0x300,   0x36f,   0},
        {0x200b,  0x200f,  0},
        {0x20d0,  0x20ff,  0},
        {0xfe00,  0xfe0f,  0},
        {0x1100,  0x115f,  2},
        {0x2e80,  0xa4cf,  2},
        {0xac00,  0xd7a3,  2},
        {0xf900,  0xfaff,  2},
        {0xfe30,  0xfe4f,  2},
        {0xff00,  0xff60,  2},
        {0xffe0,  0xffe6,  2},
        {0x1f300, 0x1f64f, 2},
        {0x1f680, 0x1f6ff, 2},
        {0x1f900, 0x1f9ff, 2},
        {0x20000, 0x3fffd, 2},
    };
    for (size_t i = 0; c >= 0x300 && i < ARRAY_SIZE(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return ranges[i].width;
    return 1;
}

size_t text_fit(const char *s, int columns)
{
    size_t used = 0;
    for (int width = 0; s[used];) {
        uint32_t c = 0;
        size_t n = utf8_decode(s + used, &c);
        width += n ? code_width(c) : 1;
        if (width > columns)
            break;
        used += n ? n : 1;
    }
    return used;
}

int text_width(const char *s)
{
    int width = 0;
    while (*s) {
        uint32_t c = 0;
        size_t n = utf8_decode(s, &c);
        width += n ? code_width(c) : 1;
        s += n ? n : 1;
    }
    return width;
}

char *text_cut(const void *owner, const char *s, int columns)
{
    if (text_width(s) <= columns)
        return mem_strdup(owner, s);
    if (columns <= 0)
        return mem_strdup(owner, "");
    return mem_printf(owner, "%.*s…", (int)text_fit(s, columns - 1), s);
}
