/* The queue of a process group, as one waiting request sees it. In C because it is on the steady path: a permit that is free costs one
 * compare and swap, no lock and no system call. */
#include "queue.h"
#include "bell.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RETRY = 125 /* ms */, RETRY_LATER = 1000, LATER = 2000, LOOK_AGAIN = 1000 };

int64_t mwd_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

double mwd_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

void mwd_sleep(int64_t milliseconds)
{
    struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Takes a permit of the process that has the most of them: the one with the fewest requests inside Python. */
static bool take(const mwd_group *group, uint32_t newer_than, mwd_claim *claim)
{
    mwd_slot *slots = group->part->slots;
    for (;;) {
        uint64_t best = 0;
        uint32_t at = 0;
        for (uint32_t i = 0; i < group->slots; i++) {
            uint64_t word = atomic_load_explicit(&slots[i].word, memory_order_seq_cst);
            if (mwd_state_of(word) == MWD_SLOT_READY && mwd_serial_of(word) > newer_than && mwd_permits_of(word) > mwd_permits_of(best)) {
                best = word;
                at = i;
            }
        }
        if (mwd_permits_of(best) == 0)
            return false;
        if (atomic_compare_exchange_strong(&slots[at].word, &best, best - 1)) {
            *claim = (mwd_claim){at, mwd_serial_of(best)};
            return true;
        }
    }
}

void mwd_unclaim(const mwd_group *group, const mwd_claim *claim)
{
    mwd_slot *slot = &group->part->slots[claim->slot];
    uint64_t word = atomic_load(&slot->word);
    while (mwd_serial_of(word) == claim->serial && mwd_permits_of(word) < slot->threads)
        if (atomic_compare_exchange_weak(&slot->word, &word, word + 1))
            return;
}

/* When to give up, in milliseconds of mwd_now(), and with which code. */
typedef struct limits {
    int64_t queue, connect, silence;
} limits;

static int passed(const limits *l, bool hopeless)
{
    int64_t now = mwd_now();
    if (l->queue && now >= l->queue)
        return 84;
    if (hopeless && now >= l->connect)
        return 116;
    return l->silence && now >= l->silence ? 145 : 0;
}

/* How long to sleep before looking again, at most. */
static int64_t next_look(const limits *l, bool hopeless)
{
    int64_t now = mwd_now(), end = now + LOOK_AGAIN;
    if (l->queue && l->queue < end)
        end = l->queue;
    if (hopeless && l->connect < end)
        end = l->connect;
    if (l->silence && l->silence < end)
        end = l->silence;
    return end > now ? end - now : 0;
}

static void wait_for_turn(mwd_queue *queue, uint32_t turn, int64_t milliseconds)
{
    struct timespec timeout = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    syscall(SYS_futex, &queue->turn, FUTEX_WAIT, turn, &timeout, NULL, 0);
}

/* More requests wait than may: try again as long as the classic module does when a socket's backlog is full. */
static int wait_for_room(mwd_queue *queue, const mwd_group *group, const limits *l)
{
    for (int64_t slept = 0; atomic_load(&queue->waiting) >= group->backlog;) {
        int64_t now = mwd_now(), pause = slept < LATER ? RETRY : RETRY_LATER;
        if (now >= l->connect)
            return 116;
        if (l->queue && now >= l->queue)
            return 84;
        pause = l->connect - now < pause ? l->connect - now : pause;
        pause = l->queue && l->queue - now < pause ? l->queue - now : pause;
        mwd_sleep(pause);
        slept += pause;
    }
    return 0;
}

int mwd_claim_permit(const mwd_group *group, uint32_t newer_than, double received, int64_t timeout, mwd_claim *claim)
{
    mwd_queue *queue = &group->part->queue;
    int64_t now = mwd_now();
    limits l = {.connect = now + group->connect_timeout, .silence = timeout ? now + timeout : 0};
    if (group->queue_timeout) {
        int64_t waited = (int64_t)((mwd_clock() - received) * 1000);
        l.queue = now + group->queue_timeout - (waited > 0 ? waited : 0);
        if (now >= l.queue)
            return 84;
    }
    if (take(group, newer_than, claim))
        return 0;
    int code = wait_for_room(queue, group, &l);
    if (code)
        return code;
    atomic_fetch_add(&queue->waiting, 1);
    for (;;) {
        uint32_t turn = atomic_load(&queue->turn);
        if (take(group, newer_than, claim))
            break;
        bool hopeless = atomic_load(&queue->hopeless);
        if ((code = passed(&l, hopeless)))
            break;
        mwd_ring(group);
        wait_for_turn(queue, turn, next_look(&l, hopeless));
    }
    atomic_fetch_sub(&queue->waiting, 1);
    return code;
}
