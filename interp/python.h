/* Internals of the gateway shared by the C files of this package. Not for transports. */
#ifndef MW_PYTHON_H
#define MW_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "gateway.h"

#ifdef Py_GIL_DISABLED
#error "a free-threaded build of Python is not supported: the gateway relies on the GIL"
#endif
#if PY_VERSION_HEX < 0x030A0000
#error "mod_wsgi needs CPython 3.10 or later"
#endif

/* ---- The process (process.c) ---- */

/* What one interpreter is given, decided by Go when it is created. The strings are malloc'ed, and freed by mw_interp_options_clear(). */
typedef struct mw_interp_options {
    char **python_path;        /* layers of WSGIPythonPath, ':' between directories; each goes in front of the one before */
    size_t n_python_path;
    int own_gil;               /* only where CPython knows that, 3.12 */
    int restrict_signal, restrict_stdin, restrict_stdout;
    double switch_interval;    /* of the GIL, in seconds; 0 leaves it alone */
    char *warning;             /* what to log of all this, or NULL */
} mw_interp_options;

/* A Python file that is part of this package. */
typedef struct mw_source {
    const char *name, *text;
} mw_source;

/* How to start Python, decided by Go from the configuration. Strings are NUL-terminated UTF-8, NULL where not set. */
typedef struct mw_python_options {
    const char *program;       /* what sys.executable becomes */
    const char *home;          /* sys.prefix */
    const char *const *warnings; /* -W filters */
    size_t n_warnings;
    int optimize;              /* 0 to 2 */
    int dont_write_bytecode;
    int has_hash_seed;
    unsigned long hash_seed;
    const mw_source *sources;  /* of what every interpreter is given, to be run in this order in one namespace */
    size_t n_sources;
    /* Facts for the modules mod_wsgi and apache. */
    int apache_version[3], module_version[3];
    const char *server_description, *server_mpm, *server_built;
    int server_processes, server_threads; /* the MPM's; a daemon process has others of its own */
    const char *process_group;
    const char *egg_cache;     /* PYTHON_EGG_CACHE, NULL: as it is */
    const char *first_path;    /* put first in sys.path, NULL: nothing */
    int maximum_processes, threads_per_process;
    int keep_stdio;            /* a single process on a terminal */
    int telemetry;             /* WSGITelemetryService is set: applications get no metrics */
    mw_interp_options main;    /* of the main interpreter */
} mw_python_options;

typedef struct mw_process {
    mw_python_options options;
    const mw_ops *ops; /* for log records outside a request */
    pid_t pid;         /* of the process that started Python; another pid is a forked copy */
    double started;    /* seconds since the epoch */
    volatile int *original; /* 1 here, 0 in a forked copy; NULL where the kernel can't do that */
    bool running;
} mw_process;

/* The one table of this process, set once by mw_python_start() and constant afterwards. CPython is one per process. */
extern mw_process mw_this;

/* Starts Python. options are the caller's and must live as long as the process. Returns NULL, or a malloc'ed text that
 * says why not. The calling thread becomes Python's main thread and holds no GIL on return. */
char *mw_python_start(const mw_python_options *options, const mw_ops *ops);

/* shutdown.c. Makes the thread that mw_python_stop() uses. False if that is not possible. */
bool mw_python_prepare_stop(void);

/* ---- Interpreters and threads (interpreter.c) ---- */

/* Names used on every request, one reference each per interpreter. */
#define MW_NAMES(X) \
    X(application_start, "mod_wsgi.application_start") X(apache_version, "apache.version") X(close, "close") \
    X(daemon_start, "mod_wsgi.daemon_start") X(errors, "wsgi.errors") X(file_wrapper, "wsgi.file_wrapper") \
    X(filelike, "filelike") X(input, "wsgi.input") X(input_terminated, "wsgi.input_terminated") \
    X(module_version, "mod_wsgi.version") X(mtime, "__mtime__") X(multiprocess, "wsgi.multiprocess") \
    X(multithread, "wsgi.multithread") X(queue_start, "mod_wsgi.queue_start") X(reload_required, "reload_required") \
    X(request_rec, "apache.request_rec") X(request_start, "mod_wsgi.request_start") X(run_once, "wsgi.run_once") X(tell, "tell") \
    X(thread_id, "mod_wsgi.thread_id") X(url_scheme, "wsgi.url_scheme") X(wsgi_version, "wsgi.version") \
    X(http, "http") X(https, "https") X(is_https, "mod_ssl.is_https") X(var_lookup, "mod_ssl.var_lookup")

