/* A connection as the gateway's transport (interp/gateway.h). In C because it is the steady path. module/transport.c is its sibling.
 *
 * What is sent is collected in worker->out as long as it is small, so that an ordinary answer is one system call. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- Sending ---- */

/* Sends all of it, with a descriptor if fd >= 0. False: the child of Apache's is gone, or does not read. */
static bool send_all(mwd_exchange *x, struct iovec *iov, size_t n, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    pthread_mutex_lock(&x->worker->sending);
    while (!x->broken && message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(x->connection->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        x->broken = sent < 0;
        message.msg_control = NULL;
        message.msg_controllen = 0;
        while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len && !x->broken) {
            sent -= message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0 && !x->broken) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= sent;
        }
    }
    pthread_mutex_unlock(&x->worker->sending);
    return !x->broken;
}

static void add_header(mwd_exchange *x, uint8_t type, uint8_t flags, uint32_t length)
{
    unsigned char *header = mwd_grow(&x->worker->out, MWD_HEADER);
    if (header)
        mwd_put_header(header, type, flags, length);
}

/* Completes START. False: the headers are too large for it. */
static bool close_start(mwd_exchange *x)
{
    mwd_buffer *out = &x->worker->out;
    if (!x->open)
        return !x->too_large;
    x->open = false;
    if (out->failed || x->headers > UINT16_MAX || out->n - x->at_start - MWD_HEADER > MWD_MAX_PAYLOAD) {
        x->too_large = true;
        out->n = x->at_start;
        return false;
    }
    unsigned char *start = out->data + x->at_start, *line = start + MWD_HEADER + 10;
    mwd_put32(start + 4, out->n - x->at_start - MWD_HEADER);
    mwd_put16(line + 4 + mwd_get32(line) + 1, x->headers);
    return true;
}

static int client_gone(mwd_exchange *x, const char **reason)
{
    *reason = x->too_large ? "the headers of the answer are larger than a mebibyte" : "the client closed the connection";
    return -1;
}

/* Sends what is collected, and the block behind it. */
static bool push(mwd_exchange *x, const void *block, size_t n, int fd)
{
    mwd_buffer *out = &x->worker->out;
    struct iovec iov[2] = {{out->data, out->n}, {(void *)block, n}};
    bool sent = !out->failed && send_all(x, iov, 2, fd);
    x->broken = x->broken || !sent;
    out->n = 0;
    return sent;
}

/* ---- The answer ---- */

static void begin(void *transport, int status, const char *line)
{
    mwd_exchange *x = transport;
    mwd_buffer *out = &x->worker->out;
    x->begun = x->open = true;
    x->at_start = out->n;
    add_header(x, MWD_START, 0, 0);
    unsigned char *code = mwd_grow(out, 2);
    if (code)
        mwd_put16(code, status);
    mwd_add64(out, UINT64_MAX); /* no content length */
    mwd_add_string(out, line);
    unsigned char *count = mwd_grow(out, 2);
    if (count)
        mwd_put16(count, 0);
}

static void header(void *transport, const char *name, const char *value)
{
    mwd_exchange *x = transport;
    mwd_add_string(&x->worker->out, name);
    mwd_add_string(&x->worker->out, value);
    x->headers++;
}

static void content_length(void *transport, int64_t length)
{
    mwd_exchange *x = transport;
    if (!x->worker->out.failed)
        mwd_put64(x->worker->out.data + x->at_start + MWD_HEADER + 2, length);
}

static int write_body(void *transport, const char *data, size_t n, int flush, const char **reason)
{
    mwd_exchange *x = transport;
    mwd_buffer *out = &x->worker->out;
    mwd_note_activity(x, mwd_nanoseconds());
    if (!close_start(x))
        return client_gone(x, reason);
    if (!flush && out->n + n <= MWD_COPIED) {
        add_header(x, MWD_DATA, 0, n);
        unsigned char *to = mwd_grow(out, n);
        if (to)
            memcpy(to, data, n);
        return 0;
    }
    while (n > 0) {
        size_t part = n < MWD_MAX_PAYLOAD ? n : MWD_MAX_PAYLOAD;
        add_header(x, MWD_DATA, flush && part == n ? MWD_FLUSH : 0, part);
        if (!push(x, data, part, -1))
            return client_gone(x, reason);
        data += part;
        n -= part;
    }
    return 0;
}

