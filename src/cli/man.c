#include "cli/man.h"

#include "cli/help.h"

#include "base/str.h"

/* Text as roff takes it literally: no control lines, hyphens that stay hyphens. */
static char *roff(const void *owner, const char *text)
{
    char *out = mem_strdup(owner, *text == '.' || *text == '\'' ? "\\&" : "");
    for (; *text; text++) {
        char plain[2] = {*text, '\0'};
        out = mem_append_str(out, *text == '\\' ? "\\e" : *text == '-' ? "\\-" : plain);
    }
    return out;
}

static char *add_flag(char *out, const struct flag *flag)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    const char *metavar = flag_metavar(flag);
    out = mem_append_str(out, ".TP\n");
    if (flag->short_name)
        out = mem_append_printf(out, "\\fB\\-%c\\fR, ", flag->short_name);
    out = mem_append_printf(out, "\\fB\\-\\-%s\\fR", roff(tmp, flag->long_name));
    if (*metavar)
        out = mem_append_printf(out, " \\fI%s\\fR", roff(tmp, metavar));
    out = mem_append_printf(out, "\n%s", roff(tmp, flag->help));
    if (flag->fallback && !(flag->bits & FLAG_QUIET_DEFAULT))
        out = mem_append_printf(out, " (default %s)", roff(tmp, flag->fallback));
    if (flag->bits & FLAG_NOT_YET)
        out = mem_append_str(out, " (not available yet)");
    return mem_append_str(out, "\n");
}

static char *add_flags(char *out, const struct flag *flags)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    for (const struct flag **f = flags_sorted(tmp, flags); *f; f++)
        out = add_flag(out, *f);
    return out;
}

static char *add_command(char *out, const struct command *command, const char *path)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    if (command->bits & COMMAND_HIDDEN)
        return out;
    char *name = mem_printf(tmp, "%s %s", path, command->name);
    if (command->children) {
        for (const struct command *const *c = command->children; *c; c++)
            out = add_command(out, *c, name);
        return out;
    }
    out = mem_append_printf(out, ".SS %s %s\n%s.\n", roff(tmp, name),
                            roff(tmp, command->args ? command->args : ""), roff(tmp, command->summary));
    if (command->description)
        out = mem_append_printf(out, ".PP\n%s\n", roff(tmp, command->description));
    for (const char *const *a = command->aliases; a && *a; a++)
        out = mem_append_printf(out, "Also called \\fB%s\\fR.\n", roff(tmp, *a));
    return add_flags(out, command->flags);
}

static const char head[] =
    ".TH COMPOTE 1 \"\" \"compote " COMPOTE_VERSION "\" \"User Commands\"\n"
    ".SH NAME\n"
    "compote \\- run Compose files without a daemon\n"
    ".SH SYNOPSIS\n"
    ".B compote\n"
    "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGS\\fR]\n"
    ".SH DESCRIPTION\n"
    "compote reads a Compose file and runs it: it pulls the images, makes networks and volumes, starts the\n"
    "containers in the order of their dependencies, watches their health, restarts them, keeps their logs, "
    "and\n"
    "takes it all down again. No service has to run for that. Files, commands, flags and exit statuses are "
    "those\n"
    "of docker compose; called as \\fBdocker\\-compose\\fR it answers under that name.\n"
    ".PP\n"
    "Without \\fB\\-f\\fR the file is \\fIcompose.yaml\\fR (or \\fIcompose.yml\\fR, "
    "\\fIdocker\\-compose.yaml\\fR,\n"
    "\\fIdocker\\-compose.yml\\fR) in the working directory or the nearest directory above it.\n";

static const char tail[] =
    ".SH ENVIRONMENT\n"
    ".TP\n.B COMPOSE_FILE, COMPOSE_PROJECT_NAME, COMPOSE_PROFILES, COMPOSE_ENV_FILES\n"
    "Stand in for \\fB\\-\\-file\\fR, \\fB\\-\\-project\\-name\\fR, \\fB\\-\\-profile\\fR and "
    "\\fB\\-\\-env\\-file\\fR; also read from\n"
    "\\fI.env\\fR.\n"
    ".TP\n.B COMPOSE_ANSI, COMPOSE_PROGRESS, COMPOSE_PARALLEL_LIMIT\n"
    "Stand in for the flags of these names.\n"
    ".TP\n.B COMPOSE_REMOVE_ORPHANS, COMPOSE_IGNORE_ORPHANS\n"
    "What to do about containers of services that the files no longer have.\n"
    ".TP\n.B COMPOTE_ROOT\nStands in for \\fB\\-\\-root\\fR.\n"
    ".TP\n.B COMPOTE_LIBEXEC\nDirectory of the helper programs.\n"
    ".TP\n.B COMPOTE_REGISTRIES\nFile with registry mirrors.\n"
    ".TP\n.B DOCKER_CONFIG\nDirectory of docker's \\fIconfig.json\\fR: credentials and psFormat.\n"
    ".TP\n.B NO_COLOR\nNo colours when set.\n"
    ".SH FILES\n"
    ".TP\n.I /var/lib/compote, /run/compote\nImages, volumes, containers; what belongs to the running "
    "system.\n"
    ".TP\n.I /etc/compote/registries.json\nRegistry mirrors, for all users.\n"
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nSuccess, also when there was nothing to do.\n"
    ".TP\n.B 1\nAny error, wrong usage included.\n"
    ".TP\n.B 130\nInterrupted.\n"
    ".PP\n"
    "\\fBrun\\fR, \\fBexec\\fR, \\fBwait\\fR and \\fBup \\-\\-exit\\-code\\-from\\fR end with the status of "
    "the container's process.\n";

char *man_page(const void *owner, const struct command *const *commands, const struct flag *globals)
{
    char *out = mem_strdup(owner, head);
    out = mem_append_str(out, ".SH OPTIONS\nThese may stand before the command or after it.\n");
    out = add_flags(out, globals);
    out = mem_append_str(out, ".SH COMMANDS\n");
    for (; *commands; commands++)
        out = add_command(out, *commands, "compote");
    return mem_append_str(out, tail);
}