typedef struct mw_names {
#define X(field, text) PyObject *field;
    MW_NAMES(X)
#undef X
} mw_names;

enum { MW_KEY_CACHE = 1024 /* slots, a power of two */, MW_SCRIPT_BUCKETS = 64 };

/* A script as this interpreter knows it. Lives as long as the interpreter. */
typedef struct mw_script {
    struct mw_script *next;
    char *path;
    PyObject *name;         /* of its module in sys.modules; a reference */
    pthread_mutex_t lock;   /* held while it is loaded; never taken with the GIL held */
    /* Guarded by its interpreter's GIL: */
    struct mw_known *known; /* what was found in it */
    mw_version version;     /* that was loaded last, */
    double loaded;          /* and when, in seconds since the epoch */
    mw_version bad;         /* that could not be loaded, see MW_TRY */
    /* Guarded by deployment.c: */
    mw_version awaited;     /* that a process is being made of, for the request that found it, */
    unsigned holds;         /* and how often mw_hold() had been called then */
} mw_script;

/* An application on the list of mw_applications(), and the next one of its script. */
typedef struct mw_known {
    struct mw_known *next;
    mw_application application;
} mw_known;

/* One interpreter, for one application group. Never freed. */
typedef struct mw_interp {
    struct mw_interp *next; /* in its bucket; set before it is published */
    char *group;
    size_t number;          /* index into mw_thread.states */
    mw_interp_options options;
    PyInterpreterState *state;
    /* References, guarded by this interpreter's GIL. */
    mw_names names;
    PyTypeObject *adapter_type, *input_type, *log_type;
    PyObject *file_wrapper, *text_wrapper, *text_wrapper_args, *format_exception, *request_timeout, *compile, *shutdown;
    PyObject *wsgi_version, *module_version, *apache_version;
    PyObject *event_callbacks, *shutdown_callbacks, *signal_callbacks; /* lists, which applications may change */
    PyObject *active_requests; /* a dict by request id, NULL until somebody asks for it */
    PyObject *collections;     /* look() of collections.py, the same */
    struct mw_request *requests; /* all that run, linked by `next` */
    PyObject *keys[MW_KEY_CACHE]; /* CGI variable names seen before, by hash */
    mw_script *scripts[MW_SCRIPT_BUCKETS];
} mw_interp;

struct mw_request;

typedef _Atomic uint64_t mw_counter; /* cgo has no atomics, but keeps the names of types */
typedef struct mw_meter mw_meter; /* meter.h */

/* One operating system thread that has entered Python. Owned by that thread, freed by it when it ends. */
typedef struct mw_thread {
    unsigned number;           /* mod_wsgi.thread_id: order of first use, 0 is the thread that started Python */
    PyThreadState **states;    /* by mw_interp.number */
    size_t n_states;
    struct mw_request *request; /* whose application is running on this thread, or NULL */
    struct mw_request *serving; /* the same from before its script is looked at until everything is over */
    char *output;              /* MW_OUTPUT_SIZE bytes for small answers */
    bool output_in_use;        /* by a request that is not over; one inside it must not touch it */
    unsigned depth;            /* of mw_run(): a transport may run a request within another one's operation */
    mw_meter *meter;           /* what it has done, NULL until requests are counted */
    bool counting;             /* it may hold the meter's lock */
} mw_thread;

enum { MW_OUTPUT_SIZE = 65536, MW_MOST_INTERPRETERS = 512 };

/* The calling thread's record, made on first use. NULL when out of memory. */
mw_thread *mw_thread_self(void);
mw_thread *mw_thread_known(void); /* the same, NULL if it has none */
/* True if the calling thread is inside mw_run(), so that it may hold locks. Safe in a signal handler. */
bool mw_thread_inside(void);

/* Finds or creates the interpreter of an application group. The caller holds no GIL. NULL with the code of the failure. */
mw_interp *mw_interp_get(const char *group, int *code);

/* The interpreter of an application group if there is one: none is made for this. */
mw_interp *mw_interp_known(const char *group);

/* Calls `visit` for every interpreter there is, the main one last. No GIL held. */
void mw_interp_each(void (*visit)(mw_interp *interp, void *context), void *context);

/* Takes the interpreter's GIL with this thread's state for it; paired with mw_leave. False when out of memory. */
bool mw_enter(mw_interp *interp, mw_thread *thread);
void mw_leave(void);

