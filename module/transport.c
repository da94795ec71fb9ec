/* A request of Apache's as a transport of the gateway (interp/gateway.h). In C because it is the steady path and Apache's structs. */
#include "edge.h"

#include <apr_portable.h>
#include <http_ssl.h>
#include <mod_core.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { SENT_AT_ONCE = 65536 /* bytes; a socket's buffer takes them */, PATIENCE = 10 /* ms with a client that does not read */ };

/* ---- The request body ---- */

static long read_failed(mw_exchange *x, apr_status_t status, const char **reason)
{
    char text[256];
    x->body_status = ap_map_http_request_error(status, 0);
    x->late = status; /* a body that has failed stays so */
    x->r->connection->keepalive = AP_CONN_CLOSE; /* what is left of the body must not become the next request */
    if (APR_STATUS_IS_EAGAIN(status))
        *reason = "the connection was terminated";
    else
        *reason = apr_pstrdup(x->r->pool, apr_strerror(status, text, sizeof text));
    return MW_READ_FAILED;
}

/* Moves the data of the brigade into the buffer and notices the end of the body. */
static long take(mw_exchange *x, char *buffer, size_t n, const char **reason)
{
    apr_size_t length = n;
    for (apr_bucket *b = APR_BRIGADE_FIRST(x->in); b != APR_BRIGADE_SENTINEL(x->in); b = APR_BUCKET_NEXT(b))
        x->body_ended = x->body_ended || APR_BUCKET_IS_EOS(b);
    apr_status_t status = n > 0 ? apr_brigade_flatten(x->in, buffer, &length) : APR_SUCCESS;
    apr_brigade_cleanup(x->in);
    if (status != APR_SUCCESS)
        return read_failed(x, status, reason);
    return n > 0 ? (long)length : 0;
}

bool mw_body_can_be_polled(request_rec *r)
{
    return r->input_filters && r->input_filters->frec == ap_http_input_filter_handle;
}

static apr_status_t get_brigade(mw_exchange *x, apr_read_type_e mode, size_t n)
{
    if (!x->in)
        x->in = apr_brigade_create(x->r->pool, x->r->connection->bucket_alloc);
    apr_status_t status = ap_get_brigade(x->r->input_filters, x->in, AP_MODE_READBYTES, mode, n);
    if (status != APR_SUCCESS)
        apr_brigade_cleanup(x->in);
    return status;
}

/* Adds what has arrived already: httpd hands out 8,000 bytes at a time, and each return to the caller costs it the GIL. */
static long gather(mw_exchange *x, char *buffer, size_t n, const char **reason)
{
    size_t total = 0;
    while (total < n && !x->body_ended) {
        apr_status_t status = get_brigade(x, APR_NONBLOCK_READ, n - total);
        long got = status == APR_SUCCESS ? take(x, buffer + total, n - total, reason) : 0;
        if (status != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(status))
            x->late = status; /* for the next call: what came before it is good */
        if (got <= 0)
            break;
        total += got;
    }
    return total;
}

static long read_body(void *transport, char *buffer, size_t n, int block, const char **reason)
{
    mw_exchange *x = transport;
    request_rec *r = x->r;
    if (x->body_ended)
        return 0;
    /* Without blocking the caller holds the GIL. Only httpd's own filters are known to keep to it; and httpd sends 100 Continue in a
     * blocking read only. */
    if (!block && (r->expecting_100 || !mw_body_can_be_polled(r)))
        return MW_READ_WOULD_BLOCK;
    if (x->late)
        return read_failed(x, x->late, reason);
    for (;;) {
        apr_status_t status = get_brigade(x, block ? APR_BLOCK_READ : APR_NONBLOCK_READ, n);
        if (!block && APR_STATUS_IS_EAGAIN(status))
            return MW_READ_WOULD_BLOCK;
        if (status != APR_SUCCESS)
            return read_failed(x, status, reason);
        long got = take(x, buffer, n, reason);
        if (block && got > 0 && mw_body_can_be_polled(r))
            return got + gather(x, buffer + got, n - got, reason);
        if (got != 0 || n == 0 || x->body_ended)
            return got;
        if (!block)
            return MW_READ_WOULD_BLOCK; /* nothing but metadata */
    }
}

/* ---- The answer ---- */

static void begin(void *transport, int status, const char *line)
{
    request_rec *r = ((mw_exchange *)transport)->r;
    r->status = status;
    r->status_line = apr_pstrdup(r->pool, line);
}

static void header(void *transport, const char *name, const char *value)
{
    request_rec *r = ((mw_exchange *)transport)->r;
    if (strcasecmp(name, "Content-Type") == 0)
        ap_set_content_type(r, apr_pstrdup(r->pool, value));
    else if (strcasecmp(name, "WWW-Authenticate") == 0)
        apr_table_add(r->err_headers_out, name, value); /* survives Apache's own error pages */
    else
        apr_table_add(r->headers_out, name, value);
}

