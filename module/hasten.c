/* A graceful restart without a pause. In C because it runs in the parent.
 *
 * After a graceful restart, Apache starts the children of the new configuration when one of the old ones has ended, or when a second has passed in which none has
 * (httpd 2.4, server_main_loop() of each MPM); the old ones have stopped accepting connections by then. An old child that has
 * connections open does not end, so everybody waits for that second. It is a select() with a time limit (ap_wait_or_timeout), which any
 * signal that has a handler ends early: a timer sends one every millisecond until the first child is started. */
#include "edge.h"

#include <ap_mpm.h>
#include <errno.h>
#include <http_config.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SIGNAL = SIGCONT,       /* does nothing to a process that runs, also without a handler */
    INTERVAL = 1000000,     /* ns */
    MOST = 10000,           /* signals: ten seconds, in case no child is ever started */
};

/* The one that is set: a signal handler forces it to be global. */
static struct {
    bool set;
    timer_t timer;
    struct sigaction before;
    volatile sig_atomic_t left;
} timer;

static void tick(int number)
{
    (void)number;
    static const struct itimerspec never;
    int error = errno;
    if (--timer.left <= 0)
        timer_settime(timer.timer, 0, &never, NULL);
    errno = error;
}

static void stop(void)
{
    if (!timer.set)
        return;
    timer.set = false;
    timer_delete(timer.timer);
    sigaction(SIGNAL, &timer.before, NULL);
}

static apr_status_t forget(void *owner)
{
    if ((pid_t)(intptr_t)owner == getpid()) /* children run the cleanups of the parent's pools when they exit */
        stop();
    return APR_SUCCESS;
}

/* Last hook of this phase: what the others do is not to be interrupted. */
int mw_hasten_children(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog, (void)ptemp;
    int generation;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST ||
        ap_exists_config_define("ONE_PROCESS") || ap_exists_config_define("DEBUG") || ap_mpm_query(AP_MPMQ_GENERATION, &generation) != APR_SUCCESS || generation == 0)
        return OK;
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGNAL};
    event._sigev_un._tid = syscall(SYS_gettid);
    struct itimerspec often = {{0, INTERVAL}, {0, INTERVAL}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer.timer) != 0) {
        ap_log_error(APLOG_MARK, APLOG_INFO, errno, s, "a graceful restart may pause for a second: no timer");
        return OK;
    }
    timer.left = MOST;
    timer.set = sigaction(SIGNAL, &action, &timer.before) == 0;
    if (!timer.set || timer_settime(timer.timer, 0, &often, NULL) != 0)
        stop();
    apr_pool_cleanup_register(pconf, (void *)(intptr_t)getpid(), forget, apr_pool_cleanup_null);
    return OK;
}

void mw_child_started(server_rec *s, pid_t pid, ap_generation_t generation, int slot, mpm_child_status status)
{
    (void)s, (void)pid, (void)generation, (void)slot;
    if (status == MPM_CHILD_STARTED)
        stop();
}
