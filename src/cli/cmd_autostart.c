/*
 * What brings containers back after a boot: a systemd unit that is made on request, or a line in another
 * init's own script.
 */
#include "cli/commands.h"

#include "cli/session.h"

#include "base/path.h"
#include "base/str.h"
#include "data/digest.h"
#include "sys/fs.h"
#include "sys/spawn.h"

#include <limits.h>

static const char unit_dir[] = "/etc/systemd/system";

/* One unit for each root, so that several live side by side. */
static char *unit_name(struct app *app, const char *root)
{
    char digest[DIGEST_TEXT];
    if (!app->globals.root)
        return mem_strdup(app->ctx, "compote-autostart.service");
    digest_sha256(root, strlen(root), digest);
    return mem_printf(app->ctx, "compote-autostart-%.8s.service", digest);
}

/* systemd.syntax(7): a quoted word, in which % begins a specifier and $ a variable (systemd.service(5)). */
static char *unit_word(const void *owner, const char *text)
{
    char *word = mem_strdup(owner, "\"");
    for (; *text; text++) {
        bool doubled = strchr("\\%$", *text) != NULL;
        word = mem_append_printf(word, "%s%c",
                                 doubled        ? (char[]){*text, '\0'}
                                 : *text == '"' ? "\\"
                                                : "",
                                 *text);
    }
    return mem_append_printf(word, "\"");
}

static int unit_text(struct app *app, const char *root, char **ret, struct error *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        return error_errno(err, "read /proc/self/exe");
    self[n] = '\0';
    char *command = unit_word(app->ctx, self);
    if (app->globals.root)
        command = mem_append_printf(command, " --root %s", unit_word(app->ctx, root));
    *ret = mem_printf(app->ctx,
                      "# Made by 'compote autostart enable'; 'compote autostart disable' removes it.\n"
                      "[Unit]\n"
                      "Description=Containers that compote starts again after a boot\n"
                      "Documentation=man:compote(1)\n"
                      "Wants=network-online.target\n"
                      "After=network-online.target local-fs.target remote-fs.target\n"
                      "\n"
                      "[Service]\n"
                      "Type=oneshot\n"
                      "RemainAfterExit=yes\n"
                      "ExecStart=%s autostart start\n"
                      "ExecStop=%s autostart stop\n"
                      "TimeoutStartSec=infinity\n"
                      "TimeoutStopSec=5min\n"
                      "\n"
                      "[Install]\n"
                      "WantedBy=multi-user.target\n",
                      command, command);
    return 0;
}

static int systemctl(const char *verb, const char *unit, struct error *err)
{
    char *const argv[] = {"systemctl", (char *)verb, (char *)unit, NULL};
    const struct spawn spawn = {
        .argv = argv, .std = {-1, -1, -1}
    };
    char said[512] = "";
    int status;
    int r = spawn_run(&spawn, said, sizeof(said), &status, err);
    said[strcspn(said, "\n")] = '\0';
    if (r == 0 && status != 0)
        r = error_set(err, EIO, "systemctl %s %s: %s", verb, unit ? unit : "", said);
    return r;
}

static int need_systemd(struct error *err)
{
    if (fs_exists("/run/systemd/system")) /* sd_booted(3) */
        return 0;
    error_set(err, ENOTSUP, "this machine does not run systemd");
    return error_hint(err, "have its init run 'compote autostart start' once after a boot");
}

static int enable(struct app *app, const void *options UNUSED, char *const *args UNUSED, struct error *err)
{
    char *root, *run, *text;
    config_dirs(app->ctx, &app->config, app->globals.root, &root, &run);
    const char *unit = unit_name(app, root), *path = mem_printf(app->ctx, "%s/%s", unit_dir, unit);
    int r = need_systemd(err);
    if (r == 0)
        r = unit_text(app, root, &text, err);
    if (r < 0 || app->globals.dry_run)
        return r;
    r = fs_write_file(path, text, strlen(text), 0644, true, err);
    if (r == 0)
        r = systemctl("daemon-reload", NULL, err);
    /* Started too: it has nothing to start now, but stops the containers in order when the machine goes down.
     */
    if (r == 0)
        r = systemctl("enable", unit, err);
    if (r == 0)
        r = systemctl("start", unit, err);
    if (r == 0)
        printf("%s is enabled\n", path);
    return r;
}

static int disable(struct app *app, const void *options UNUSED, char *const *args UNUSED, struct error *err)
{
    char *root, *run;
    config_dirs(app->ctx, &app->config, app->globals.root, &root, &run);
    const char *unit = unit_name(app, root), *path = mem_printf(app->ctx, "%s/%s", unit_dir, unit);
    int r = need_systemd(err);
    if (r == 0 && !fs_exists(path))
        r = error_set(err, ENOENT, "'%s' is not there: autostart is not enabled", path);
    if (r < 0 || app->globals.dry_run)
        return r;
    r = systemctl("disable", unit, err);
    if (r == 0 && unlink(path) < 0)
        r = error_errno(err, "remove '%s'", path);
    /* It stays known to systemd until it is stopped, which would stop the containers: at the next shutdown.
     */
    if (r == 0)
        r = systemctl("daemon-reload", NULL, err);
    return r;
}

static int with_engine(struct app *app, const char *title, int (*use_case)(struct engine *, struct error *),
                       struct error *err)
{
    struct session *session;
    int r =
        session_open(app, &(struct session_options){.need = SESSION_MACHINE, .title = title}, &session, err);
    if (r < 0)
        return r;
    r = use_case(session->engine, err);
    session_finish(session);
    return r;
}

static int start(struct app *app, const void *options UNUSED, char *const *args UNUSED, struct error *err)
{
    return with_engine(app, "Starting", engine_autostart, err);
}

static int stop(struct app *app, const void *options UNUSED, char *const *args UNUSED, struct error *err)
{
    return with_engine(app, "Stopping", engine_autostop, err);
}

#define CHILD(word, text)                                                                                    \
    static const struct command child_##word = {.name = #word, .args = "", .summary = text, .run = word}

CHILD(enable, "Make and enable a systemd unit that starts containers again after a boot");
CHILD(disable, "Remove that unit");
CHILD(start, "Start what `restart: always` and `restart: unless-stopped` want running, in all projects");
CHILD(stop, "Stop all containers; those that `start` starts come back with it");

static const struct command *const children[] = {&child_enable, &child_disable, &child_start, &child_stop,
                                                 NULL};

const struct command command_autostart = {
    .name = "autostart",
    .args = "COMMAND",
    .summary = "Start containers again after a boot",
    ANY_ARGS,
    .children = children,
};
