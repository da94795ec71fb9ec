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

/* ---- Crashes: they end the process as they would without Go, by the signal, with a core dump where the system makes one ---- */

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { CRASHES = sizeof crashes / sizeof *crashes };

static void crash(int number)
{
    signal(number, SIG_DFL); /* and again: the instruction is repeated */
}

/* Before Go's runtime, which passes on what did not happen in its code (package os/signal, "Go programs that use cgo or SWIG"). */
__attribute__((constructor)) static void catch_crashes(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = crash;
    action.sa_flags = SA_ONSTACK;
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &action, NULL);
}

/* After Go's runtime, which does not pass on what somebody sends. */
static void crash_or_sent(int number, siginfo_t *info, void *context)
{
    if (info->si_code > 0) {
        caught.of_go[number].sa_sigaction(number, info, context);
        return;
    }
    signal(number, SIG_DFL);
    raise(number);
}

static int catch_sent_ones(void)
{
    for (size_t i = 0; i < CRASHES; i++) {
        struct sigaction action = caught.of_go[crashes[i]];
        if (!(action.sa_flags & SA_SIGINFO))
            continue;
        action.sa_sigaction = crash_or_sent;
        if (sigaction(crashes[i], &action, NULL) != 0)
            return errno;
    }
    /* abort() of Python's, or of a library's, Go would call its own. */
    return signal(SIGABRT, SIG_DFL) == SIG_ERR || signal(SIGQUIT, SIG_DFL) == SIG_ERR ? errno : 0;
}

/* ---- Copies ---- */

/* In a forked copy: what Go would have handled gets its usual meaning again. Only calls what may be called there. */
static void forget_go(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN ||
            (action.sa_sigaction != crash_or_sent && action.sa_sigaction != caught.of_go[number].sa_sigaction))
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
    int failed = catch_sent_ones();
    return failed ? failed : pthread_atfork(NULL, NULL, forget_go);
}
