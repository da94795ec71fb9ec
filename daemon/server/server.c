/* The request threads of a daemon process, and the connections they wait for. In C because it is the steady path: a thread sleeps in
 * epoll_wait() itself, and what wakes it is a request that it can run. */
#include "worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

mwd_server_options mwd_options;
mwd_state mwd_this;

static struct {
    int epoll, stop; /* stop: an eventfd, readable from mwd_server_stop() on */
    _Atomic int running;
} server;

int64_t mwd_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void mwd_raise_event(uint32_t event)
{
    uint64_t one = 1;
    if ((atomic_fetch_or(&mwd_this.events, event) & event) == 0)
        while (write(mwd_options.wake, &one, sizeof one) < 0 && errno == EINTR)
            ;
}

void mwd_say(int level, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    mwd_log_write(level, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

/* ---- Connections ---- */

static void drop(mwd_connection *c)
{
    mwd_disown(c->fd);
    close(c->fd);
    free(c->partial.data);
    free(c);
    atomic_fetch_sub(&mwd_this.connections, 1);
}

static bool arm(mwd_connection *c, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = c};
    return epoll_ctl(server.epoll, operation, c->fd, &event) == 0;
}

/* Apache's children only. */
static bool admit(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == 0 || peer.uid == mwd_options.peer_uid))
        return true;
    mwd_say(MW_LOG_CRIT, "WSGI0034: refused a connection of process %d: it runs as user %u, Apache's children as %u", (int)peer.pid, (unsigned)peer.uid, (unsigned)mwd_options.peer_uid);
    return false;
}

