/* What became of the process that a request was lost with. In C because the request's thread waits here; only after a failure. */
#include "fate.h"
#include "queue.h"

#include <linux/futex.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 2000 /* ms between the end of a connection and what the supervisor makes of it */ };

/* A copy of an mwd_fate. Serial 0: nothing is known, except perhaps the pid. */
typedef struct mwd_known_fate {
    uint32_t serial, pid, status, cause;
    int64_t value;
} mwd_known_fate;

/* False while the supervisor writes. */
static bool copy(mwd_fate *from, uint32_t serial, mwd_known_fate *to)
{
    *to = (mwd_known_fate){serial, atomic_load(&from->pid), atomic_load(&from->status), atomic_load(&from->cause), atomic_load(&from->value)};
    return atomic_load(&from->serial) == serial;
}

static bool wait_for_fate(mwd_fate *fate, uint32_t serial, mwd_known_fate *known)
{
    for (int64_t end = mwd_now() + PATIENCE;;) {
        uint32_t now = atomic_load(&fate->serial);
        if (now > serial) /* of a later process: it is too late */
            return false;
        if (now == serial && copy(fate, serial, known))
            return true;
        int64_t left = end - mwd_now();
        if (left <= 0)
            return false;
        struct timespec timeout = {left / 1000, left % 1000 * 1000000};
        if (now != serial)
            syscall(SYS_futex, &fate->serial, FUTEX_WAIT, now, &timeout, NULL, 0);
    }
}

static void learn_fate(const mwd_group *group, const mwd_loss *loss, mwd_known_fate *known)
{
    mwd_slot *slot = &group->part->slots[loss->claim.slot];
    if (loss->broken && wait_for_fate(&slot->fate, loss->claim.serial, known))
        return;
    *known = (mwd_known_fate){.serial = 0};
    if (mwd_serial_of(atomic_load(&slot->word)) == loss->claim.serial)
        known->pid = atomic_load(&slot->pid);
}

static void learn_trouble(const mwd_group *group, mwd_known_fate *known)
{
    mwd_queue *queue = &group->part->queue;
    mwd_fate *trouble = &queue->trouble;
    uint32_t serial = atomic_load(&queue->hopeless) ? atomic_load(&trouble->serial) : 0; /* otherwise there are processes, and too many requests */
    if (serial == 0 || !copy(trouble, serial, known))
        *known = (mwd_known_fate){.serial = 0};
}

static void tell_silence(const mwd_group *group, const mwd_claim *claim)
{
    mwd_slot *slot = &group->part->slots[claim->slot];
    if (mwd_serial_of(atomic_load(&slot->word)) != claim->serial)
        return;
    atomic_fetch_add(&slot->silent, 1);
    syscall(SYS_futex, &slot->silent, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void add(mwd_report *report, const mwd_known_fate *known)
{
    size_t n = strlen(report->detail);
    enum { NUMBERS = 80 /* bytes that they need at most */ };
    if (n > sizeof report->detail - NUMBERS)
        n = sizeof report->detail - NUMBERS;
    snprintf(report->detail + n, sizeof report->detail - n, "\n%u %u %u %u %lld", known->serial, known->pid, known->status, known->cause, (long long)known->value);
}

void mwd_add_fate(mwd_report *report, const mwd_group *group, const mwd_loss *loss)
{
    mwd_known_fate known;
    int code = report->code;
    if (code == 116)
        learn_trouble(group, &known);
    else if (loss->claim.serial && (code == 119 || code == 121 || code == 145 || code == 146 || code == 147))
        learn_fate(group, loss, &known);
    else
        return;
    if (loss->silent) {
        tell_silence(group, &loss->claim);
        known.value = loss->timeout;
    }
    add(report, &known);
}

bool mwd_forsaken(const mwd_group *group)
{
    return atomic_load(&group->part->queue.hopeless) == MWD_HOPELESS_EVER;
}
