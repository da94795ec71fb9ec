/* Signals of a daemon process. In C because they may arrive on any thread and in forked copies of the process, where Go does not live: its own
 * handlers, which are there for almost every signal, would swallow them or hang. */
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct {
    int fd;
    pid_t pid;
    struct sigaction of_go[NSIG];
} caught;

/* ---- What the process is told ---- */

static void note(int number)
{
    int before = errno;
    unsigned char byte = number;
    if (getpid() != caught.pid)
        _exit(255);
    if (write(caught.fd, &byte, 1) < 0) {
        /* the pipe is full of signals that nobody has looked at yet: one more says nothing new */
    }
    errno = before;
}

/* ---- Copies ---- */

/* In a forked copy: what Go would have handled gets its usual meaning again. Only calls what may be called there. */
static void forget_go(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN ||
            (!mwd_crash_handles(&action) && action.sa_sigaction != caught.of_go[number].sa_sigaction))
            continue;
        memset(&action, 0, sizeof action);
        action.sa_handler = SIG_DFL;
        sigaction(number, &action, NULL);
    }
}

int mwd_signals_catch(const int *signals, size_t n, int fd)
{
    caught.fd = fd;
    caught.pid = getpid();
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)
            caught.of_go[number] = action;
    }
    for (size_t i = 0; i < n; i++) {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = note;
        action.sa_flags = SA_ONSTACK | SA_RESTART; /* a thread of Go's has a small stack */
        if (sigaction(signals[i], &action, NULL) != 0)
            return errno;
    }
    int failed = mwd_crash_catch();
    return failed ? failed : pthread_atfork(NULL, NULL, forget_go);
}
