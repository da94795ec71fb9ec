/* What is on its way to a client that is slower than the application. In C because every byte of a daemon process's answer passes here, and
 * because these are Apache's filters.
 *
 * A filter of the connection, below all others: whatever they make of an answer (compression, chunks, TLS), here it must not wait for the
 * client. httpd's last filter waits in two cases: it holds 64 KB in memory, or is told to flush. So it gets less than that at a time; while it
 * still holds something, the rest goes into a spool; a flush becomes an attempt to send. Data in files never makes it wait, so that
 * everything can be handed to it at the end of the answer. Under the event MPM no thread is needed then. */
#include "edge.h"

#include <apr_portable.h>
#include <http_connection.h>
#include <mod_core.h>

#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    PIECE = 56 << 10,          /* bytes in memory that httpd's last filter gets at a time */
    SMALL = 4096,              /* bytes that it does not even try to send by itself: it waits for more */
    HANDED_OVER = 1 << 20,     /* of the spool at a time while the application runs: what was sent can be forgotten */
    PATIENCE = 20000,          /* microseconds of waiting in one answer before anything goes into a spool: a file costs more */
    STREAM_MEMORY = 32 << 10,  /* bytes in memory for a stream of HTTP/2, which nobody can ask how much it still holds: */
    STREAM_REFILL = 16 << 10,  /* so many are taken to have left it each second */
};

/* ---- httpd's last filter ---- */

/* The client has not taken everything: in the spool, or in httpd's last filter, something waits for it. */
static bool held(const mw_outflow *o)
{
    return o->spool.start < o->spool.end ? !o->stream : o->blocked;
}

bool mw_outflow_held(const mw_outflow *o)
{
    return o && held(o);
}

/* It was given n bytes. What it still holds it could not send, unless that is too little to try. */
static void note(mw_outflow *o, size_t n)
{
    bool holds = !o->stream && o->r->connection->data_in_output_filters;
    o->unsent = holds ? o->unsent + n : 0;
    o->room -= n < o->room ? n : o->room;
    o->blocked = holds && (o->blocked || o->unsent >= SMALL);
}

static apr_status_t pass(mw_outflow *o, size_t n)
{
    if (APR_BRIGADE_EMPTY(o->out))
        return APR_SUCCESS;
    apr_status_t status = ap_pass_brigade(o->filter->next, o->out);
    apr_brigade_cleanup(o->out);
    note(o, n);
    return status;
}

/* Has it send what it holds, without waiting: called without a brigade, as the MPM does. */
static apr_status_t push(mw_outflow *o)
{
    ap_filter_t *last = o->filter;
    while (last->next)
        last = last->next;
    apr_status_t status = last->frec->filter_func.out_func(last, NULL);
    note(o, SMALL);
    return status;
}

static bool sendfile_works(const request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    return core->enable_sendfile != ENABLE_SENDFILE_OFF;
}

/* Adds so much of the spool to what is passed next. The handles live until it was: who keeps a bucket longer has taken its handle. With
 * sendfile() the kernel, and a client on this machine, look at the file's own pages until they were read, so that no space of it can be
 * given back: it is for the end of an answer. */
static apr_status_t hand_over(mw_outflow *o, int64_t most, bool sendfile)
{
    if (!o->handles)
        apr_pool_create(&o->handles, o->r->pool);
    return mw_spool_hand_over(&o->spool, o->out, most, sendfile && sendfile_works(o->r), o->handles);
}

static apr_status_t pass_handed_over(mw_outflow *o)
{
    apr_status_t status = pass(o, SMALL);
    o->room = 0;
    if (o->handles)
        apr_pool_clear(o->handles);
    return status;
}

/* ---- The client ---- */

/* It took nothing for as long as it may. */
static apr_status_t give_up(mw_outflow *o)
{
    o->r->connection->aborted = 1;
    o->timed_out = true;
    return APR_TIMEUP;
}

static bool overdue(const mw_outflow *o)
{
    return o->stalled && o->timeout > 0 && apr_time_now() - o->stalled >= o->timeout;
}

/* Milliseconds until it is given up, -1: never. */
static int patience_with_client(const mw_outflow *o)
{
    if (o->timeout <= 0)
        return -1;
    apr_interval_time_t left = o->stalled ? o->stalled + o->timeout - apr_time_now() : o->timeout;
    return left > 0 ? (int)apr_time_as_msec(left) + 1 : 0;
}