static void content_length(void *transport, int64_t length)
{
    ap_set_content_length(((mw_exchange *)transport)->r, length);
}

/* Passes x->out on, which is empty afterwards. */
static int pass(mw_exchange *x, const char **reason)
{
    conn_rec *c = x->r->connection;
    x->begun = true;
    apr_status_t status = x->answered ? AP_FILTER_ERROR : ap_pass_brigade(x->r->output_filters, x->out);
    apr_brigade_cleanup(x->out);
    if (status == APR_SUCCESS && !c->aborted)
        return 0;
    if (status == AP_FILTER_ERROR) { /* no failure: a filter has sent an answer of its own */
        x->answered = true;
        *reason = "the server has given another answer";
        return -1;
    }
    char text[256];
    x->timed_out = APR_STATUS_IS_TIMEUP(status);
    *reason = status == APR_SUCCESS ? "the client closed the connection" : apr_pstrdup(x->r->pool, apr_strerror(status, text, sizeof text));
    ap_log_rerror(APLOG_MARK, APLOG_TRACE1, status, x->r, "the client is gone");
    return -1;
}

static void add(mw_exchange *x, apr_bucket *bucket)
{
    if (!x->out)
        x->out = apr_brigade_create(x->r->pool, x->r->connection->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(x->out, bucket);
}

static int write_body(void *transport, const char *data, size_t n, int flush, const char **reason)
{
    mw_exchange *x = transport;
    apr_bucket_alloc_t *alloc = x->r->connection->bucket_alloc;
    if (n > 0)
        add(x, apr_bucket_transient_create(data, n, alloc)); /* whoever keeps it copies it */
    x->unsent = flush ? 0 : x->unsent + n;
    if (flush)
        add(x, apr_bucket_flush_create(alloc));
    return pass(x, reason);
}

static apr_status_t close_descriptor(void *fd)
{
    close((int)(intptr_t)fd);
    return APR_SUCCESS;
}

/* A descriptor of our own for the application's file, so that Apache may send it after the application has closed its own, and from a
 * position of its own. Sharing one descriptor's position is the fallback where the file can't be opened again. */
static int own_descriptor(mw_exchange *x, int fd, int given, bool *shared)
{
    char path[64];
    int own = fd;
    if (!given) {
        apr_snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        own = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    }
    *shared = own < 0;
    if (own < 0)
        own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own >= 0)
        apr_pool_cleanup_register(x->r->pool, (void *)(intptr_t)own, close_descriptor, apr_pool_cleanup_null);
    return own;
}

static int send_file(void *transport, int fd, int64_t offset, int64_t length, int given, const char **reason)
{
    mw_exchange *x = transport;
    request_rec *r = x->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    bool shared;
    int own = own_descriptor(x, fd, given, &shared);
    if (own < 0) {
        *reason = strerror(errno);
        return -2;
    }
    apr_os_file_t os_file = own;
    apr_file_t *file;
    apr_status_t status = apr_os_file_put(&file, &os_file, APR_READ | (x->sendfile ? APR_SENDFILE_ENABLED : 0), r->pool);
    if (status != APR_SUCCESS) {
        *reason = "out of memory";
        return -2;
    }
    if (!x->out)
        x->out = apr_brigade_create(r->pool, alloc);
    apr_bucket *bucket = apr_brigade_insert_file(x->out, file, offset, length, r->pool);
#if APR_HAS_MMAP
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    if (core->enable_mmap == ENABLE_MMAP_OFF)
        apr_bucket_file_enable_mmap(bucket, 0);
#else
    (void)bucket;
#endif
    if (!shared) {
        x->unsent += length;
        add(x, apr_bucket_eos_create(alloc)); /* the whole answer in one brigade: httpd can serve ranges of it */
        int failed = pass(x, reason);
        return x->answered ? 0 : failed;
    }
    off_t before = lseek(fd, 0, SEEK_CUR);
    add(x, apr_bucket_flush_create(alloc));
    int failed = pass(x, reason);
    lseek(fd, before, SEEK_SET);
    return failed;
}

/* Tells httpd's own filters of the connection to send what they hold. Not the request's: some of them (mod_brotli) are gone after
 * the end of the answer, and a sub-request's belong to the request around it. */
static void flush_connection(mw_exchange *x)
{
    conn_rec *c = x->r->connection;
    if (x->r->main)
        return;
    add(x, apr_bucket_flush_create(c->bucket_alloc));
    ap_pass_brigade(c->output_filters, x->out);
    apr_brigade_cleanup(x->out);
}