/* The record of the interpreter that the calling thread is in. The caller holds its GIL. Borrowed. */
mw_interp *mw_interp_current(void);

/* subinterpreter.c. Makes a sub-interpreter with the options' GIL. The caller holds the main interpreter's GIL, with the thread state
 * that is current; on return, with the new interpreter's first thread state, its own (in place of the main one's, if there are two). On
 * failure NULL, an exception, and everything as it was. */
PyThreadState *mw_subinterpreter_new(const mw_interp_options *options);
/* sys.setswitchinterval(): false with an exception. GIL held. */
bool mw_switch_interval_set(double seconds);
/* sys.getswitchinterval() of the main interpreter, 0 if that can't be told. Takes its GIL; no GIL held. */
double mw_switch_interval(void);
void mw_interp_options_clear(mw_interp_options *options);

/* gilstate.c. Makes PyGILState_Ensure() on this thread mean `state`, which it is about to take the GIL with. Python before 3.12 keeps
 * the first state of a thread for ever, so that an extension that uses it (sqlite3's callbacks do) would deadlock in every
 * other interpreter; later versions do this themselves. */
void mw_gilstate_follow(PyThreadState *state);
/* gilstate.c. Makes os.fork() in the main interpreter work beside sub-interpreters. Once; false if out of memory. */
bool mw_gilstate_prepare_fork(void);
PyThreadState *mw_gilstate_state(void); /* what it means now; NULL in later versions */

/* Called by process.c once Python runs. */
mw_interp *mw_interp_adopt_main(PyThreadState *state);

/* ---- Requests (gateway.c and its parts) ---- */

/* Processor time of a thread, in seconds. */
typedef struct mw_cpu {
    double user, system;
} mw_cpu;
bool mw_cpu_now(mw_cpu *cpu); /* of the calling thread; events.c */

/* What a request has done so far. Times are in nanoseconds. */
typedef struct mw_measures {
    bool on;                      /* somebody wants to know how long things take, which costs a little */
    uint64_t input_reads;         /* of the transport */
    uint64_t output_writes, output_bytes; /* by the application, before a Content-Length cuts them */
    uint64_t gil_waits;
    int64_t input_time, output_time, gil_wait; /* in the transport, and waiting for the GIL */
} mw_measures;

/* A request while it runs: on the stack of mw_run(), pointed at by the Python objects made for it, which forget it at its end. */
typedef struct mw_request {
    mw_call *call;
    mw_interp *interp;
    mw_thread *thread;
    mw_script *script;            /* once it was found */
    struct mw_adapter *adapter;   /* references, all three */
    struct mw_input *input;
    struct mw_log *log;
    PyObject *status, *headers;   /* of start_response, references or NULL */
    bool committed;               /* status and headers are the transport's */
    bool may_leave;               /* if the script can't be loaded, see MW_TRY */
    bool is_program;              /* no request: a script that may end with SystemExit, see imports.c */
    struct mw_request *outer;     /* that this one runs within, on the same thread, or NULL */
    PyThreadState *outer_state;   /* of that one, or NULL */
    struct mw_request *outer_serving; /* the same for mw_thread.serving */
    struct mw_request *next, *previous; /* that run in the same interpreter */
    PyObject *data;               /* its scratchpad, see request_data(): a dict, or NULL until somebody asks for it */
    bool timed_out;               /* RequestTimeout has ended it */
    unsigned metered;             /* MW_METER_*: for whom it is counted */
    mw_measures measures;
    bool cpu_known;               /* when it began, was: */
    mw_cpu cpu_start;
    double application_finish;    /* seconds since the epoch, 0 if it has not come to that; and what was known then: */
    int final_status;
    uint64_t input_returned;      /* bytes of its body that the application has read */
    double application_start;     /* seconds since the epoch */
    bool gone;                    /* the client is: writing failed */
    bool busy;                    /* a thread is inside the transport for it, see mw_io_begin */
    bool over;                    /* it ends: nobody gets into the transport any more */
    unsigned waiting;             /* threads in mw_io_begin */
    unsigned loggers;             /* threads that are writing to its log without the GIL */
    bool buffered;                /* its answer is in thread->output, which it holds */
    size_t pending;               /* bytes in thread->output, to be sent when the GIL is released for good */
    int64_t declared;             /* Content-Length of the answer, -1 if none */
    int64_t sent;                 /* bytes of the body given to the transport */
} mw_request;

