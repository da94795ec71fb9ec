/* Internals shared by the C files of this package. */
#ifndef MWD_WORKER_H
#define MWD_WORKER_H

#include <pthread.h>

#include "../wire.h"
#include "server.h"

enum { MWD_INPUT = 32 << 10 /* bytes of a request that are expected */, MWD_COPIED = 72 << 10 /* bytes of an answer that leave in one piece, copied for that */ };

/* A connection from a child of Apache's. Belongs to the thread that epoll gave it to, until it is armed again. */
typedef struct mwd_connection {
    int fd;
    bool greeted;         /* the child's hello was read */
    size_t unread;        /* bytes of a request that were looked at and are still in the socket */
    mwd_buffer partial;   /* the beginning of a frame that has not arrived completely */
} mwd_connection;

/* A request while it runs: the gateway's transport. */
typedef struct mwd_exchange {
    struct mwd_worker *worker;
    mwd_connection *connection;
    bool unnoticed;       /* what it does is no activity of the process */
    int log_level;        /* the last one that its log takes */
    bool begun;           /* START is in worker->out or was sent */
    bool open;            /* START is in worker->out and may still grow */
    bool broken;          /* nothing can be sent any more */
    bool too_large;       /* the headers of the answer */
    size_t at_start;      /* of START in worker->out */
    unsigned headers;
    /* The request's body: what is left of the first window, or of the last BODY that was larger than what was read. */
    const unsigned char *ahead;
    size_t n_ahead;
    bool complete;        /* there is no more than what is ahead */
    char reason[256];     /* why the body can't be read */
} mwd_exchange;

/* A request thread. */
typedef struct mwd_worker {
    unsigned number;
    mwd_watch *watch;
    mwd_buffer in, out, pairs;
    unsigned char *body;         /* MWD_FIRST_WINDOW bytes for small reads, made on first use */
    pthread_mutex_t sending;     /* threads of the application's may log while the answer is sent */
} mwd_worker;

extern mwd_server_options mwd_options;

int64_t mwd_nanoseconds(void); /* of CLOCK_MONOTONIC */
void mwd_raise_event(uint32_t event);
void mwd_note_activity(const struct mwd_exchange *x, int64_t now);
/* Says something at the level, outside requests. */
void mwd_say(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* load.c. What the first request thread does until the process is ready, and the end of that. */
void mwd_run_loads(void);
void mwd_end_loads(void);

/* request.c. Runs the request whose REQUEST frame has this payload, which stays until the end. False: the connection is to be closed. */
bool mwd_serve_request(mwd_worker *worker, mwd_connection *connection, unsigned char *payload, size_t n);

/* server.c. Takes a request out of its socket. Until then, the end of the process shows at the other end as a reset (unix(7)), which says that
 * the request may be sent to another process. */
void mwd_take_request(mwd_connection *connection);

/* transport.c. Ends the answer. False: the connection is of no use any more. */
bool mwd_finish(mwd_exchange *x, int outcome);

#endif
