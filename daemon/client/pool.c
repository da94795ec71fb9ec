/* The pool of a process group in one child of Apache's. In C because it is on the steady path. Its lock is held for a few instructions,
 * and never across processes. */
#include "pool.h"

#include <pthread.h>
#include <unistd.h>

struct mwd_pool {
    pthread_mutex_t lock;
    mwd_scratch *scratches;
    uint32_t slots;
    mwd_connection *idle[]; /* by slot */
};

struct mwd_pool *mwd_pool_new(uint32_t slots)
{
    struct mwd_pool *pool = calloc(1, sizeof *pool + slots * sizeof pool->idle[0]);
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pool->slots = slots;
    return pool;
}

mwd_scratch *mwd_pool_scratch(struct mwd_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    mwd_scratch *scratch = pool->scratches;
    if (scratch)
        pool->scratches = scratch->next;
    pthread_mutex_unlock(&pool->lock);
    if (scratch)
        return scratch;
    scratch = calloc(1, sizeof *scratch);
    if (scratch && (scratch->input = malloc(MWD_INPUT))) {
        scratch->input_size = MWD_INPUT;
        return scratch;
    }
    free(scratch);
    return NULL;
}

static void forget_large(mwd_buffer *b)
{
    if (b->size > MWD_KEEP_OUTPUT) {
        free(b->data);
        *b = (mwd_buffer){0};
    }
    b->n = 0;
    b->failed = false;
}

void mwd_pool_keep_scratch(struct mwd_pool *pool, mwd_scratch *scratch)
{
    forget_large(&scratch->request);
    forget_large(&scratch->headers);
    if (scratch->input_size > MWD_INPUT) { /* a single large frame */
        unsigned char *smaller = realloc(scratch->input, MWD_INPUT);
        if (smaller) {
            scratch->input = smaller;
            scratch->input_size = MWD_INPUT;
        }
    }
    scratch->start = scratch->end = 0;
    pthread_mutex_lock(&pool->lock);
    scratch->next = pool->scratches;
    pool->scratches = scratch;
    pthread_mutex_unlock(&pool->lock);
}

mwd_connection *mwd_pool_connection(struct mwd_pool *pool, uint32_t slot, uint32_t serial)
{
    mwd_connection *old = NULL, *found;
    pthread_mutex_lock(&pool->lock);
    while ((found = pool->idle[slot])) {
        pool->idle[slot] = found->next;
        if (found->serial == serial)
            break;
        found->next = old;
        old = found;
    }
    pthread_mutex_unlock(&pool->lock);
    while (old) {
        mwd_connection *next = old->next;
        mwd_connection_close(old);
        old = next;
    }
    return found;
}

void mwd_pool_keep_connection(struct mwd_pool *pool, uint32_t slot, mwd_connection *connection)
{
    connection->used = true;
    pthread_mutex_lock(&pool->lock);
    connection->next = pool->idle[slot];
    pool->idle[slot] = connection;
    pthread_mutex_unlock(&pool->lock);
}

void mwd_connection_close(mwd_connection *connection)
{
    close(connection->fd);
    free(connection);
}
