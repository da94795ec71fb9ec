/* What became of the process that a request was lost with. */
#ifndef MWD_CLIENT_FATE_H
#define MWD_CLIENT_FATE_H

#include "client.h"
#include "queue.h"

/* A copy of an mwd_fate (board.h). Serial 0: nothing is known, except perhaps the pid. */
typedef struct mwd_known_fate {
    uint32_t serial, pid, status, cause;
    int64_t value;
} mwd_known_fate;

/* Of the process of a claim. ended: it seems to have; waits for two seconds at most until the supervisor says how. */
void mwd_learn_fate(const mwd_group *group, const mwd_claim *claim, bool ended, mwd_known_fate *known);
/* Why there is no process. */
void mwd_learn_trouble(const mwd_group *group, mwd_known_fate *known);
/* Has the process of a claim log where its threads are. */
void mwd_tell_silence(const mwd_group *group, const mwd_claim *claim);
/* Makes it the last line of the report's detail, for Go's wording (module/lost.go): five numbers. */
void mwd_add_fate(mwd_report *report, const mwd_known_fate *known);

#endif
