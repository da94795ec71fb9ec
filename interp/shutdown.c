/* Ending Python with its process. In C because a signal handler may ask for it (prefork's, on SIGTERM) and because it is CPython's API.
 *
 * The interpreters are not destroyed: the process is about to end, and extensions crash in finalization. What an application can
 * notice is done: threads are joined, exit functions run. It happens on a thread made beforehand, since the stack of a signal
 * handler is small and hardly anything may be called there. */
#include "python.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

static struct {
    sem_t wanted, done;
    double end; /* when threads are not waited for any more, in seconds of CLOCK_REALTIME */
    bool only_tell;
} stopping;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* Calls bootstrap.py's shutdown() in one interpreter. No GIL held. */
static void stop_interpreter(mw_interp *interp, void *unused)
{
    (void)unused;
    mw_thread *thread = mw_thread_self();
    if (!thread || !mw_enter(interp, thread))
        return;
    PyObject *seconds = PyFloat_FromDouble(stopping.end > now() ? stopping.end - now() : 0);
    PyObject *result = seconds ? PyObject_CallOneArg(interp->shutdown, seconds) : NULL;
    mw_end_forked_copy();
    if (!result) {
        mw_call call = {.ops = mw_this.ops, .application_group = interp->group};
        mw_request request = {.call = &call, .interp = interp};
        mw_fail_exception(&request, 130, 130);
    }
    Py_XDECREF(result);
    Py_XDECREF(seconds);
    mw_leave();
}

static void *stop_all(void *unused)
{
    (void)unused;
    while (sem_wait(&stopping.wanted) != 0)
        ;
    if (mw_this.options.telemetry)
        goMwStopping(false);
    mw_publish_process_stopping("");
    if (!stopping.only_tell)
        mw_interp_each(stop_interpreter, NULL);
    if (mw_this.options.telemetry)
        goMwStopping(true);
    sem_post(&stopping.done);
    return NULL;
}

bool mw_python_prepare_stop(void)
{
    pthread_t thread;
    sigset_t all, before;
    if (sem_init(&stopping.wanted, 0, 0) != 0 || sem_init(&stopping.done, 0, 0) != 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, NULL, stop_all, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed && pthread_detach(thread) == 0;
}

mw_stop_result mw_python_stop(double seconds, bool only_tell)
{
    if (!mw_this.running || mw_is_forked_copy())
        return MW_STOP_NOTHING;
    if (mw_thread_inside())
        return MW_STOP_BUSY;
    stopping.end = now() + seconds;
    stopping.only_tell = only_tell;
    struct timespec deadline = {.tv_sec = (time_t)stopping.end + 1, .tv_nsec = 0};
    sem_post(&stopping.wanted);
    int failed;
    while ((failed = sem_timedwait(&stopping.done, &deadline)) != 0 && errno == EINTR)
        ;
    return failed ? MW_STOP_LATE : MW_STOP_DONE;
}