/* Where the application's file can't be opened again (it is not ours to read, or has no name in /proc). */
static int send_contents(mwd_exchange *x, int fd, int64_t offset, int64_t length, const char **reason)
{
    char block[32768];
    while (length > 0) {
        ssize_t got = pread(fd, block, length < (int64_t)sizeof block ? (size_t)length : sizeof block, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            *reason = got < 0 ? strerror(errno) : "it is shorter than it was";
            return -2;
        }
        if (write_body(x, block, got, 0, reason) < 0)
            return -1;
        offset += got;
        length -= got;
    }
    return 0;
}

static int send_file(void *transport, int fd, int64_t offset, int64_t length, int own, const char **reason)
{
    mwd_exchange *x = transport;
    char path[64];
    int again = fd;
    if (!close_start(x))
        return client_gone(x, reason);
    if (!own) { /* a description with a position of its own: Apache's child sends it when it likes */
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        again = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    }
    if (again < 0)
        return send_contents(x, fd, offset, length, reason);
    add_header(x, MWD_FILE, 0, 16);
    mwd_add64(&x->worker->out, offset);
    mwd_add64(&x->worker->out, length);
    bool sent = push(x, NULL, 0, again);
    close(again);
    return sent ? 0 : client_gone(x, reason);
}

/* ---- The request's body ---- */

static long take_ahead(mwd_exchange *x, char *buffer, size_t n)
{
    if (n > x->n_ahead)
        n = x->n_ahead;
    memcpy(buffer, x->ahead, n);
    x->ahead += n;
    x->n_ahead -= n;
    return n;
}

static bool receive_all(mwd_exchange *x, void *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t k = recv(x->connection->fd, (char *)to + got, n - got, 0);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            x->broken = true;
            return false;
        }
        got += k;
    }
    return true;
}

static long body_failed(mwd_exchange *x, const char **reason, const char *why)
{
    size_t n = strnlen(why, sizeof x->reason - 1);
    memcpy(x->reason, why, n);
    x->reason[n] = '\0';
    *reason = x->reason;
    return MW_READ_FAILED;
}

/* What the child answers to WANT: a count of bytes in `buffer`, which holds `wanted`. */
static long receive_body(mwd_exchange *x, unsigned char *buffer, size_t wanted, const char **reason)
{
    static const char gone[] = "the connection was terminated", odd[] = "Apache's child does not speak this module's protocol";
    unsigned char bytes[MWD_HEADER];
    mwd_header h;
    if (!receive_all(x, bytes, sizeof bytes))
        return body_failed(x, reason, gone);
    x->broken = !mwd_get_header(bytes, &h) || (h.type == MWD_BODY ? h.length > wanted || (h.length == 0 && wanted > 0) : h.type != MWD_BODY_END && h.type != MWD_BODY_FAILED);
    if (x->broken)
        return body_failed(x, reason, odd);
    if (h.type == MWD_BODY)
        return receive_all(x, buffer, h.length) ? (long)h.length : body_failed(x, reason, gone);
    if (h.type == MWD_BODY_END) {
        x->complete = true;
        return 0;
    }
    char text[1026];
    if (h.length > sizeof text || !receive_all(x, text, h.length)) {
        x->broken = true;
        return body_failed(x, reason, gone);
    }
    text[h.length < sizeof text ? h.length : sizeof text - 1] = '\0';
    return body_failed(x, reason, text + 2);
}

static long read_body(void *transport, char *buffer, size_t n, int block, const char **reason)
{
    mwd_exchange *x = transport;
    mwd_worker *w = x->worker;
    mwd_note_activity(x, mwd_nanoseconds());
    if (x->n_ahead > 0)
        return take_ahead(x, buffer, n);
    if (x->complete)
        return 0;
    if (!block)
        return MW_READ_WOULD_BLOCK; /* nothing comes unless it is asked for */
    if (x->broken)
        return body_failed(x, reason, "the connection was terminated");
    bool small = n > 0 && n < MWD_FIRST_WINDOW;
    if (small && !w->body && !(w->body = malloc(MWD_FIRST_WINDOW)))
        return body_failed(x, reason, "out of memory");
    size_t wanted = small ? MWD_FIRST_WINDOW : n < MWD_MAX_PAYLOAD ? n : MWD_MAX_PAYLOAD;
    unsigned char want[MWD_HEADER + 4];
    mwd_put_header(want, MWD_WANT, 0, 4);
    mwd_put32(want + MWD_HEADER, wanted);
    struct iovec iov[1] = {{want, sizeof want}};
    if (!send_all(x, iov, 1, -1))
        return body_failed(x, reason, "the connection was terminated");
    long got = receive_body(x, small ? w->body : (unsigned char *)buffer, wanted, reason);
    if (!small || got <= 0)
        return got;
    x->ahead = w->body;
    x->n_ahead = got;
    return take_ahead(x, buffer, n);
}

