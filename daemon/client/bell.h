/* The bell of an elastic group: a child of Apache's tells the supervisor that a request has to wait, and may need another process. Nobody
 * polls. The bell is a pipe (module/supervise.c); who rings writes the number of the group to it, the supervisor reads. */
#ifndef MWD_BELL_H
#define MWD_BELL_H

#include "client.h"

/* In the place of a group's number: a child of Apache's is about to take requests. */
#define MWD_BELL_CHILD 0xffffffffu

/* Rings if the supervisor wants to know. To be called by a request that counts as waiting and found no permit. Never waits. */
void mwd_ring(const mwd_group *group);

#endif
