/* How a child of Apache's tells of its death: a thread of its own that does nothing, whose word on the board the kernel marks when it dies
 * (robust futexes, set_robust_list(2)). In C because it must not be a thread of Go's, and needs a list of its own beside the C library's. The
 * list is in this process's memory; the kernel only ever follows that. */
#include "self.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct mwd_self {
    mwd_children *children;
    pthread_mutex_t lock;            /* of what follows */
    pthread_cond_t entered;
    bool started;                    /* the thread */
    _Atomic uint64_t owner;          /* 0: not entered yet */
    struct robust_list_head list;    /* the thread's, once it runs */
    struct robust_list word;         /* its only member */
};

struct mwd_self *mwd_self_new(mwd_children *children)
{
    struct mwd_self *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->children = children;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->entered, NULL);
    return self;
}

/* Takes the first word that nobody has, or that a dead child had. Where it will be is known to the kernel before. */
static uint64_t enter(struct mwd_self *self)
{
    uint32_t thread = (uint32_t)syscall(SYS_gettid);
    self->list.list.next = &self->word;
    self->word.next = &self->list.list;
    if (syscall(SYS_set_robust_list, &self->list, sizeof self->list) != 0)
        return 0;
    for (uint32_t i = 0; i < MWD_CHILDREN; i++) {
        _Atomic uint32_t *word = &self->children->words[i];
        uint32_t old = atomic_load(word);
        if (old != 0 && !(old & FUTEX_OWNER_DIED))
            continue;
        self->list.futex_offset = (char *)word - (char *)&self->word;
        if (atomic_compare_exchange_strong(word, &old, thread))
            return (uint64_t)(i + 1) << 32 | thread;
    }
    return 0;
}

static uint64_t without_word(void)
{
    return (uint64_t)MWD_NO_WORD << 32 | (uint32_t)getpid();
}

static void *live(void *argument)
{
    struct mwd_self *self = argument;
    uint64_t owner = enter(self);
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->owner, owner ? owner : without_word());
    pthread_cond_broadcast(&self->entered);
    pthread_mutex_unlock(&self->lock);
    while (owner)
        pause(); /* every signal is blocked */
    return NULL;
}

static bool start_thread(struct mwd_self *self)
{
    enum { STACK = 256 << 10 };
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    int failed = pthread_create(&thread, &attributes, live, self);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed;
}

uint64_t mwd_self_owner(struct mwd_self *self)
{
    uint64_t owner = self ? atomic_load(&self->owner) : without_word();
    if (owner)
        return owner;
    pthread_mutex_lock(&self->lock);
    if (!self->started && !start_thread(self))
        atomic_store(&self->owner, without_word());
    self->started = true;
    while (!(owner = atomic_load(&self->owner)))
        pthread_cond_wait(&self->entered, &self->lock);
    pthread_mutex_unlock(&self->lock);
    return owner;
}
