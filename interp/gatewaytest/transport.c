#include <Python.h>

#include "transport.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static gt_shared *shared;

static void append(gt_buffer *buffer, const char *data, size_t n)
{
    if (buffer->n + n > buffer->room) {
        buffer->room = (buffer->n + n) * 2 + 256;
        buffer->data = realloc(buffer->data, buffer->room);
        if (!buffer->data)
            abort();
    }
    if (n > 0)
        memcpy(buffer->data + buffer->n, data, n);
    buffer->n += n;
}

/* ---- The contract ---- */

/* CPython before 3.12 stops checking in PyGILState_Check() once there is a sub-interpreter. The gateway keeps this thread's entry up to
 * date (mw_gilstate_follow), so that the comparison means this thread. */
static bool holds_gil(void)
{
    PyThreadState *current = _PyThreadState_UncheckedGet();
    return current && current == PyGILState_GetThisThreadState();
}

/* Begins an operation; false if it must not be done at all. */
static bool enter(gt_exchange *x, bool blocks)
{
    if (getpid() != shared->pid) {
        shared->forked++;
        return false;
    }
    if (!x->alive) {
        shared->late++;
        return false;
    }
    if (x->inside++ > 0)
        shared->crowded++;
    if (blocks && holds_gil())
        shared->gil_held++;
    if (!blocks && !holds_gil())
        shared->gil_missing++;
    return true;
}

static void leave(gt_exchange *x)
{
    if (!x->alive)
        shared->late++;
    x->inside--;
}

/* ---- The body of the request ---- */

static bool wait_for(int fd)
{
    char byte;
    return read(fd, &byte, 1) == 1;
}

static long take(gt_exchange *x, char *buffer, size_t n, int block, const char **reason)
{
    if (x->piece == x->n_pieces)
        return 0;
    gt_piece *piece = &x->pieces[x->piece];
    if (piece->kind == GT_FAIL) {
        *reason = piece->data;
        return MW_READ_FAILED;
    }
    if (n == 0)
        return 0;
    if (x->offset == 0 && piece->kind != GT_NOW) {
        if (!block)
            return MW_READ_WOULD_BLOCK;
        if (piece->kind == GT_GATE && !wait_for(piece->fd)) {
            *reason = "the gate was closed";
            return MW_READ_FAILED;
        }
    }
    if (n > piece->n - x->offset)
        n = piece->n - x->offset;
    memcpy(buffer, piece->data + x->offset, n);
    x->offset += n;
    if (x->offset == piece->n) {
        x->offset = 0;
        x->piece++;
    }
    return n;
}

static long read_body(void *transport, char *buffer, size_t n, int block, const char **reason)
{
    gt_exchange *x = transport;
    if (!enter(x, block)) {
        *reason = "not allowed";
        return MW_READ_FAILED;
    }
    if (n == 0)
        append(&x->trace, "wanted ", 7);
    long got = take(x, buffer, n, block, reason);
    leave(x);
    return got;
}

/* ---- The answer ---- */

static void begin(void *transport, int status, const char *line)
{
    gt_exchange *x = transport;
    if (!enter(x, false))
        return;
    x->status = status;
    x->line.n = 0;
    append(&x->line, line, strlen(line));
    append(&x->trace, "begin ", 6);
    leave(x);
}

static void header(void *transport, const char *name, const char *value)
{
    gt_exchange *x = transport;
    if (!enter(x, false))
        return;
    append(&x->headers, name, strlen(name) + 1);
    append(&x->headers, value, strlen(value) + 1);
    append(&x->trace, "header ", 7);
    leave(x);
}

static void content_length(void *transport, int64_t length)
{
    gt_exchange *x = transport;
    if (!enter(x, false))
        return;
    x->length = length;
    append(&x->trace, "length ", 7);
    leave(x);
}

/* How much of n bytes the client takes; false if it is gone then. */
static bool client_takes(gt_exchange *x, size_t *n, const char **reason)
{
    if (x->write_gate >= 0)
        wait_for(x->write_gate);
    if (x->takes < 0 || (int64_t)(x->body.n + *n) <= x->takes)
        return true;
    *n = x->takes - x->body.n;
    *reason = "Broken pipe";
    return false;
}

static int write_body(void *transport, const char *data, size_t n, int flush, const char **reason)
{
    gt_exchange *x = transport;
    if (!enter(x, true)) {
        *reason = "not allowed";
        return -1;
    }
    char word[64];
    append(&x->trace, word, snprintf(word, sizeof word, "%s:%zu ", flush ? "flush" : "write", n));
    bool all = client_takes(x, &n, reason);
    append(&x->body, data, n);
    leave(x);
    return all ? 0 : -1;
}

static int send_file(void *transport, int fd, int64_t offset, int64_t length, int own, const char **reason)
{
    gt_exchange *x = transport;
    if (!enter(x, true)) {
        *reason = "not allowed";
        return -1;
    }
    char word[96], block[4096];
    append(&x->trace, word, snprintf(word, sizeof word, "file:%lld+%lld ", (long long)offset, (long long)length));
    size_t n = length;
    int result = client_takes(x, &n, reason) ? 0 : -1;
    while (n > 0) {
        ssize_t got = pread(fd, block, n < sizeof block ? n : sizeof block, offset);
        if (got <= 0) {
            *reason = "the file is shorter than announced";
            result = -2;
            break;
        }
        append(&x->body, block, got);
        offset += got;
        n -= got;
    }
    if (own)
        close(fd);
    leave(x);
    return result;
}