/* gateway.c. Brings the calling thread to the request, and into the interpreter of its application group, with the GIL: true; or false with
 * the code of the failure, and no GIL. Paired with mw_request_leave() either way, which takes the thread back to where it was, without
 * the GIL. */
bool mw_request_enter(mw_request *request, int *code);
void mw_request_leave(mw_request *request);
/* gateway.c. Expires what was made for the request and lets go of it, when no thread of the application's is inside it any more. `errors` is
 * wsgi.errors, a reference that is consumed, or NULL. GIL held, released meanwhile. */
void mw_request_expire(mw_request *request, PyObject *errors);

/* gateway.c. Applications may read and write from threads of their own, transports serve one at a time: paired, GIL held; they
 * wait without it. False with an exception if the request ended meanwhile: it must not be touched then. A request ends when nobody
 * is inside or waits. In a forked copy mw_io_begin does not return. */
bool mw_io_begin(mw_request *request);
void mw_io_end(mw_request *request);
/* For what the application calls: false with an exception in a forked copy, which has no business with the transport. */
bool mw_io_allowed(void);
/* Ends a forked copy of the process in which the application's code returned to us: it must not go on as a server. GIL held. */
void mw_end_forked_copy(void);

/* environ.c. A new dict for the request, or NULL with an exception. GIL held. */
PyObject *mw_environ_new(mw_request *request, PyObject *errors);
/* The same for a script that is asked about the request. tls: NULL for one that dispatches it, which gets less. */
PyObject *mw_environ_to_ask(mw_request *request, PyObject *errors, PyObject *tls);
/* The interned str of a CGI variable's name: a new reference. GIL held. */
PyObject *mw_key(mw_interp *interp, const char *text);

/* adapter.c: start_response and write. */
PyTypeObject *mw_adapter_type_new(void);
struct mw_adapter *mw_adapter_new(mw_request *request);          /* new reference */
PyObject *mw_adapter_start_response(struct mw_adapter *adapter); /* the bound method; new reference */
void mw_adapter_expire(struct mw_adapter *adapter);
/* Hands status and headers to the transport. 0, or -1 with an exception. With length >= 0 a Content-Length is added if there is none. */
int mw_commit(mw_request *request, int64_t length);

/* tls.c: 1 or 0, and the value of a variable, given as str or bytes, or None; new references, NULL with an exception. GIL held, and nobody
 * else inside the call's transport. */
PyObject *mw_call_is_https(const mw_call *call);
PyObject *mw_call_tls_variable(const mw_call *call, PyObject *name);
/* mod_ssl.is_https and mod_ssl.var_lookup. What both are bound to, as a new reference; they raise RuntimeError once it was expired. */
PyObject *mw_tls_new(mw_request *request);
PyObject *mw_tls_is_https(PyObject *tls);   /* the function: new reference */
PyObject *mw_tls_var_lookup(PyObject *tls); /* the function: new reference */
void mw_tls_expire(PyObject *tls);

/* requests.c: which requests run, for request_data() and active_requests; a question is none. Both: GIL held, on the request's thread. */
void mw_request_begin(mw_request *request);
void mw_request_end(mw_request *request);
/* The scratchpad of a request that has begun: borrowed, NULL with an exception. GIL held. */
PyObject *mw_request_data(mw_request *request);
/* The value of a CGI variable, NULL if there is none. */
const char *mw_request_variable(const mw_request *request, const char *key);
extern PyMethodDef mw_request_data_method, mw_active_requests_method; /* for modules.py */

static inline double mw_now(void) /* seconds since the epoch */
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* Letting go of the GIL while something blocks in a request's transport, and taking it again; how long that takes is measured. */
static inline int64_t mw_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
static inline void mw_count_gil_wait(mw_measures *measures, int64_t began)
{
    measures->gil_wait += mw_nanoseconds() - began;
    measures->gil_waits++;
}
static inline void mw_take_gil(mw_request *request, PyThreadState *state)
{
    int64_t began = request->measures.on ? mw_nanoseconds() : 0;
    PyEval_RestoreThread(state);
    if (began)
        mw_count_gil_wait(&request->measures, began);
}

/* meter.c: counting requests once somebody wants it. No GIL needed. mw_meter_begin sets request->metered, and is a pair with mw_meter_end if that is
 * not 0 then; result is what mw_run() makes of the request. The meter of a thread that ends goes back. */
