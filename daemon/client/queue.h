/* Getting a permit: the right to send a request to a process (board.h). */
#ifndef MWD_QUEUE_H
#define MWD_QUEUE_H

#include "client.h"

/* What a permit is for, or why there is none. */
typedef struct mwd_claim {
    uint32_t slot, serial;
    const mwd_group *elsewhere; /* MWD_MOVED: which group it is now */
    bool full;            /* too many waited, where otherwise no process is there */
    unsigned retry_after; /* seconds after which it is worth trying again */
} mwd_claim;

/* What a request wants: a process whose serial is above `newer_than`, unless that was lifted since (mwd_queue.lifts); and none of those to avoid
 * while another one takes requests. */
typedef struct mwd_wish {
    uint64_t arrived;    /* nanoseconds of CLOCK_MONOTONIC: its place in the queue, the same at every attempt */
    double received;     /* by Apache, seconds since the epoch */
    int64_t timeout;     /* how long processes may keep silent, in milliseconds; 0: for ever */
    const mwd_hooks *hooks; /* with its transport; NULL: none */
    void *transport;
    uint32_t newer_than, lifts;
    uint32_t avoided;    /* how many, ever; the last ones: */
    uint32_t avoids[MWD_AVOIDED];
} mwd_wish;

void mwd_wish_avoid(mwd_wish *wish, uint32_t serial);

enum { MWD_MOVED = -1 };

/* Takes a permit, waiting for it if there is none or if others wait. 0, the WSGI code of the failure, or MWD_MOVED: it is to wait for another
 * group. */
int mwd_claim_permit(const mwd_group *group, const mwd_wish *wish, mwd_claim *claim);

int64_t mwd_now(void);  /* milliseconds of CLOCK_MONOTONIC */
double mwd_clock(void); /* seconds since the epoch */
void mwd_sleep(int64_t milliseconds);

#endif