/* Does it take more? Waits a little as long as that may save a spool. */
static bool client_ready(mw_outflow *o)
{
    struct pollfd client = {o->socket, POLLOUT, 0};
    bool wait = o->patience > 0 && o->spool.start == o->spool.end;
    apr_time_t began = wait ? apr_time_now() : 0;
    bool ready = poll(&client, 1, wait ? (int)apr_time_as_msec(o->patience) : 0) > 0;
    if (wait)
        o->patience = ready ? o->patience - (apr_time_now() - began) : 0;
    if (ready)
        o->stalled = 0;
    else if (!o->stalled)
        o->stalled = apr_time_now();
    return ready;
}

/* Gives the client what it takes. `ready`: it is known to take something. */
static apr_status_t advance(mw_outflow *o, bool ready)
{
    for (;;) {
        apr_status_t status;
        if (o->blocked) {
            if (!ready && !client_ready(o))
                return overdue(o) ? give_up(o) : APR_SUCCESS;
            ready = false;
            o->stalled = 0;
            status = push(o);
        } else if (o->spool.start < o->spool.end) {
            mw_spool_used(&o->spool);
            status = hand_over(o, HANDED_OVER, false);
            if (status == APR_SUCCESS)
                status = pass_handed_over(o);
        } else {
            mw_spool_used(&o->spool);
            return APR_SUCCESS;
        }
        if (status != APR_SUCCESS)
            return status;
    }
}

/* Waits until the client has taken something, and gives it more. */
static apr_status_t wait_for_client(mw_outflow *o)
{
    struct pollfd client = {o->socket, POLLOUT, 0};
    if (!o->stalled)
        o->stalled = apr_time_now();
    int n = poll(&client, 1, patience_with_client(o));
    if (n > 0)
        return advance(o, true);
    return overdue(o) ? give_up(o) : APR_SUCCESS; /* a signal */
}

/* ---- The filter ---- */

static bool in_memory(const apr_bucket *b)
{
    return !APR_BUCKET_IS_METADATA(b) && !APR_BUCKET_IS_FILE(b);
}

/* Asks the socket how much it certainly has room for: more than httpd's last filter takes in memory, often. In pieces, blocks would cost more calls of
 * writev() than this costs, once for all of them that fit. */
static void ask_for_room(mw_outflow *o)
{
    int buffer, queued;
    socklen_t size = sizeof buffer;
    o->room = 0;
    if (o->piece < PIECE || getsockopt(o->socket, SOL_SOCKET, SO_SNDBUF, &buffer, &size) != 0 || ioctl(o->socket, SIOCOUTQ, &queued) != 0)
        return;
    int64_t room = (buffer - (int64_t)queued * 2) * 2 / 3; /* the kernel counts its own structures */
    o->room = room > 0 ? (size_t)room : 0;
}

/* Moves what httpd's last filter takes without waiting. */
static apr_status_t pass_piece(mw_outflow *o, apr_bucket_brigade *bb)
{
    size_t n = 0, most = o->room > o->piece ? o->room : o->piece;
    bool flush = false, asked = false, file = false;
    while (!APR_BRIGADE_EMPTY(bb) && !flush && n < most) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        if (APR_BUCKET_IS_FLUSH(b)) {
            flush = true;
            apr_bucket_delete(b);
            continue;
        }
        if (in_memory(b)) {
            const char *data;
            apr_size_t length = b->length;
            apr_status_t status = length == (apr_size_t)-1 ? apr_bucket_read(b, &data, &length, APR_BLOCK_READ) : APR_SUCCESS;
            if (length > most - n && !asked) {
                asked = true;
                ask_for_room(o);
                most = o->room > o->piece ? o->room : o->piece;
            }
            if (status == APR_SUCCESS && length > most - n)
                status = apr_bucket_split(b, length = most - n);
            if (status != APR_SUCCESS)
                return status;
            n += length;
        }
        file = file || APR_BUCKET_IS_FILE(b);
        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(o->out, b);
    }
    apr_status_t status = pass(o, n);
    o->room = file ? 0 : o->room;
    return status == APR_SUCCESS && flush && o->r->connection->data_in_output_filters ? push(o) : status;
}

/* The spool can take no more: everything goes through from now on, and the application waits for the client. */
static apr_status_t open_up(mw_outflow *o, apr_bucket_brigade *bb)
{
    mw_refuse(o->r, 310, mw_spool_failure(&o->spool, o->r->pool, o->group)); /* only tells */
    o->open = true;
    apr_status_t status = hand_over(o, INT64_MAX, false);
    if (status != APR_SUCCESS)
        return status;
    APR_BRIGADE_CONCAT(o->out, bb);
    return pass_handed_over(o);
}

