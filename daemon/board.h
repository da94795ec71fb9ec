/* The board: memory that Apache's children, the supervisor and the daemon processes of one configuration share. Through it a child finds a
 * request thread that is free, without asking anybody, and waits for one when there is none. board.go is the same for Go, and knows where on
 * the board each group's part is.
 *
 * A process maps the pages of its own group only. The supervisor trusts nothing that it finds there, and a child no more than it must. */
#ifndef MWD_BOARD_H
#define MWD_BOARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MWD_BOARD_MAGIC 0x3142574du /* "MWB1" */

enum { MWD_LINE = 64 /* bytes of a cache line */ };

/* States of a slot. Only the supervisor leaves EMPTY and enters it; the process itself says READY and, when it ends, RETIRING. The supervisor says
 * RETIRING of a process whose permits are all there. */
enum {
    MWD_SLOT_EMPTY = 0,
    MWD_SLOT_STARTING = 1,
    MWD_SLOT_READY = 2,    /* takes requests */
    MWD_SLOT_RETIRING = 3, /* finishes what it has */
};

/* How a process ended, or why none could be started; package daemon/fate gives the numbers a meaning. Written by the supervisor: first serial
 * 0, then the rest, last the serial. A request that was in the process waits for it (client/fate.c); the processes of the group could write
 * here too, so that nothing but words may depend on it. */
typedef struct mwd_fate {
    _Atomic uint32_t serial; /* of the process; a futex */
    _Atomic uint32_t pid;
    _Atomic uint32_t status; /* as waitpid(2) has it */
    _Atomic uint32_t cause;
    _Atomic int64_t value;   /* belongs to the cause */
} mwd_fate;

/* One daemon process. `word` is all that a child looks at: serial << 32 | state << 16 | permits. A permit is the right to send one request: a
 * request thread that nobody else counts on. A child takes one by compare and swap, the process gives it back when it has answered.
 * The serial names the process and its socket; it counts up and never comes back. */
typedef struct mwd_slot {
    _Atomic uint64_t word;
    _Atomic uint32_t pid;
    uint32_t threads;
    _Atomic uint32_t served; /* requests; those under WSGIIgnoreActivity don't count. Written by the process */
    _Atomic uint32_t silent; /* requests of this process that a child has given up since nothing came; a futex */
    mwd_fate fate;           /* of the process that ended last */
    _Atomic uint32_t stale;  /* the serial of a process that serves old code until its successor is ready: others are preferred. Written by it */
    uint32_t reserved[3];
} mwd_slot;

enum {
    MWD_HOPELESS_YET = 1,  /* no process is there or is being started, the supervisor waits before it tries again */
    MWD_HOPELESS_EVER = 2, /* and it will not try again */
};

enum { MWD_AVOIDED = 10 };

/* A request that waits for a permit of the group. Free if it has no owner. It is the owner's own, but whoever finds that the owner is
 * dead frees it. */
typedef struct mwd_seat {
    _Atomic uint64_t owner;      /* the child: 1 + its number << 32 | the value of its word (mwd_children); 0: nobody */
    _Atomic uint64_t arrived;    /* nanoseconds of CLOCK_MONOTONIC: the order in which requests get permits; 0: not yet, or not any more */
    _Atomic uint32_t newer_than; /* it needs a process with a higher serial, */
    _Atomic uint32_t called;     /* a futex: when it was told to look, mwd_call_time(); 0: it was not since it looked last */
    _Atomic uint32_t avoids[MWD_AVOIDED]; /* and none of these; 0: no more */
} mwd_seat;

/* What the requests of one process group share. */
typedef struct mwd_queue {
    _Atomic uint32_t crowd;    /* odd: somebody may wait. Never goes back (seats.h, mwd_found_empty) */
    _Atomic uint32_t top;      /* seats from this one on were never used */
    _Atomic uint32_t hopeless; /* MWD_HOPELESS_* */
    _Atomic uint32_t bell;     /* not 0: the supervisor wants to know when a request has to wait (client/bell.h). Another number each time */
    _Atomic uint32_t lifts;    /* counts: who waits for a newer process since before may go to any, there is none with what has changed */
    uint32_t reserved;
    _Atomic uint64_t retry;    /* when it tries, nanoseconds of CLOCK_MONOTONIC */
    _Atomic uint64_t turn;     /* when somebody who waited had his turn last; 0: the queue was empty since. The same clock */
    _Atomic uint64_t pace;     /* nanoseconds from one turn to the next, as of late */
    mwd_fate trouble;          /* why the last process did not become ready; serial 0: it did */
    uint32_t unused[14];
} mwd_queue;

enum {
    MWD_SEATS = 2048,     /* of each group; how many of those who wait are welcome is a matter of the configuration */
    MWD_CHILDREN = 16384, /* words of mwd_children */
};

/* A group's part of the board: pages of its own. How many slots it has says the configuration. */
typedef struct mwd_part {
    mwd_queue queue;
    mwd_seat seats[MWD_SEATS];
    mwd_slot slots[];
} mwd_part;

/* Which children of Apache's live: the second page and those that follow it. A child that has waited once has a word with the id of a thread of
 * its own that lives as long as it. When the thread dies, however it does, the kernel puts FUTEX_OWNER_DIED in its place: before the process is
 * a zombie, and without a race against the next owner of its number. Daemon processes may only read it. */
typedef struct mwd_children {
    _Atomic uint32_t words[MWD_CHILDREN];
} mwd_children;

/* The first page. Behind the last part is the mailbox (mailbox.go), which is Go's alone. */
typedef struct mwd_board {
    uint32_t magic; /* set last: the board is ready */
    uint32_t unused;
    _Atomic uint64_t lent; /* until when the children of the next configuration may use its processes: nanoseconds of CLOCK_MONOTONIC */
    uint32_t reserved[12];
} mwd_board;

_Static_assert(sizeof(mwd_fate) == 24 && offsetof(mwd_slot, fate) == 24 && offsetof(mwd_slot, silent) == 20 && offsetof(mwd_slot, stale) == 48 && offsetof(mwd_queue, trouble) == 48, "fates.go has the same layout");
_Static_assert(sizeof(mwd_slot) == MWD_LINE && sizeof(mwd_queue) == 2 * MWD_LINE && sizeof(mwd_board) == MWD_LINE && sizeof(mwd_seat) == MWD_LINE,
               "board.go has the same layout");

static inline uint32_t mwd_serial_of(uint64_t word)
{
    return word >> 32;
}

static inline unsigned mwd_state_of(uint64_t word)
{
    return word >> 16 & 0xffff;
}

static inline unsigned mwd_permits_of(uint64_t word)
{
    return word & 0xffff;
}

static inline uint64_t mwd_word(uint32_t serial, unsigned state, unsigned permits)
{
    return (uint64_t)serial << 32 | (uint64_t)state << 16 | permits;
}

#endif
