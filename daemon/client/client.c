/* One request on its way to a daemon process and back. In C because it is the steady path. */
#include "client.h"
#include "fate.h"
#include "pool.h"
#include "queue.h"
#include "request.h"
#include "../seats.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/uio.h>
#include <unistd.h>

/* A request while it is here. On the stack of mwd_run(). */
typedef struct journey {
    const mwd_group *group;
    mw_call *call;
    const mwd_hooks *hooks;
    mwd_report *report;
    int64_t timeout;             /* milliseconds */
    double received;             /* when the request was, in seconds since the epoch, not counting how long its body took */
    mwd_scratch *scratch;
    mwd_claim claim;
    mwd_connection *connection;
    int descriptor;              /* that came with the last bytes, -1: none */
    bool started;                /* START was seen */
    int dropped;                 /* the answer is not wanted: the status that takes its place, 0 if it is */
    bool flush_wanted;           /* the application waits for its block to be sent */
    size_t unflushed;            /* bytes handed to the transport since it was told to flush */
    bool gone;                   /* the client is */
    bool broken, silent;         /* how the process was lost: its end of the connection has gone, or nothing comes from it */
    bool asked;                  /* the application has asked for the body: it runs */
    bool unread;                 /* the process has ended and had not run the request */
} journey;

/* Outcomes of a step beside those of mw_run(). */
enum { GO_ON = -100, ANOTHER_PROCESS = -101, LOST = -102 /* report->code says why */, ANY_OTHER_PROCESS = -103 };

static int lost(journey *j, int code, const char *detail)
{
    j->report->code = code;
    snprintf(j->report->detail, sizeof j->report->detail, "%s", detail);
    return LOST;
}

/* ---- The connection ---- */

static void set_send_timeout(int fd, int64_t milliseconds)
{
    struct timeval t = {milliseconds / 1000, milliseconds % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

static void set_buffer(int fd, int which, int size)
{
    if (size > 0)
        setsockopt(fd, SOL_SOCKET, which, &size, sizeof size); /* the supervisor tells when the system refuses */
}

/* Who made the socket: root, the user who started Apache, or the group's. */
static bool trusted(const mwd_group *group, int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == 0 || peer.uid == geteuid() || peer.uid == group->uid);
}

/* Connects to the process of the claim. GO_ON, ANOTHER_PROCESS when it is gone, or LOST. */
static int open_connection(journey *j)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s.%u.sock", j->group->socket, j->claim.serial);
    if (n >= (int)sizeof address.sun_path)
        return lost(j, 117, "the path of the socket is too long");
    mwd_connection *c = calloc(1, sizeof *c);
    if (!c || (c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0) {
        const char *reason = c ? strerror(errno) : "out of memory";
        free(c);
        return lost(j, 115, reason);
    }
    c->serial = j->claim.serial;
    set_send_timeout(c->fd, j->timeout);
    set_buffer(c->fd, SO_SNDBUF, j->group->send_buffer);
    set_buffer(c->fd, SO_RCVBUF, j->group->receive_buffer);
    int failed;
    while ((failed = connect(c->fd, (struct sockaddr *)&address, sizeof address)) != 0 && errno == EINTR)
        ;
    int error = failed ? errno : 0;
    if (!failed && trusted(j->group, c->fd)) {
        j->connection = c;
        return GO_ON;
    }
    mwd_connection_close(c);
    if (!failed)
        return lost(j, 117, "it belongs to somebody else");
    if (error == ECONNREFUSED || error == EAGAIN || error == ENOENT)
        return ANOTHER_PROCESS; /* it has just ended, which the board will say */
    char detail[160];
    snprintf(detail, sizeof detail, "%s: %s", address.sun_path, strerror(error));
    return lost(j, 117, detail);
}

/* Sends all of it. False with errno. */
static bool send_all(int fd, struct iovec *iov, size_t n)
{
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};
    while (message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len) {
            sent -= message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= sent;
        }
    }
    return true;
}

static void give_up_connection(journey *j)
{
    if (j->connection)
        mwd_connection_close(j->connection);
    j->connection = NULL;
}

