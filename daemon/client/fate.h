/* What became of the process that a request was lost with. */
#ifndef MWD_CLIENT_FATE_H
#define MWD_CLIENT_FATE_H

#include "client.h"
#include "queue.h"

/* How a request lost its process. */
typedef struct mwd_loss {
    mwd_claim claim;  /* serial 0: it had none */
    bool broken;      /* its end of the connection has gone: the process has ended, it seems */
    bool silent;      /* nothing came from it */
    int64_t timeout;  /* within so many milliseconds */
} mwd_loss;

/* Makes what is known of the process, or of why there is none, the last line of the report's detail, for Go's wording (module/peer.go): five
 * numbers. Waits for two seconds at most until the supervisor says how a process ended. Has one that is silent log where its threads are. */
void mwd_add_fate(mwd_report *report, const mwd_group *group, const mwd_loss *loss);
/* There will never be a process. */
bool mwd_forsaken(const mwd_group *group);

#endif