/* Puts the first bucket into the spool, behind what is there. */
static apr_status_t hold(mw_outflow *o, apr_bucket_brigade *bb)
{
    apr_bucket *b = APR_BRIGADE_FIRST(bb);
    if (APR_BUCKET_IS_FLUSH(b)) {
        apr_bucket_delete(b);
        return APR_SUCCESS;
    }
    if (!in_memory(b)) { /* everything in its order */
        apr_status_t status = hand_over(o, INT64_MAX, false);
        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(o->out, b);
        return status == APR_SUCCESS ? pass_handed_over(o) : status;
    }
    const char *data;
    apr_size_t n;
    apr_status_t status = apr_bucket_read(b, &data, &n, APR_BLOCK_READ);
    int64_t room = o->limit - (o->spool.end - o->spool.start);
    if (status != APR_SUCCESS)
        return status;
    if (room <= 0)
        return wait_for_client(o);
    size_t wanted = (int64_t)n < room ? n : (size_t)room, put = mw_spool_put(&o->spool, data, wanted);
    if (put > 0 && put < n)
        apr_bucket_split(b, put);
    if (put > 0 || n == 0)
        apr_bucket_delete(b);
    return put < wanted ? open_up(o, bb) : APR_SUCCESS;
}

static apr_status_t keep_moving(mw_outflow *o, apr_bucket_brigade *bb)
{
    apr_status_t status = APR_SUCCESS;
    while (status == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb)) {
        if (held(o))
            status = advance(o, false);
        if (status == APR_SUCCESS)
            status = held(o) ? hold(o, bb) : pass_piece(o, bb);
    }
    return status;
}

/* A stream of HTTP/2. What it takes without waiting can't be asked: so much in memory, and any number of files. */
static apr_status_t fill_stream(mw_outflow *o, apr_bucket_brigade *bb)
{
    apr_time_t now = apr_time_now();
    o->allowance += (now - o->refilled) * STREAM_REFILL / APR_USEC_PER_SEC;
    if (o->allowance > STREAM_MEMORY)
        o->allowance = STREAM_MEMORY;
    o->refilled = now;
    while (!APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        const char *data;
        apr_size_t n = 0;
        apr_status_t status = in_memory(b) ? apr_bucket_read(b, &data, &n, APR_BLOCK_READ) : APR_SUCCESS;
        if (status != APR_SUCCESS)
            return status;
        if ((int64_t)n <= o->allowance || o->spool.end + (int64_t)n > o->limit) {
            o->allowance -= (int64_t)n <= o->allowance ? (int64_t)n : 0;
            APR_BUCKET_REMOVE(b);
            APR_BRIGADE_INSERT_TAIL(o->out, b);
            continue;
        }
        size_t put = mw_spool_put(&o->spool, data, n);
        if (put > 0 && put < n)
            apr_bucket_split(b, put);
        if (put > 0)
            apr_bucket_delete(b);
        status = put < n ? open_up(o, bb) : hand_over(o, INT64_MAX, false);
        if (status != APR_SUCCESS || put < n)
            return status;
    }
    return pass_handed_over(o);
}

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    mw_outflow *o = f->ctx;
    if (!o || o->open || !bb)
        return ap_pass_brigade(f->next, bb);
    apr_status_t status = o->stream ? fill_stream(o, bb) : keep_moving(o, bb);
    apr_brigade_cleanup(bb);
    return status;
}

static ap_filter_rec_t *handle; /* of the filter: one of httpd's registrations, made before any request */

/* Every connection gets it, so that it is in its place before the first request: it does nothing unless a relay uses it. */
static int add_filter(conn_rec *c, void *csd)
{
    (void)csd;
    const mw_config *config = mw_this_child.config;
    if (config && config->n_groups > 0)
        ap_add_output_filter_handle(handle, NULL, NULL, c);
    return OK;
}

void mw_register_outflow(void)
{
    handle = ap_register_output_filter("WSGI_OUTFLOW", filter, NULL, AP_FTYPE_NETWORK - 1);
    ap_hook_pre_connection(add_filter, NULL, NULL, APR_HOOK_MIDDLE);
}

/* ---- The relay's side ---- */

