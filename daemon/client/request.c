/* What a process is told of a request. In C because it is the steady path. */
#include "request.h"

#include "queue.h"

static void add_environ(mwd_buffer *b, const mw_call *call)
{
    mwd_add_string(b, call->application_group);
    mwd_add_string(b, call->script);
    mwd_add_string(b, call->callable);
    mwd_add_string(b, call->resource);
    mwd_add32(b, call->n_environ);
    for (size_t i = 0; i < call->n_environ; i++) {
        mwd_add_string(b, call->environ[i].key);
        mwd_add_string(b, call->environ[i].value);
    }
}

/* Adds the first window of the body. Returns its length; *complete: it is the whole body. */
static size_t add_window(mwd_buffer *b, const mw_call *call, const mwd_hooks *hooks, bool *complete)
{
    const char *reason;
    *complete = call->content_length == 0;
    char *window = *complete ? NULL : (char *)mwd_grow(b, MWD_FIRST_WINDOW);
    if (!window)
        return 0;
    long got = call->ops->read(call->transport, window, MWD_FIRST_WINDOW, 0, &reason);
    bool ended = got == 0;
    if (!ended && got != MW_READ_FAILED && got != call->content_length && hooks && hooks->collect)
        got = hooks->collect(call->transport, window, MWD_FIRST_WINDOW, got > 0 ? got : 0);
    size_t n = got > 0 ? got : 0; /* a failure is told when the application reads */
    *complete = ended || (n > 0 && (int64_t)n == call->content_length);
    b->n -= MWD_FIRST_WINDOW - n;
    return n;
}

bool mwd_build_request(mwd_buffer *b, const mw_call *call, const mwd_hooks *hooks, mwd_report *report, double *received)
{
    double began = mwd_clock();
    b->n = 0;
    mwd_grow(b, MWD_HEADER);
    mwd_add64(b, (uint64_t)(call->request_start * 1e6 + 0.5));
    size_t at_queued = b->n;
    mwd_add64(b, 0);
    mwd_add64(b, (uint64_t)call->content_length);
    mwd_add32(b, call->flags);
    size_t at_complete = b->n;
    mwd_add32(b, 0);
    mwd_add64(b, 0); /* connects and restarts: the client, before each attempt */
    mwd_add32(b, call->ops->log_level(call->transport));
    add_environ(b, call);
    size_t at_window = b->n;
    mwd_add32(b, 0);
    bool complete;
    size_t n = add_window(b, call, hooks, &complete);
    unsigned char *end = mwd_grow(b, 1);
    report->queue_start = mwd_clock();
    *received += report->queue_start - began;
    if (b->failed || !end)
        return false;
    *end = '\0';
    mwd_put64(b->data + at_queued, (uint64_t)(report->queue_start * 1e6 + 0.5));
    mwd_put32(b->data + at_complete, complete);
    mwd_put32(b->data + at_window, n);
    mwd_put_header(b->data, MWD_REQUEST, 0, b->n - MWD_HEADER);
    return true;
}
