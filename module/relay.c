/* A request that a daemon process runs, and what becomes of its answer. In C because it is the steady path. */
#include "edge.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The client calls operations and hooks with the exchange, which comes first. */
typedef struct relay {
    mw_exchange exchange;
    bool error_override;
    const char *redirect;            /* a path of this server that the answer sends the request to */
    apr_interval_time_t write_timeout; /* of the client's connection, microseconds; 0: as it is */
    apr_socket_t *socket;            /* whose timeout was changed, */
    apr_interval_time_t before;      /* from this */
    const mw_process_group *group;
    mw_call *call;
    mw_intake intake;
    mw_outflow own, *outflow;        /* NULL: none is needed */
    mw_ops ops;
} relay;

/* WSGIErrorOverride: Apache's own page. Of the headers only those that its error pages keep anyway are good for something. */
static int override(request_rec *r, int status, const char *const *headers)
{
    for (; *headers; headers += 2)
        if (strcasecmp(headers[0], "WWW-Authenticate") == 0)
            apr_table_add(r->err_headers_out, headers[0], headers[1]);
    return status <= 599 ? status : HTTP_INTERNAL_SERVER_ERROR;
}

/* The path that an answer is redirected to, as that of a CGI script (RFC 3875, 6.2.2). */
static const char *local_redirect(int status, const char *const *headers)
{
    const char *location = NULL;
    if (status != HTTP_OK)
        return NULL;
    for (; *headers; headers += 2)
        if (strcasecmp(headers[0], "Location") == 0)
            location = headers[1];
    return location && *location == '/' ? location : NULL;
}

/* Only where this thread is the connection's: under HTTP/2 it is not. */
static void set_write_timeout(relay *x)
{
    conn_rec *c = x->exchange.r->connection;
    apr_socket_t *socket = x->write_timeout && !c->master ? ap_get_conn_socket(c) : NULL;
    if (!socket || apr_socket_timeout_get(socket, &x->before) != APR_SUCCESS)
        return;
    if (apr_socket_timeout_set(socket, x->write_timeout) == APR_SUCCESS)
        x->socket = socket;
}

static int inspect(void *transport, int status, const char *const *headers)
{
    relay *x = transport;
    request_rec *r = x->exchange.r;
    status = mw_answer_status(status, headers);
    const char *location = local_redirect(status, headers);
    if (location) {
        x->redirect = apr_pstrdup(r->pool, location);
        return HTTP_MOVED_TEMPORARILY; /* any status: the answer is dropped */
    }
    if (x->error_override && status >= 400)
        return override(r, status, headers);
    set_write_timeout(x);
    x->outflow = mw_outflow_begin(&x->own, r, x->group);
    return 0;
}

static int await(void *transport, int fd, int64_t milliseconds)
{
    return mw_outflow_await(((relay *)transport)->outflow, fd, milliseconds);
}

static size_t collect(void *transport, char *window, size_t size, size_t got)
{
    relay *x = transport;
    return mw_intake_collect(&x->intake, x->call->content_length, window, size, got);
}

/* Reading from a client while it has yet to take something: it may wait for that before it sends more. */
static long read_body(void *transport, char *buffer, size_t n, int block, const char **reason)
{
    relay *x = transport;
    request_rec *r = x->exchange.r;
    long got = mw_intake_read(&x->intake, buffer, n);
    if (got != 0) {
        *reason = "what was received of it can't be read again";
        return got;
    }
    bool polled = n > 0 && !r->expecting_100 && mw_body_can_be_polled(r);
    while (block && mw_outflow_held(x->outflow)) {
        if (!polled) {
            mw_outflow_drain(x->outflow);
            break;
        }
        got = mw_answer_ops.read(transport, buffer, n, 0, reason);
        if (got != MW_READ_WOULD_BLOCK)
            return got;
        if (!mw_outflow_await_input(x->outflow))
            break;
    }
    return mw_answer_ops.read(transport, buffer, n, block, reason);
}

/* The application has nothing more to do with it: Apache may wait for the client. */
static int send_file(void *transport, int fd, int64_t offset, int64_t length, int own, const char **reason)
{
    relay *x = transport;
    mw_outflow_surrender(x->outflow);
    if (x->outflow)
        x->outflow->open = true;
    return mw_answer_ops.send_file(transport, fd, offset, length, own, reason);
}

/* The request goes on as a GET of the path, without a body: what the application has not read of it is read away. */
static int follow(request_rec *r, const char *location)
{
    int status = ap_discard_request_body(r);
    if (status != OK)
        return status;
    r->method = "GET";
    r->method_number = M_GET;
    apr_table_unset(r->headers_in, "Content-Length");
    apr_table_unset(r->headers_in, "Transfer-Encoding");
    ap_internal_redirect_handler(location, r);
    return OK;
}

static bool made(const mwd_board *board)
{
    return board && __atomic_load_n(&board->magic, __ATOMIC_ACQUIRE) == MWD_BOARD_MAGIC;
}

