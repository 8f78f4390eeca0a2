#include "cli/help.h"

#include "base/str.h"
#include "base/strv.h"

static int compare_flags(const void *a, const void *b)
{
    return strcmp((*(const struct flag *const *)a)->long_name, (*(const struct flag *const *)b)->long_name);
}

static size_t collect(const void *owner, const struct flag ***list, size_t count, const struct flag *flags)
{
    for (const struct flag *f = flags; f && f->long_name; f++)
        if (flag_is_shown(f))
            mem_append(owner, *list, count, f);
    return count;
}

static const struct flag **finish_list(const void *owner, const struct flag **list, size_t count)
{
    mem_append(owner, list, count, NULL);
    qsort(list, count - 1, sizeof(*list), compare_flags);
    return list;
}

const struct flag **flags_sorted(const void *owner, const struct flag *flags)
{
    const struct flag **list = NULL;
    size_t count = collect(owner, &list, 0, flags);
    return finish_list(owner, list, count);
}

static char *flag_head(const void *owner, const struct flag *flag)
{
    char *head = flag->short_name ? mem_printf(owner, "  -%c, --%s", flag->short_name, flag->long_name)
                                  : mem_printf(owner, "      --%s", flag->long_name);
    const char *metavar = flag_metavar(flag);
    return *metavar ? mem_append_printf(head, " %s", metavar) : head;
}

static char *flag_text(const void *owner, const struct flag *flag)
{
    char *text = mem_strdup(owner, flag->help);
    bool plain = (flag->bits & FLAG_QUIET_DEFAULT) || !flag->fallback ||
                 (flag->kind == FLAG_BOOL && str_eq(flag->fallback, "false"));
    if (plain)
        return text;
    return mem_append_printf(text, flag->kind == FLAG_STRING ? " (default \"%s\")" : " (default %s)",
                             flag->fallback);
}

/* Appends `text` broken at blanks so that no line passes `width`; lines after the first start at `indent`. */
static char *append_wrapped(char *out, const char *text, int indent, int width)
{
    size_t room = width > indent + 24 ? (size_t)(width - indent) : SIZE_MAX;
    for (;;) {
        size_t n = strlen(text);
        if (n > room) {
            for (n = room; n > 0 && text[n] != ' '; n--)
                ;
            if (n == 0)
                n = strcspn(text, " ");
        }
        out = mem_append_printf(out, "%.*s\n", (int)n, text);
        text += n;
        if (!*text)
            return out;
        text += strspn(text, " ");
        out = mem_append_printf(out, "%*s", indent, "");
    }
}

static char *append_flags(char *out, const struct flag **flags, int width)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (!*flags)
        return out;
    size_t widest = 0;
    for (const struct flag **f = flags; *f; f++) {
        size_t n = strlen(flag_head(tmp, *f));
        widest = n > widest ? n : widest;
    }
    out = mem_append_str(out, "\nOptions:\n");
    for (const struct flag **f = flags; *f; f++) {
        out = mem_append_printf(out, "%-*s", (int)widest + 3, flag_head(tmp, *f));
        out = append_wrapped(out, flag_text(tmp, *f), (int)widest + 3, width);
    }
    return out;
}

static char *append_commands(char *out, const struct command *const *commands)
{
    size_t widest = 11;
    for (const struct command *const *c = commands; *c; c++)
        if (!((*c)->bits & COMMAND_HIDDEN) && strlen((*c)->name) > widest)
            widest = strlen((*c)->name);
    out = mem_append_str(out, "\nCommands:\n");
    for (const struct command *const *c = commands; *c; c++)
        if (!((*c)->bits & COMMAND_HIDDEN))
            out = mem_append_printf(out, "  %-*s%s\n", (int)widest + 1, (*c)->name, (*c)->summary);
    return out;
}

char *help_command(const void *owner, const struct command *command, const char *path,
                   const struct flag *const *inherited, int width)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *args = command->args ? command->args : command->children ? "COMMAND" : "";
    char *out = mem_printf(owner, "Usage:  %s%s%s\n\n%s\n", path, *args ? " " : "", args, command->summary);
    if (command->description)
        out = mem_append_printf(out, "\n%s\n", command->description);
    if (command->aliases) {
        cleanup_ctx TALLOC_CTX *scratch = mem_ctx();
        const char *parent = mem_strndup(scratch, path, strlen(path) - strlen(command->name));
        out = mem_append_printf(out, "\nAliases:\n  %s", path);
        for (const char *const *a = command->aliases; *a; a++)
            out = mem_append_printf(out, ", %s%s", parent, *a);
        out = mem_append_str(out, "\n");
    }
    const struct flag **flags = NULL;
    size_t count = collect(tmp, &flags, 0, command->flags);
    for (const struct flag *const *f = inherited; f && *f; f++)
        mem_append(tmp, flags, count, *f);
    out = append_flags(out, finish_list(tmp, flags, count), width);
    if (!command->children)
        return out;
    out = append_commands(out, command->children);
    return mem_append_printf(out, "\nRun '%s COMMAND --help' for more information on a command.\n", path);
}

char *help_program(const void *owner, const char *program, const char *summary, const struct flag *flags,
                   const struct command *const *commands, int width)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *out = mem_printf(owner, "Usage:  %s [OPTIONS] COMMAND\n\n%s\n", program, summary);
    out = append_flags(out, flags_sorted(tmp, flags), width);
    out = append_commands(out, commands);
    return mem_append_printf(out, "\nRun '%s COMMAND --help' for more information on a command.\n", program);
}
