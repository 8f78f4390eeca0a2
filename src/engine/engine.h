#pragma once
/*
 * What the commands can ask for. The engine compares what the project says with what is there, makes a plan
 * (plan.h), runs it (run.h), and reports through a progress sink. It is the only layer that knows both the
 * Compose side and the Linux side. One engine for each process; everything it returns belongs to the given
 * owner.
 *
 * Life of a command: engine_open, then one or more use cases, then talloc_free(engine). Each mutating use
 * case takes the project's lock for its duration, and waits for it when another command has it.
 */
#include "engine/progress.h"
#include "image/store.h"
#include "model/project.h"
#include "runtime/container.h"

struct engine;

struct engine_options {
    const char *root;         /* data directory: /var/lib/compote */
    const char *run;          /* run directory: /run/compote */
    const char *libexec;      /* the helper programs' directory */
    const char *registries;   /* compote's registry configuration; NULL: /etc/compote/registries.json */
    char *const *environment; /* K=V: for DOCKER_CONFIG and the like */
    struct progress_sink *sink;
    bool dry_run; /* plan and report, change nothing */
    int parallel; /* at most so many steps at once; <= 0: no limit of ours */
};

/* Paths of a root given by --root: data is DIR itself, run state is DIR/run. */
int engine_open(const void *owner, const struct engine_options *options, struct engine **ret,
                struct error *err);

/* The loop that everything runs on: the cli adds its signals and log readers to it. */
struct loop *engine_loop(struct engine *engine);

/* Asks the use case under way to end: nothing new is begun; it returns -ECANCELED. For signal handlers on the
 * loop. */
void engine_cancel(struct engine *engine);
bool engine_is_cancelled(const struct engine *engine);

/* Use cases work again: to stop what an interrupted `up` has started. */
void engine_cancel_clear(struct engine *engine);

struct image_store *engine_images(struct engine *engine);

/* ---- looking ---- */

struct published_port {
    char *host_ip;      /* "0.0.0.0", "::", or the address given; NULL: exposed only */
    uint16_t host_port; /* 0: exposed only */
    uint16_t port;
    char *protocol;
};

struct container_view {
    char *id, *name, *project, *service;
    int number; /* replica, from 1; 0 for a one-off */
    bool oneoff;
    char *image; /* as the file names it */
    char *image_id;
    char *command; /* entrypoint and command, joined by blanks */
    char *config_hash;
    struct omap *labels;            /* char *, com.docker.compose.* included */
    struct container_status status; /* reality, at the time of the call */
    struct published_port *ports;
    size_t port_count;
    char **networks;      /* real names */
    char **addresses;     /* beside networks */
    char **mounts;        /* sources or volume names */
    char **local_volumes; /* names of volumes */
    char *log_path;       /* json-file log; rotated ones have .1, .2 ... behind it */
    bool attach;          /* service wants its logs shown */
    bool tty;
};

struct container_filter {
    const char *project;   /* NULL: of all projects */
    char *const *services; /* NULL: all */
    bool oneoffs;          /* those of `run` too */
    const char *name;      /* one container by its name, or NULL */
    int index;             /* replica number, 0: all */
};

/* Sorted by service, then number. */
int engine_containers(const void *owner, struct engine *engine, const struct container_filter *filter,
                      struct container_view ***ret, size_t *ret_count, struct error *err);

struct project_view {
    char *name;
    char *config_files; /* joined by commas */
    char *working_dir;
    int running, exited, paused, restarting, created, dead;
};

int engine_projects(const void *owner, struct engine *engine, struct project_view ***ret, size_t *ret_count,
                    struct error *err);

/* Host pids of a container's processes. */
int engine_pids(const void *owner, struct engine *engine, const struct container_view *container, pid_t **ret,
                size_t *ret_count, struct error *err);

struct volume_view {
    char *name, *driver, *path;
    struct omap *labels; /* char * */
};

/* The project's volumes that have a key; of `services` (NULL: all) those that their containers use. */
int engine_volumes(const void *owner, struct engine *engine, const char *project, char *const *services,
                   struct volume_view ***ret, size_t *ret_count, struct error *err);

/* USAGE_NONE when it does not run. */
int engine_usage(struct engine *engine, const struct container_view *container, struct container_usage *ret,
                 struct error *err);

