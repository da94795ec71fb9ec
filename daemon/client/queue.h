/* Getting a permit: the right to send a request to a process (board.h). */
#ifndef MWD_QUEUE_H
#define MWD_QUEUE_H

#include "client.h"

/* What a permit is for. */
typedef struct mwd_claim {
    uint32_t slot, serial;
} mwd_claim;

enum { MWD_MOST_AVOIDED = 16 };

/* Which process a request wants: one whose serial is above `newer_than`, unless that was lifted since (mwd_queue.lifts); and none of those to avoid
 * while another one takes requests. */
typedef struct mwd_wish {
    uint32_t newer_than, lifts;
    uint32_t avoided; /* how many: */
    uint32_t avoid[MWD_MOST_AVOIDED];
} mwd_wish;

void mwd_wish_avoid(mwd_wish *wish, uint32_t serial);

/* Takes a permit of a process, waiting for it if there is none. received: when Apache received the
 * request, in seconds since the epoch; timeout: how long the process may keep silent, in milliseconds. 0, or the WSGI code of the failure. */
int mwd_claim_permit(const mwd_group *group, const mwd_wish *wish, double received, int64_t timeout, mwd_claim *claim);
/* Gives back a permit that was not used. */
void mwd_unclaim(const mwd_group *group, const mwd_claim *claim);

int64_t mwd_now(void);  /* milliseconds of CLOCK_MONOTONIC */
double mwd_clock(void); /* seconds since the epoch */
void mwd_sleep(int64_t milliseconds);

#endif
