#pragma once
/*
 * compote-monitor: the parent of one container. One thread, one epoll loop, no memory from the heap: what it
 * needs lies in one struct monitor of static storage, of which only the touched pages cost anything.
 *
 *   main.c       arguments, signals, the life of the process
 *   conf.c       monitor.conf
 *   container.c  run, exit, restart, stop, pause: the states of the container
 *   stdio.c      standard streams: FIFOs or a pseudo-terminal
 *   logfile.c    the json-file log and its rotation
 *   forward.c    syslog and the journal
 *   clients.c    the control socket
 *   health.c     health checks
 *   record.c     status file, start report
 */
#include "monitor/proto.h"
#include "monitor/status.h"
#include "sys/journal.h"
#include "sys/loop.h"

#include <limits.h>

enum {
    CLIENT_MAX = 32,
    LINE_MAX_BYTES = 16 * 1024, /* longer lines are cut, as Docker does */
    LOG_BUFFER = LINE_MAX_BYTES * 6 + LOG_ATTRIBUTES_MAX + 1024,
    HEALTH_OUTPUT_MAX = 4096,
};

/* As in model/project.h, whose order the configuration uses. */
enum policy { POLICY_NO, POLICY_ALWAYS, POLICY_ON_FAILURE, POLICY_UNLESS_STOPPED };

struct conf {
    char id[128];
    char command[128]; /* argv[0], for messages */
    char dir[PATH_MAX], run[PATH_MAX], cgroup[PATH_MAX], runtime[PATH_MAX];
    char journal[PATH_MAX],
        event[8192];       /* where events go, and what they say about the container; or empty */
    char oom_score_adj[8]; /* of whatever we start: the container's, not our own */
    int64_t tty, stdin_open, auto_remove, private_pids;
    int64_t restart, restart_max;
    int64_t restart_delay, restart_window; /* ns; a delay of 0 or less: a growing one */
    int64_t stop_signal, stop_grace;       /* ns */
    int64_t log, log_max_size, log_max_file;
    char log_attributes[LOG_ATTRIBUTES_MAX]; /* a JSON object for each record, or "" */
    int64_t forward, forward_network, forward_family, forward_port, forward_facility;
    char forward_host[256], forward_tag[512], forward_from[256];
    int64_t health, health_interval, health_timeout, health_start_period, health_start_interval,
        health_retries; /* ns */
};

enum phase {
    PHASE_STARTING, /* the runtime is at work */
    PHASE_RUNNING,
    PHASE_WAITING, /* for the next restart */
    PHASE_ENDED,
};

enum stream { STREAM_OUT, STREAM_ERR, STREAM__COUNT };

struct forward {
    const struct conf *conf;
    int fd;
    bool stream;
    int64_t tried_at;                /* monotonic ns: the last attempt to connect */
    char fields[FORWARD_FIELDS_MAX]; /* of the journal: the same for each record */
    size_t fields_size;
};

struct logfile {
    int fd;
    char path[PATH_MAX + 32];
    int64_t size, rotations;
    int64_t max_size, max_file;
    const char *attributes; /* JSON, or "" */
    struct forward forward;
    char line[STREAM__COUNT][LINE_MAX_BYTES]; /* the unfinished line of each stream */
    size_t used[STREAM__COUNT];
    char buffer[LOG_BUFFER]; /* records on their way into the file */
    size_t buffered;
};

struct client {
    struct loop_source source;
    int fd; /* -1: free */
    bool attached;
    bool blocked; /* its socket is full; the monitor's `pending` of the same number is what comes next */
    size_t pending_size;
};

struct health {
    struct loop_source timer, output;
    int output_fd;
    pid_t runtime_pid, pid; /* of the probe under way; 0 */
    int pidfd;
    bool timed_out;
    int64_t failures;
    char text[HEALTH_OUTPUT_MAX];
    size_t text_size;
};

