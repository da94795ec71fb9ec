/* Where Python's threads are when nobody can ask Python: its lock is stuck, or the process has crashed. In C because it runs in a signal
 * handler. What it calls is meant for that: CPython's own writer of tracebacks, which takes no lock and allocates nothing. */
#include "python.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* pycore_traceback.h; not exported by every version. There only the module faulthandler knows it, and hands out a signal handler that calls
 * it for one interpreter. */
#define HANDLER_SIGNAL (SIGRTMAX - 7)
extern const char *_Py_DumpTracebackThreads(int fd, PyInterpreterState *interp, PyThreadState *current) __attribute__((weak));

static struct {
    int fd;
    bool ready;
    void (*handler)(int signal); /* faulthandler's, where it is needed */
} dumping;

static void say(const char *text)
{
    if (write(dumping.fd, text, strlen(text)) < 0) {
        /* the next piece may fit */
    }
}

static void dump(mw_interp *interp, void *nothing)
{
    (void)nothing;
    say("application group '");
    say(*interp->group ? interp->group : "%{GLOBAL}");
    say("':\n");
    _Py_DumpTracebackThreads(dumping.fd, interp->state, NULL);
}

/* Has faulthandler install its handler, takes it away again, and keeps the function. */
static bool borrow_handler(void)
{
    char source[128];
    snprintf(source, sizeof source, "import faulthandler\nfaulthandler.register(%d, file=%d)\n", HANDLER_SIGNAL, dumping.fd);
    struct sigaction before, installed;
    bool done = sigaction(HANDLER_SIGNAL, NULL, &before) == 0;
    PyObject *space = done ? PyDict_New() : NULL;
    PyObject *result = space ? PyRun_String(source, Py_file_input, space, space) : NULL;
    done = result && sigaction(HANDLER_SIGNAL, &before, &installed) == 0;
    if (done)
        dumping.handler = installed.sa_handler; /* it does not ask for the other arguments */
    Py_XDECREF(result);
    Py_XDECREF(space);
    PyErr_Clear();
    return done;
}

bool mw_stacks_prepare(int fd)
{
    dumping.fd = fd;
    if (!mw_this.running)
        return false;
    if (!_Py_DumpTracebackThreads) {
        mw_thread *thread = mw_thread_self();
        mw_interp *main_interp = mw_interp_get("", &(int){0});
        if (!thread || !main_interp || !mw_enter(main_interp, thread))
            return false;
        bool borrowed = borrow_handler();
        mw_leave();
        if (!borrowed)
            return false;
    }
    dumping.ready = true;
    return true;
}

bool mw_stacks_dump(void)
{
    if (!dumping.ready || mw_is_forked_copy())
        return false;
    if (_Py_DumpTracebackThreads)
        mw_interp_each(dump, NULL);
    else
        dumping.handler(HANDLER_SIGNAL);
    return true;
}
