#include "transport.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void append(ct_text *t, const char *data, size_t n)
{
    if (t->size - t->n < n) {
        t->size = 2 * t->size + n;
        t->data = realloc(t->data, t->size);
    }
    memcpy(t->data + t->n, data, n);
    t->n += n;
}

static void say(ct_request *r, const char *format, ...)
{
    char word[512];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(word, sizeof word, format, arguments);
    va_end(arguments);
    append(&r->trace, word, n < (int)sizeof word ? n : (int)sizeof word - 1);
}

static long read_body(void *transport, char *buffer, size_t n, int block, const char **reason)
{
    ct_request *r = transport;
    if (r->fail_read) {
        *reason = "the client hung up";
        return block ? MW_READ_FAILED : MW_READ_WOULD_BLOCK;
    }
    if (!block && r->at_once == 0 && r->n_body > 0)
        return MW_READ_WOULD_BLOCK;
    if (block)
        say(r, "read:%zu ", n);
    size_t available = block ? r->n_body : r->at_once;
    if (n > available)
        n = available;
    memcpy(buffer, r->body, n);
    r->body += n;
    r->n_body -= n;
    r->at_once -= n < r->at_once ? n : r->at_once;
    return n;
}

static void begin(void *transport, int status, const char *line)
{
    say(transport, "begin:%d:%s ", status, line);
}

static void header(void *transport, const char *name, const char *value)
{
    say(transport, "header:%s=%s ", name, value);
}

static void content_length(void *transport, int64_t length)
{
    say(transport, "length:%lld ", (long long)length);
}

static int write_body(void *transport, const char *data, size_t n, int flush, const char **reason)
{
    ct_request *r = transport;
    append(&r->answer, data, n);
    if (flush)
        say(r, "flush ");
    *reason = "gone";
    return r->fail_write_after >= 0 && r->answer.n > (size_t)r->fail_write_after ? -1 : 0;
}

static int send_file(void *transport, int fd, int64_t offset, int64_t length, int own, const char **reason)
{
    ct_request *r = transport;
    char *block = malloc(length);
    ssize_t got = pread(fd, block, length, offset);
    say(r, "file:%lld+%lld ", (long long)offset, (long long)length);
    append(&r->answer, block, got > 0 ? got : 0);
    free(block);
    if (own)
        close(fd);
    *reason = "short";
    return got == length ? 0 : -2;
}

static int log_level(void *transport)
{
    (void)transport;
    return MW_LOG_INFO;
}

static void log_record(void *transport, int level, const mw_origin *origin, const char *text, size_t n)
{
    say(transport, "log:%d:%.*s ", level, (int)n, text);
    if (origin)
        say(transport, "from:%s:%d ", origin->file, origin->line);
}

static const mw_ops ops = {
    .read = read_body, .begin = begin, .header = header, .content_length = content_length, .write = write_body, .send_file = send_file,
    .log = log_record, .log_level = log_level,
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int inspect(void *transport, int status, const char *const *headers)
{
    (void)status;
    (void)headers;
    return ((ct_request *)transport)->drop_with;
}

static size_t collect(void *transport, char *window, size_t size, size_t got)
{
    ct_request *r = transport;
    if (r->collect == 0)
        return got;
    usleep(r->collect * 1000);
    size_t n = r->n_body < size - got ? r->n_body : size - got;
    memcpy(window + got, r->body, n);
    r->body += n;
    r->n_body -= n;
    return got + n;
}

static int await(void *transport, int fd, int64_t milliseconds)
{
    ct_request *r = transport;
    struct pollfd process = {fd, POLLIN, 0};
    if (r->answer.n == 0)
        return 1;
    poll(&process, 1, (int)milliseconds);
    return r->await;
}

static const mwd_group *elsewhere(void *transport)
{
    const mwd_group *other = ((ct_request *)transport)->elsewhere;
    return other && mwd_state_of(atomic_load(&other->part->slots[0].word)) == MWD_SLOT_READY ? other : NULL;
}

ct_outcome ct_run(const mwd_group *group, ct_request *request, const char *const *pairs, int64_t length, int64_t timeout)
{
    static const mwd_hooks hooks = {.inspect = inspect, .collect = collect, .await = await, .elsewhere = elsewhere};
    mw_pair environ[64];
    size_t n = 0;
    for (; pairs[2 * n] && n < 64; n++)
        environ[n] = (mw_pair){pairs[2 * n], pairs[2 * n + 1]};
    mw_call call = {
        .ops = &ops, .transport = request, .application_group = "group", .script = "/srv/app.wsgi", .callable = "application", .resource = "/srv/app.wsgi",
        .content_length = length, .flags = MW_CALL_HTTPS, .environ = environ, .n_environ = n, .request_start = now(),
    };
    ct_outcome outcome;
    outcome.result = mwd_run(group, &call, &hooks, timeout, &outcome.report);
    return outcome;
}

void ct_free(ct_request *request)
{
    free(request->trace.data);
    free(request->answer.data);
}
