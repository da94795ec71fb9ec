/* Everything the C files of Apache's side share. See README.md for which of them runs in which process. */
#ifndef MW_EDGE_H
#define MW_EDGE_H

#include <httpd.h>

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <stdbool.h>
#include <stdint.h>

#include "../daemon/client/client.h"
#include "../interp/gateway.h"

/* Leaves of .htaccess files have this bit; their numbers mean something within one request only. */
#define MW_LOCAL_LEAF 0x80000000u

/* The release of the classic module whose behaviour this is: what applications see as mod_wsgi.version. */
#define MW_VERSION_MAJOR 6
#define MW_VERSION_MINOR 0
#define MW_VERSION_PATCH 5

extern module AP_MODULE_DECLARE_DATA wsgi_module;
APLOG_USE_MODULE(wsgi);

/* ---- What is recorded while the configuration is read (record.c) ---- */

/* Where a directive stood; the wire format of package directives uses the same bits. */
enum {
    MW_IN_VIRTUAL_HOST = 1,
    MW_IN_SECTION = 2,
    MW_IN_LIMIT = 4,
    MW_IN_HTACCESS = 8,
    MW_END_OF_SECTION = 16,
};

/* One directive as Apache met it. Never interpreted in C. */
typedef struct mw_record {
    const server_rec *server;
    uint32_t leaf, directive, context;
    const char *args, *file, *section;
    int line;
} mw_record;

/* The configuration of a directory-type section: which leaves it was merged from, outermost first. Only leaves with directives count. */
typedef struct mw_directory {
    uint32_t leaf;               /* of a section or .htaccess file that was read, not merged */
    apr_array_header_t *leaves;  /* uint32_t, what this was merged from; NULL: itself, if it has directives */
    apr_array_header_t *local;   /* mw_record: directives from .htaccess, of this and what it was merged from; NULL if none */
    bool used;                   /* has directives */
} mw_directory;

/* Number of a server in the recording: kept in each server's own configuration once all servers are known. */
typedef struct mw_server {
    uint32_t number;
} mw_server;

void *mw_create_directory(apr_pool_t *pool, char *path);
void *mw_merge_directory(apr_pool_t *pool, void *outer, void *inner);
int mw_forget_recording(apr_pool_t *pool, apr_pool_t *log, apr_pool_t *temporary);
extern const command_rec mw_commands[];
const char *mw_directive_name(uint32_t number);

/* The recording of the configuration being read, in the format of package directives; in the pool. */
typedef struct mw_blob {
    char *data;
    size_t n;
} mw_blob;
mw_blob mw_encode_recording(apr_pool_t *pool, server_rec *main_server, const apr_table_t *facts);
mw_blob mw_encode_local(apr_pool_t *pool, const apr_array_header_t *records);

/* facts.c: what else a recording says, by name. */
apr_table_t *mw_configuration_facts(apr_pool_t *pool);
void mw_add_start_facts(apr_table_t *facts, apr_pool_t *pool, server_rec *main_server); /* in post_config */

/* ---- Checking, in the parent (check.c) ---- */

/* The recording of the configuration in force, with what post_config knows; in its pool. */
mw_blob mw_current_recording(void);
/* Adds what is known when every module has had its post_config. */
void mw_complete_recording(apr_pool_t *pconf, server_rec *s);
/* How many process groups it declares. */
unsigned mw_declared_groups(void);
/* The path of mod_wsgi-daemon, which lies beside the module. */
const char *mw_daemon_path(apr_pool_t *pool);
int mw_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
int mw_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* talk.c. Waits until the descriptor is ready, until `end` at most. */
bool mw_ready(int fd, short events, apr_time_t end);
/* Sends everything to a socket: NULL, or what went wrong. */
const char *mw_send(int fd, const void *data, size_t n, apr_time_t end);

/* ---- The supervisor of daemon processes, in the parent (supervise.c) ---- */

