#pragma once
/*
 * What travels between compote-monitor and its callers. Needs libc only.
 *
 * Start pipe: one struct start_report when the container runs, or could not be started.
 *
 * Control socket (<run>/containers/<id>/control, SOCK_SEQPACKET, only for the same user or root): each
 * message is one struct proto_head, followed by `size` bytes. A client sends requests; to ATTACH, SIGNAL,
 * STOP, PAUSE and UNPAUSE the monitor answers with one REPLY. After ATTACH output comes as STDOUT and STDERR
 * messages, in the order in which it was read, until EXIT, which is the last message.
 *
 * A client that does not read is waited for, with a bounded queue, for a few seconds; then it is dropped,
 * so that it cannot hold up the container.
 */
#include <stdint.h>

/* Of monitor.conf: where the log goes beside its file, and how. */
enum forward_format {
    FORWARD_NOT,
    FORWARD_JOURNAL,
    FORWARD_PLAIN, /* syslog as docker sends it: time, tag, text */
    FORWARD_RFC3164,
    FORWARD_RFC5424,
    FORWARD_RFC5424_MICRO
};
enum forward_network { FORWARD_UNIX, FORWARD_UDP, FORWARD_TCP };
enum { FORWARD_FIELDS_MAX = 16 * 1024, LOG_ATTRIBUTES_MAX = 4 * 1024 };

struct start_report {
    int32_t code; /* 0: runs, or ran; else an errno value */
    char text[1500];
    char hint[400];
};

enum proto_type {
    /* to the monitor */
    PROTO_ATTACH = 1, /* value: PROTO_ATTACH_* */
    PROTO_STDIN,      /* bytes for the container's standard input */
    PROTO_STDIN_EOF,  /* closes it (ends it, on a tty) */
    PROTO_RESIZE,     /* value: columns << 16 | rows */
    PROTO_SIGNAL,     /* value: signal number */
    PROTO_STOP,       /* value: grace in ns, -1 the spec's; no restart follows */
    PROTO_PAUSE,
    PROTO_UNPAUSE,

    /* from the monitor */
    PROTO_REPLY = 64, /* value: 0 or an errno value; bytes: text. To ATTACH: a struct proto_attached */
    PROTO_STDOUT,
    PROTO_STDERR,
    PROTO_EXIT, /* value: exit code */
};

enum { PROTO_DATA_MAX = 32 * 1024 };

struct proto_head {
    uint32_t type;
    uint32_t size;
    int64_t value;
};

/*
 * The log's position at the attach: all lines that were finished before are there; the unfinished one and all
 * that follows is sent.
 */
struct proto_attached {
    uint64_t log_offset;    /* bytes in the current log file */
    uint64_t log_rotations; /* since the monitor's start */
};