/* Gets a connection and sends the request on it. */
static int send_request(journey *j)
{
    unsigned char hello[MWD_HEADER + MWD_HELLO];
    mwd_buffer *request = &j->scratch->request;
    struct iovec iov[2] = {{hello, 0}, {request->data, request->n}};
    mwd_put32(request->data + MWD_HEADER + MWD_AT_CONNECTS, j->report->connects);
    mwd_put32(request->data + MWD_HEADER + MWD_AT_RESTARTS, j->report->restarts);
    j->connection = mwd_pool_connection(j->group->pool, j->claim.slot, j->claim.serial);
    if (!j->connection) {
        int outcome = open_connection(j);
        if (outcome != GO_ON)
            return outcome;
        mwd_put_header(hello, MWD_CLIENT_HELLO, 0, MWD_HELLO);
        memcpy(hello + MWD_HEADER, "MWD", 3);
        hello[MWD_HEADER + 3] = MWD_VERSION;
        iov[0].iov_len = sizeof hello;
    }
    if (send_all(j->connection->fd, iov, 2))
        return GO_ON;
    int error = errno;
    give_up_connection(j);
    if (error == EPIPE || error == ECONNRESET) /* the process ended without having had all of it */
        return ANOTHER_PROCESS;
    j->silent = error == EAGAIN;
    return lost(j, 121, error == EAGAIN ? "the process does not take it" : strerror(error));
}

/* ---- The request's body, on demand ---- */

static void flush(journey *j)
{
    const char *reason;
    j->flush_wanted = false;
    j->unflushed = 0;
    if (!j->gone && !j->dropped)
        j->gone = j->call->ops->write(j->call->transport, "", 0, 1, &reason) < 0;
}

static int answer_want(journey *j, uint32_t wanted)
{
    mwd_scratch *s = j->scratch;
    j->asked = true;
    if (!s->body && !(s->body = malloc(MWD_BODY_BLOCK)))
        return lost(j, 129, "out of memory");
    const char *reason = "";
    size_t n = wanted < MWD_BODY_BLOCK ? wanted : MWD_BODY_BLOCK;
    long got = j->flush_wanted && n > 0 ? j->call->ops->read(j->call->transport, (char *)s->body, n, 0, &reason) : MW_READ_WOULD_BLOCK;
    if (got == MW_READ_WOULD_BLOCK) {
        if (j->flush_wanted) /* the client may wait for that before it sends more */
            flush(j);
        got = j->call->ops->read(j->call->transport, (char *)s->body, n, 1, &reason);
    }
    unsigned char header[MWD_HEADER + 2];
    struct iovec iov[2] = {{header, MWD_HEADER}, {s->body, 0}};
    if (got > 0 || (got == 0 && wanted == 0)) {
        mwd_put_header(header, MWD_BODY, 0, got);
        iov[1].iov_len = got;
    } else if (got == 0) {
        mwd_put_header(header, MWD_BODY_END, 0, 0);
    } else {
        size_t length = strnlen(reason, 1024);
        mwd_put_header(header, MWD_BODY_FAILED, 0, length + 2);
        mwd_put16(header + MWD_HEADER, 0);
        iov[0].iov_len += 2;
        iov[1] = (struct iovec){(char *)reason, length};
    }
    send_all(j->connection->fd, iov, 2); /* a process that is gone shows in what is read from it */
    return GO_ON;
}

/* ---- The answer ---- */

static int broken(journey *j, ssize_t got)
{
    /* The other end was closed with data in it (unix(7)). A process takes a request out when it is about to run it. */
    j->unread = got < 0 && errno == ECONNRESET && !j->started && !j->asked;
    if (j->unread)
        return ANOTHER_PROCESS;
    j->silent = got < 0 && errno == EAGAIN;
    j->broken = !j->silent;
    if (got == 0)
        return lost(j, j->started ? 119 : 146, "it closed the connection");
    if (errno == EAGAIN)
        return lost(j, j->started ? 119 : 145, "it has sent nothing for too long");
    return lost(j, j->started ? 119 : errno == ECONNRESET ? 146 : 147, strerror(errno));
}

static int garbage(journey *j)
{
    return lost(j, j->started ? 119 : 147, "what it sends is not this module's protocol");
}

static void keep_descriptor(journey *j, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        int fds[2];
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), (n < 2 ? n : 2) * sizeof(int));
        for (size_t i = 0; i < n && i < 2; i++) {
            if (j->descriptor < 0)
                j->descriptor = fds[i];
            else
                close(fds[i]);
        }
    }
}

/* Like recvmsg() without flags. It waits in poll(), which only bytes end: in recvmsg() a thread is woken for nothing whenever the process
 * takes something out of its own end, which it does in the middle of each request (unix(7) sockets tell who wrote of the room). */
