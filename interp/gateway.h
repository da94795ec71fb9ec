/* The gateway to CPython, as a transport sees it: everything here is plain C, without Python.h.
 *
 * A transport (Apache's request in `module`, a socket in `daemon`) fills a mw_call and calls mw_run(); the gateway
 * answers through the transport's mw_ops. Neither knows the other's types. */
#ifndef MW_GATEWAY_H
#define MW_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Log levels of mw_ops.log, with syslog's numbers (the same as Apache's APLOG_*). */
enum { MW_LOG_CRIT = 2, MW_LOG_ERR = 3, MW_LOG_WARNING = 4, MW_LOG_INFO = 6, MW_LOG_DEBUG = 7, MW_LOG_TRACE1 = 8 };

/* Results of mw_ops.read besides a count of bytes. */
enum { MW_READ_FAILED = -1, MW_READ_WOULD_BLOCK = -2 };

/* Where a log record comes from, if not from the gateway: a file of the application's, and a line in it. */
typedef struct mw_origin {
    const char *file;
    int line;
} mw_origin;

/* What a transport does for the gateway. `transport` is mw_call.transport.
 *
 * No operation touches Python. Those marked "blocks" are called without the GIL; the others only handle memory and are
 * called with it. An operation that fails may point *reason at a static or request-lived text. */
typedef struct mw_ops {
    /* Reads at most n bytes of the request body: a count, 0 at its end, or MW_READ_*. Blocks if `block` is set; otherwise
     * answers MW_READ_WOULD_BLOCK when nothing has arrived. n = 0 announces that the application wants the body
     * (RFC 9110, 100 Continue) and reads nothing. */
    long (*read)(void *transport, char *buffer, size_t n, int block, const char **reason);

    /* Takes the status line ("200 OK", at least three digits) and then each header, in order. Copies what it keeps. */
    void (*begin)(void *transport, int status, const char *line);
    void (*header)(void *transport, const char *name, const char *value);
    /* Announces the length of the body, in bytes. */
    void (*content_length)(void *transport, int64_t length);

    /* Sends a block of the body; with `flush`, returns when the client's socket has taken it. Blocks. 0, or -1 when the
     * client is gone. The data is the caller's again on return. */
    int (*write)(void *transport, const char *data, size_t n, int flush, const char **reason);
    /* Sends length bytes of a regular file from offset on. Leaves descriptor and position as they were; with `own`, the descriptor is
     * the transport's to close, whatever the result, and nobody else uses its position. Blocks. 0, -1 when the client is gone, or -2 when
     * the file can't be sent. */
    int (*send_file)(void *transport, int fd, int64_t offset, int64_t length, int own, const char **reason);

    /* Writes one record (no newline in it, n bytes) to the error log of the request, or of the server if transport is
     * NULL. origin may be NULL. Works on any thread and in a forked copy of the process; never enters Go. */
    void (*log)(void *transport, int level, const mw_origin *origin, const char *text, size_t n);
    /* The last level that gets into that log. */
    int (*log_level)(void *transport);
    /* Writes to the request's log what somebody else has to say of it: on any thread, beside everything that goes on with the request, which is kept
     * from ending meanwhile. Never waits for the client. False if that is not possible now, or NULL. */
    bool (*log_aside)(void *transport, int level, const char *text, size_t n);

    /* Tells that something of the application's is about to run for the request, perhaps more than once. Called with the GIL, so it must not
     * block. NULL in a transport that does not want to know. */
    void (*running)(void *transport);

    /* What mod_ssl knows of the client's connection: whether it is encrypted, and the value of a variable, which lives as long as the
     * request, or NULL. Work in a forked copy. Both NULL in a transport without that connection. */
    bool (*is_https)(void *transport);
    const char *(*tls_variable)(void *transport, const char *name);
} mw_ops;

/* One CGI variable: NUL-terminated latin-1 (keys: ASCII). A NULL value stands for None. */
typedef struct mw_pair {
    const char *key, *value;
} mw_pair;

