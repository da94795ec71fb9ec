/* In C because a request that waits is on the steady path: a bell that nobody minds costs it one load. */
#include "bell.h"

#include <errno.h>
#include <unistd.h>

void mwd_ring(const mwd_group *group)
{
    _Atomic uint32_t *bell = &group->part->queue.bell;
    uint32_t number = atomic_load(bell);
    if (number == 0 || group->bell == 0)
        return;
    ssize_t n;
    while ((n = write(group->bell, &group->number, sizeof group->number)) < 0 && errno == EINTR)
        ;
    /* In this order: a child that is killed in between has rung, and the next one rings again. If the pipe is full, it rings later. */
    if (n > 0)
        atomic_compare_exchange_strong(bell, &number, 0);
}
