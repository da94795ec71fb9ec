/* Having the configuration checked by `mod_wsgi-daemon check`, and telling the administrator. In C because it runs in the parent, where
 * Go does not live. The checker gets the whole recording and answers with every problem at once (package directives). */
#include "edge.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHECK_TIMEOUT = 60 /* seconds */, ANSWER_LIMIT = 64 << 20 };
enum { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTICE };

/* What a real start logs once its error log is open: set by check_config for the post_config of the same pass. */
static apr_array_header_t *deferred;
static mw_blob current;
static uint32_t declared_groups;
static apr_table_t *facts; /* of the recording: Apache's, and the checker's */

mw_blob mw_current_recording(void)
{
    return current;
}

unsigned mw_declared_groups(void)
{
    return declared_groups;
}

/* ---- Talking to the checker ---- */

const char *mw_daemon_path(apr_pool_t *pool)
{
    Dl_info self;
    if (!dladdr((void *)mw_daemon_path, &self) || !self.dli_fname)
        return "mod_wsgi-daemon";
    const char *slash = strrchr(self.dli_fname, '/');
    return apr_pstrcat(pool, apr_pstrndup(pool, self.dli_fname, slash ? slash - self.dli_fname + 1 : 0), "mod_wsgi-daemon", NULL);
}

/* Starts the checker with one end of a socket pair as its input and output. Its other end, or -1. */
static int start(const char *path, pid_t *pid)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    char *arguments[] = {(char *)path, "check", NULL};
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    int failed = posix_spawn(pid, path, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        errno = failed;
        return -1;
    }
    return ends[0];
}

/* Sends everything, then reads to the end: the checker reads before it writes. NULL, or what went wrong. */
static const char *converse(int fd, mw_blob question, apr_array_header_t *answer, apr_time_t end)
{
    const char *reason = mw_send(fd, question.data, question.n, end);
    if (reason)
        return reason;
    shutdown(fd, SHUT_WR);
    for (;;) {
        char block[16384];
        if (!mw_ready(fd, POLLIN, end))
            return "it did not answer within 60 seconds";
        ssize_t n = read(fd, block, sizeof block);
        if (n == 0)
            return NULL;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return strerror(errno);
        for (ssize_t i = 0; i < n; i++)
            APR_ARRAY_PUSH(answer, char) = block[i];
        if (answer->nelts > ANSWER_LIMIT)
            return "its answer is too long";
    }
}

/* Waits for the end of the checker, which is close: it has closed its output. Killed when the time is up. */
static bool ended_well(pid_t pid, apr_time_t end)
{
    int status;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (ended < 0 && errno != EINTR)
            return false;
        if (apr_time_now() > end)
            kill(pid, SIGKILL);
        apr_sleep(1000);
    }
}

/* NULL with an answer, or the reason why there is none. */
static const char *ask(apr_pool_t *pool, mw_blob question, apr_array_header_t *answer)
{
    const char *path = mw_daemon_path(pool), *reason;
    apr_time_t end = apr_time_now() + apr_time_from_sec(CHECK_TIMEOUT);
    pid_t pid;
    int fd = start(path, &pid);
    if (fd < 0)
        return apr_pstrcat(pool, "cannot run ", path, " (it belongs beside the module): ", strerror(errno), NULL);
    reason = converse(fd, question, answer, end);
    close(fd);
    if (reason)
        kill(pid, SIGKILL);
    if (!ended_well(pid, end) && !reason)
        reason = "it failed (what it says is above, or in the error log); is it of the same build as the module?";
    return reason ? apr_pstrcat(pool, path, ": ", reason, NULL) : NULL;
}

/* ---- Reading its answer ---- */

typedef struct problem {
    uint32_t severity, code, line;
    const char *directive, *file, *message;
} problem;

typedef struct reader {
    apr_pool_t *pool;
    const unsigned char *at, *end;
    bool broken;
} reader;

static uint32_t get_number(reader *r)
{
    if (r->broken || r->end - r->at < 4) {
        r->broken = true;
        return 0;
    }
    r->at += 4;
    return r->at[-4] | (uint32_t)r->at[-3] << 8 | (uint32_t)r->at[-2] << 16 | (uint32_t)r->at[-1] << 24;
}

static const char *get_string(reader *r)
{
    uint32_t n = get_number(r);
    if (r->broken || (size_t)(r->end - r->at) < n) {
        r->broken = true;
        return "";
    }
    r->at += n;
    return apr_pstrmemdup(r->pool, (const char *)r->at - n, n);
}

/* A regular expression is PCRE's to judge. */
static void try_pattern(reader *r, apr_array_header_t *problems)
{
    problem p = {.severity = SEVERITY_ERROR};
    const char *pattern = get_string(r);
    p.directive = get_string(r);
    p.file = get_string(r);
    p.line = get_number(r);
    if (r->broken || ap_pregcomp(r->pool, pattern, AP_REG_EXTENDED))
        return;
    p.message = apr_pstrcat(r->pool, p.directive, ": '", pattern, "' is not a valid regular expression", NULL);
    APR_ARRAY_PUSH(problems, problem) = p;
}