static mwd_connection *accept_connection(void)
{
    int fd = accept4(mwd_options.listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return NULL; /* another thread was faster */
    mwd_connection *c = admit(fd) ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        close(fd);
        return NULL;
    }
    struct timeval t = {mwd_options.socket_timeout / 1000, mwd_options.socket_timeout % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    c->fd = fd;
    mwd_own(fd);
    atomic_fetch_add(&mwd_this.connections, 1);
    if (arm(c, EPOLL_CTL_ADD))
        return c;
    drop(c);
    return NULL;
}

/* ---- Requests as they arrive ---- */

static bool greet(mwd_connection *c, const unsigned char *payload)
{
    unsigned char hello[MWD_HEADER + MWD_HELLO] = {[MWD_HEADER] = 'M', 'W', 'D', MWD_VERSION};
    mwd_put_header(hello, MWD_SERVER_HELLO, 0, MWD_HELLO);
    if (memcmp(payload, "MWD", 3) == 0 && payload[3] == MWD_VERSION) {
        c->greeted = true;
        return send(c->fd, hello, sizeof hello, MSG_NOSIGNAL) == sizeof hello;
    }
    mwd_say(MW_LOG_ERR, "WSGI0080: refused a connection: the other side speaks version %d of the protocol, this one %d: restart Apache after an upgrade",
            payload[3], MWD_VERSION);
    return false;
}

enum { INCOMPLETE = 0, COMPLETE = 1, BAD = -1 };

static int refuse(const char *why)
{
    mwd_say(MW_LOG_ERR, "WSGI0080: closed a connection of Apache's: %s", why);
    return BAD;
}

/* Looks at the frames at the beginning of the buffer; hellos are taken out. COMPLETE: a REQUEST fills it. */
static int examine(mwd_connection *c, mwd_buffer *in, mwd_header *h)
{
    for (;;) {
        if (in->n < MWD_HEADER)
            return INCOMPLETE;
        if (!mwd_get_header(in->data, h))
            return refuse("what it sends is not this module's protocol");
        if (h->type != (c->greeted ? MWD_REQUEST : MWD_CLIENT_HELLO))
            return refuse("a frame out of order");
        size_t whole = MWD_HEADER + h->length;
        if (in->n < whole)
            return INCOMPLETE;
        if (h->type == MWD_REQUEST)
            return in->n == whole ? COMPLETE : refuse("it sends more than it was asked for");
        if (!greet(c, in->data + MWD_HEADER))
            return BAD;
        in->n -= whole;
        memmove(in->data, in->data + whole, in->n);
    }
}

void mwd_take_request(mwd_connection *c)
{
    char block[4096];
    while (c->unread > 0) {
        ssize_t got = recv(c->fd, block, c->unread < sizeof block ? c->unread : sizeof block, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        c->unread = got > 0 ? c->unread - (size_t)got : 0;
    }
}

/* Reads what has arrived, without waiting. COMPLETE with the request in worker->in, and what came last of it still in the socket. */
static int read_request(mwd_worker *w, mwd_connection *c, mwd_header *h)
{
    mwd_buffer *in = &w->in;
    in->n = 0;
    if (c->partial.n > 0) {
        mwd_buffer mine = *in;
        *in = c->partial;
        c->partial = mine;
        c->partial.n = 0;
    }
    for (;;) {
        int state = examine(c, in, h);
        if (state == COMPLETE)
            return state;
        mwd_take_request(c);
        if (state == BAD)
            return state;
        size_t room = in->n >= MWD_HEADER && h->length + MWD_HEADER > in->n ? h->length + MWD_HEADER - in->n : 0;
        if (room < MWD_INPUT)
            room = MWD_INPUT;
        unsigned char *to = mwd_grow(in, room);
        if (!to)
            return refuse("out of memory");
        in->n -= room;
        ssize_t got = recv(c->fd, to, room, MSG_DONTWAIT | MSG_PEEK);
        if (got > 0) {
            c->unread = got;
            in->n += got;
            continue;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN) { /* the rest is on its way: nobody waits for it */
            mwd_buffer rest = *in;
            *in = c->partial;
            c->partial = rest;
            return INCOMPLETE;
        }
        if (in->n > 0)
            refuse("it was closed in the middle of a request's header");
        return BAD;
    }
}

static void serve(mwd_worker *w, mwd_connection *c)
{
    mwd_header h = {0};
    int state = read_request(w, c, &h);
    bool good = state == INCOMPLETE || (state == COMPLETE && mwd_serve_request(w, c, w->in.data + MWD_HEADER, h.length));
    mwd_take_request(c); /* one that failed before it ran */
    if (w->in.size > MWD_FIRST_WINDOW + 2 * MWD_INPUT) { /* an unusually large one */
        free(w->in.data);
        w->in = (mwd_buffer){0};
    }
    if (!good || !arm(c, EPOLL_CTL_MOD))
        drop(c);
}

/* ---- Threads ---- */

static void *work(void *argument)
{
    mwd_worker *w = argument;
    atomic_store(&w->watch->python_id, (uint64_t)pthread_self());
    if (w->number == 0)
        mwd_run_loads();
    for (;;) {
        struct epoll_event event;
        int n = epoll_wait(server.epoll, &event, 1, -1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || event.data.ptr == &server.stop)
            break;
        if (event.data.ptr == &mwd_options.listener)
            accept_connection();
        else
            serve(w, event.data.ptr);
    }
    atomic_fetch_sub(&server.running, 1);
    mwd_raise_event(MWD_EVENT_FINISHED);
    return NULL;
}

static const char *start_thread(mwd_worker *w)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool fits = !mwd_options.stack_size || pthread_attr_setstacksize(&attributes, mwd_options.stack_size) == 0;
    atomic_fetch_add(&server.running, 1);
    int failed = fits ? pthread_create(&thread, &attributes, work, w) : EINVAL;
    pthread_attr_destroy(&attributes);
    if (!failed)
        return NULL;
    atomic_fetch_sub(&server.running, 1);
    return fits ? "a request thread can't be made" : "the system does not accept this stack-size for a thread";
}

static mwd_worker *workers;

const char *mwd_server_prepare(const mwd_server_options *options)
{
    mwd_options = *options;
    workers = calloc(options->threads, sizeof *workers);
    mwd_this.threads = calloc(options->threads, sizeof *mwd_this.threads);
    if (!workers || !mwd_this.threads)
        return "out of memory";
    for (unsigned i = 0; i < options->threads; i++) {
        workers[i].number = i;
        workers[i].watch = &mwd_this.threads[i];
        pthread_mutex_init(&workers[i].sending, NULL);
    }
    return start_thread(&workers[0]);
}

const char *mwd_server_start(void)
{
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    server.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event listening = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &mwd_options.listener};
    struct epoll_event stopping = {.events = EPOLLIN, .data.ptr = &server.stop};
    if (server.epoll < 0 || server.stop < 0 || epoll_ctl(server.epoll, EPOLL_CTL_ADD, mwd_options.listener, &listening) != 0 ||
        epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.stop, &stopping) != 0)
        return "epoll is not available";
    mwd_end_loads();
    for (unsigned i = 1; i < mwd_options.threads; i++) {
        const char *failure = start_thread(&workers[i]);
        if (failure)
            return failure;
    }
    return NULL;
}

void mwd_server_stop(void)
{
    uint64_t one = 1;
    while (write(server.stop, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

int mwd_server_running(void)
{
    return atomic_load(&server.running);
}