enum { MW_METER_API = 1, MW_METER_TELEMETRY = 2, MW_METER_SLOW = 4, MW_METER_RECORD = MW_METER_API | MW_METER_TELEMETRY };
extern atomic_uint mw_metering; /* MW_METER_*: for whom */
void mw_meter_begin(mw_request *request);
void mw_meter_application(mw_request *request); /* the application is about to be called */
void mw_meter_end(mw_request *request, int result);
void mw_meter_give_back(mw_meter *meter);
extern PyMethodDef mw_record_method, mw_drain_method, mw_totals_method, mw_server_method; /* for metrics.py */

/* events.c: what the application's callbacks are told. GIL held, released by what they do; they may run for as long as they like, and in a
 * forked copy the copy ends. An exception of theirs is logged and changes nothing, except RequestTimeout, which is left to the caller
 * where it says so. Nothing is done if nobody listens. */
/* May replace the application, a reference. False with RequestTimeout. */
bool mw_publish_request_started(mw_request *request, PyObject **application, PyObject *environ);
/* False with RequestTimeout. */
bool mw_publish_response_started(mw_request *request, PyObject *status, PyObject *headers, PyObject *exc_info);
void mw_publish_request_exception(mw_request *request, PyObject *kind, PyObject *value, PyObject *traceback);
void mw_publish_request_finished(mw_request *request);
/* True if anybody listens to the interpreter's events. A forked copy has none to tell. GIL held. */
static inline bool mw_events_wanted(const mw_interp *interp)
{
    return PyList_GET_SIZE(interp->event_callbacks) > 0 && !mw_is_forked_copy();
}
/* In every interpreter, one after the other; no GIL held. The first one is told once only: later calls do nothing. */
void mw_publish_process_stopping(const char *reason);
void mw_publish_process_signal(const char *name, int number);

/* input.c: wsgi.input. */
PyTypeObject *mw_input_type_new(void);
struct mw_input *mw_input_new(mw_request *request); /* new reference */
uint64_t mw_input_returned(const struct mw_input *input); /* bytes that the application has read */
void mw_input_expire(struct mw_input *input);

/* log.c: wsgi.errors, sys.stderr and sys.stdout. */
PyTypeObject *mw_log_type_new(void);
struct mw_log *mw_log_new(mw_interp *interp, const char *name, mw_request *request); /* new reference; request NULL: by thread */
PyObject *mw_log_text(mw_interp *interp, struct mw_log *log); /* io.TextIOWrapper over it: new reference */
void mw_log_expire(struct mw_log *log);                       /* writes what is left of a line; later writes raise */
extern PyMethodDef mw_inform_method, mw_log_method, mw_log_enabled_method; /* for bootstrap.py and modules.py */

/* output.c: what the application returned. 0 when it was handed over or the client is gone, -1 with an exception. */
int mw_send_result(mw_request *request, PyObject *result);
/* One block for the transport, GIL held, released meanwhile. 0; or -1: without an exception and with *reason when the client is gone, with
 * one when the request ended meanwhile (not possible on its own thread). */
int mw_send_block(mw_request *request, PyObject *bytes, bool flush, const char **reason);

/* script.c. The script's module dict, loaded or reloaded as needed: a new reference; or NULL after having logged why, with the
 * HTTP status. GIL held, released meanwhile. */
PyObject *mw_script_dict(mw_request *request, int *status);

/* deployment.c. Notes that an interpreter has loaded a script and, unless the callable is "", found that in it. GIL held. */
void mw_note_application(mw_interp *interp, mw_script *script, const char *callable);
bool mw_same_version(mw_version a, mw_version b);
/* Whether a request passes over a change of the script: its file is as it was when a process could not be made of it, see mw_hold(), or as another
 * request found it, which waits for the process that is made of it. False for that other one. No GIL held. */
bool mw_passes_over(mw_script *script);

/* ---- What a daemon process needs besides requests ---- */

/* imports.c. Loads a script into the interpreter of an application group, on the calling thread, unless it is loaded already; requests find
 * it there. with is_program SystemExit is silent. False when the script could not be loaded; why was logged then. No GIL held. */
bool mw_import_script(const char *script, const char *application_group, bool is_program);
/* imports.c. For processes that only run scripts: SIGTERM raises SystemExit in the main interpreter. On Python's main thread, no GIL held.
 * False when that failed, which was logged. */
bool mw_exit_on_sigterm(void);
bool mw_told_to_exit(void); /* whether it has */

