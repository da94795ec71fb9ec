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

void mwd_wish_avoid(mwd_wish *wish, uint32_t serial)
{
    wish->avoid[wish->avoided++ % MWD_MOST_AVOIDED] = serial;
}

static bool avoids(const mwd_wish *wish, uint32_t serial)
{
    for (uint32_t i = 0; i < wish->avoided && i < MWD_MOST_AVOIDED; i++)
        if (wish->avoid[i] == serial)
            return true;
    return false;
}

/* What a look at the slots found: the process with the most permits. */
typedef struct choice {
    uint64_t word;
    uint32_t slot;
    bool others; /* there are processes that are not to be avoided, maybe without a permit */
} choice;

static choice look(const mwd_group *group, const mwd_wish *wish, bool avoiding)
{
    mwd_slot *slots = group->part->slots;
    uint32_t newer_than = atomic_load(&group->part->queue.lifts) == wish->lifts ? wish->newer_than : 0;
    choice best = {0};
    for (uint32_t i = 0; i < group->slots; i++) {
        uint64_t word = atomic_load_explicit(&slots[i].word, memory_order_seq_cst);
        if (mwd_state_of(word) != MWD_SLOT_READY || (avoiding && avoids(wish, mwd_serial_of(word))))
            continue;
        best.others = true;
        if (mwd_serial_of(word) > newer_than && mwd_permits_of(word) > mwd_permits_of(best.word)) {
            best.word = word;
            best.slot = i;
        }
    }
    return best;
}

/* Takes a permit of the process that has the most of them: the one with the fewest requests inside Python. */
static bool take(const mwd_group *group, const mwd_wish *wish, mwd_claim *claim)
{
    for (;;) {
        choice best = look(group, wish, wish->avoided);
        if (wish->avoided && !best.others)
            best = look(group, wish, false);
        if (mwd_permits_of(best.word) == 0)
            return false;
        if (atomic_compare_exchange_strong(&group->part->slots[best.slot].word, &best.word, best.word - 1)) {
            *claim = (mwd_claim){best.slot, mwd_serial_of(best.word)};
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

int mwd_claim_permit(const mwd_group *group, const mwd_wish *wish, double received, int64_t timeout, mwd_claim *claim)
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
    if (take(group, wish, claim))
        return 0;
    int code = wait_for_room(queue, group, &l);
    if (code)
        return code;
    atomic_fetch_add(&queue->waiting, 1);
    for (;;) {
        uint32_t turn = atomic_load(&queue->turn);
        if (take(group, wish, claim))
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