int mw_start_supervisor(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
int mw_watch_supervisor(apr_pool_t *pool, server_rec *s); /* the monitor hook */
/* In a child: lets go of what is the parent's alone. The board's memory, or NULL if this configuration has none. */
mwd_board *mw_inherit_board(void);
/* Before it: the board of the last configuration if that was the same one, and its number in the names of sockets; or NULL. */
mwd_board *mw_inherit_former_board(int *generation);
enum { MW_MOST_BOARD = 256 << 20 /* bytes of its address space; the file is as large as it has to be */ };
/* In a child: what it tells the supervisor with of requests that wait (daemon/client/bell.h), 0 if there is none. */
int mw_bell(void);
/* In a child: how long the supervisor, which was not waited for, may still take to make the board. 0: it is not worth waiting. */
apr_interval_time_t mw_supervisor_comes_within(void);
/* In a child that is about to take requests: a supervisor that comes may start processes now. */
void mw_tell_supervisor_of_child(void);

/* hasten.c: graceful restarts, in the parent */
int mw_hasten_children(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
void mw_child_started(server_rec *s, pid_t pid, ap_generation_t generation, int slot, mpm_child_status status); /* the child_status hook */

/* ---- Plans: what Go compiled, immutable, never freed (plan.c; filled by plan.go) ---- */

enum { MW_NAME_LITERAL, MW_NAME_RESOURCE, MW_NAME_SERVER, MW_NAME_HOST, MW_NAME_ENV, MW_NAME_UNSET };

/* The name of an application group, a process group or a callable. text: the literal, or the variable of MW_NAME_ENV. */
typedef struct mw_name {
    int kind;
    const char *text;
} mw_name;

enum { MW_UNSET = -1, MW_OFF = 0, MW_ON = 1, MW_AUTO = 2 };

/* WSGIScriptAlias or WSGIScriptAliasMatch. */
typedef struct mw_alias {
    char tag[12]; /* its index as text: what a request's note says */
    const char *location, *target;
    int is_regex;
    void *regex;  /* ap_regex_t, compiled by C in each child */
    mw_name process_group, application_group, callable;
    int pass_authorization;
} mw_alias;

typedef struct mw_handler_script {
    const char *name, *path;
    mw_name process_group, application_group;
    int pass_authorization;
} mw_handler_script;

/* An address range: n leading bits of an IPv4 (4 bytes) or IPv6 (16) address. */
typedef struct mw_network {
    uint8_t address[16], bytes, bits;
} mw_network;

enum { MW_PROXY_CLIENT, MW_PROXY_SCHEME, MW_PROXY_HOST, MW_PROXY_SERVER, MW_PROXY_PORT, MW_PROXY_SCRIPT_NAME, MW_PROXY_CATEGORIES };
enum { MW_PROXY_VERBATIM, MW_PROXY_LIST, MW_PROXY_SCHEME_FLAG }; /* a scheme is named, or says on and off; REMOTE_ADDR may be a list */

/* A header of WSGITrustedProxyHeaders, or (in mw_config.proxy_headers) one that the module knows at all. */
typedef struct mw_proxy_header {
    const char *key; /* HTTP_X_FORWARDED_FOR */
    int category, treatment;
} mw_proxy_header;

/* WSGIAccessScript, WSGIAuthUserScript, WSGIAuthGroupScript or WSGIDispatchScript. path: NULL if there is none. */
typedef struct mw_script_to_ask {
    const char *path;
    mw_name application_group;
} mw_script_to_ask;

enum { MW_OWNER_ANY, MW_OWNER_USER, MW_OWNER_GROUP };

/* A daemon process group (WSGIDaemonProcess). */
typedef struct mw_process_group {
    mwd_group way;             /* to its processes */
    mwd_group *former;         /* to those of the last configuration, NULL if they must not be used */
    int64_t response_timeout;  /* of the client's connection while an answer is relayed, milliseconds; 0: the server's */
    int64_t buffer_size;       /* bytes of an answer that may wait for its client; 0: the application waits */
    int64_t buffer_memory;     /* of them in memory, */
    const char *buffer_directory; /* the others in a file here */
    int64_t request_buffer;    /* the longest body of a slow client that is received before a process is asked for */
    int everywhere;            /* any virtual host may use it; otherwise: */
    uint32_t server_name;      /* those with this mw_server_plan.name */
    int owner_kind;            /* MW_OWNER_*: who has to own scripts, */
    uint32_t owner;            /* a user or group */
} mw_process_group;

/* Everything that a request needs of the configuration that applies to it. */
typedef struct mw_plan {
    mw_name process_group, application_group, callable;
    int restricted;              /* WSGIRestrictProcess: only these process groups, "" is the embedded mode */
    const char *const *allowed_groups;
    size_t n_allowed_groups;
    int reloading, chunked, pass_authorization, sendfile, pass_request, error_override, ignore_activity;
    int head; /* WSGIMapHEADToGET: MW_OFF, MW_ON, MW_AUTO */
    int trusted_proxies_set;
    const mw_network *trusted_proxies;
    size_t n_trusted_proxies;
    const mw_proxy_header *proxy_headers;
    size_t n_proxy_headers;
    const mw_handler_script *handler_scripts;
    size_t n_handler_scripts;
    mw_script_to_ask access_script, user_script, group_script, dispatch_script;
} mw_plan;

typedef struct mw_server_plan {
    mw_plan plan;              /* outside of every section */
    const uint32_t *aliases;   /* indices into mw_config.aliases in the order of precedence */
    size_t n_aliases;
    uint32_t name;             /* the same for servers with the same ServerName */
} mw_server_plan;

/* The compiled configuration of one child. */
typedef struct mw_config {
    const mwd_board *board;    /* shared with daemon processes, NULL if there is none */
    const mwd_board *former_board; /* the last configuration's, or NULL */
    mw_server_plan *servers;   /* by mw_server.number */
    size_t n_servers;
    mw_alias *aliases;
    size_t n_aliases;
    const mw_process_group *groups; /* sorted by name */
    size_t n_groups;
    const mw_proxy_header *proxy_headers; /* all that the module knows */
    size_t n_proxy_headers;
    int fold_case;             /* WSGICaseSensitivity Off */
    int restrict_embedded;
    int destroy_interpreter;   /* WSGIDestroyInterpreter: run exit functions */
    int any_handler_scripts;   /* somewhere: look at handler names that are not ours */
    int any_access_scripts;    /* somewhere outside of .htaccess files: look at every request */
} mw_config;

/* The plan for a request: a look-up; Go is entered only for a configuration that was not met before. NULL after having logged why. */
const mw_plan *mw_plan_for(request_rec *r);
bool mw_has_local_directives(request_rec *r); /* of .htaccess files */
void mw_forget_plans(void); /* before the first request of a configuration */

/* ---- The child (child.c) ---- */

/* What this process is. Set in child_init before any request, constant afterwards. */
typedef struct mw_child {
    const mw_config *config;
    const char *pid;     /* this process, as text */
    pid_t configured_by; /* the process that read the configuration: this one with -X, otherwise its parent */
    server_rec *main_server;
    int multithread, multiprocess;
    bool running; /* Go is */
    bool failed;  /* there is no configuration: nothing may be served */
} mw_child;

/* With the recorder's list (record.c), the one state that Apache's hooks force to be global. */
extern mw_child mw_this_child;

void mw_child_init(apr_pool_t *pool, server_rec *s);

/* ---- Requests ---- */

int mw_translate_name(request_rec *r); /* mapping.c */
/* The alias that mapped the request, or NULL. */
const mw_alias *mw_alias_of(request_rec *r);
int mw_check_access(request_rec *r);   /* access.c */
int mw_handler(request_rec *r);
void mw_register_auth(apr_pool_t *pool); /* auth.c: the providers */

/* Logs a failure as Go words it (fault.go) and returns its HTTP status. detail may be NULL. */
int mw_refuse(request_rec *r, int code, const char *detail);

/* names.c. The value of a name for this request, in its pool or constant. */
const char *mw_expand(request_rec *r, const mw_name *name);
const char *mw_expand_callable(request_rec *r, const mw_name *name); /* no token but %{ENV:...} */
const char *mw_script_name(request_rec *r); /* the URI without path info, slashes collapsed, case folded as configured */
const char *mw_collapse_slashes(apr_pool_t *pool, const char *path);

/* The same for a text that a script gave, read as the directive's would be. */
const char *mw_expand_text(request_rec *r, const char *text);
const char *mw_expand_callable_text(request_rec *r, const char *text);

/* The CGI variables of a request (environ.c): an array of mw_pair in its pool. */
typedef struct mw_variables {
    apr_array_header_t *pairs;
    bool https;
} mw_variables;
mw_variables mw_build_variables(request_rec *r, const mw_plan *plan, bool pass_authorization);
void mw_add_headers(mw_variables *v, request_rec *r); /* parts of it: headers without credentials, */
void mw_add_connection(mw_variables *v, request_rec *r); /* and who asks whom for what */
const char *mw_variable(const mw_variables *v, const char *key); /* NULL if absent */
void mw_set_variable(mw_variables *v, const char *key, const char *value);
void mw_remove_variable(mw_variables *v, const char *key);

/* ask.c. Asks a script about a request, with the environ that such scripts get: the question's answer, whose text is in the request's pool. Why
 * it is MW_FAILED was logged. */
mw_answer mw_ask_about(request_rec *r, const mw_plan *plan, const mw_script_to_ask *script, mw_question *question);
/* The same with other variables, to which the groups are added. */
void mw_ask_with(request_rec *r, const mw_plan *plan, const mw_script_to_ask *script, mw_variables *v, mw_question *questions, size_t n);
const char *mw_client_of(request_rec *r); /* its name, if Apache looks that up, or its address */

/* What a request runs: the plan, overridden by the alias that mapped it or by the handler script, then by the dispatch script. */
typedef struct mw_target {
    const char *script, *process_group, *application_group, *callable, *handler_script;
    bool pass_authorization;
} mw_target;
/* dispatch.c. Has the plan's WSGIDispatchScript change the target; v: the request's variables. OK, or the status of its failure. */
int mw_dispatch(request_rec *r, const mw_plan *plan, const mw_variables *v, mw_target *target);

/* proxies.c: WSGITrustedProxies. True if a scheme header decided about https. */
bool mw_apply_trusted_proxies(request_rec *r, mw_variables *v, const mw_plan *plan);

/* transport.c: a request as the gateway's transport. */
typedef struct mw_exchange {
    request_rec *r;
    apr_bucket_brigade *in, *out;
    bool body_ended;
    apr_status_t late; /* a failure to read the body that is yet to be told */
    int body_status; /* HTTP status that a failure to read the body means, 0 while there is none */
    bool sendfile;   /* WSGIEnableSendfile */
    bool answered;   /* a filter gave another answer (an error, 416): ours is not wanted any more */
    bool timed_out;  /* the client took nothing of it for too long */
    bool begun;      /* something was handed to Apache: its own error page comes too late */
    size_t unsent;   /* bytes handed to Apache that it may not have sent yet */
} mw_exchange;
bool mw_body_can_be_polled(request_rec *r); /* reading without blocking says the truth about it */
extern const mw_ops mw_apache_ops;
extern const mw_ops mw_answer_ops; /* for what a daemon process answers; answer.c: */
void mw_answer_header(void *transport, const char *name, const char *value);
int mw_answer_status(int status, const char *const *headers); /* that counts: a header may name another one */
/* Ends a complete answer. */
void mw_finish(mw_exchange *exchange);
/* Ends what the gateway or a daemon process handed over, or fails: what the handler returns. */
int mw_end(mw_exchange *exchange, int outcome);
/* Breaks the connection (or stream) so that the client can tell that the answer is incomplete. */
void mw_cut(mw_exchange *exchange);

/* route.c. Where the process group of that name takes the request: NULL for the embedded mode. OK, or the status of the refusal. */
int mw_route(request_rec *r, const mw_plan *plan, const char *name, const mw_process_group **group);
/* relay.c. Has a process of the group run the request; what the handler returns. Sets the call's transport. */
int mw_relay(request_rec *r, const mw_plan *plan, const mw_process_group *group, mw_call *call);

/* ---- Slow clients of process groups ---- */

/* spool.c: data that waits. What lies from start to end is in it; positions below memory_size are in memory, the others in a file. Its
 * descriptors live as long as the pool. */
typedef struct mw_spool {
    int memory, file;    /* descriptors, -1: not needed yet */
    int64_t memory_size, start, end;
    int64_t forgotten;   /* up to here the space was given back */
    bool in_flight;      /* handed over for sendfile(): a hole would show in what was sent and not yet read */
    int error;           /* why nothing more can be put into it: an errno */
    const char *folder;  /* of the file */
    apr_pool_t *pool;
} mw_spool;
void mw_spool_init(mw_spool *s, const mw_process_group *group, apr_pool_t *pool);
size_t mw_spool_put(mw_spool *s, const char *data, size_t n); /* how much of it; less: s->error */
size_t mw_spool_get(mw_spool *s, char *buffer, size_t n);     /* takes it out */
/* Takes so much out at most, as buckets of files that read from the spool. Their handles are in the pool. */
apr_status_t mw_spool_hand_over(mw_spool *s, apr_bucket_brigade *to, int64_t most, bool sendfile, apr_pool_t *pool);
void mw_spool_used(mw_spool *s); /* nobody needs any more what was taken out */
const char *mw_spool_failure(const mw_spool *s, apr_pool_t *pool, const mw_process_group *group); /* for mw_refuse() */

/* outflow.c: an answer on its way to a client. While it is in use, nothing that is handed to Apache waits for the client, unless the
 * spool is full. Every function but the first takes NULL, which does nothing and never waits. */
typedef struct mw_outflow {
    request_rec *r;
    const mw_process_group *group;
    ap_filter_t *filter;
    bool stream;         /* of HTTP/2: the connection is shared, and has no socket here */
    int socket;          /* the client's */
    bool open;           /* the spool can't be used any more */
    bool timed_out;      /* the client took nothing for `timeout` */
    mw_spool spool;
    int64_t limit;
    size_t piece;
    size_t room;         /* bytes that the socket takes at once for certain */
    size_t unsent;       /* bytes in memory that httpd's last filter got since it was empty */
    bool blocked;        /* it holds what the client did not take */
    apr_interval_time_t timeout, patience;
    apr_time_t stalled;  /* since when the client takes nothing, 0: it does */
    int64_t allowance;   /* bytes in memory that a stream still takes */
    apr_time_t refilled;
    apr_bucket_brigade *out;
    apr_pool_t *handles;
} mw_outflow;
void mw_register_outflow(void);
/* Returns `o`, that of the request around this one, or NULL if there is to be none. */
mw_outflow *mw_outflow_begin(mw_outflow *o, request_rec *r, const mw_process_group *group);
bool mw_outflow_held(const mw_outflow *o); /* the client has not taken everything yet */
/* Waits until the descriptor can be read, and gives the client meanwhile what it takes. 1 also if there is nothing to give; 0: so many
 * milliseconds have passed (0: any number may); -1: the client is gone. */
int mw_outflow_await(mw_outflow *o, int fd, int64_t milliseconds);
bool mw_outflow_await_input(mw_outflow *o); /* the same for the client's own data; false: it is gone */
bool mw_outflow_drain(mw_outflow *o);       /* waits for the client; false: it is gone */
bool mw_outflow_surrender(mw_outflow *o);   /* hands the spool to Apache; true: there was something in it */
void mw_outflow_end(mw_outflow *o);

/* intake.c: a body on its way from a client. */
typedef struct mw_intake {
    mw_exchange *exchange;
    const mw_process_group *group;
    const char *early;   /* received: n_early bytes here if it was before the window was there, */
    size_t n_early;
    const char *ahead;   /* then n_ahead bytes here, then what is in the spool, then n_behind there */
    size_t n_ahead;
    mw_spool spool;
    const char *behind;
    size_t n_behind;
} mw_intake;
/* `got` bytes of a body of that length are in the window of so many. Receives more if the client is slow; returns how much is in
 * the window then. */
size_t mw_intake_collect(mw_intake *in, int64_t length, char *window, size_t size, size_t got);
/* The same before there is a window: reading gives what was received. */
void mw_intake_collect_early(mw_intake *in, int64_t length);
long mw_intake_read(mw_intake *in, char *buffer, size_t n); /* what was received, 0: nothing more, or MW_READ_FAILED */

/* ---- Apache's scoreboard (scoreboard.c), for mod_wsgi.server_metrics(). Times are microseconds since the epoch ---- */

typedef struct mw_server_score {
    int server_limit, thread_limit, generation;
    int64_t restart_time;
} mw_server_score;

typedef struct mw_process_score {
    int64_t pid;
    int generation;
    bool quiescing;
} mw_process_score;

typedef struct mw_worker_score {
    int generation, status;
    uint64_t access_count, bytes_served;
    int64_t start_time, stop_time, last_used;
    char client[64], request[64], vhost[32];
} mw_worker_score;

/* What applications are told for SERVER_DEAD, SERVER_STARTING and so on (httpd, scoreboard.h), in this order. */
#define mw_worker_states ".S_RWKLDCGI"
enum { MW_WORKER_STATES = sizeof mw_worker_states - 1 };

bool mw_scoreboard_limits(mw_server_score *score); /* false: there is none */
void mw_scoreboard_process(int process, mw_process_score *score);
void mw_scoreboard_worker(int process, int thread, mw_worker_score *score);

/* ---- Go (cmd/mod_wsgi). Only in a child, after the late start. Texts returned are malloc'ed, the caller frees. ---- */
typedef const char mw_ctext; /* cgo knows no const, but keeps the names of types */
typedef const mw_plan mw_cplan;
typedef const uint32_t mw_cleaf;
typedef const mw_ops mw_cops;

/* Facts about the child that only Apache knows. */
typedef struct mw_facts {
    int apache_version[3], module_version[3], maximum_processes, threads_per_process, single_process;
    const char *description, *mpm, *built; /* of the server */
    mwd_board *former_board; /* of the last configuration, or NULL; and its number in the names of sockets: */
    int former_generation;
    mwd_board *board; /* shared with daemon processes, NULL if there is none */
} mw_facts;
typedef const mw_facts mw_cfacts;

/* Uses the runtime, decodes and compiles the recording, starts Python. Returns the configuration (also when Python failed: *error
 * then says why), or NULL with *error. *report is a line for the log at info level. */
extern mw_config *goMwStart(mw_ctext *recording, size_t n, mw_cfacts *facts, mw_cops *ops, char **report, char **error);
/* Compiles the plan for a server and the leaves that apply, and directives from .htaccess (encoded as a recording). */
extern mw_cplan *goMwPlan(uint32_t server, mw_cleaf *leaves, size_t n_leaves, mw_ctext *local, size_t n_local, char **error);
/* Checks one directive of an .htaccess file: NULL, or what is wrong with it. */
extern char *goMwLocalDirective(uint32_t directive, mw_ctext *args);
/* Words a failure and says which HTTP status it means. */
extern char *goMwFault(int code, mw_ctext *path, mw_ctext *detail, int *status);

#endif