enum {
    MW_CALL_RELOADING = 1,    /* WSGIScriptReloading On: compare modification times */
    MW_CALL_MULTITHREAD = 2,  /* wsgi.multithread */
    MW_CALL_MULTIPROCESS = 4, /* wsgi.multiprocess */
    MW_CALL_RUN_ONCE = 8,     /* wsgi.run_once */
    MW_CALL_HTTPS = 16,       /* wsgi.url_scheme is https */
    MW_CALL_RESTART = 32,     /* a script that has changed is not loaded again: the request that finds it first is for another process, MW_AGAIN */
    MW_CALL_UNNOTICED = 64,   /* WSGIIgnoreActivity: of no account for a transport that ends idle processes */
};

#define MW_MTIME_UNKNOWN INT64_MIN

/* One request for an application. Everything is the transport's and lives at least as long as mw_run(). */
typedef struct mw_call {
    const mw_ops *ops;
    void *transport;
    const char *application_group; /* "" is the main interpreter */
    const char *script;            /* absolute path of the WSGI script */
    const char *callable;          /* name of the application object in it */
    const char *resource;          /* SCRIPT_FILENAME, for the script's reload_required(); NULL: that is not asked */
    const char *asked;             /* the function that mw_ask() asks, its own; NULL for requests */
    int64_t script_mtime;          /* of the script, microseconds since the epoch, or MW_MTIME_UNKNOWN: the gateway asks */
    int64_t content_length;        /* of the request body in bytes; -1: not known */
    unsigned flags;                /* MW_CALL_* */
    const mw_pair *environ;
    size_t n_environ;
    void *native_request;          /* for apache.request_rec; NULL: the application does not get it */
    double request_start, queue_start, daemon_start; /* seconds since the epoch, 0.0 where not applicable */
    unsigned daemon_connects, daemon_restarts; /* attempts to reach a process, and processes that sent the request back */
    char *why;                     /* where the record of a failure is put as well, cut to n_why bytes; NULL: nowhere */
    size_t n_why;
} mw_call;

static inline void mw_about_to_run(const mw_call *call)
{
    if (call->transport && call->ops->running)
        call->ops->running(call->transport);
}

/* What became of a request. */
enum {
    MW_ANSWERED = 0, /* status, headers and body were handed to the transport; it ends the answer */
    MW_CUT = -1,     /* failed after the headers: the transport must break the connection so that the client can tell */
    MW_SHORT = -2,   /* like MW_ANSWERED, but the body is shorter than the Content-Length that was announced */
    MW_AGAIN = -3,   /* nothing was done: the script has changed, see MW_CALL_RESTART */
    MW_ELSEWHERE = -4, /* nothing was done: the script is not loaded here, and as it is now not to be, but others of the group have it loaded */
    /* otherwise: an HTTP status; nothing was handed over, the transport answers with its own page for it */
};

/* Runs one request. The calling thread holds no GIL; it may be any thread of this process, also one that is inside an operation of
 * another request's transport (a sub-request). Enters Go only to create an
 * interpreter and to load a script. */
int mw_run(mw_call *call);

/* ---- Asking a script about a request: access control and dispatch (ask.c) ---- */

/* What can be asked: each is one function of the script, called with the environ and the question's texts. */
typedef enum mw_subject {
    MW_ASK_ACCESS,            /* allow_access(environ, host): MW_YES, MW_NO, MW_NOTHING */
    MW_ASK_PASSWORD,          /* check_password(environ, user, password): these; MW_TEXT is yes, under that name, in UTF-8 */
    MW_ASK_REALM_HASH,        /* get_realm_hash(environ, user, realm): MW_NOTHING; MW_TEXT */
    MW_ASK_GROUPS,            /* groups_for_user(environ, user): MW_TEXT, any number of names */
    MW_ASK_PROCESS_GROUP,     /* process_group(environ) and the next two: MW_NOTHING, also if there is no such function; MW_TEXT */
    MW_ASK_APPLICATION_GROUP,
    MW_ASK_CALLABLE,
} mw_subject;