static bool read_answer(apr_pool_t *pool, const apr_array_header_t *answer, apr_array_header_t *problems)
{
    const unsigned char *data = (const unsigned char *)answer->elts;
    reader r = {pool, data + 4, data + answer->nelts, answer->nelts < 4 || memcmp(data, "MWA2", 4) != 0};
    for (uint32_t n = get_number(&r); n > 0 && !r.broken; n--) {
        problem p = {.severity = get_number(&r)};
        p.code = get_number(&r);
        p.directive = get_string(&r);
        p.file = get_string(&r);
        p.line = get_number(&r);
        p.message = get_string(&r);
        APR_ARRAY_PUSH(problems, problem) = p;
    }
    for (uint32_t n = get_number(&r); n > 0 && !r.broken; n--)
        try_pattern(&r, problems);
    declared_groups = get_number(&r);
    for (uint32_t n = get_number(&r); n > 0 && !r.broken; n--) {
        const char *key = get_string(&r);
        apr_table_setn(facts, key, get_string(&r));
    }
    return !r.broken;
}

/* ---- Telling ---- */

static const char *code_text(apr_pool_t *pool, uint32_t code)
{
    return code ? apr_psprintf(pool, "WSGI%04u: ", code) : "";
}

static void tell_error(apr_pool_t *pool, const problem *p)
{
    /* Two records, as Apache itself reports a syntax error. */
    ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, pool, "Syntax error on line %u of %s:", p->line, p->file);
    ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, pool, "%s%s", code_text(pool, p->code), p->message);
}

static void tell_warning(apr_pool_t *pool, server_rec *s, const problem *p, int extra)
{
    int level = p->severity == SEVERITY_WARNING ? APLOG_WARNING : APLOG_NOTICE;
    const char *place = p->line ? apr_psprintf(pool, " (line %u of %s)", p->line, p->file) : "";
    /* on a terminal no level is shown */
    ap_log_error(APLOG_MARK, level | extra, 0, s, "%s%s%s%s", extra ? "Warning: " : "", code_text(pool, p->code), p->message, place);
}

/* The checker could not be asked. A start fails for that; a server that runs goes on with a configuration that nobody checked, since
 * a restart (of a log rotation, at night, in the middle of an upgrade) must not end it. */
static int not_checked(apr_pool_t *pool, server_rec *s, const char *reason)
{
    bool restart = ap_state_query(AP_SQ_CONFIG_GEN) > 1; /* 0 and 1 are the two readings of a start */
    if (restart) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "mod_wsgi: the configuration could not be checked, and is used all the same: %s", reason);
        return OK;
    }
    ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, pool, "mod_wsgi: the configuration could not be checked: %s", reason);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int mw_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    facts = mw_configuration_facts(pconf);
    current = mw_encode_recording(pconf, s, facts);
    declared_groups = 0;
    deferred = apr_array_make(pconf, 8, sizeof(problem));
    apr_array_header_t *answer = apr_array_make(ptemp, 4096, 1), *problems = apr_array_make(pconf, 8, sizeof(problem));
    const char *reason = ask(ptemp, current, answer);
    if (!reason && !read_answer(pconf, answer, problems))
        reason = "the checker's answer makes no sense";
    if (reason)
        return not_checked(ptemp, s, reason);
    bool test = ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST, wrong = false;
    for (int i = 0; i < problems->nelts; i++) {
        const problem *p = &APR_ARRAY_IDX(problems, i, problem);
        if (p->severity == SEVERITY_ERROR) {
            tell_error(ptemp, p);
            wrong = true;
        } else if (test) {
            tell_warning(ptemp, s, p, APLOG_STARTUP);
        } else {
            APR_ARRAY_PUSH(deferred, problem) = *p;
        }
    }
    return wrong ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

int mw_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    uint32_t number = 0;
    mw_this_child.configured_by = getpid();
    for (server_rec *server = s; server; server = server->next) {
        mw_server *of = apr_palloc(pconf, sizeof *of);
        of->number = number++;
        ap_set_module_config(server->module_config, &wsgi_module, of);
    }
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK; /* the trial run before the start: nothing is kept, nothing is said twice */
    extern const char *Py_GetVersion(void);
    const char *python = Py_GetVersion(), *dot = strchr(python, '.');
    ap_add_version_component(pconf, apr_psprintf(pconf, "mod_wsgi/%d.%d.%d", MW_VERSION_MAJOR, MW_VERSION_MINOR, MW_VERSION_PATCH));
    if (dot)
        ap_add_version_component(pconf, apr_psprintf(pconf, "Python/%.*s", (int)(dot - python + 1 + strspn(dot + 1, "0123456789")), python));
    for (int i = 0; i < deferred->nelts; i++)
        tell_warning(ptemp, s, &APR_ARRAY_IDX(deferred, i, problem), 0);
    return OK;
}

void mw_complete_recording(apr_pool_t *pconf, server_rec *s)
{
    mw_add_start_facts(facts, pconf, s);
    current = mw_encode_recording(pconf, s, facts);
}