static ap_filter_t *filter_of(conn_rec *c)
{
    ap_filter_t *f = c->output_filters;
    while (f && f->frec != handle)
        f = f->next;
    return f;
}

/* httpd can be told to wait earlier than it does by itself. */
static size_t piece_of(const conn_rec *c)
{
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 97)
    const core_server_config *core = ap_get_core_module_config(c->base_server->module_config);
    if (core->flush_max_threshold > 0 && core->flush_max_threshold <= PIECE)
        return core->flush_max_threshold > 1 ? core->flush_max_threshold - 1 : 1;
#else
    (void)c;
#endif
    return PIECE;
}

/* What has to live until the last byte of the answer has been sent. */
static apr_pool_t *lasting_pool(request_rec *r)
{
    while (r->main)
        r = r->main;
    return r->connection->master ? r->connection->pool : r->pool;
}

mw_outflow *mw_outflow_begin(mw_outflow *o, request_rec *r, const mw_process_group *group)
{
    conn_rec *c = r->connection;
    ap_filter_t *f = filter_of(c);
    if (!f || group->buffer_size == 0)
        return NULL;
    if (f->ctx) /* of the request around this one (a sub-request) */
        return f->ctx;
    *o = (mw_outflow){
        .r = r, .group = group, .filter = f, .stream = c->master, .socket = -1, .limit = group->buffer_size,
        .piece = piece_of(c), .blocked = !c->master && c->data_in_output_filters, .patience = PATIENCE, .allowance = STREAM_MEMORY, .refilled = r->request_time,
    };
    apr_socket_t *socket = o->stream ? NULL : ap_get_conn_socket(c);
    if (!o->stream && (!socket || apr_os_sock_get(&o->socket, socket) != APR_SUCCESS))
        return NULL;
    if (socket)
        apr_socket_timeout_get(socket, &o->timeout);
    mw_spool_init(&o->spool, group, lasting_pool(r));
    o->out = apr_brigade_create(r->pool, c->bucket_alloc);
    f->ctx = o;
    return o;
}

int mw_outflow_await(mw_outflow *o, int fd, int64_t milliseconds)
{
    if (!o || !held(o))
        return 1;
    for (apr_time_t end = apr_time_now() + apr_time_from_msec(milliseconds);;) {
        struct pollfd wait[2] = {{fd, POLLIN, 0}, {o->socket, POLLOUT, 0}};
        apr_interval_time_t left = end - apr_time_now();
        int process = milliseconds <= 0 ? -1 : left > 0 ? (int)apr_time_as_msec(left) + 1 : 0, client = patience_with_client(o);
        if (!o->stalled)
            o->stalled = apr_time_now();
        int n = poll(wait, 2, client < 0 || (process >= 0 && process < client) ? process : client);
        if (n > 0 && wait[1].revents && advance(o, true) != APR_SUCCESS)
            return -1;
        if (n > 0 && (wait[0].revents || !held(o)))
            return 1;
        if (n == 0 && overdue(o))
            return give_up(o), -1;
        if (n == 0 && milliseconds > 0 && apr_time_now() >= end)
            return 0;
    }
}

bool mw_outflow_await_input(mw_outflow *o)
{
    while (held(o)) {
        struct pollfd client = {o->socket, POLLIN | POLLOUT, 0};
        if (!o->stalled)
            o->stalled = apr_time_now();
        int n = poll(&client, 1, patience_with_client(o));
        if (n > 0 && (client.revents & ~POLLIN) && advance(o, true) != APR_SUCCESS)
            return false;
        if (n > 0 && (client.revents & POLLIN))
            return true;
        if (n == 0 && overdue(o))
            return give_up(o), false;
    }
    return true;
}

bool mw_outflow_drain(mw_outflow *o)
{
    apr_status_t status = APR_SUCCESS;
    while (o && held(o) && status == APR_SUCCESS)
        status = wait_for_client(o);
    return status == APR_SUCCESS;
}

bool mw_outflow_surrender(mw_outflow *o)
{
    if (!o || o->spool.start == o->spool.end)
        return false;
    if (hand_over(o, INT64_MAX, true) == APR_SUCCESS)
        pass_handed_over(o);
    return true;
}

void mw_outflow_end(mw_outflow *o)
{
    if (!o || !o->filter)
        return;
    mw_outflow_surrender(o);
    o->filter->ctx = NULL;
    if (o->handles)
        apr_pool_destroy(o->handles);
}