/* ---- The error log ---- */

enum { LOG_FIXED = 1 + 4 + 4, LONGEST_FILE = 4096 };

/* The frame of a record: its parts, for one call. */
typedef struct log_frame {
    unsigned char head[MWD_HEADER + LOG_FIXED];
    struct iovec parts[4];
    size_t n;
} log_frame;

static void make_log_frame(log_frame *f, int level, const mw_origin *origin, const char *text, size_t n)
{
    const char *file = origin ? origin->file : "";
    size_t n_file = strnlen(file, LONGEST_FILE);
    if (n > MWD_MAX_PAYLOAD - LOG_FIXED - LONGEST_FILE - 1)
        n = MWD_MAX_PAYLOAD - LOG_FIXED - LONGEST_FILE - 1;
    mwd_put_header(f->head, MWD_LOG, 0, LOG_FIXED + n_file + 1 + n);
    f->head[MWD_HEADER] = level;
    mwd_put32(f->head + MWD_HEADER + 1, origin ? origin->line : 0);
    mwd_put32(f->head + MWD_HEADER + 5, n_file);
    f->parts[0] = (struct iovec){f->head, sizeof f->head};
    f->parts[1] = (struct iovec){(void *)file, n_file};
    f->parts[2] = (struct iovec){"", 1};
    f->parts[3] = (struct iovec){(void *)text, n};
    f->n = sizeof f->head + n_file + 1 + n;
}

static void log_record(void *transport, int level, const mw_origin *origin, const char *text, size_t n)
{
    mwd_exchange *x = transport;
    if (!x || x->broken || mw_is_forked_copy()) {
        mwd_log_write(level, text, n);
        return;
    }
    log_frame f;
    make_log_frame(&f, level, origin, text, n);
    if (!send_all(x, f.parts, 4, -1))
        mwd_log_write(level, text, n);
}

/* Small frames leave whole or not at all, so that nothing waits for a child of Apache's that does not read. */
static bool log_aside(void *transport, int level, const char *text, size_t n)
{
    enum { SMALL = 2048 };
    mwd_exchange *x = transport;
    log_frame f;
    if (level > x->log_level)
        return true;
    if (pthread_mutex_trylock(&x->worker->sending) != 0)
        return false;
    make_log_frame(&f, level, NULL, text, n < SMALL ? n : SMALL);
    struct msghdr message = {.msg_iov = f.parts, .msg_iovlen = 4};
    ssize_t sent = x->broken ? -1 : sendmsg(x->connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    x->broken = x->broken || (sent >= 0 && (size_t)sent < f.n); /* which the system does not do to a message of this size */
    pthread_mutex_unlock(&x->worker->sending);
    return sent >= 0 && (size_t)sent == f.n;
}

static int log_level(void *transport)
{
    mwd_exchange *x = transport;
    return x ? x->log_level : mwd_log_level();
}

static void running(void *transport)
{
    mwd_take_request(((mwd_exchange *)transport)->connection);
}

const mw_ops mwd_server_ops = {
    .read = read_body,
    .begin = begin,
    .header = header,
    .content_length = content_length,
    .write = write_body,
    .send_file = send_file,
    .log = log_record,
    .log_aside = log_aside,
    .running = running,
    .log_level = log_level,
};

/* ---- The end ---- */

bool mwd_finish(mwd_exchange *x, int outcome)
{
    mwd_buffer *out = &x->worker->out;
    bool headers_fit = close_start(x);
    bool again = outcome == MW_AGAIN || outcome == MW_ELSEWHERE;
    if (outcome <= 0 && !again && (!headers_fit || !x->begun))
        outcome = 500;
    if (again) {
        add_header(x, MWD_AGAIN, outcome == MW_ELSEWHERE ? MWD_ELSEWHERE : 0, 0);
    } else if (outcome == MW_CUT || outcome > 0) {
        add_header(x, outcome == MW_CUT ? MWD_ABORT : MWD_FAIL, 0, 2);
        unsigned char *status = mwd_grow(out, 2);
        if (status)
            mwd_put16(status, outcome > 0 ? outcome : 500);
    } else {
        add_header(x, MWD_END, outcome == MW_SHORT ? MWD_SHORT : 0, 0);
    }
    bool sent = push(x, NULL, 0, -1);
    if (out->size > 4 * MWD_COPIED || out->failed) {
        free(out->data);
        *out = (mwd_buffer){0};
    }
    return sent;
}