static ssize_t receive_message(int fd, struct msghdr *message, int64_t timeout)
{
    size_t control = message->msg_controllen;
    struct pollfd wait = {fd, POLLIN, 0};
    for (;;) {
        ssize_t got = recvmsg(fd, message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN))
            return got;
        message->msg_controllen = control;
        if (errno == EAGAIN && poll(&wait, 1, timeout <= 0 ? -1 : timeout < INT_MAX ? (int)timeout : INT_MAX) == 0) {
            errno = EAGAIN;
            return -1;
        }
    }
}

/* Reads what has come behind what is there. First lets the client have what the application waits to see sent. */
static int receive(journey *j)
{
    mwd_scratch *s = j->scratch;
    int fd = j->connection->fd;
    if (j->flush_wanted) {
        struct pollfd wait = {fd, POLLIN, 0};
        if (poll(&wait, 1, (int)j->group->flush_delay) <= 0)
            flush(j);
    }
    if (!j->gone && j->hooks && j->hooks->await) {
        int ready = j->hooks->await(j->call->transport, fd, j->timeout);
        if (ready == 0) {
            errno = EAGAIN;
            return broken(j, -1);
        }
        j->gone = ready < 0;
    }
    if (j->gone)
        return GO_ON;
    if (s->start > 0) {
        memmove(s->input, s->input + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
    }
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec iov = {s->input + s->end, s->input_size - s->end};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = receive_message(fd, &message, j->timeout);
    if (got <= 0)
        return broken(j, got);
    if (message.msg_controllen > 0)
        keep_descriptor(j, &message);
    s->end += got;
    return GO_ON;
}

/* Makes sure that n bytes lie at s->input + s->start. */
static int need(journey *j, size_t n)
{
    mwd_scratch *s = j->scratch;
    if (s->input_size < n) {
        unsigned char *larger = realloc(s->input, n);
        if (!larger)
            return lost(j, j->started ? 119 : 147, "out of memory");
        s->input = larger;
        s->input_size = n;
    }
    int outcome = GO_ON;
    while (outcome == GO_ON && !j->gone && s->end - s->start < n)
        outcome = receive(j);
    return outcome;
}

/* The lines as they would look must fit the group's header-buffer-size. */
static const char *too_long(journey *j, const char *const *headers)
{
    for (; *headers; headers += 2)
        if (strlen(headers[0]) + 2 + strlen(headers[1]) > j->group->header_buffer - 2)
            return headers[0];
    return NULL;
}

static int start(journey *j, unsigned char *payload, uint32_t length)
{
    mwd_parser p = {payload, payload + length, false};
    const mw_ops *ops = j->call->ops;
    int status = mwd_get16(mwd_take(&p, 2));
    int64_t content_length = (int64_t)mwd_get64(mwd_take(&p, 8));
    const char *line = mwd_take_string(&p);
    unsigned n = mwd_get16(mwd_take(&p, 2));
    mwd_buffer *b = &j->scratch->headers;
    b->n = 0;
    const char **headers = (const char **)mwd_grow(b, (2 * (size_t)n + 1) * sizeof *headers);
    if (!headers)
        return lost(j, 147, "out of memory");
    for (unsigned i = 0; i < 2 * n; i++)
        headers[i] = mwd_take_string(&p);
    headers[2 * n] = NULL;
    if (p.failed || p.at != p.end || content_length < -1 || j->started)
        return garbage(j);
    const char *offender = too_long(j, headers);
    if (offender)
        return lost(j, 144, offender);
    j->started = true;
    if (j->hooks && j->hooks->inspect && (j->dropped = j->hooks->inspect(j->call->transport, status, headers)))
        return GO_ON;
    ops->begin(j->call->transport, status, line);
    for (unsigned i = 0; i < n; i++)
        ops->header(j->call->transport, headers[2 * i], headers[2 * i + 1]);
    if (content_length >= 0)
        ops->content_length(j->call->transport, content_length);
    return GO_ON;
}

/* Hands the block to the transport as it arrives. */
static int data(journey *j, size_t length, bool flushed)
{
    mwd_scratch *s = j->scratch;
    if (!j->started)
        return garbage(j);
    while (length > 0) {
        int outcome = s->start == s->end ? receive(j) : GO_ON;
        if (outcome != GO_ON || j->gone)
            return outcome;
        size_t n = s->end - s->start < length ? s->end - s->start : length;
        const char *reason;
        if (!j->dropped)
            j->gone = j->call->ops->write(j->call->transport, (char *)s->input + s->start, n, 0, &reason) < 0;
        s->start += n;
        length -= n;
        j->unflushed += n;
        if (j->unflushed >= j->group->response_buffer)
            flush(j);
    }
    j->flush_wanted = flushed && !j->gone;
    return GO_ON;
}

static int file(journey *j, unsigned char *payload)
{
    int fd = j->descriptor;
    j->descriptor = -1;
    int64_t offset = (int64_t)mwd_get64(payload), length = (int64_t)mwd_get64(payload + 8);
    if (fd < 0 || !j->started || offset < 0 || length <= 0 || offset > INT64_MAX - length) {
        if (fd >= 0)
            close(fd);
        return garbage(j);
    }
    if (j->dropped) {
        close(fd);
        return GO_ON;
    }
    const char *reason = "";
    int failed = j->call->ops->send_file(j->call->transport, fd, offset, length, 1, &reason);
    if (failed == -2)
        return lost(j, 119, reason);
    j->gone = failed < 0;
    return GO_ON;
}

static int hello(journey *j, unsigned char *payload)
{
    if (j->connection->greeted || memcmp(payload, "MWD", 3) != 0)
        return garbage(j);
    if (payload[3] != MWD_VERSION) {
        char detail[128];
        snprintf(detail, sizeof detail, "it speaks version %d of the protocol, this process %d: restart Apache after an upgrade", payload[3], MWD_VERSION);
        return lost(j, 147, detail);
    }
    j->connection->greeted = true;
    return GO_ON;
}

/* The status of an answer that failed before it began. */
static int fail(journey *j, const unsigned char *payload)
{
    int status = mwd_get16(payload);
    return j->started || status < 400 || status > 599 ? garbage(j) : status;
}

static int log_record(journey *j, unsigned char *payload, uint32_t length)
{
    mwd_parser p = {payload, payload + length, false};
    int level = *mwd_take(&p, 1);
    mw_origin origin;
    origin.line = (int)mwd_get32(mwd_take(&p, 4));
    origin.file = mwd_take_string(&p);
    if (p.failed)
        return garbage(j);
    j->call->ops->log(j->call->transport, level, *origin.file ? &origin : NULL, (char *)p.at, p.end - p.at);
    return GO_ON;
}

/* Deals with one frame whose payload, unless it is DATA's, is complete. GO_ON, or how the request ends. */
static int frame(journey *j, const mwd_header *h, unsigned char *payload)
{
    if (!j->connection->greeted && h->type != MWD_SERVER_HELLO)
        return garbage(j);
    switch (h->type) {
    case MWD_SERVER_HELLO:
        return hello(j, payload);
    case MWD_WANT:
        return answer_want(j, mwd_get32(payload));
    case MWD_START:
        return start(j, payload, h->length);
    case MWD_FILE:
        return file(j, payload);
    case MWD_LOG:
        return log_record(j, payload, h->length);
    case MWD_END:
        if (!j->started)
            return garbage(j);
        return j->dropped ? j->dropped : h->flags & MWD_SHORT ? MW_SHORT : MW_ANSWERED;
    case MWD_ABORT:
        return j->dropped ? j->dropped : j->started ? MW_CUT : garbage(j);
    case MWD_FAIL:
        return fail(j, payload);
    case MWD_AGAIN:
        return j->started ? garbage(j) : h->flags & MWD_ELSEWHERE ? ANY_OTHER_PROCESS : ANOTHER_PROCESS;
    default:
        return garbage(j); /* a child's own */
    }
}

static int receive_answer(journey *j)
{
    mwd_scratch *s = j->scratch;
    s->start = s->end = 0;
    for (;;) {
        mwd_header h;
        int outcome = need(j, MWD_HEADER);
        if (outcome == GO_ON && !j->gone && !mwd_get_header(s->input + s->start, &h))
            return garbage(j);
        if (outcome == GO_ON && !j->gone && h.type == MWD_DATA) {
            s->start += MWD_HEADER;
            outcome = data(j, h.length, h.flags & MWD_FLUSH);
        } else if (outcome == GO_ON && !j->gone) {
            outcome = need(j, MWD_HEADER + h.length);
            unsigned char *payload = s->input + s->start + MWD_HEADER;
            if (outcome == GO_ON && !j->gone) {
                s->start += MWD_HEADER + h.length;
                outcome = frame(j, &h, payload);
            }
        }
        if (outcome != GO_ON)
            return outcome;
        if (j->gone)
            return MW_ANSWERED;
    }
}

/* One attempt with one process. */
static int attempt(journey *j)
{
    j->unread = false;
    int outcome = send_request(j);
    if (outcome != GO_ON)
        return outcome;
    outcome = receive_answer(j);
    bool in_step = outcome != LOST && !j->unread && !j->gone && j->scratch->start == j->scratch->end && j->descriptor < 0;
    if (in_step)
        mwd_pool_keep_connection(j->group->pool, j->claim.slot, j->connection);
    else
        mwd_connection_close(j->connection); /* the process notices, and stops writing */
    j->connection = NULL;
    if (j->descriptor >= 0)
        close(j->descriptor);
    j->descriptor = -1;
    return outcome;
}

/* Tries processes until one takes the request. */
static int travel(journey *j)
{
    enum { PAUSE = 20 /* ms */, MOST_ENDS = 3 /* a request that ends processes before it runs is not to end them all */ };
    int64_t give_up = mwd_now() + j->group->connect_timeout;
    mwd_wish wish = {.arrived = mwd_monotonic(), .received = j->received, .timeout = j->timeout, .hooks = j->hooks, .transport = j->call->transport};
    unsigned changed = 0; /* processes that sent it back since its script has changed */
    int ends = 0;
    for (;;) {
        const mwd_group *group = j->group;
        j->report->connects++;
        int code = mwd_claim_permit(group, &wish, &j->claim);
        if (code == MWD_MOVED) { /* what was said of processes meant those */
            j->group = j->claim.elsewhere;
            wish.newer_than = wish.avoided = changed = 0;
            continue;
        }
        if (code) {
            j->claim.serial = 0;
            j->report->retry_after = j->claim.retry_after;
            return lost(j, code, code == 116 && j->claim.full ? "full" : "");
        }
        uint32_t lifts = atomic_load(&group->part->queue.lifts); /* before the process says anything: what is lifted later is meant for this request, too */
        int outcome = attempt(j);
        if (outcome != ANOTHER_PROCESS && outcome != ANY_OTHER_PROCESS)
            return outcome;
        if (j->unread && ++ends > MOST_ENDS) {
            j->broken = true;
            return lost(j, 146, "it ended before it ran the request, like others before");
        }
        if (j->scratch->end > 0 && !j->unread) { /* it has said so itself */
            if (outcome == ANY_OTHER_PROCESS) {
                mwd_wish_avoid(&wish, j->claim.serial);
            } else {
                wish.newer_than = j->claim.serial;
                wish.lifts = lifts;
                changed++;
            }
            j->report->restarts++;
            unsigned most = 2 * group->processes + 1;
            if (changed > most || wish.avoided > most) {
                j->report->retry_after = 1;
                return lost(j, 124, "");
            }
        } else if (mwd_now() >= give_up) {
            j->report->retry_after = 1;
            return lost(j, 116, "");
        } else {
            mwd_sleep(PAUSE); /* the supervisor is about to notice that the process has ended */
        }
    }
}

int mwd_run(const mwd_group *group, mw_call *call, const mwd_hooks *hooks, int64_t timeout, mwd_report *report)
{
    *report = (mwd_report){0};
    journey j = {
        .group = group, .call = call, .hooks = hooks, .report = report,
        .timeout = group->socket_timeout ? group->socket_timeout : timeout,
        .received = call->request_start, .descriptor = -1,
    };
    int outcome;
    if (!(j.scratch = mwd_pool_scratch(group->pool)))
        outcome = lost(&j, 121, "out of memory");
    else if (!mwd_build_request(&j.scratch->request, call, hooks, report, &j.received))
        outcome = lost(&j, 121, "out of memory");
    else if (j.scratch->request.n > MWD_MAX_REQUEST)
        outcome = lost(&j, 80, "its environment is larger than 16 MiB");
    else if (mwd_forsaken(group))
        outcome = lost(&j, 116, "");
    else
        outcome = travel(&j);
    if (j.scratch)
        mwd_pool_keep_scratch(group->pool, j.scratch);
    if (outcome != LOST)
        return outcome;
    mwd_add_fate(report, j.group, &(mwd_loss){j.claim, j.broken, j.silent, j.timeout});
    return j.started && !j.dropped ? MW_CUT : j.dropped;
}
