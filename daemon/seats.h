/* The seats of those who wait for a permit of a process group (board.h): who is next, and calling him. For children and daemon processes; in C
 * because it is the steady path while somebody waits.
 *
 * There is no lock and no list. Whoever wants to know something looks at every seat that was ever used: a process may be killed at any
 * point and leaves nothing that is broken, and what a process writes there costs its own group at most. Who changes something looks afterwards
 * whether somebody has to be told (a permit came back, a seat is left), who waits looks after he has taken his seat: one of the two
 * sees the other. All of these accesses are sequentially consistent for that. */
#ifndef MWD_SEATS_H
#define MWD_SEATS_H

#include "board.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MWD_UNRESPONSIVE = 1000 /* milliseconds after a call: a child that was stopped, say. Others don't wait for it any longer */ };

/* In an owner's place of a number: a child without a word. It counts as alive. */
#define MWD_NO_WORD 0xffffffffu

/* What a process sees of a group. */
typedef struct mwd_hall {
    mwd_part *part;
    const mwd_children *children;
    uint32_t slots;
} mwd_hall;

/* Somebody on a seat. */
typedef struct mwd_sitter {
    uint64_t arrived;
    bool called, unresponsive;
} mwd_sitter;

/* Processes that have permits to be taken. More of them than there is room for are left to the next look. */
enum { MWD_MOST_OPEN = 32 };
typedef struct mwd_open {
    uint32_t n, permits; /* of all together */
    uint32_t slot[MWD_MOST_OPEN], serial[MWD_MOST_OPEN];
} mwd_open;

static inline uint64_t mwd_monotonic(void) /* nanoseconds */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static inline uint32_t mwd_call_time(void) /* milliseconds, never 0 */
{
    return (uint32_t)(mwd_monotonic() / 1000000) | 1;
}

static inline bool mwd_lives(const mwd_children *children, uint64_t owner)
{
    uint32_t number = owner >> 32, thread = (uint32_t)owner;
    if (number == MWD_NO_WORD)
        return true;
    return number >= 1 && number <= MWD_CHILDREN && thread != 0 && atomic_load(&children->words[number - 1]) == thread;
}

/* Frees a seat if its owner is dead. */
static inline bool mwd_free_if_dead(const mwd_hall *h, mwd_seat *seat)
{
    uint64_t arrived = atomic_load(&seat->arrived), owner = atomic_load(&seat->owner);
    if (owner == 0 || mwd_lives(h->children, owner))
        return false;
    atomic_compare_exchange_strong(&seat->arrived, &arrived, 0);
    atomic_compare_exchange_strong(&seat->owner, &owner, 0);
    return true;
}

static inline uint32_t mwd_seats_used(const mwd_hall *h)
{
    uint32_t top = atomic_load(&h->part->queue.top);
    return top < MWD_SEATS ? top : MWD_SEATS;
}

/* False: nobody waits on this seat. */
static inline bool mwd_see(const mwd_hall *h, mwd_seat *seat, uint32_t call_time, mwd_sitter *sitter)
{
    sitter->arrived = atomic_load(&seat->arrived);
    if (sitter->arrived == 0 || mwd_free_if_dead(h, seat))
        return false;
    uint32_t called = atomic_load(&seat->called), since = call_time - called;
    sitter->called = called != 0;
    sitter->unresponsive = called != 0 && since > MWD_UNRESPONSIVE && since < UINT32_MAX / 2;
    return true;
}

/* Whether who sits there may be served by the process with that serial. */
static inline bool mwd_can_use(const mwd_seat *seat, uint32_t serial)
{
    if (serial <= atomic_load(&seat->newer_than))
        return false;
    for (int i = 0; i < MWD_AVOIDED; i++) {
        uint32_t avoided = atomic_load(&seat->avoids[i]);
        if (avoided == 0 || avoided == serial)
            return avoided == 0;
    }
    return true;
}

static inline bool mwd_can_use_any(const mwd_seat *seat, const mwd_open *open)
{
    for (uint32_t i = 0; i < open->n; i++)
        if (mwd_can_use(seat, open->serial[i]))
            return true;
    return false;
}

static inline mwd_open mwd_find_open(const mwd_hall *h)
{
    mwd_open open;
    open.n = open.permits = 0;
    for (uint32_t i = 0; i < h->slots && open.n < MWD_MOST_OPEN; i++) {
        uint64_t word = atomic_load(&h->part->slots[i].word);
        if (mwd_state_of(word) != MWD_SLOT_READY || mwd_permits_of(word) == 0)
            continue;
        open.slot[open.n] = i;
        open.serial[open.n++] = mwd_serial_of(word);
        open.permits += mwd_permits_of(word);
    }
    return open;
}

/* Notes that nobody waits, as was found when `crowd` was the queue's. It has changed if somebody has come since. */
static inline void mwd_found_empty(mwd_queue *queue, uint32_t crowd)
{
    if (atomic_compare_exchange_strong(&queue->crowd, &crowd, crowd & ~1u))
        atomic_store(&queue->turn, 0);
}

static inline void mwd_call(mwd_seat *seat, uint32_t call_time)
{
    uint32_t silent = 0;
    if (atomic_compare_exchange_strong(&seat->called, &silent, call_time))
        syscall(SYS_futex, &seat->called, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Calls as many of those who wait as there are permits that they can use, the oldest first. Whoever has given a permit back or left a seat does
 * this; it costs one load if nobody waits. */
static inline void mwd_call_next(const mwd_hall *h)
{
    mwd_queue *queue = &h->part->queue;
    uint32_t crowd = atomic_load(&queue->crowd);
    for (uint32_t most = MWD_SEATS; crowd & 1 && most > 0; most--, crowd = atomic_load(&queue->crowd)) {
        mwd_open open = mwd_find_open(h);
        if (open.permits == 0)
            return; /* who takes one cares for it when he gives it back */
        bool anybody = false;
        mwd_seat *next = NULL;
        uint64_t oldest = UINT64_MAX;
        uint32_t called = 0, call_time = mwd_call_time();
        for (uint32_t i = 0, n = mwd_seats_used(h); i < n; i++) {
            mwd_sitter s;
            mwd_seat *seat = &h->part->seats[i];
            if (!mwd_see(h, seat, call_time, &s))
                continue;
            anybody = true;
            if (!mwd_can_use_any(seat, &open))
                continue;
            called += s.called && !s.unresponsive;
            if (!s.called && s.arrived < oldest) {
                next = seat;
                oldest = s.arrived;
            }
        }
        if (!anybody)
            mwd_found_empty(queue, crowd);
        if (!next || called >= open.permits)
            return;
        mwd_call(next, call_time);
    }
}

/* Gives a permit back to the process with that serial, which has so many threads. */
static inline void mwd_give_back(const mwd_hall *h, mwd_slot *slot, uint32_t serial, uint32_t threads)
{
    uint64_t word = atomic_load(&slot->word);
    while (mwd_serial_of(word) == serial && mwd_permits_of(word) < threads)
        if (atomic_compare_exchange_weak(&slot->word, &word, word + 1))
            break;
    mwd_call_next(h);
}

#endif