/* ---- changing ---- */

enum recreate { RECREATE_CHANGED, RECREATE_ALWAYS, RECREATE_NEVER };

struct up_options {
    char *const *services; /* selected on the command line; NULL: all */
    enum recreate recreate;
    bool always_recreate_deps, renew_anonymous_volumes, no_deps, no_start, remove_orphans, quiet_pull;
    bool wait;            /* until running or healthy */
    int64_t wait_timeout; /* seconds; 0: none */
    int64_t timeout;      /* seconds to stop containers that are recreated; -1: their own */
    const char *pull;     /* always, missing, never; NULL: by pull_policy */
    struct omap *scale;   /* service -> "N" */
    /* A question whose answer may lose data. May be NULL: the answer is no. */
    bool (*confirm)(void *data, const char *question);
    void *confirm_data;
    /* Called before a container of the project is started, or when it already runs: the cli attaches its log.
     * May be NULL. */
    void (*attach)(void *data, const struct container_view *container);
    void *data;
};

int engine_up(struct engine *engine, const struct project *project, const struct up_options *options,
              struct error *err);

struct down_options {
    char *const *services; /* NULL: all */
    bool volumes;          /* named and anonymous */
    bool remove_orphans;
    const char *rmi; /* "all", "local", NULL */
    int64_t timeout; /* -1: the containers' own */
};

/* `project` may be NULL when no file is there: then what is recorded under `name` goes. */
int engine_down(struct engine *engine, const char *name, const struct project *project,
                const struct down_options *options, struct error *err);

struct select_options {
    char *const *services; /* NULL: all */
    int64_t timeout;       /* stop, restart: seconds, -1: the containers' own */
    int signal;            /* kill */
    bool no_deps;          /* restart: leave dependents */
    bool stop, volumes;    /* rm */
    bool wait;             /* start */
    int64_t wait_timeout;
    bool remove_orphans; /* kill */
};

/* These work on the recorded containers; `project` (may be NULL) gives order and unknown-service errors. */
int engine_start(struct engine *engine, const char *name, const struct project *project,
                 const struct select_options *options, struct error *err);
int engine_stop(struct engine *engine, const char *name, const struct project *project,
                const struct select_options *options, struct error *err);
int engine_restart(struct engine *engine, const char *name, const struct project *project,
                   const struct select_options *options, struct error *err);
/* Those of `run` too. */
enum { SELECTED_NOTHING = 1 }; /* there was nothing to kill */
int engine_kill(struct engine *engine, const char *name, const struct project *project,
                const struct select_options *options, struct error *err);
/* Removes stopped containers (running ones too with `stop`); *ret_names what was or would be removed. */
int engine_rm(const void *owner, struct engine *engine, const char *name, const struct project *project,
              const struct select_options *options, char ***ret_names, struct error *err);

/*
 * Around a reboot, in all projects. After it: starts what `restart: always` and `unless-stopped` want
 * running. Before it: stops what runs, so that autostart brings it back.
 */
int engine_autostart(struct engine *engine, struct error *err);
int engine_autostop(struct engine *engine, struct error *err);

struct pull_options {
    char *const *services;
    bool include_deps, ignore_failures;
    bool quiet;         /* nothing about images that are here already */
    bool brief;         /* nothing about layers */
    const char *policy; /* missing, always, NULL: by pull_policy */
};

int engine_pull(struct engine *engine, const struct project *project, const struct pull_options *options,
                struct error *err);

struct run_options {
    const char *service;
    char *const *command; /* replaces the service's; NULL: its own */
    char **env, **labels, **volumes, **publish, **cap_add, **cap_drop;
    const char *entrypoint, *user, *workdir, *name;
    bool remove, detach, no_deps, service_ports, use_aliases, interactive, remove_orphans, quiet_pull;
    bool tty;
    const char *pull;
    int std[3];
};

/* One-off container. Attached: returns its exit code in *ret_status. Detached: *ret_id is its id (or name).
 */
int engine_run(const void *owner, struct engine *engine, const struct project *project,
               const struct run_options *options, int *ret_status, char **ret_id, struct error *err);

struct join_options {
    const char *service;
    int index;         /* replica, 0: the first running one */
    int std[3];        /* -1: nothing */
    bool no_signals;   /* signals are for the caller alone */
    bool has_terminal; /* std[0] is one */
    const char *keys;  /* of the terminal: who types them leaves, and the container runs on */
    size_t key_count;
};

