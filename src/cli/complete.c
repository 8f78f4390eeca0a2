#include "cli/complete.h"

#include "cli/command.h"
#include "cli/help.h"

#include "base/str.h"
#include "base/strv.h"

/* What the words before the last one lead to. */
struct place {
    const struct command *command;
    const struct command *const *table; /* commands that may come next, or NULL */
    const struct flag *pending;         /* a flag that waits for its value */
    size_t args;                        /* arguments of the command so far */
    bool only_args;                     /* after "--" */
};

static const struct flag *find_flag(const struct place *place, const char *word)
{
    const struct flag *const tables[] = {place->command ? place->command->flags : NULL, global_flags};
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
        for (const struct flag *f = tables[t]; f && f->long_name; f++) {
            bool is_long = str_starts(word, "--") && str_eq(word + 2, f->long_name);
            bool is_short =
                word[0] == '-' && word[1] != '-' && f->short_name && word[strlen(word) - 1] == f->short_name;
            if (is_long || is_short)
                return f;
        }
    return NULL;
}

static void step(struct place *place, const char *word)
{
    if (place->pending) {
        place->pending = NULL;
    } else if (!place->only_args && str_eq(word, "--")) {
        place->only_args = true;
    } else if (!place->only_args && word[0] == '-' && word[1]) {
        const struct flag *flag = strchr(word, '=') ? NULL : find_flag(place, word);
        place->pending = flag && flag->kind != FLAG_BOOL ? flag : NULL;
    } else if (place->table) {
        const struct command *next = command_find(place->table, word);
        place->command = next;
        place->table = next ? next->children : NULL;
    } else {
        place->args++;
        place->only_args |= place->command && (place->command->bits & COMMAND_STOP_AT_ARGUMENT);
    }
}

static void offer(const void *owner, struct completion *ret, const char *typed, const char *word,
                  const char *text)
{
    if (str_starts(word, typed))
        ret->lines = strv_addf(owner, ret->lines, "%s\t%s", word, text);
}

static void offer_flags(const void *owner, struct completion *ret, const char *typed,
                        const struct flag *flags)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (const struct flag **f = flags_sorted(tmp, flags); *f; f++)
        if (!((*f)->bits & FLAG_NOT_YET))
            offer(owner, ret, typed, mem_printf(tmp, "--%s", (*f)->long_name), (*f)->help);
}

static void offer_values(const void *owner, struct completion *ret, const char *prefix, const char *typed,
                         const struct flag *flag)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (const char *const *c = flag->choices; c && *c; c++)
        offer(owner, ret, typed, mem_printf(tmp, "%s%s", prefix, *c), "");
    if (!flag->choices)
        ret->names = flag->complete;
}

void complete_words(const void *owner, char *const *words, struct completion *ret)
{
    struct place place = {.table = command_table};
    *ret = (struct completion){0};
    size_t count = strv_len(words);
    for (size_t i = 0; i + 1 < count; i++)
        step(&place, words[i]);
    const char *typed = count ? words[count - 1] : "", *equals = strchr(typed, '=');
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (place.pending) {
        offer_values(owner, ret, "", typed, place.pending);
    } else if (!place.only_args && str_starts(typed, "--") && equals) {
        const struct flag *flag = find_flag(&place, mem_strndup(tmp, typed, (size_t)(equals - typed)));
        if (flag)
            offer_values(owner, ret, mem_strndup(tmp, typed, (size_t)(equals - typed) + 1), typed, flag);
    } else if (!place.only_args && typed[0] == '-') {
        offer_flags(owner, ret, typed, place.command ? place.command->flags : NULL);
        offer_flags(owner, ret, typed, global_flags);
    } else if (place.table) {
        for (const struct command *const *c = place.table; *c; c++)
            if (!((*c)->bits & COMMAND_HIDDEN))
                offer(owner, ret, typed, (*c)->name, (*c)->summary);
    } else if (place.command && (!place.only_args || place.args == 0)) {
        bool once = place.command->max_args >= 0 || (place.command->bits & COMMAND_STOP_AT_ARGUMENT);
        ret->names = once && place.args > 0 ? NULL : place.command->complete;
    }
}