/* The supervisor has made the board, so that there is somebody to ask. */
static bool supervised(void)
{
    return made(mw_this_child.config->board);
}

enum { SUPERVISOR_SECONDS = 10 /* a supervisor that has ended is started again that often (supervise.c) */ };

/* Tells the client when it may find a place. err_headers_out: the error page has it too. */
static void retry_later(request_rec *r, int status, unsigned seconds)
{
    if (seconds && (status == HTTP_SERVICE_UNAVAILABLE || status == HTTP_GATEWAY_TIME_OUT))
        apr_table_setn(r->err_headers_out, "Retry-After", apr_psprintf(r->pool, "%u", seconds));
}

/* A process takes requests. */
static bool any_ready(const mwd_group *group)
{
    for (uint32_t i = 0; i < group->slots; i++)
        if (mwd_state_of(atomic_load(&group->part->slots[i].word)) == MWD_SLOT_READY)
            return true;
    return false;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* Whether the processes of the last configuration serve the group: they are lent, there are some, and none of this configuration is ready.
 * Of a board whose supervisor has not made it nothing but the first page may be touched. */
static bool served_by_former(const mw_process_group *group)
{
    const mwd_board *former = mw_this_child.config->former_board;
    return group->former && made(former) && now() < __atomic_load_n(&former->lent, __ATOMIC_RELAXED) && !(supervised() && any_ready(&group->way)) &&
           any_ready(group->former);
}

/* After a graceful restart, until the first process of this configuration is ready, requests go to those of the last one. Whoever waits for those
 * when that is so goes to ours: a request that never ends is not to be waited for. This configuration's supervisor wakes them up. */
static const mwd_group *elsewhere(void *transport)
{
    const mw_process_group *group = ((relay *)transport)->group;
    return group->former && supervised() && !served_by_former(group) ? &group->way : NULL;
}

/* Waits until there is somebody to ask: after a graceful restart, children may be there before the supervisor. */
static bool await_supervisor(void)
{
    mwd_board *board = (mwd_board *)mw_this_child.config->board;
    while (!supervised()) {
        apr_interval_time_t within = mw_supervisor_comes_within();
        if (within == 0)
            return false;
        struct timespec left = {apr_time_sec(within), apr_time_usec(within) * 1000};
        syscall(SYS_futex, &board->magic, FUTEX_WAIT, 0, &left, NULL, 0);
    }
    return true;
}

int mw_relay(request_rec *r, const mw_plan *plan, const mw_process_group *group, mw_call *call)
{
    static const mwd_hooks hooks = {.inspect = inspect, .await = await, .collect = collect, .elsewhere = elsewhere};
    bool former = served_by_former(group);
    if (!former && !await_supervisor()) {
        retry_later(r, HTTP_SERVICE_UNAVAILABLE, SUPERVISOR_SECONDS);
        return mw_refuse(r, 116, apr_pstrcat(r->pool, group->way.name, "\n" "daemon processes are not started; the error log says why where Apache's start is", NULL));
    }
    relay x = {
        .exchange = {.r = r, .sendfile = plan->sendfile},
        .error_override = plan->error_override,
        .write_timeout = apr_time_from_msec(group->response_timeout),
        .group = group, .call = call, .intake = {.exchange = &x.exchange, .group = group}, .ops = mw_answer_ops,
    };
    mwd_report report;
    x.ops.read = read_body;
    x.ops.send_file = send_file;
    call->ops = &x.ops;
    call->transport = &x.exchange;
    call->native_request = NULL;
    if (former)
        mw_intake_collect_early(&x.intake, call->content_length); /* they may have gone when it is here */
    int outcome = mwd_run(former ? group->former : &group->way, call, &hooks, apr_time_as_msec(r->server->timeout), &report);
    if (report.code) {
        int status = mw_refuse(r, report.code, apr_pstrcat(r->pool, group->way.name, "\n", report.detail, NULL));
        outcome = outcome == MW_CUT ? MW_CUT : status;
        retry_later(r, status, report.retry_after);
    } else if (x.redirect) {
        return follow(r, x.redirect);
    }
    bool buffered = mw_outflow_surrender(x.outflow);
    int status = mw_end(&x.exchange, outcome);
    if (buffered && x.socket && x.write_timeout != r->server->timeout) /* the MPM would wait as long as the server's Timeout */
        mw_outflow_drain(x.outflow);
    if (x.exchange.timed_out || (x.outflow && x.outflow->timed_out))
        mw_refuse(r, 120, apr_psprintf(r->pool, "%s\n%" APR_TIME_T_FMT, group->way.name, apr_time_sec(x.write_timeout ? x.write_timeout : r->server->timeout))); /* only tells: the connection is broken */
    if (x.outflow == &x.own)
        mw_outflow_end(x.outflow);
    if (x.socket)
        apr_socket_timeout_set(x.socket, x.before);
    return status;
}
