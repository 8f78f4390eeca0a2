#include "schema/types.h"

enum quote { QUOTE_NONE, QUOTE_SINGLE, QUOTE_DOUBLE, QUOTE_BACK, QUOTE_DOLLAR };

struct splitter {
    struct arena *arena;
    const struct node *at;
    struct node *list;
    char *word;
    size_t size;
    bool in_word;
    enum quote quote;
};

static void end_word(struct splitter *s)
{
    if (s->in_word)
        node_list_add(s->arena, s->list,
                      node_string(s->arena, arena_strndup(s->arena, s->word, s->size), s->at));
    s->in_word = false;
    s->size = 0;
}

static void add(struct splitter *s, char c)
{
    s->word[s->size++] = c;
    s->in_word = true;
}

/* Quotes that are taken away ('' and "") and those that stay in the word (`` and $()); true: c was one. */
static bool take_quote(struct splitter *s, char c)
{
    bool plain = s->quote == QUOTE_NONE;
    if (c == '\'' && (plain || s->quote == QUOTE_SINGLE)) {
        s->quote = plain ? QUOTE_SINGLE : QUOTE_NONE;
        s->in_word = true;
    } else if (c == '"' && (plain || s->quote == QUOTE_DOUBLE)) {
        s->quote = plain ? QUOTE_DOUBLE : QUOTE_NONE;
        s->in_word = true;
    } else if (c == '`' && (plain || s->quote == QUOTE_BACK)) {
        s->quote = plain ? QUOTE_BACK : QUOTE_NONE;
        add(s, c);
    } else if (c == '(' && plain && s->size && s->word[s->size - 1] == '$') {
        s->quote = QUOTE_DOLLAR;
        add(s, c);
    } else if (c == ')' && s->quote == QUOTE_DOLLAR) {
        s->quote = QUOTE_NONE;
        add(s, c);
    } else {
        return false;
    }
    return true;
}

struct node *command_split(struct arena *arena, const char *text, const struct node *at,
                           const char **ret_rest)
{
    struct splitter s = {.arena = arena, .at = at, .list = node_new(arena, NODE_LIST, at)};
    s.word = arena_alloc(arena, strlen(text) + 1);
    for (; *text; text++) {
        bool plain = s.quote == QUOTE_NONE;
        if (*text == '\\' && s.quote != QUOTE_SINGLE) {
            if (!*++text)
                return NULL;
            add(&s, *text);
        } else if (take_quote(&s, *text)) {
            continue;
        } else if (plain && strchr(" \t\r\n", *text)) {
            end_word(&s);
        } else if (plain && strchr("()", *text)) {
            return NULL;
        } else if (plain && strchr(";&|<>", *text)) {
            if (*text == '>' && s.size && s.word[0] >= '0' && s.word[0] <= '9')
                s.in_word = false; /* the number of a descriptor */
            break;
        } else {
            add(&s, *text);
        }
    }
    if (s.quote != QUOTE_NONE)
        return NULL;
    end_word(&s);
    *ret_rest = text;
    return s.list;
}