/* Sends on what httpd could not send yet, as long as the client takes it readily: handing the connection to the MPM for each time that it
 * may be written to costs as much as the sending (measured: a file of 10 MB, event). The MPM goes on for a client that lets us wait. The
 * last filter is httpd's core, which sends what it holds when it is called without a brigade, as the MPM itself does. */
static void send_while_ready(mw_exchange *x)
{
    conn_rec *c = x->r->connection;
    apr_socket_t *socket = c->master || x->r->main ? NULL : ap_get_conn_socket(c);
    apr_os_sock_t fd;
    if (!socket || apr_os_sock_get(&fd, socket) != APR_SUCCESS)
        return;
    ap_filter_t *last = c->output_filters;
    while (last && last->next)
        last = last->next;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    while (last && c->data_in_output_filters && !c->aborted && poll(&ready, 1, PATIENCE) == 1)
        if (last->frec->filter_func.out_func(last, NULL) != APR_SUCCESS)
            return;
}

/* A small answer is sent at once: the client's next request then often arrives while this thread is still busy with this one, and it can
 * go on with it instead of handing the connection back to the MPM (measured: event, 1 and 16 connections). A large one is left to
 * the MPM, which needs no thread to wait for a slow client. The end goes by itself after the data: together they would make httpd
 * compute a Content-Length, which the classic module does not send. */
void mw_finish(mw_exchange *x)
{
    apr_bucket_alloc_t *alloc = x->r->connection->bucket_alloc;
    const char *reason;
    if (x->answered || x->r->connection->aborted)
        return;
    if (x->unsent > SENT_AT_ONCE) {
        send_while_ready(x);
        return;
    }
    if (!x->r->eos_sent) {
        add(x, apr_bucket_eos_create(alloc));
        if (pass(x, &reason) < 0)
            return;
    }
    flush_connection(x);
}

void mw_cut(mw_exchange *x)
{
    request_rec *r = x->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    const char *reason;
    /* httpd's own sign for "the backend broke": no last chunk, the connection (HTTP/1) is closed, the stream (HTTP/2) reset. */
    r->connection->keepalive = AP_CONN_CLOSE;
    if (r->eos_sent) /* a file that is shorter than the Content-Length */
        return;
    add(x, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, alloc));
    add(x, apr_bucket_eos_create(alloc));
    pass(x, &reason);
}

/* ---- The connection ---- */

static bool is_https(void *transport)
{
    return ap_ssl_conn_is_ssl(((mw_exchange *)transport)->r->connection);
}

static const char *tls_variable(void *transport, const char *name)
{
    request_rec *r = ((mw_exchange *)transport)->r;
    return ap_ssl_var_lookup(r->pool, r->server, r->connection, r, name);
}

/* ---- The error log ---- */

static void log_record(void *transport, int level, const mw_origin *origin, const char *text, size_t n)
{
    int length = n < HUGE_STRING_LEN ? (int)n : HUGE_STRING_LEN, line = origin ? origin->line : __LINE__;
    const char *file = origin ? origin->file : __FILE__;
    if (transport)
        ap_log_rerror(file, line, APLOG_MODULE_INDEX, level, 0, ((mw_exchange *)transport)->r, "%.*s", length, text);
    else
        ap_log_error(file, line, APLOG_MODULE_INDEX, level, 0, mw_this_child.main_server, "%.*s", length, text);
}

/* As a record of the server's: one of the request's would touch its notes, which are its thread's. */
static bool log_aside(void *transport, int level, const char *text, size_t n)
{
    ap_log_error(APLOG_MARK, level, 0, ((mw_exchange *)transport)->r->server, "%.*s", n < HUGE_STRING_LEN ? (int)n : HUGE_STRING_LEN, text);
    return true;
}

static int log_level(void *transport)
{
    if (transport)
        return ap_get_request_module_loglevel(((mw_exchange *)transport)->r, APLOG_MODULE_INDEX);
    return ap_get_server_module_loglevel(mw_this_child.main_server, APLOG_MODULE_INDEX);
}

const mw_ops mw_apache_ops = {
    .read = read_body,
    .begin = begin,
    .header = header,
    .content_length = content_length,
    .write = write_body,
    .send_file = send_file,
    .log = log_record,
    .log_aside = log_aside,
    .is_https = is_https,
    .tls_variable = tls_variable,
    .log_level = log_level,
};

const mw_ops mw_answer_ops = {
    .read = read_body,
    .begin = begin,
    .header = mw_answer_header,
    .content_length = content_length,
    .write = write_body,
    .send_file = send_file,
    .log = log_record,
    .log_aside = log_aside,
    .is_https = is_https,
    .tls_variable = tls_variable,
    .log_level = log_level,
};