/* ---- Logs ---- */

static pthread_mutex_t server_lock = PTHREAD_MUTEX_INITIALIZER;
static gt_buffer server_log; /* guarded by server_lock */

static void log_record(void *transport, int level, const mw_origin *origin, const char *text, size_t n)
{
    gt_exchange *x = transport;
    char prefix[1024];
    if (memchr(text, '\n', n))
        shared->newline++;
    if (getpid() != shared->pid) { /* no lock: its owner may have stayed behind */
        size_t at = atomic_fetch_add(&shared->forked_log_n, n + 1);
        if (at + n + 1 <= sizeof shared->forked_log) {
            memcpy(shared->forked_log + at, text, n);
            shared->forked_log[at + n] = '\n';
        }
        return;
    }
    if (x && !x->alive)
        shared->late++;
    pthread_mutex_t *lock = x ? &x->log_lock : &server_lock;
    gt_buffer *log = x ? &x->log : &server_log;
    pthread_mutex_lock(lock);
    append(log, prefix, snprintf(prefix, sizeof prefix, "%d ", level));
    append(log, text, n);
    if (origin)
        append(log, prefix, snprintf(prefix, sizeof prefix, " (%s:%d)", origin->file, origin->line));
    append(log, "\n", 1);
    pthread_mutex_unlock(lock);
}

/* With "aside" in front of the level. */
static bool log_aside(void *transport, int level, const char *text, size_t n)
{
    gt_exchange *x = transport;
    char prefix[32];
    if (!x->alive)
        shared->late++;
    pthread_mutex_lock(&x->log_lock);
    append(&x->log, prefix, snprintf(prefix, sizeof prefix, "aside %d ", level));
    append(&x->log, text, n);
    append(&x->log, "\n", 1);
    pthread_mutex_unlock(&x->log_lock);
    return true;
}

static int log_level(void *transport)
{
    (void)transport;
    return MW_LOG_INFO;
}

char *gt_server_log(size_t *n)
{
    pthread_mutex_lock(&server_lock);
    char *text = malloc(server_log.n + 1);
    if (server_log.n > 0)
        memcpy(text, server_log.data, server_log.n);
    *n = server_log.n;
    server_log.n = 0;
    pthread_mutex_unlock(&server_lock);
    return text;
}

/* ---- The connection ---- */

static bool is_https(void *transport)
{
    gt_exchange *x = transport;
    return x->call.flags & MW_CALL_HTTPS;
}

/* Every variable's value is its name, but for one that there is not. */
static const char *tls_variable(void *transport, const char *name)
{
    gt_exchange *x = transport;
    if (!x->alive)
        shared->late++;
    return strcmp(name, "NONE") == 0 ? NULL : name;
}

const mw_ops gt_ops = {
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

/* ---- Running ---- */

static void count_exit(void)
{
    if (getpid() != shared->pid)
        shared->exited++;
}

gt_shared *gt_set_up(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return NULL;
    shared->pid = getpid();
    atexit(count_exit);
    return shared;
}

gt_exchange *gt_exchange_new(void)
{
    gt_exchange *x = calloc(1, sizeof *x);
    if (x)
        pthread_mutex_init(&x->log_lock, NULL);
    return x;
}

static void reset(gt_exchange *x)
{
    x->piece = x->offset = 0;
    x->status = 0;
    x->length = -1;
    x->line.n = x->headers.n = x->body.n = x->trace.n = x->log.n = 0;
    x->call.ops = &gt_ops;
    x->call.transport = x;
}

/* Asks the questions; their answers become the body, in words. */
static int ask(gt_exchange *x)
{
    static const char *const words[] = {"failed ", "yes ", "no ", "nothing ", "text "};
    mw_ask(&x->call, x->questions, x->n_questions);
    for (size_t i = 0; i < x->n_questions; i++) {
        const mw_question *q = &x->questions[i];
        const char *text = q->text;
        append(&x->body, words[q->answer], strlen(words[q->answer]));
        for (size_t j = 0; j < q->n_texts; j++, text += strlen(text) + 1) {
            append(&x->body, text, strlen(text));
            append(&x->body, "|", 1);
        }
        free(q->text);
    }
    return x->questions[x->n_questions - 1].answer;
}

static void forget_server_log(void)
{
    pthread_mutex_lock(&server_lock);
    server_log.n = 0;
    pthread_mutex_unlock(&server_lock);
}

long gt_run(gt_exchange *x, long n, int expected)
{
    long others = 0;
    for (long i = 0; i < n; i++) {
        reset(x);
        if (i > 0)
            forget_server_log();
        x->alive = true;
        x->result = x->n_questions > 0 ? ask(x) : mw_run(&x->call);
        if (getpid() != shared->pid) { /* must never get here, nor may a test go on in two processes */
            shared->forked++;
            _exit(99);
        }
        if (x->inside != 0)
            shared->late++;
        x->alive = false;
        others += x->result != expected;
    }
    return others;
}

long gt_thread_states(void)
{
    long n = -1; /* the one that counts */
    PyGILState_STATE held = PyGILState_Ensure();
    for (PyInterpreterState *i = PyInterpreterState_Head(); i; i = PyInterpreterState_Next(i))
        for (PyThreadState *t = PyInterpreterState_ThreadHead(i); t; t = PyThreadState_Next(t))
            n++;
    PyGILState_Release(held);
    return n;
}

size_t gt_malloced(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}