/* The caller's streams joined to a running container's first process; *ret_status: its exit code, 0 after
 * leaving. */
int engine_attach(struct engine *engine, const char *name, const struct join_options *options,
                  int *ret_status, struct error *err);

/* Runs in the given replica (index 0: the first running one). */
int engine_exec(struct engine *engine, const char *name, const char *service, int index,
                const struct exec_options *options, int *ret_status, struct error *err);

/* What is copied between the machine and containers of a service. */
struct copy_options {
    const char *service;
    int index;    /* replica, 0: the first; to a service: all of them */
    bool oneoffs; /* those of `run` too */
    bool to_service;
    const char *local;  /* absolute path, or "-": a tar archive on std[0] or std[1] */
    const char *inside; /* path in the container */
    bool follow;        /* a link that is the source is followed */
    bool as_user;       /* to a service: what is copied belongs to the user of the container's process */
    int std[3];
};

/* The rules for names are docker cp's: what exists at the target, and slashes and dots at the ends, decide.
 */
int engine_copy(struct engine *engine, const char *name, const struct copy_options *options,
                struct error *err);

/* The file system of a service's container, without what is mounted in it, as a tar archive. `index` 0: the
 * first one, those of `run` after the others. */
int engine_export(struct engine *engine, const char *name, const char *service, int index, int output,
                  const char *target, struct error *err);

/* Something that happened to a container. */
struct event {
    int64_t time; /* ns since the epoch */
    const char *id, *action, *service;
    struct omap *attributes; /* char *; those of docker's, and why */
};

struct events_options {
    char *const *services; /* NULL: all */
    int64_t since, until;  /* ns since the epoch; 0: from now on, without end */
    void (*event)(void *data, const struct event *event);
    void *data;
};

/* Hands on what happens to the project's containers, whoever does it, until `until` or the use case is
 * cancelled. */
int engine_events(struct engine *engine, const char *name, const struct events_options *options,
                  struct error *err);

struct commit_options {
    const char *service;
    int index;             /* replica, 0: the first */
    const char *reference; /* the image's name, or NULL */
    const char *author, *message;
    char *const *changes; /* "INSTRUCTION arguments" */
    bool pause;           /* while it is read */
};

/* What a container wrote becomes a layer on its image; *ret_id is the new image's. */
int engine_commit(const void *owner, struct engine *engine, const char *name,
                  const struct commit_options *options, char **ret_id, struct error *err);

/* A signal to a container's first process, now: also while a use case of this process waits for its end. */
int engine_signal(struct engine *engine, const struct container_view *container, int signal_number,
                  struct error *err);

/* Freezes a running container, or lets a frozen one go on. */
int engine_pause(struct engine *engine, const struct container_view *container, bool pause,
                 struct error *err);

/*
 * Runs the loop until every container of `containers` has ended for good, or the use case is cancelled.
 * `exited` (may be NULL) tells each end: restarting when its policy brings it back.
 */
typedef void exit_callback(void *data, const struct container_view *container, int code, bool restarting);
int engine_wait_exit(struct engine *engine, struct container_view *const *containers, size_t count,
                     exit_callback *exited, void *data, struct error *err);

/* What changes in the files that develop.watch names is brought into the containers (watch.c). */
struct watch_options {
    void (*say)(void *data, const char *line);  /* what happens, in docker compose's words */
    void (*warn)(void *data, const char *text); /* what does not work */
    int std[3];                                 /* of the commands of sync+exec */
    /* Ends as engine_wait_exit does, when there are any; else with the use case's cancellation alone. */
    struct container_view *const *containers;
    size_t container_count;
    exit_callback *exited;
    void *data;
};

/* Whether there is anything to watch, and all of it can be. For before a project is brought up. */
int engine_watch_check(const struct project *project, struct error *err);

/* Of all services of the project. A second one for the same project is an error. */
int engine_watch(struct engine *engine, const struct project *project, const struct watch_options *options,
                 struct error *err);

/* Image references and layer directories that containers need: for image rm and prune. */
int engine_images_in_use(const void *owner, struct engine *engine, char ***ret_references, char ***ret_layers,
                         struct error *err);
