/* The queue of a process group, as one waiting request sees it. In C because it is on the steady path: while nobody waits, a permit costs one
 * compare and swap, no lock and no system call. Who waits takes a seat (seats.h), and a permit when there are more of them than
 * requests that came before. */
#include "queue.h"
#include "bell.h"
#include "self.h"

enum {
    LOOK_AGAIN = 500,      /* milliseconds: somebody may have been killed before he could call */
    MOST_RETRY_AFTER = 60, /* seconds */
};

int64_t mwd_now(void)
{
    return (int64_t)(mwd_monotonic() / 1000000);
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

static mwd_hall hall_of(const mwd_group *group)
{
    return (mwd_hall){group->part, group->children, group->slots};
}

/* ---- The wish ---- */

void mwd_wish_avoid(mwd_wish *wish, uint32_t serial)
{
    wish->avoids[wish->avoided++ % MWD_AVOIDED] = serial;
}

static bool accepts(const mwd_wish *wish, uint32_t serial)
{
    for (uint32_t i = 0; i < wish->avoided && i < MWD_AVOIDED; i++)
        if (wish->avoids[i] == serial)
            return false;
    return serial > wish->newer_than;
}

/* What is left of a wish at the moment. */
static mwd_wish at_present(const mwd_group *group, const mwd_wish *wish)
{
    mwd_wish now = *wish;
    now.newer_than = 0;
    bool others = now.avoided == 0; /* processes that are not to be avoided, maybe without a permit */
    for (uint32_t i = 0; i < group->slots && !others; i++) {
        uint64_t word = atomic_load(&group->part->slots[i].word);
        others = mwd_state_of(word) == MWD_SLOT_READY && accepts(&now, mwd_serial_of(word));
    }
    if (!others)
        now.avoided = 0;
    if (atomic_load(&group->part->queue.lifts) == wish->lifts)
        now.newer_than = wish->newer_than;
    return now;
}

/* How good it is to send a request to a process: the more permits it has, the fewer requests are inside Python. One without old code comes first, so
 * that a client who has seen the new code goes on seeing it. 0: it can't take any. */
static uint32_t appeal(const mwd_slot *slot, uint64_t word, const mwd_wish *wish)
{
    uint32_t permits = mwd_permits_of(word), serial = mwd_serial_of(word);
    if (mwd_state_of(word) != MWD_SLOT_READY || permits == 0 || !accepts(wish, serial))
        return 0;
    return atomic_load_explicit(&slot->stale, memory_order_relaxed) == serial ? permits : permits + UINT16_MAX;
}

/* Takes a permit of the most appealing process. */
static bool take(const mwd_group *group, const mwd_wish *wish, mwd_claim *claim)
{
    mwd_slot *slots = group->part->slots;
    for (;;) {
        uint64_t best = 0;
        uint32_t at = 0, most = 0;
        for (uint32_t i = 0; i < group->slots; i++) {
            uint64_t word = atomic_load(&slots[i].word);
            uint32_t is = appeal(&slots[i], word, wish);
            if (is > most) {
                most = is;
                best = word;
                at = i;
            }
        }
        if (most == 0)
            return false;
        if (atomic_compare_exchange_strong(&slots[at].word, &best, best - 1)) {
            *claim = (mwd_claim){.slot = at, .serial = mwd_serial_of(best)};
            return true;
        }
    }
}

/* The same of one process. */
static bool take_from(const mwd_group *group, uint32_t slot, uint32_t serial, mwd_claim *claim)
{
    mwd_slot *s = &group->part->slots[slot];
    uint64_t word = atomic_load(&s->word);
    while (mwd_serial_of(word) == serial && mwd_state_of(word) == MWD_SLOT_READY && mwd_permits_of(word) > 0)
        if (atomic_compare_exchange_weak(&s->word, &word, word - 1)) {
            *claim = (mwd_claim){.slot = slot, .serial = serial};
            return true;
        }
    return false;
}

/* ---- When to give up ---- */

/* In milliseconds of mwd_now(). */
typedef struct limits {
    int64_t queue, connect, silence; /* queue, silence: 0 if there is none */
} limits;

/* unwelcome: no process is there or is being started, or too many wait. The code, or 0. */
static int passed(const limits *l, bool unwelcome)
{
    int64_t now = mwd_now();
    if (l->queue && now >= l->queue)
        return 84;
    if (unwelcome && now >= l->connect)
        return 116;
    return l->silence && now >= l->silence ? 145 : 0;
}

/* How long to sleep before looking again, at most. */
static int64_t next_look(const limits *l, bool unwelcome)
{
    int64_t now = mwd_now(), end = now + LOOK_AGAIN;
    if (l->queue && l->queue < end)
        end = l->queue;
    if (unwelcome && l->connect < end)
        end = l->connect;
    if (l->silence && l->silence < end)
        end = l->silence;
    return end > now ? end - now : 0;
}

/* ---- The seat ---- */

static void announce(mwd_queue *queue, uint32_t seat)
{
    uint32_t top = atomic_load(&queue->top);
    while (top <= seat && !atomic_compare_exchange_weak(&queue->top, &top, seat + 1))
        ;
    uint32_t crowd = atomic_load(&queue->crowd);
    while (!atomic_compare_exchange_weak(&queue->crowd, &crowd, (crowd + 2) | 1))
        ;
}

/* Lets others know what they need not keep for this request. */
static void publish(mwd_seat *seat, const mwd_wish *wish)
{
    atomic_store(&seat->newer_than, wish->newer_than);
    for (uint32_t i = 0, serial = 1; i < MWD_AVOIDED && serial != 0; i++) {
        serial = i < wish->avoided ? wish->avoids[i] : 0;
        atomic_store(&seat->avoids[i], serial);
    }
}

/* NULL: all seats are taken. */
static mwd_seat *sit_down(const mwd_group *group, const mwd_wish *wish, uint64_t self)
{
    mwd_hall hall = hall_of(group);
    for (uint32_t i = 0; i < MWD_SEATS; i++) {
        mwd_seat *seat = &group->part->seats[i];
        uint64_t nobody = 0;
        if (atomic_load(&seat->owner) != 0 && !mwd_free_if_dead(&hall, seat))
            continue;
        if (!atomic_compare_exchange_strong(&seat->owner, &nobody, self))
            continue;
        publish(seat, wish);
        atomic_store(&seat->arrived, wish->arrived);
        announce(&group->part->queue, i);
        return seat;
    }
    return NULL;
}

static void stand_up(mwd_seat *seat, const mwd_wish *wish, uint64_t self)
{
    uint64_t arrived = wish->arrived;
    atomic_compare_exchange_strong(&seat->arrived, &arrived, 0);
    atomic_compare_exchange_strong(&seat->owner, &self, 0);
}

/* It always is, unless somebody has scribbled on the board. */
static bool still_sits(mwd_seat *seat, const mwd_wish *wish, uint64_t self)
{
    return atomic_load(&seat->arrived) == wish->arrived && atomic_load(&seat->owner) == self;
}

/* ---- The turn ---- */

static bool arrived_before(const mwd_sitter *s, const mwd_seat *seat, const mwd_wish *wish, const mwd_seat *mine)
{
    return s->arrived < wish->arrived || (s->arrived == wish->arrived && seat < mine);
}

/* How many permits a process has left. */
static uint32_t left(const mwd_group *group, const mwd_open *open, uint32_t i)
{
    uint64_t word = atomic_load(&group->part->slots[open->slot[i]].word);
    return mwd_serial_of(word) == open->serial[i] && mwd_state_of(word) == MWD_SLOT_READY ? mwd_permits_of(word) : 0;
}

static mwd_open open_to(const mwd_hall *hall, const mwd_wish *wish)
{
    mwd_open all = mwd_find_open(hall), open;
    open.n = 0;
    for (uint32_t i = 0; i < all.n; i++)
        if (accepts(wish, all.serial[i])) {
            open.slot[open.n] = all.slot[i];
            open.serial[open.n++] = all.serial[i];
        }
    return open;
}

/* Takes a permit if there are more than requests which came before and can use one: of all processes together, or of a single one. *ahead: how many
 * came before. Permits are counted after those requests: who has his is not counted any more, and neither is his permit. */
static bool take_turn(const mwd_group *group, const mwd_seat *mine, const mwd_wish *wish, uint32_t *ahead, mwd_claim *claim)
{
    mwd_hall hall = hall_of(group);
    mwd_open open = open_to(&hall, wish);
    uint32_t rivals = 0, rivals_for[MWD_MOST_OPEN] = {0}, permits = 0, call_time = mwd_call_time();
    *ahead = 0;
    for (uint32_t i = 0, n = mwd_seats_used(&hall); i < n; i++) {
        mwd_sitter s;
        mwd_seat *seat = &group->part->seats[i];
        if (seat == mine || !mwd_see(&hall, seat, call_time, &s) || s.unresponsive || !arrived_before(&s, seat, wish, mine))
            continue;
        ++*ahead;
        rivals += mwd_can_use_any(seat, &open);
        for (uint32_t k = 0; k < open.n; k++)
            rivals_for[k] += mwd_can_use(seat, open.serial[k]);
    }
    for (uint32_t k = 0; k < open.n; k++)
        permits += left(group, &open, k);
    if (permits > rivals)
        return take(group, wish, claim);
    for (uint32_t k = 0; k < open.n; k++)
        if (left(group, &open, k) > rivals_for[k] && take_from(group, open.slot[k], open.serial[k], claim))
            return true;
    return false;
}

static void note_turn(mwd_queue *queue)
{
    enum { WEIGHT = 8 };
    uint64_t now = mwd_monotonic(), last = atomic_exchange(&queue->turn, now), pace = atomic_load(&queue->pace);
    if (last != 0 && last < now)
        atomic_store(&queue->pace, pace ? pace - pace / WEIGHT + (now - last) / WEIGHT : now - last);
}

/* Seconds until a request that comes now would have its turn; until there may be somebody to serve it, if there is nobody. */
static unsigned time_to_wait(const mwd_group *group)
{
    mwd_hall hall = hall_of(group);
    mwd_queue *queue = &group->part->queue;
    uint64_t now = mwd_monotonic(), retry = atomic_load(&queue->retry), turn = atomic_load(&queue->turn), pace = atomic_load(&queue->pace);
    uint64_t waiting = 0, oldest = now, wait;
    for (uint32_t i = 0, n = mwd_seats_used(&hall); i < n; i++) {
        mwd_sitter s;
        if (!mwd_see(&hall, &group->part->seats[i], 0, &s))
            continue;
        waiting++;
        if (s.arrived < oldest)
            oldest = s.arrived;
    }
    if (turn != 0 && turn < now && now - turn > pace)
        pace = now - turn;
    if (atomic_load(&queue->hopeless))
        wait = retry > now ? retry - now : 0;
    else
        wait = pace ? waiting * (pace < UINT64_MAX / MWD_SEATS ? pace : 0) : now - oldest;
    uint64_t seconds = wait / UINT64_C(1000000000) + 1;
    return seconds < MOST_RETRY_AFTER ? (unsigned)seconds : MOST_RETRY_AFTER;
}

static void sleep_on(mwd_seat *seat, int64_t milliseconds)
{
    struct timespec timeout = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    syscall(SYS_futex, &seat->called, FUTEX_WAIT, 0, &timeout, NULL, 0);
}

/* The group that a request which waits for this one goes to, or NULL. */
static const mwd_group *elsewhere(const mwd_group *group, const mwd_wish *wish)
{
    const mwd_group *other = wish->hooks && wish->hooks->elsewhere ? wish->hooks->elsewhere(wish->transport) : NULL;
    return other != group ? other : NULL;
}

static int wait_for_turn(const mwd_group *group, const mwd_wish *wish, const limits *l, mwd_claim *claim)
{
    mwd_queue *queue = &group->part->queue;
    uint64_t self = mwd_self_owner(group->self);
    mwd_seat *seat = sit_down(group, wish, self);
    const mwd_group *other = NULL;
    int code = 0;
    while (seat) {
        uint32_t ahead;
        mwd_wish now = at_present(group, wish);
        atomic_store(&seat->called, 0);
        if (wish->newer_than || wish->avoided)
            publish(seat, &now);
        if (take_turn(group, seat, &now, &ahead, claim)) {
            note_turn(queue);
            break;
        }
        if ((other = elsewhere(group, wish))) {
            code = MWD_MOVED;
            break;
        }
        bool unwelcome = atomic_load(&queue->hopeless) || ahead >= group->backlog;
        if ((code = passed(l, unwelcome)))
            break;
        mwd_ring(group);
        sleep_on(seat, next_look(l, unwelcome));
        if (!still_sits(seat, wish, self))
            seat = sit_down(group, wish, self);
    }
    if (!seat)
        code = 116;
    uint32_t hopeless = atomic_load(&queue->hopeless);
    if (code == MWD_MOVED)
        claim->elsewhere = other;
    else if (code)
        *claim = (mwd_claim){.full = !hopeless, .retry_after = hopeless == MWD_HOPELESS_EVER ? 0 : time_to_wait(group)};
    if (seat)
        stand_up(seat, wish, self);
    mwd_hall hall = hall_of(group);
    mwd_call_next(&hall);
    return code;
}

int mwd_claim_permit(const mwd_group *group, const mwd_wish *wish, mwd_claim *claim)
{
    limits l = {0};
    if (group->queue_timeout) {
        int64_t now = mwd_now(), waited = (int64_t)((mwd_clock() - wish->received) * 1000);
        l.queue = now + group->queue_timeout - (waited > 0 ? waited : 0);
        if (now >= l.queue) {
            *claim = (mwd_claim){.retry_after = time_to_wait(group)};
            return 84;
        }
    }
    if (!(atomic_load(&group->part->queue.crowd) & 1)) {
        mwd_wish present = wish->newer_than || wish->avoided ? at_present(group, wish) : *wish;
        if (take(group, &present, claim))
            return 0;
    }
    l.connect = mwd_now() + group->connect_timeout;
    l.silence = wish->timeout ? mwd_now() + wish->timeout : 0;
    return wait_for_turn(group, wish, &l, claim);
}