/* interrupt.c. Raises mod_wsgi.RequestTimeout in the thread with that threading.get_ident(), at its next bytecode in the application group's
 * interpreter, if *request is still `number`. `tell` logs what the thread does. May wait for the interpreter's GIL. False when there
 * was nothing to interrupt. No GIL held, not on a thread with a request. */
bool mw_interrupt(const char *application_group, unsigned long python_id, const mw_counter *request, uint64_t number, bool tell);
/* To be called by a thread when it begins a request: an interrupt that came too late for the one before must not hit this one. GIL held.
 * Borrowed from nobody, frees the exception. */
static inline void mw_interrupt_forget(void)
{
    PyThreadState *state = PyThreadState_Get();
    if (__builtin_expect(state->async_exc != NULL, 0))
        PyThreadState_SetAsyncExc(state->thread_id, NULL);
}

/* probe.c. Takes the main interpreter's GIL and lets go of it. False where Python does not run. No GIL held. */
bool mw_probe(void);

/* collections.c. What the garbage collectors of at most so many interpreters have done: for each its application group and numbers, NUL-terminated, n
 * bytes in all, malloc'ed; source is collections.py. Takes one GIL after the other: may wait for ever. No GIL held. */
char *mw_collections(const char *source, size_t most, size_t *n);

/* stacks.c. Where the threads of every interpreter are, in lines of text, malloc'ed; NULL when out of memory. Takes one GIL after
 * the other: may wait for ever. No GIL held. */
char *mw_stacks(void);
/* The same for one thread, in the current interpreter; NULL if it does not run there. GIL held. Clears exceptions. */
char *mw_stack_of(unsigned long python_id);

/* failure.c: every failure is a WSGI#### code; Go words it and says which HTTP status it means. */
/* Logs the current exception with its traceback under the code (another one for SystemExit) and clears it. GIL held; it is
 * released meanwhile. Returns the status. */
int mw_fail_exception(mw_request *request, int code, int code_if_exit);
/* Logs a failure without an exception; detail may be NULL. Without a transport the codes are those of scripts that no request asks for. No
 * GIL held. Returns the status. */
int mw_fail(const mw_call *call, int code, const char *detail);
/* Logs text line by line; transport NULL: to the server's log; origin may be NULL. No GIL needed. */
void mw_log_lines(const mw_ops *ops, void *transport, int level, const mw_origin *origin, const char *text, size_t n);
/* One record outside a request, at one of gateway.h's levels. */
void mw_log_outside(const mw_ops *ops, int level, const char *text);
/* For bootstrap.py and modules.py. */
extern PyMethodDef mw_explain_refusal_method, mw_report_method;

/* ---- Go (exports.go). Called without the GIL, never in a forked copy. Results are malloc'ed; the caller frees. ---- */
typedef const char mw_text; /* cgo knows no const, but keeps the names of types */
/* Fills in the options of the interpreter of an application group. */
extern void goMwInterpreterOptions(mw_text *group, mw_interp_options *options);
extern char *goMwScriptName(mw_text *path);
/* Reads a script. NULL and *reason (malloc'ed) when it can't be read. *mtime is of what was read. */
extern char *goMwScriptRead(mw_text *path, size_t *n, int64_t *mtime, char **reason);
/* Whether to load a script, in this version, that is not loaded here but may be in other processes of the group. May wait. */
typedef enum mw_advice {
    MW_LOAD,  /* yes */
    MW_TRY,   /* yes, but if that fails others can take the request */
    MW_LEAVE, /* no, others take it */
} mw_advice;
extern mw_advice goMwAdvise(mw_text *script, mw_text *group, mw_version *version, int reloading);
/* What the server's processes do, as JSON of n bytes; NULL if that is not known here. May wait. */
extern char *goMwServerMetrics(size_t *n);
/* Python ends in a child of Apache's with telemetry: before it does, and after. */
extern void goMwStopping(bool over);
/* Words a failure, as one log record, and says which HTTP status it means. Texts may be NULL. asked: mw_call.asked. The first line of detail
 * is for the record; what follows is a traceback to learn from. */
extern char *goMwExplain(int code, mw_text *script, mw_text *group, mw_text *asked, mw_text *detail, int *status);
/* What to log when an extension module could not be loaded: NULL unless it refuses this interpreter. */
extern char *goMwRefused(mw_text *module, mw_text *exception, mw_text *group);

#endif
