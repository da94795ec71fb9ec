/* A request's body whose client sends it slowly: it is received before a process is asked for. In C because it is the steady path of
 * uploads. */
#include "edge.h"

#include <apr_portable.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_ONCE = 20000,    /* microseconds in which the first window of a body, and as much behind it, is there if its client is fast: that is more */
    AHEAD = 64 << 10,   /* than can have come before anybody read */
    BLOCK = 64 << 10,
    WINDOW = 64 << 10,
};

/* No filter changes the body, whose length is then what its client has announced. */
static bool unchanged(request_rec *r)
{
    return mw_body_can_be_polled(r) || (r->connection->master && r->input_filters && r->input_filters->frec->ftype >= AP_FTYPE_PROTOCOL);
}

/* A client that waits to be asked is asked by the application only. */
static bool wanted(const mw_intake *in, int64_t length)
{
    request_rec *r = in->exchange->r;
    return !in->early && length > 0 && length <= in->group->request_buffer && !r->expecting_100 && unchanged(r);
}

/* The client's socket if reading without waiting is possible, otherwise -1. */
static int socket_of(request_rec *r)
{
    apr_os_sock_t fd;
    apr_socket_t *socket = r->connection->master || !mw_body_can_be_polled(r) ? NULL : ap_get_conn_socket(r->connection);
    return socket && apr_os_sock_get(&fd, socket) == APR_SUCCESS ? fd : -1;
}

typedef enum state { FULL, SLOW, OVER } state; /* what was wanted is there; not in time; there is no more */

/* Reads until the buffer is full, as long as a fast client needs. */
static state read_fast(mw_intake *in, int fd, apr_time_t end, char *buffer, size_t size, size_t *got)
{
    while (*got < size) {
        const char *reason;
        long n = mw_answer_ops.read(in->exchange, buffer + *got, size - *got, 0, &reason);
        if (n == 0 || n == MW_READ_FAILED)
            return OVER; /* a failure is told again when the application reads */
        apr_interval_time_t left = end - apr_time_now();
        struct pollfd client = {fd, POLLIN, 0};
        if (n == MW_READ_WOULD_BLOCK && (left <= 0 || poll(&client, 1, (int)apr_time_as_msec(left) + 1) <= 0))
            return SLOW;
        *got += n > 0 ? n : 0;
    }
    return FULL;
}

/* The same, however long it takes. */
static state read_slowly(mw_intake *in, char *buffer, size_t size, size_t *got)
{
    while (*got < size) {
        const char *reason;
        long n = mw_answer_ops.read(in->exchange, buffer + *got, size - *got, 1, &reason);
        if (n <= 0)
            return OVER;
        *got += n;
    }
    return FULL;
}

/* Receives the rest of the body. */
static void receive(mw_intake *in, int64_t left)
{
    char *block = apr_palloc(in->exchange->r->pool, BLOCK);
    mw_spool_init(&in->spool, in->group, in->exchange->r->pool);
    while (left > 0) {
        const char *reason;
        long n = mw_answer_ops.read(in->exchange, block, left < BLOCK ? (size_t)left : BLOCK, 1, &reason);
        if (n <= 0)
            return;
        size_t put = mw_spool_put(&in->spool, block, n);
        left -= n;
        if (put < (size_t)n) { /* the rest comes on demand, behind these bytes */
            in->behind = block + put;
            in->n_behind = n - put;
            mw_refuse(in->exchange->r, 311, mw_spool_failure(&in->spool, in->exchange->r->pool, in->group)); /* only tells */
            return;
        }
    }
}

size_t mw_intake_collect(mw_intake *in, int64_t length, char *window, size_t size, size_t got)
{
    if (!wanted(in, length))
        return got;
    int fd = socket_of(in->exchange->r);
    apr_time_t end = apr_time_now() + AT_ONCE;
    if (length < (int64_t)size)
        size = length;
    state state = fd >= 0 ? read_fast(in, fd, end, window, size, &got) : SLOW;
    if (state == SLOW)
        state = read_slowly(in, window, size, &got);
    bool fast = apr_time_now() <= end;
    if (state == OVER || length == (int64_t)size)
        return got;
    size_t n = length - size < AHEAD ? (size_t)(length - size) : AHEAD;
    char *ahead = apr_palloc(in->exchange->r->pool, n);
    in->ahead = ahead;
    state = fast && fd >= 0 ? read_fast(in, fd, end, ahead, n, &in->n_ahead) : SLOW;
    if (state == SLOW)
        state = read_slowly(in, ahead, n, &in->n_ahead);
    if (state == FULL && apr_time_now() > end)
        receive(in, length - size - n);
    return got;
}

void mw_intake_collect_early(mw_intake *in, int64_t length)
{
    if (!wanted(in, length))
        return;
    char *window = apr_palloc(in->exchange->r->pool, WINDOW);
    in->n_early = mw_intake_collect(in, length, window, WINDOW, 0);
    in->early = window;
}

static size_t take(const char **from, size_t *left, char *buffer, size_t n)
{
    if (n > *left)
        n = *left;
    memcpy(buffer, *from, n);
    *from += n;
    *left -= n;
    return n;
}

long mw_intake_read(mw_intake *in, char *buffer, size_t n)
{
    if (in->n_early > 0)
        return take(&in->early, &in->n_early, buffer, n);
    if (in->n_ahead > 0)
        return take(&in->ahead, &in->n_ahead, buffer, n);
    if (in->spool.start < in->spool.end && n > 0) {
        size_t got = mw_spool_get(&in->spool, buffer, n);
        mw_spool_used(&in->spool);
        return got > 0 ? (long)got : MW_READ_FAILED;
    }
    return in->n_behind > 0 ? (long)take(&in->behind, &in->n_behind, buffer, n) : 0;
}
