/* A transport of the gateway (../gateway.h) that is nothing but memory: a body in scripted pieces goes in, what the gateway hands over is
 * kept for the test, and every breach of the table's contract is counted. */
#ifndef GT_TRANSPORT_H
#define GT_TRANSPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "../gateway.h"

/* How a piece of the body arrives. */
enum {
    GT_NOW = 0,  /* it is there */
    GT_LATE = 1, /* only a blocking read gets it */
    GT_GATE = 2, /* like GT_LATE, but only after a byte was written to `fd`'s other end */
    GT_FAIL = 3, /* the read fails; data is the reason */
};

typedef struct gt_piece {
    int kind;
    char *data;
    size_t n;
    int fd;
} gt_piece;

typedef struct gt_buffer {
    char *data;
    size_t n, room;
} gt_buffer;

/* One request and what became of it. Owned by one thread and used for all its requests, one after the other, so that an
 * operation that comes too late still finds memory, and is counted. */
typedef struct gt_exchange {
    mw_call call;
    mw_question questions[3];       /* to be asked, instead of a request to be run, if there are any */
    size_t n_questions;
    gt_piece *pieces;
    size_t n_pieces, piece, offset; /* the next byte is pieces[piece].data[offset] */
    int write_gate;                 /* write and send_file wait for a byte from this descriptor; -1: they don't */
    int64_t takes;                  /* bytes of the answer before writing fails; -1: all */

    int result;                     /* of mw_run(), or the last question's answer */
    int status;
    int64_t length;                 /* announced, -1 if not */
    gt_buffer line, headers;        /* headers: name NUL value NUL ... */
    gt_buffer body;
    gt_buffer trace;                /* the operations in their order, a word for each */
    gt_buffer log;                  /* "level text\n" for each record; guarded by log_lock */
    pthread_mutex_t log_lock;

    atomic_bool alive;              /* mw_run() has not returned */
    atomic_int inside;              /* threads in an operation other than log */
} gt_exchange;

/* Breaches of the contract, and what forked copies did: in memory that they share. */
typedef struct gt_shared {
    pid_t pid;
    atomic_int gil_held;      /* a blocking operation was called with the GIL */
    atomic_int gil_missing;   /* another one without it */
    atomic_int crowded;       /* two threads at once */
    atomic_int late;          /* after mw_run() had returned */
    atomic_int forked;        /* an operation other than log in a forked copy */
    atomic_int exited;        /* a forked copy ended by exit() */
    atomic_int newline;       /* in a log record */
    atomic_size_t forked_log_n;
    char forked_log[65536];   /* records of forked copies: "text\n" */
} gt_shared;

extern const mw_ops gt_ops;

/* Once, before everything else. NULL when out of memory. */
gt_shared *gt_set_up(void);
gt_exchange *gt_exchange_new(void);
/* Runs the exchange's request n times; keeps the last answer, with what was logged meanwhile outside of requests, and returns how many ended otherwise than by `expected`. */
long gt_run(gt_exchange *x, long n, int expected);
/* Log records outside a request since the last call: malloc'ed, n bytes. */
char *gt_server_log(size_t *n);
/* Python's thread states, of all interpreters. The calling thread must never have entered Python. */
long gt_thread_states(void);
/* Bytes that malloc() has given out, and Python's own count of memory blocks. */
size_t gt_malloced(void);

#endif
