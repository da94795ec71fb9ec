/* The server: the request threads of a daemon process. C threads that wait in epoll themselves and run requests through the gateway; Go decides
 * when they start and stop, and watches them through mwd_watch. */
#ifndef MWD_SERVER_H
#define MWD_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../interp/gateway.h"
#include "../seats.h"

/* What Go can see of a request thread at any time. Times are nanoseconds of CLOCK_MONOTONIC. Written by the thread. */
enum { MWD_IDLE, MWD_READING, MWD_RUNNING };
typedef struct mwd_watch {
    _Atomic int64_t since;      /* when its request was picked up; 0: it has none */
    _Atomic uint64_t request;   /* counts its requests: tells one from the next */
    _Atomic uint64_t python_id; /* threading.get_ident() of the thread, for what is raised in it */
    char group[128];            /* application group of the request, cut; valid while since is set */
    char method[16], uri[256];  /* its method and URI, cut; the same */
} mwd_watch;

/* Everything that Go decides before the threads start. Lives as long as the process. */
typedef struct mwd_server_options {
    int listener;               /* non-blocking, listening */
    uint32_t peer_uid;          /* who may connect beside root: the user of Apache's children */
    mwd_hall hall;              /* the group's part of the board */
    mwd_slot *slot;
    uint32_t serial;
    unsigned threads;
    size_t stack_size;          /* of a thread, 0: the system's */
    unsigned flags;             /* MW_CALL_MULTITHREAD, _MULTIPROCESS, _RUN_ONCE: facts of this group */
    int64_t socket_timeout;     /* of one read or write, milliseconds */
    uint64_t maximum_requests;  /* 0: none */
    const char *process_group;
    const char *chroot;         /* NULL: none */
    int wake;                   /* an eventfd for Go: written when `events` changes */
} mwd_server_options;

/* What C counts and Go interprets. Go also looks at mw_scripts_loaded (gateway.h). */
enum {
    MWD_EVENT_MAXIMUM_REQUESTS = 1, /* that many are done */
    MWD_EVENT_SCRIPT_CHANGED = 2,   /* a request found its script changed, and was sent back */
    MWD_EVENT_FINISHED = 8,         /* a request has ended; only while `report_end` is set */
    MWD_EVENT_FIRST = 16,           /* the first request is there */
    MWD_EVENT_LOADED = 32,          /* mw_applications() has grown */
};
typedef struct mwd_state {
    _Atomic uint32_t events;        /* MWD_EVENT_*, cleared by Go */
    _Atomic uint32_t report_end;    /* set by Go while it waits for requests to end */
    _Atomic uint64_t started, finished; /* requests */
    _Atomic uint64_t received, returned; /* permits: that came with a request, that were given back for one */
    _Atomic int64_t active;         /* when the application last did something: time of its start, a read, a block of output */
    _Atomic uint32_t left;          /* a request was left to processes that have its script: this one need not have loaded any */
    _Atomic int connections;
    mwd_watch *threads;             /* options.threads of them */
} mwd_state;
extern mwd_state mwd_this;

/* Starts the first request thread, which can load applications from then on. NULL, or a static text that says what failed. */
const char *mwd_server_prepare(const mwd_server_options *options);
/* load.c. mw_load_application() on the first request thread; returns when that is done. From one thread, between prepare and start. */
typedef struct mwd_load {
    const char *script, *group, *callable;
    bool quiet;
    char *failure; /* what it returns, the caller's */
} mwd_load;
void mwd_load_on_request_thread(mwd_load *load);
/* Starts the other request threads, and has all wait for requests. NULL, or a static text that says what failed. */
const char *mwd_server_start(void);
/* No further requests: closes the listener and idle connections, and lets each thread end when it is done with its request. Does not wait. */
void mwd_server_stop(void);
/* Request threads that have not ended. */
int mwd_server_running(void);
/* Permits that children have taken, and for which no request has arrived: it is on its way for microseconds, or for ever if the child was killed. */
int mwd_permits_under_way(void);

/* The mw_ops of requests; with transport NULL, and in a forked copy, records go to the error log, descriptor 2. */
extern const mw_ops mwd_server_ops;

/* How records outside requests look: the pieces of ErrorLogFormat that can be filled in here. Set once, before anything is logged. */
typedef enum mwd_log_piece_kind {
    MWD_LOG_TEXT, MWD_LOG_TIME, MWD_LOG_TIME_MICROSECONDS, MWD_LOG_TIME_COMPACT, MWD_LOG_LEVEL, MWD_LOG_PID, MWD_LOG_TID, MWD_LOG_MODULE, MWD_LOG_MESSAGE,
} mwd_log_piece_kind;
typedef struct mwd_log_piece {
    mwd_log_piece_kind kind;
    const char *text;
} mwd_log_piece;
typedef struct mwd_log_format {
    const mwd_log_piece *pieces;
    size_t n;
    int level;                  /* LogLevel of this module, syslog's number */
} mwd_log_format;
void mwd_log_set_format(const mwd_log_format *format);
int mwd_log_level(void); /* of that log */
/* One record to descriptor 2, in any thread and in a forked copy. */
void mwd_log_write(int level, const char *text, size_t n);

/* signals.c. Installs handlers that write the number of the signal, one byte, to the descriptor, or end a forked copy of the process with
 * status 255: Go's own handlers would swallow the signal there. 0, or an errno. */
int mwd_signals_catch(const int *signals, size_t n, int fd);

/* crash.c. Ends the process by the signal of its crash, as it would end without Go. To be called when Go's handlers are there. 0, or an errno. */
int mwd_crash_catch(void);
struct sigaction;
bool mwd_crash_handles(const struct sigaction *action);
/* From now on crashes write to the descriptor: MWD_CRASH_BEGIN and the signal, what mw_stacks_dump() writes, MWD_CRASH_END, each a line. They wait
 * for mwd_crash_told(), for half a second at most. */
#define MWD_CRASH_BEGIN "crash "
#define MWD_CRASH_END "end of stacks"
void mwd_crash_report(int fd);
void mwd_crash_end(void);
void mwd_crash_told(void);
void mwd_crash_directory(const char *path); /* for core dumps; must stay */

/* descriptors.c. Which descriptors copies of the process, made by fork(), are not to keep. Any thread. Disown one before it is closed. */
void mwd_own(int fd);
void mwd_disown(int fd);
int mwd_close_own_in_copies(void); /* 0, or an errno */
/* Gives the process the limit of descriptors that it was started with. 0, or an errno. */
int mwd_restore_descriptor_limit(void);

#endif
