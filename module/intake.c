/* A request's body whose client sends it slowly: it is received before a process is asked for. In C because it is the steady path of
 * uploads. */
#include "edge.h"

#include <apr_portable.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_ONCE = 20000,    /* microseconds in which the first window of a body has to be there for its client to be fast */
    BLOCK = 64 << 10,
};

/* A client that waits to be asked is asked by the application only. */
static bool wanted(const mw_intake *in, int64_t length)
{
    return length > 0 && length <= in->group->request_buffer && !in->exchange->r->expecting_100;
}

/* Waits for the window, or for a smaller body, as long as a fast client needs. Returns how much of it is there; *slow: the time is over. */
static size_t try_fast(mw_intake *in, char *window, size_t size, size_t got, bool *slow)
{
    request_rec *r = in->exchange->r;
    apr_socket_t *socket = r->connection->master || !mw_body_can_be_polled(r) ? NULL : ap_get_conn_socket(r->connection);
    apr_os_sock_t fd;
    *slow = true;
    if (!socket || apr_os_sock_get(&fd, socket) != APR_SUCCESS)
        return got;
    for (apr_time_t end = apr_time_now() + AT_ONCE; got < size;) {
        apr_interval_time_t left = end - apr_time_now();
        struct pollfd client = {fd, POLLIN, 0};
        if (left <= 0 || poll(&client, 1, (int)apr_time_as_msec(left) + 1) <= 0)
            return got;
        const char *reason;
        long n = mw_answer_ops.read(in->exchange, window + got, size - got, 0, &reason);
        if (n == 0 || n == MW_READ_FAILED) { /* it is told again when the application reads */
            *slow = false;
            return got;
        }
        got += n > 0 ? n : 0;
    }
    *slow = false;
    return got;
}

/* Receives the rest of the body, however long that takes. */
static void receive(mw_intake *in, int64_t left)
{
    const char *reason;
    char *block = apr_palloc(in->exchange->r->pool, BLOCK);
    mw_spool_init(&in->spool, in->group, in->exchange->r->pool);
    in->waiting = true;
    while (left > 0) {
        long n = mw_answer_ops.read(in->exchange, block, left < BLOCK ? (size_t)left : BLOCK, 1, &reason);
        if (n <= 0)
            return;
        size_t put = mw_spool_put(&in->spool, block, n);
        left -= n;
        if (put < (size_t)n) { /* the rest comes on demand, behind these bytes */
            in->rest = block + put;
            in->n_rest = n - put;
            mw_refuse(in->exchange->r, 311, mw_spool_failure(&in->spool, in->exchange->r->pool, in->group)); /* only tells */
            return;
        }
    }
}

size_t mw_intake_collect(mw_intake *in, int64_t length, char *window, size_t size, size_t got)
{
    bool slow;
    if (!wanted(in, length))
        return got;
    if (length < (int64_t)size)
        size = length;
    got = try_fast(in, window, size, got, &slow);
    if (!slow)
        return got;
    while (got < size) {
        const char *reason;
        long n = mw_answer_ops.read(in->exchange, window + got, size - got, 1, &reason);
        if (n <= 0)
            return got;
        got += n;
    }
    if (length > (int64_t)size)
        receive(in, length - size);
    return got;
}

long mw_intake_read(mw_intake *in, char *buffer, size_t n)
{
    if (!in->waiting || n == 0)
        return 0;
    size_t got = mw_spool_get(&in->spool, buffer, n);
    if (got == 0 && in->spool.start < in->spool.end)
        return MW_READ_FAILED;
    if (got == 0 && in->n_rest > 0) {
        got = n < in->n_rest ? n : in->n_rest;
        memcpy(buffer, in->rest, got);
        in->rest += got;
        in->n_rest -= got;
    }
    in->waiting = got > 0;
    if (got == 0)
        mw_spool_used(&in->spool);
    return got;
}
