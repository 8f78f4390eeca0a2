#pragma once
/*
 * Commands and their flags as tables. One row drives parsing, --help, the man page and shell completion.
 *
 * The grammar is that of Go's pflag, as docker compose uses it: --flag value, --flag=value, --bool and
 * --bool=false, clusters of short flags (-it, -n5, -n=5), "--" ends the flags, "-" is an argument; flags and
 * arguments mix unless the command says otherwise; of a parent command's flags a child inherits those whose
 * name it does not use itself. A repeated flag overrides, or adds when it is a list.
 *
 * Options are structs of the command's own; a row names the member. Rows end with an empty one. Whatever is
 * parsed belongs to the owner that is given. Strings point to copies.
 */
#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flag_kind {
    FLAG_BOOL,   /* bool */
    FLAG_INT,    /* int64_t */
    FLAG_STRING, /* char *, NULL while not given */
    FLAG_LIST,   /* char **, a string vector; each use adds one */
    FLAG__COUNT
};

enum flag_bits {
    FLAG_HIDDEN = 1 << 0,        /* works, but is shown nowhere */
    FLAG_DEPRECATED = 1 << 1,    /* hidden; `help` says what to use instead, and using it warns */
    FLAG_QUIET_DEFAULT = 1 << 2, /* the default is not shown in help texts */
    FLAG_COMMA = 1 << 3,         /* list: values are split at commas too */
    FLAG_NOT_YET = 1 << 4,       /* accepted by the grammar, refused when used: not available yet */
};

struct flag {
    const char *long_name;
    char short_name; /* 0: none */
    enum flag_kind kind;
    size_t offset;
    const char *metavar; /* NULL: pflag's name of the kind (int, string, stringArray) */
    const char *help;
    const char *const *choices; /* NULL-ended; NULL: any value */
    unsigned bits;
    const char *fallback; /* the default, as it would be typed */
    const char *complete; /* what completes the value: "service", "file", "dir"; NULL: the choices */
};

#define FLAG_MEMBER_(type, member, wanted)                                                                   \
    (offsetof(type, member) +                                                                                \
     0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type *)0)->member), wanted) ? 1 : -1]))

/* The kind and offset of a row, checked against the member's type. */
#define BOOL_AT(type, member) FLAG_BOOL, FLAG_MEMBER_(type, member, bool)
#define INT_AT(type, member) FLAG_INT, FLAG_MEMBER_(type, member, int64_t)
#define STRING_AT(type, member) FLAG_STRING, FLAG_MEMBER_(type, member, char *)
#define LIST_AT(type, member) FLAG_LIST, FLAG_MEMBER_(type, member, char **)

/*
 * A row of a table. The file that uses it says once what its options are: #define OPTIONS struct up_options.
 *     FLAG("tail", 'n', STRING, tail, "Number of lines to show", .fallback = "all"),
 */
#define FLAG(name, letter, kind, member, text, ...)                                                          \
    {                                                                                                        \
        name, letter, kind##_AT(OPTIONS, member), .help = (text), ##__VA_ARGS__                              \
    }
#define FLAG_END                                                                                             \
    {                                                                                                        \
        NULL                                                                                                 \
    }

struct app;

enum command_bits {
    COMMAND_HIDDEN = 1 << 0,
    COMMAND_STOP_AT_ARGUMENT = 1 << 1, /* what follows the first argument belongs to somebody else */
    COMMAND_RAW = 1 << 2,              /* everything is an argument */
};

struct command {
    const char *name;
    const char *const *aliases; /* NULL-ended, or NULL */
    const char *args;           /* "[OPTIONS] [SERVICE...]" */
    const char *summary;
    const struct flag *flags; /* or NULL */
    size_t options_size;
    int min_args, max_args;  /* max_args < 0: any number */
    const char *complete;    /* what completes the arguments: "service", "command" ... or NULL */
    unsigned bits;           /* enum command_bits */
    const char *description; /* more for the man page and --help; or NULL */
    const struct command *const *children; /* NULL-ended; or NULL */
    /* 0, negative with `err`, or positive: the exit status. */
    int (*run)(struct app *app, const void *options, char *const *args, struct error *err);
};

#define ANY_ARGS .max_args = -1

/* Which tables are searched, innermost first: the command's own, its parents', the global ones. */
enum { FLAG_SCOPES_MAX = 4 };

struct flag_scope {
    const struct flag *flags;
    void *options;
};

struct flag_parser {
    const void *owner;
    struct flag_scope scopes[FLAG_SCOPES_MAX];
    size_t scope_count;
    bool stop_at_argument;
    char **args;            /* out: the arguments, a vector */
    bool help;              /* out: -h or --help was there */
    const char *deprecated; /* out: text about the last deprecated flag in use, or NULL */
};

/* Sets every member that has a row to its default. */
void flags_init(const void *owner, const struct flag *flags, void *options);

/* Takes `argv` (NULL-ended, without the program's or command's name) apart. */
int flags_parse(struct flag_parser *parser, char *const *argv, struct error *err);

/*
 * Gives one value to a flag as the command line would; for environment variables that act like flags.
 * `name` is how messages call it.
 */
int flag_set(const void *owner, const struct flag *flag, void *options, const char *name, const char *value,
             struct error *err);

const struct flag *flag_find(const struct flag *flags, const char *long_name);
const char *flag_metavar(const struct flag *flag); /* "" for booleans */
bool flag_is_shown(const struct flag *flag);