struct monitor {
    struct loop loop;
    struct conf conf;
    struct container_status status;
    enum phase phase;
    bool adopted;             /* the container is not our child */
    bool stop_wanted;         /* no restart after this run */
    bool stop_asked;          /* of this run: its end is a stop */
    bool has_run;             /* at least once: a failure to start is not the first start's any more */
    int64_t stop_grace_asked; /* of a stop that came while starting */
    int lock_fd, report_fd, run_dir_fd;
    struct loop_source signals, restart_timer, stop_timer, adopted_exit;
    pid_t runtime_pid; /* while starting */
    int console_fd;
    int pidfd;                   /* of the container's first process */
    int64_t started_at, backoff; /* monotonic ns */
    int64_t attempts;            /* restarts since a run that lasted as long as the window */
    bool has_output;             /* of this run */
    int exec_failure;            /* its first output was the runtime's message that exec failed: 126 or 127 */

    struct loop_source out[STREAM__COUNT]; /* out[0] is the terminal when there is one */
    int out_fd[STREAM__COUNT];
    int slave_fd; /* keeps the terminal from hanging up while no process has it open */
    int stdin_fd;
    struct loop_source stdin_source;
    char stdin_pending[PROTO_DATA_MAX];
    size_t stdin_size, stdin_sent;
    bool stdin_closing;

    struct logfile log;
    struct loop_source listener, blocked_timer;
    int listen_fd;
    struct client clients[CLIENT_MAX];
    char pending[CLIENT_MAX][sizeof(struct proto_head) + PROTO_DATA_MAX]; /* apart: rarely touched */
    struct health health;
    char chunk[PROTO_DATA_MAX + sizeof(struct proto_head)];
    char event_line[JOURNAL_LINE_MAX];
};

/* conf.c */
int conf_read(const char *path, struct conf *ret, struct error *err);

/* record.c */
void record_status(struct monitor *m);  /* <run>/status, which everybody reads */
void record_note(struct monitor *m);    /* the record in the container's directory, for after a reboot */
void record_durable(struct monitor *m); /* the same, so that it survives a power cut */
void record_report(struct monitor *m, int code, const char *text); /* once; further calls do nothing */
void record_event(struct monitor *m, const char *action, const char *attributes, ...)
    PRINTF_LIKE(3, 4); /* members of a JSON object, or "" */
int64_t wall_ns(void);

/* container.c */
int container_run(struct monitor *m, struct error *err);
int container_take(struct monitor *m, struct error *err); /* adopts the one in the status file */
void container_reap(struct monitor *m);
int container_signal(struct monitor *m, int number, struct error *err);
int container_stop_request(struct monitor *m, int64_t grace, struct error *err);
int container_freeze(struct monitor *m, bool freeze, struct error *err);

/* forget.c: false when the runtime has to clear away. */
bool forget_container(const struct monitor *m);

/* stdio.c */
int stdio_open(struct monitor *m, int ret_std[3], int *ret_console, struct error *err);
int stdio_reopen(struct monitor *m, struct error *err); /* of an adopted container */
int stdio_terminal(struct monitor *m, int console_fd, struct error *err);
int stdio_watch(struct monitor *m, struct error *err);
void stdio_pause(struct monitor *m, bool pause);
void stdio_drain(struct monitor *m);
void stdio_close(struct monitor *m);
void stdin_write(struct monitor *m, const char *data, size_t size);
void stdin_end(struct monitor *m);
void stdio_resize(struct monitor *m, unsigned columns, unsigned rows);

/* logfile.c */
int logfile_open(struct logfile *log, const struct conf *conf, struct error *err);
void logfile_write(struct logfile *log, enum stream stream, const char *data, size_t size);
void logfile_flush(struct logfile *log, bool partial_lines);
size_t json_escape(char *to, const char *text, size_t size); /* up to six times as long; not NUL-ended */

/* The date of a day number since 1970-01-01, without the time zone machinery of libc. */
void date_of_day(int64_t days, int *year, int *month, int *day);

/* forward.c */
int forward_open(struct forward *f, const struct conf *conf, struct error *err);
void forward_record(struct forward *f, enum stream stream, const char *text, size_t size);

/* clients.c */
int clients_listen(struct monitor *m, struct error *err);
void clients_output(struct monitor *m, enum stream stream, const char *data, size_t size);
void clients_accept_input(struct monitor *m); /* or not, as long as earlier input waits */
void clients_finish(struct monitor *m);       /* the last messages, then all are closed */

/* health.c */
void health_start(struct monitor *m);
void health_stop(struct monitor *m);
bool health_reap(struct monitor *m); /* true while it may own children that are not known yet */
