#include "cli/command.h"

#include "cli/commands.h"
#include "cli/help.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"

const char program_summary[] = "Define and run multi-container applications without a daemon";

const struct command *const command_table[] = {
    &command_attach,    &command_autostart, &command_build,
    &command_commit,    &command_config,    &command_cp,
    &command_create,    &command_doctor,    &command_down,
    &command_events,    &command_exec,      &command_export,
    &command_help_page, &command_image,     &command_images,
    &command_kill,      &command_logs,      &command_ls,
    &command_pause,     &command_port,      &command_ps,
    &command_publish,   &command_pull,      &command_push,
    &command_restart,   &command_rm,        &command_run,
    &command_scale,     &command_start,     &command_stats,
    &command_stop,      &command_top,       &command_unpause,
    &command_up,        &command_version,   &command_volumes,
    &command_wait,      &command_watch,     &command_complete,
    &command_man,       &command_metadata,  NULL,
};

/* Flags of the program itself, which commands do not inherit. */
struct program_options {
    bool version;
};

#define OPTIONS struct program_options

static const struct flag program_flags[] = {
    FLAG("version", 'v', BOOL, version, "Show the version", .bits = FLAG_HIDDEN),
    FLAG_END,
};

const struct command *command_find(const struct command *const *table, const char *name)
{
    for (; *table; table++) {
        if (str_eq((*table)->name, name))
            return *table;
        for (const char *const *a = (*table)->aliases; a && *a; a++)
            if (str_eq(*a, name))
                return *table;
    }
    return NULL;
}

int command_check_args(const struct command *command, const char *path, char *const *args, struct error *err)
{
    int count = (int)strv_len(args);
    const char *plural = command->min_args == 1 ? "" : "s";
    int r = 0;
    if (command->max_args == 0 && count > 0)
        r = error_set(err, EINVAL, "unknown command \"%s\" for \"%s\"", args[0], path);
    else if (count < command->min_args && command->max_args == command->min_args)
        r = error_set(err, EINVAL, "accepts %d arg(s), received %d", command->min_args, count);
    else if (count < command->min_args)
        r = error_set(err, EINVAL, "\"%s\" requires at least %d argument%s", path, command->min_args, plural);
    else if (command->max_args >= 0 && count > command->max_args)
        r = error_set(err, EINVAL, "accepts at most %d arg(s), received %d", command->max_args, count);
    return r < 0 ? error_hint(err, "usage: %s %s", path, command->args) : 0;
}

static int unknown_command(const struct app *app, const struct command *const *table, const char *path,
                           const char *word, struct error *err)
{
    const char **names = NULL;
    size_t count = 0;
    for (const struct command *const *c = table; *c; c++)
        if (!((*c)->bits & COMMAND_HIDDEN))
            mem_append(app->ctx, names, count, (*c)->name);
    mem_append(app->ctx, names, count, NULL);
    if (app->config.is_docker)
        error_set(err, EINVAL, "unknown docker command: \"compose%s %s\"", path + strlen(app->config.program),
                  word);
    else
        error_set(err, EINVAL, "unknown command: \"%s %s\"", path, word);
    const char *near = word_nearest(word, names);
    return near ? error_hint(err, "did you mean '%s'? '%s --help' lists all commands", near, path)
                : error_hint(err, "'%s --help' lists all commands", path);
}

static void print_program_help(const struct app *app)
{
    int width, rows;
    terminal_size(STDOUT_FILENO, &width, &rows);
    fputs(
        help_program(app->ctx, app->config.program, program_summary, global_flags, command_table, width - 1),
        stdout);
}

static void print_command_help(const struct app *app, const struct command *command, const char *path)
{
    int width, rows;
    terminal_size(STDOUT_FILENO, &width, &rows);
    const struct flag *const inherited[] = {flag_find(global_flags, "dry-run"), NULL};
    fputs(help_command(app->ctx, command, path, command->bits & COMMAND_RAW ? NULL : inherited, width - 1),
          stdout);
}

/* Follows `words` down the table as long as they name commands; *words is left at the first that does not. */
static const struct command *descend(struct app *app, char *const **words, char **path)
{
    const struct command *command = NULL;
    const struct command *const *table = command_table;
    while (table && **words) {
        const struct command *next = command_find(table, **words);
        if (!next)
            break;
        command = next;
        table = next->children;
        *path = mem_printf(app->ctx, "%s %s", *path, next->name);
        (*words)++;
    }
    return command;
}

int command_help(struct app *app, char *const *words, struct error *err)
{
    char *path = mem_strdup(app->ctx, app->config.program);
    const struct command *command = descend(app, &words, &path);
    if (*words && (!command || command->children))
        return unknown_command(app, command ? command->children : command_table, path, *words, err);
    if (command)
        print_command_help(app, command, path);
    else
        print_program_help(app);
    return 0;
}

static int command_call(struct app *app, const struct command *command, char *const *argv, struct error *err)
{
    if (command->bits & COMMAND_RAW)
        return command->run(app, NULL, argv, err);
    void *options = mem_check(talloc_zero_size(app->ctx, command->options_size ? command->options_size : 1));
    flags_init(app->ctx, command->flags, options);
    struct flag_parser parser = {
        .owner = app->ctx,
        .scopes = {{command->flags, options}, {global_flags, &app->globals}},
        .scope_count = 2,
        .stop_at_argument = command->bits & COMMAND_STOP_AT_ARGUMENT,
    };
    int r = flags_parse(&parser, argv, err);
    if (r < 0 && !*err->hint)
        error_hint(err, "run '%s --help' for more information", app->command_path);
    if (r < 0)
        return r;
    if (parser.deprecated)
        fprintf(stderr, "%s\n", parser.deprecated);
    if (parser.help) {
        print_command_help(app, command, app->command_path);
        return 0;
    }
    if (command->children) {
        if (parser.args[0])
            return unknown_command(app, command->children, app->command_path, parser.args[0], err);
        print_command_help(app, command, app->command_path);
        return 0;
    }
    r = command_check_args(command, app->command_path, parser.args, err);
    if (r < 0)
        return r;
    log_enable(app->globals.debug || app->globals.verbose);
    if (!app->globals.project_directory)
        app->globals.project_directory = app->globals.workdir;
    return command->run(app, options, parser.args, err);
}

int command_dispatch(struct app *app, char *const *argv, struct error *err)
{
    struct program_options options = {0};
    flags_init(app->ctx, global_flags, &app->globals);
    int r = globals_from_environment(app->ctx, &app->globals, &app->config, err);
    if (r < 0)
        return r;
    struct flag_parser parser = {
        .owner = app->ctx,
        .scopes = {{program_flags, &options}, {global_flags, &app->globals}},
        .scope_count = 2,
        .stop_at_argument = true,
    };
    r = flags_parse(&parser, argv, err);
    /* The docker command runs its plugins with the plugin's own name as first word; our flags come after it.
     */
    if (r == 0 && app->config.is_docker && str_eq(parser.args[0], "compose"))
        r = flags_parse(&parser, parser.args + 1, err);
    if (r < 0)
        return *err->hint ? r : error_hint(err, "run '%s --help' for more information", app->config.program);
    char *const *words = parser.args;
    if (options.version)
        return command_version.run(app, mem_check(talloc_zero_size(app->ctx, command_version.options_size)),
                                   words, err);
    if (parser.help || !words[0])
        return command_help(app, words, err);
    char *path = mem_strdup(app->ctx, app->config.program);
    const struct command *command = descend(app, &words, &path);
    app->command_path = path;
    if (!command)
        return unknown_command(app, command_table, path, words[0], err);
    return command_call(app, command, words, err);
}