/* What a script says. Everything that is not one of its function's answers is MW_FAILED: an exception, another value, a function, a script
 * or an interpreter that is not there. Zero, so that what was never asked has failed, too. */
typedef enum mw_answer { MW_FAILED = 0, MW_YES, MW_NO, MW_NOTHING, MW_TEXT } mw_answer;

typedef struct mw_question {
    mw_subject subject;
    const char *texts[2]; /* latin-1, as many as the function takes */
    mw_answer answer;
    char *text;           /* of MW_TEXT: n_texts NUL-terminated texts in a row, latin-1; malloc'ed, the caller's. NULL if there are none */
    size_t n_texts;
} mw_question;

/* Asks the script of the call n questions, in their order, until one fails: why was logged then. The functions get one and the same environ, made of
 * the call's and of what such scripts have besides (mod_ssl.*, wsgi.errors). Of the call's other fields those that tell about a body, a callable
 * and times are not used. The calling thread is as for mw_run(). Enters Go only to create an interpreter, to load a script, and to
 * word a failure. */
void mw_ask(mw_call *call, mw_question *questions, size_t n);

/* ---- What is deployed (deployment.c) ---- */

/* What a script's file is like at one moment. All zero: there is none. */
typedef struct mw_version {
    int64_t modified; /* nanoseconds since the epoch */
    int64_t size;
    uint64_t inode;
} mw_version;
mw_version mw_version_of(const char *path);

/* What this process has loaded: a script, in an application group, and a callable that was found in it; "" for the script as such. */
typedef struct mw_application {
    const struct mw_application *next; /* the one that was loaded before it */
    const char *script, *group, *callable;
    mw_version version; /* of the script when it was loaded first */
} mw_application;
/* The newest. Constant, never freed; any thread. */
const mw_application *mw_applications(void);
extern uint64_t mw_applications_known; /* how many there are. Accessed atomically. */

/* Loads the script into the interpreter of the application group, on the calling thread, unless it is loaded already; its callable has to be there,
 * too, unless it is "". NULL, or a malloc'ed text that says what failed, which was logged unless `quiet`. No GIL held. */
char *mw_load_application(const char *script, const char *application_group, const char *callable, bool quiet);

/* Lets requests with MW_CALL_RESTART pass over what has changed: no process could be made of the scripts as they are. It holds for a script until
 * its file changes again, or that of the culprit does (NULL: not known), whose version was this. Any thread without a GIL. */
void mw_hold(const char *culprit, mw_version version);

/* Ends Python at the end of the process: tells the subscribers of process_stopping unless they were told (they get no reason), then, unless
 * `only_tell`, joins each interpreter's threads for at most `seconds` and runs its exit functions. Waits for all that a second longer at the
 * most. May be called in a signal handler and on any thread, once. */
typedef enum mw_stop_result {
    MW_STOP_DONE,    /* everything has run */
    MW_STOP_NOTHING, /* Python was not running */
    MW_STOP_BUSY,    /* the calling thread is in the middle of a request: nothing was done */
    MW_STOP_LATE,    /* exit functions still run */
} mw_stop_result;
mw_stop_result mw_python_stop(double seconds, bool only_tell);

/* Prepares mw_stacks_dump() to write to a descriptor. Python runs, the caller holds no GIL. False: this CPython can't do it. */
bool mw_stacks_prepare(int fd);
/* Writes where Python's threads are, without any lock: for a process that is stuck or has crashed, and ends. Safe in a signal handler. False
 * where it has nothing to say. */
bool mw_stacks_dump(void);

/* True in a copy of the process made by fork(): Go does not live there, and the connections are its parent's. */
bool mw_is_forked_copy(void);

/* Scripts that were loaded with success, each load counted. Accessed atomically. */
extern uint64_t mw_scripts_loaded;

/* Calls from C into Go in this process, for the tests that hold the steady path to none. Written by Go's exports. */
extern uint64_t mw_go_entries;

#endif
