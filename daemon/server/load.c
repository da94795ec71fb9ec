/* Loading applications before the process is ready, on its first request thread: with threads=1 an application is loaded on the thread that
 * serves it, as if its first request had done it, and what it keeps by thread is there (a connection of sqlite3's, for instance). In C because
 * application code may fork: no Go may be below it on the stack. */
#include "worker.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    mwd_load *load; /* to be done; NULL: nothing is */
    bool over;
} loads = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void mwd_run_loads(void)
{
    pthread_mutex_lock(&loads.lock);
    while (!loads.over) {
        mwd_load *load = loads.load;
        if (!load) {
            pthread_cond_wait(&loads.changed, &loads.lock);
            continue;
        }
        pthread_mutex_unlock(&loads.lock);
        load->failure = mw_load_application(load->script, load->group, load->callable, load->quiet);
        pthread_mutex_lock(&loads.lock);
        loads.load = NULL;
        pthread_cond_broadcast(&loads.changed);
    }
    pthread_mutex_unlock(&loads.lock);
}

void mwd_load_on_request_thread(mwd_load *load)
{
    pthread_mutex_lock(&loads.lock);
    loads.load = load;
    pthread_cond_broadcast(&loads.changed);
    while (loads.load)
        pthread_cond_wait(&loads.changed, &loads.lock);
    pthread_mutex_unlock(&loads.lock);
}

void mwd_end_loads(void)
{
    pthread_mutex_lock(&loads.lock);
    loads.over = true;
    pthread_cond_broadcast(&loads.changed);
    pthread_mutex_unlock(&loads.lock);
}
